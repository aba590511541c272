"""Making one shard: the rows of its photos, written as a whole when it is complete.

A photo's row follows from its content and the network alone, and a shard's bytes from its rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.data.remote.door import READERS
from tellapart.data.remote.place import Place
from tellapart.errors import InputError, PhotoError
from tellapart.features.extract import SPARE_WORKERS, Extractor
from tellapart.parallel import map_in_order
from tellapart.shards import parquet
from tellapart.shards.destination import Destination
from tellapart.shards.rows import REPEATING, Row, processor, row_of, table_of

MANY = 16  # photos that are all gone by no chance
GONE = frozenset({"missing", "unreadable"})
NOT_GIVEN = frozenset({"unreachable", "forbidden", "refused"})  # by storage elsewhere
AWAY = 64  # photos in a row that storage elsewhere does not give, each asked for some times: it is down, or the network

Json = dict[str, Any]
Tell = Callable[[int], None]


@dataclass(frozen=True)
class Reader:
    """Where photos come from.

    Args:
        read: gives the bytes of the photo of a uri; raises PhotoError.
        source: how the person called the photos.
        elsewhere: whether reading one waits for a network.
    """

    read: Callable[[str], bytes]
    source: str
    elsewhere: bool


class Shards:
    """Makes shards of one folder in this process.

    Args:
        found: the folder.
        reader: where photos come from.
        extractor: the network.
        n_workers: threads.
        retry_failed: whether photos that were skipped are read once more.
    """

    def __init__(
        self,
        found: Destination,
        reader: Reader,
        extractor: Extractor,
        *,
        n_workers: int,
        retry_failed: bool,
    ) -> None:
        self.found, self._reader, self._extractor = found, reader, extractor
        self._n_workers, self._retry_failed = n_workers, retry_failed
        self._retried: set[int] = set()
        self._processor = ""

    def place(self, shard: int) -> Place:
        """The file of a shard."""
        return self.found.place(shard)

    def is_done(self, shard: int) -> bool:
        """Whether a shard need not be made any more."""
        return self.counts(shard, self.found.done(shard))

    def counts(self, shard: int, said: Json | None) -> bool:
        """Whether a shard whose footer says this need not be made any more."""
        if said is None:
            return False
        return not (self._retry_failed and said.get("skipped") and shard not in self._retried)

    def warm(self) -> None:
        """Compile the network, which the first shard does otherwise."""
        self._processor = self._processor or processor(self._extractor)

    def make(self, shard: int, tell: Tell) -> None:
        """Write a shard; `tell` is called with how many of its photos there are.

        Raises:
            InputError: it cannot be written, or all of its photos are gone.
        """
        self._retried.add(shard)
        self.warm()
        own, uris = self.found.manifest, self.found.members(shard)
        kept, again = self._kept(shard)
        wanted = [uri for uri in uris if again is None or uri in again]
        rows = rows_of(wanted, self._reader, self._extractor, self._n_workers, tell)
        _refuse_vanished(rows, self._reader.source)
        table = table_of(rows, own.n_features, own.precision)
        if kept is not None:
            # What was read back holds notes of the file in its schema, which the file would then be written with.
            kept = kept.cast(table.schema).replace_schema_metadata(None)
            table = parquet.arrow().concat_tables([kept, table]).sort_by("uri")
        n_skipped = table.num_rows - table["features"].drop_null().length()
        said = {
            **self.found.wanted(shard),
            "processor": self._processor,
            "skipped": n_skipped,
            "used": len(uris) - n_skipped,
        }
        parquet.save(self.found.place(shard), table, said, REPEATING)

    def _kept(self, shard: int) -> tuple[Any, set[str] | None]:
        """The rows of a shard that stay as they are, and the uris of the others; None for all of them."""
        said = self.found.done(shard)
        if said is None or said.get("processor") != self._processor:
            return None, None
        table = parquet.load(self.found.place(shard))
        skipped = table["skipped"].is_valid()
        return table.filter(table["skipped"].is_null()), set(table.filter(skipped)["uri"].to_pylist())


def rows_of(uris: Sequence[str], reader: Reader, extractor: Extractor, n_workers: int, tell: Tell) -> list[Row]:
    """A row for each uri, in their order; `tell` is called with how many there are so far.

    Raises:
        InputError: storage elsewhere gives no photo any more.
    """

    def work(uri: str) -> Row:
        return row_of(uri, lambda: reader.read(uri), extractor)

    rows: list[Row] = []
    spare = READERS if reader.elsewhere else SPARE_WORKERS
    for row in map_in_order(work, uris, n_workers=n_workers + spare, name="embed"):
        rows.append(row)
        tell(len(rows))
        if len(rows) >= AWAY and all(one.code == "unreachable" for one in rows[-AWAY:]):
            raise InputError(
                f"None of the last {AWAY} photos of '{reader.source}' could be had: {_lower(row.skipped or '')}",
                hint="When the storage answers again, the same command goes on. Shards that are done are kept.",
            )
    return rows


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def no_longer_there() -> PhotoError:
    """The reason of a photo that is in the list and is not found any more."""
    return PhotoError("The file was there when the list was made, and is no longer.", code="missing")


def _refuse_vanished(rows: Sequence[Row], source: str) -> None:
    """Returns where some photo of a shard is there; each shard is a sample of all, so otherwise a disk has gone."""
    if len(rows) >= MANY and all(row.code in NOT_GIVEN for row in rows):
        raise InputError(
            f"None of {len(rows):,} photos in a row of '{source}' could be had: {_lower(rows[0].skipped or '')}",
            hint="When that is mended, the same command goes on. Shards that are done are kept.",
        )
    if len(rows) >= MANY and all(row.code in GONE for row in rows):
        raise InputError(
            f"None of {len(rows):,} photos in a row can be read any more: is the disk of '{source}' still there?",
            hint="When it is back, the same command goes on. Shards that are done are kept.",
        )
