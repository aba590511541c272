"""Making one shard: the rows of its photos, written as a whole when it is complete.

A photo's row follows from its content and the network alone, and a shard's bytes from its rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tellapart.data.remote.door import READERS
from tellapart.data.remote.place import Place
from tellapart.errors import InputError, PhotoError
from tellapart.features.extract import CHUNKS_AHEAD, SPARE_WORKERS, Extractor
from tellapart.parallel import AHEAD, map_in_order
from tellapart.shards import parquet
from tellapart.shards.destination import Destination, Manifest
from tellapart.shards.rows import REPEATING, Row, processor, rows_together, table_of

CHUNK = 8  # photos a task: with four, a photo takes 2 % more of a processor
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


class Rows(Protocol):
    """What makes the rows of photos; the same photo gives the same row on one kind of processor."""

    def processor(self) -> str:
        """Names the kind of processor by what it computes; compiles the network."""

    def table(self, uris: Sequence[str], tell: Tell) -> tuple[Any, list[str | None]]:
        """A row for each photo, and of each the code of the error for which it is skipped, or None.

        `tell` is called with how many there are so far.
        """


@dataclass(frozen=True)
class FeatureRows:
    """Rows of features.

    Args:
        manifest: of the folder.
        reader: where photos come from.
        extractor: the network.
        n_workers: threads.
    """

    manifest: Manifest
    reader: Reader
    extractor: Extractor
    n_workers: int

    def processor(self) -> str:
        """Names the kind of processor."""
        return processor(self.extractor)

    def table(self, uris: Sequence[str], tell: Tell) -> tuple[Any, list[str | None]]:
        """Of each photo its features and its looks."""
        rows = rows_of(uris, self.reader, self.extractor, self.n_workers, tell)
        return table_of(rows, self.manifest.n_features, self.manifest.precision), [row.code for row in rows]


class Shards:
    """Makes shards of one folder in this process.

    Args:
        found: the folder.
        rows: what makes the rows of photos.
        retry_failed: whether photos that were skipped are read once more.
    """

    def __init__(self, found: Destination, rows: Rows, *, retry_failed: bool, source: str) -> None:
        self.found, self._rows, self._source = found, rows, source
        self._retry_failed = retry_failed
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
        self._processor = self._processor or self._rows.processor()

    def make(self, shard: int, tell: Tell) -> None:
        """Write a shard; `tell` is called with how many of its photos there are.

        Raises:
            InputError: it cannot be written, or all of its photos are gone.
        """
        self._retried.add(shard)
        self.warm()
        uris = self.found.members(shard)
        kept, again = self._kept(shard)
        wanted = [uri for uri in uris if again is None or uri in again]
        table, codes = self._rows.table(wanted, tell)
        why = table[self.found.reasons][0].as_py() if codes else None
        _refuse_vanished(codes, why or "", self._source)
        if kept is not None:
            # What was read back holds notes of the file in its schema, which the file would then be written with.
            kept = kept.cast(table.schema).replace_schema_metadata(None)
            table = parquet.arrow().concat_tables([kept, table]).sort_by("uri")
        n_skipped = len(table[self.found.reasons].drop_null())
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
        skipped = table[self.found.reasons].is_valid()
        return table.filter(table[self.found.reasons].is_null()), set(table.filter(skipped)["uri"].to_pylist())


def rows_of(uris: Sequence[str], reader: Reader, extractor: Extractor, n_workers: int, tell: Tell) -> list[Row]:
    """A row for each uri, in their order; `tell` is called with how many there are so far.

    Raises:
        InputError: storage elsewhere gives no photo any more.
    """

    # From elsewhere one by one: a task then waits for one answer, and it is soon known when none comes any more.
    each, spare, ahead = (1, READERS, AHEAD) if reader.elsewhere else (CHUNK, SPARE_WORKERS, CHUNKS_AHEAD)

    def work(start: int) -> list[Row]:
        return rows_together(uris[start : start + each], reader.read, extractor)

    rows: list[Row] = []
    starts = range(0, len(uris), each)
    for some in map_in_order(work, starts, n_workers=n_workers + spare, ahead=ahead, name="embed"):
        for row in some:
            rows.append(row)
            tell(len(rows))
            refuse_away([one.code for one in rows[-AWAY:]], row.skipped or "", reader.source)
    return rows


def refuse_away(codes: Sequence[str | None], why: str, source: str) -> None:
    """Returns unless these are as many photos in a row as storage elsewhere gives none of when it is down.

    Args:
        codes: of the last photos, AWAY at most.
        why: the last one could not be had.
        source: how the person called the photos.

    Raises:
        InputError: it is down, or the network.
    """
    if len(codes) >= AWAY and all(code == "unreachable" for code in codes):
        raise InputError(
            f"None of the last {AWAY} photos of '{source}' could be had: {_lower(why)}",
            hint="When the storage answers again, the same command goes on. Shards that are done are kept.",
        )


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def no_longer_there() -> PhotoError:
    """The reason of a photo that is in the list and is not found any more."""
    return PhotoError("The file was there when the list was made, and is no longer.", code="missing")


def _refuse_vanished(codes: Sequence[str | None], why: str, source: str) -> None:
    """Returns where some photo of a shard is there; each shard is a sample of all, so otherwise a disk has gone."""
    if len(codes) >= MANY and all(code in NOT_GIVEN for code in codes):
        raise InputError(
            f"None of {len(codes):,} photos in a row of '{source}' could be had: {_lower(why)}",
            hint="When that is mended, the same command goes on. Shards that are done are kept.",
        )
    if len(codes) >= MANY and all(code in GONE for code in codes):
        raise InputError(
            f"None of {len(codes):,} photos in a row can be read any more: is the disk of '{source}' still there?",
            hint="When it is back, the same command goes on. Shards that are done are kept.",
        )
