"""Making one shard: the rows of its photos, written as a whole when it is complete.

A photo's row follows from its content and the network alone, and a shard's bytes from its rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tellapart.errors import InputError, PhotoError
from tellapart.features.extract import SPARE_WORKERS, Extractor
from tellapart.parallel import map_in_order
from tellapart.shards import parquet
from tellapart.shards.destination import Destination, Manifest
from tellapart.shards.rows import REPEATING, Row, processor, row_of, table_of

MANY = 16  # photos that are all gone by no chance
GONE = frozenset({"missing", "unreadable"})

Tell = Callable[[int], None]


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
        read: gives the bytes of the photo of a uri; raises PhotoError.
        extractor: the network.
        n_workers: threads.
    """

    manifest: Manifest
    read: Callable[[str], bytes]
    extractor: Extractor
    n_workers: int

    def processor(self) -> str:
        """Names the kind of processor."""
        return processor(self.extractor)

    def table(self, uris: Sequence[str], tell: Tell) -> tuple[Any, list[str | None]]:
        """Of each photo its features and its looks."""
        rows = rows_of(uris, self.read, self.extractor, self.n_workers, tell)
        return table_of(rows, self.manifest.n_features, self.manifest.precision), [row.code for row in rows]


class Shards:
    """Makes shards of one folder in this process.

    Args:
        found: the folder.
        rows: what makes the rows of photos.
        retry_failed: whether photos that were skipped are read once more.
        source: how the person called the photos.
    """

    def __init__(self, found: Destination, rows: Rows, *, retry_failed: bool, source: str) -> None:
        self.found, self._rows, self._source = found, rows, source
        self._retry_failed = retry_failed
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
        _refuse_vanished(codes, self._source)
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


def _refuse_vanished(codes: Sequence[str | None], source: str) -> None:
    """Returns where some photo of a shard is there; each shard is a sample of all, so otherwise a disk has gone."""
    if len(codes) >= MANY and all(code in GONE for code in codes):
        raise InputError(
            f"None of {len(codes):,} photos in a row can be read any more: is the disk of '{source}' still there?",
            hint="When it is back, the same command goes on. Shards that are done are kept.",
        )
