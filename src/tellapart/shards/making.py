"""Making one shard: the rows of its photos, written as a whole when it is complete.

A photo's row follows from its content and the network alone, and a shard's bytes from its rows.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tellapart.errors import InputError, PhotoError
from tellapart.features.extract import SPARE_WORKERS, Extractor
from tellapart.parallel import map_in_order
from tellapart.shards import parquet
from tellapart.shards.destination import Destination
from tellapart.shards.rows import REPEATING, Row, processor, row_of, table_of

MANY = 16  # photos that are all gone by no chance
GONE = frozenset({"missing", "unreadable"})

Tell = Callable[[int], None]


class Shards:
    """Makes shards of one folder in this process.

    Args:
        found: the folder.
        read: gives the bytes of the photo of a uri; raises PhotoError.
        extractor: the network.
        n_workers: threads.
        retry_failed: whether photos that were skipped are read once more.
        source: how the person called the photos.
    """

    def __init__(
        self,
        found: Destination,
        read: Callable[[str], bytes],
        extractor: Extractor,
        *,
        n_workers: int,
        retry_failed: bool,
        source: str,
    ) -> None:
        self.found, self._read, self._extractor, self._source = found, read, extractor, source
        self._n_workers, self._retry_failed = n_workers, retry_failed
        self._retried: set[int] = set()
        self._processor = ""

    def place(self, shard: int) -> Path:
        """The file of a shard."""
        return self.found.place(shard)

    def is_done(self, shard: int) -> bool:
        """Whether a shard need not be made any more."""
        said = self.found.done(shard)
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
        rows = rows_of(wanted, self._read, self._extractor, self._n_workers, tell)
        _refuse_vanished(rows, self._source)
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


def rows_of(
    uris: Sequence[str], read: Callable[[str], bytes], extractor: Extractor, n_workers: int, tell: Tell
) -> list[Row]:
    """A row for each uri, in their order; `tell` is called with how many there are so far."""

    def work(uri: str) -> Row:
        return row_of(uri, lambda: read(uri), extractor)

    rows: list[Row] = []
    for row in map_in_order(work, uris, n_workers=n_workers + SPARE_WORKERS, name="embed"):
        rows.append(row)
        tell(len(rows))
    return rows


def no_longer_there() -> PhotoError:
    """The reason of a photo that is in the list and is not found any more."""
    return PhotoError("The file was there when the list was made, and is no longer.", code="missing")


def _refuse_vanished(rows: Sequence[Row], source: str) -> None:
    """Returns where some photo of a shard is there; each shard is a sample of all, so otherwise a disk has gone."""
    if len(rows) >= MANY and all(row.code in GONE for row in rows):
        raise InputError(
            f"None of {len(rows):,} photos in a row can be read any more: is the disk of '{source}' still there?",
            hint="When it is back, the same command goes on. Shards that are done are kept.",
        )
