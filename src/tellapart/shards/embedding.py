"""Filling a folder of shards: which shards are whose, one after the other, each written as a whole when it is complete.

A photo's row follows from its content and the network alone, and a shard's bytes from its rows. So it does not matter
which process makes which shard, how many threads it has, or how often it was stopped before.
"""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from tellapart.data.preprocess import ResizeMode
from tellapart.data.remote.door import READERS
from tellapart.data.remote.held import lies_elsewhere, requests_for
from tellapart.data.remote.place import Place
from tellapart.data.source import Dataset, scan
from tellapart.errors import InputError, PhotoError
from tellapart.features.extract import SPARE_WORKERS, STAGE, Extractor, bundled_extractor
from tellapart.parallel import map_in_order
from tellapart.shards import parquet
from tellapart.shards.claims import Claims, NoClaims, claims_at
from tellapart.shards.destination import (
    LOCKS,
    PRECISIONS,
    SHARD_SIZE,
    Destination,
    Manifest,
    all_done,
    begun,
    opened,
    uri_of,
)
from tellapart.shards.origin import bytes_of, refuse_inside, root_of
from tellapart.shards.rows import REPEATING, Row, processor, row_of, table_of
from tellapart.timing import Progress, usual_progress

WAIT_S = 0.2  # between two looks at shards that another process is making
MOST_GONE = 0.5  # share of the listed photos that must be there; with fewer, other photos were named
MANY = 16  # photos that are all gone by no chance
GONE = frozenset({"missing", "unreadable"})
NOT_GIVEN = frozenset({"unreachable", "forbidden", "refused"})  # by storage elsewhere
AWAY = 64  # photos in a row that storage elsewhere does not give, each asked for some times: it is down, or the network
TRIED = 200  # photos of a plan: under 3 s on two cores, and the rate to 10 %

Json = dict[str, Any]


class Part(NamedTuple):
    """One of `of` equal parts of the shards, counted from 1."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Part":
        """A part written like 3/64.

        Raises:
            InputError: it is not.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise InputError(
                f"A part of the shards is written like 3/64, the third of 64. Got '{text}'.",
                hint="Parts are counted from 1. Where a scheduler counts from 0, write $((NUMBER + 1))/64.",
            )
        return cls(int(found[1]), int(found[2]))

    def has(self, shard: int) -> bool:
        """Whether shard `shard`, counted from 0, is in this part."""
        return shard % self.of == self.number - 1


@dataclass(frozen=True)
class How:
    """How photos become features, and shards.

    Args:
        quality: of the bundled network.
        resize_mode: how a photo becomes square.
        precision: `float32`, the network's own, or `float16`, half the size.
        shard_size: photos in a shard; None is that of the folder, or SHARD_SIZE in a new one.
        device: what computes: `cpu`, or a GPU by `cuda`.
    """

    quality: str = "balanced"
    resize_mode: ResizeMode = "crop"
    precision: str = PRECISIONS[0]
    shard_size: int | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class Embedded:
    """What a run did.

    Args:
        made: shards that it wrote.
        photos: in them.
        changed: files that are in the source now and not in the list, or the other way round.
    """

    made: int
    photos: int
    changed: int


@dataclass(frozen=True)
class Plan:
    """What embedding a source would take.

    Args:
        photos: to be read.
        bytes: in their files; -1 where only reading would tell.
        requests: to storage elsewhere, about; 0 for files of this machine.
        shards: to be made.
        rate: photos a second on this machine, of those tried.
        tried: how many were.
        shard_bytes: about how large all shards will be.
    """

    photos: int
    bytes: int
    requests: int
    shards: int
    rate: float
    tried: int
    shard_bytes: int

    @property
    def hours(self) -> float:
        """Of this machine."""
        return self.photos / self.rate / 3600


def embed(
    source: str,
    output: Place,
    how: How,
    *,
    part: Part = Part(),  # noqa: B008  a value that nobody can change
    n_workers: int | None = None,
    retry_failed: bool = False,
    group_by: str | None = None,
    allow_private: bool = False,
    progress: Progress = usual_progress,
) -> Embedded:
    """Make those shards of `output` that are not done yet; returns when all of this part are.

    Args:
        source: labelled photos, as for `train`.
        output: the folder of shards, or its address.
        how: what to make of a photo.
        part: which of the shards are this run's.
        n_workers: threads; None is one a core, and for a GPU a batch more.
        retry_failed: whether photos that were skipped are read once more.
        group_by: what says which photos belong together, as for `scan`.
        allow_private: whether addresses of the web may lead to hosts of this network.
        progress: called with (stage, done, total).

    Raises:
        InputError: there are no photos, or `output` is something else, or cannot be written; shards are kept.
    """
    parquet.arrow()
    refuse_inside(source, output)
    dataset = scan(source, group_by=group_by, allow_private=allow_private)
    with bundled_extractor(how.quality, how.resize_mode, keep=False, device=how.device) as extractor:
        extractor.refuse_absent_device()  # before the folder is one for it
        found = begun(output, dataset, _manifest(source, output, dataset, extractor, how))
        with closing(claims_at(output / LOCKS)) as claims:
            run = _Run(found, dataset, extractor, n_workers or extractor.n_workers, retry_failed, progress)
            made, photos = run.make([i for i in range(found.manifest.n_shards) if part.has(i)], claims)
    return Embedded(made, photos, run.changed)


def plan(
    source: str,
    how: How,
    *,
    n_workers: int | None = None,
    allow_private: bool = False,
    progress: Progress = usual_progress,
) -> Plan:
    """What embedding `source` would take, at the rate at which some of its photos are read now; nothing is written.

    Raises:
        InputError: there are no photos, or a file is not what it is taken for.
    """
    parquet.arrow()
    dataset = scan(source, allow_private=allow_private)
    with bundled_extractor(how.quality, how.resize_mode, keep=False, device=how.device) as extractor:
        processor(extractor)  # compiles
        step = max(1, dataset.n // TRIED)
        tried = list(range(0, dataset.n, step))[:TRIED]

        def tell(done: int) -> None:
            progress(STAGE, done, len(tried))

        started = time.perf_counter()
        rows = _rows(dataset, [(str(i), i) for i in tried], extractor, n_workers or extractor.n_workers, tell)
        rate = len(tried) / (time.perf_counter() - started)
        d = extractor.backbone.n_features
        written = parquet.size(table_of(rows, d, how.precision), REPEATING)
    size = how.shard_size or SHARD_SIZE
    return Plan(
        photos=dataset.n,
        bytes=bytes_of(dataset),
        requests=requests_for(dataset.archive, dataset.places),
        shards=-(-dataset.n // size),
        rate=rate,
        tried=len(tried),
        shard_bytes=round(written * dataset.n / len(tried)),
    )


class _Run:
    """One process's work on a folder of shards."""

    def __init__(
        self,
        found: Destination,
        dataset: Dataset,
        extractor: Extractor,
        n_workers: int,
        retry_failed: bool,
        progress: Progress,
    ) -> None:
        self._found, self._dataset, self._extractor = found, dataset, extractor
        self._n_workers, self._retry_failed, self._progress = n_workers, retry_failed, progress
        root = found.manifest.root
        self._index = {uri_of(place, root): i for i, place in enumerate(dataset.places)}
        listed = {uri for uri in found.listed.uris if uri is not None}
        self.changed = len(listed ^ self._index.keys())
        n_there = len(listed & self._index.keys())
        if n_there < len(listed) * MOST_GONE:
            raise InputError(
                f"'{dataset.source}' holds {n_there:,} of {len(listed):,} photos that '{found.path}' was begun for.",
                hint="Name those photos, or choose another folder with -o.",
            )
        self._retried: set[int] = set()
        self._processor = ""

    def make(self, shards: Sequence[int], claims: Claims | NoClaims) -> tuple[int, int]:
        """How many shards were made, and the photos in them, when all of `shards` are done, by whomever."""
        sizes = [len(members) for members in self._found.listed.of_shards]
        said = zip(shards, all_done(self._found, shards), strict=True)
        waiting = [shard for shard, footer in said if not self._counts(shard, footer)]
        total, done, made, photos = sum(sizes[shard] for shard in waiting), 0, 0, 0
        self._progress(STAGE, 0, total)
        while waiting:
            others = []
            for shard in waiting:
                with claims.claimed(shard) as mine:
                    if not mine:
                        others.append(shard)
                        continue
                    if not self._is_done(shard):
                        self._make(shard, done, total)
                        made, photos = made + 1, photos + sizes[shard]
                    done += sizes[shard]
                    self._progress(STAGE, done, total)
            waiting = others
            if waiting:
                time.sleep(WAIT_S)
        return made, photos

    def _is_done(self, shard: int) -> bool:
        return self._counts(shard, self._found.done(shard))

    def _counts(self, shard: int, said: Json | None) -> bool:
        """Whether a shard whose footer says this is not to be made by this run."""
        if said is None:
            return False
        return not (self._retry_failed and said.get("skipped") and shard not in self._retried)

    def _make(self, shard: int, done: int, total: int) -> None:
        """Write a shard, and tell how far it is beyond the `done` photos of those before."""
        self._retried.add(shard)
        self._processor = self._processor or processor(self._extractor)  # compiles, so not before it is needed
        own, listed = self._found.manifest, self._found.listed
        uris = [listed.uris[i] for i in listed.of_shards[shard]]
        kept, again = self._kept(shard)
        wanted = [uri for uri in uris if again is None or uri in again]

        def tell(n: int) -> None:
            self._progress(STAGE, done + n, total)

        places = [(uri, self._index.get(uri)) for uri in wanted]
        rows = _rows(self._dataset, places, self._extractor, self._n_workers, tell)
        _refuse_vanished(rows, self._dataset.source)
        table = table_of(rows, own.n_features, own.precision)
        if kept is not None:
            # What was read back holds notes of the file in its schema, which the file would then be written with.
            kept = kept.cast(table.schema).replace_schema_metadata(None)
            table = parquet.arrow().concat_tables([kept, table]).sort_by("uri")
        n_skipped = table.num_rows - table["features"].drop_null().length()
        said = {
            **self._found.wanted(shard),
            "processor": self._processor,
            "skipped": n_skipped,
            "used": len(uris) - n_skipped,
        }
        parquet.save(self._found.place(shard), table, said, REPEATING)

    def _kept(self, shard: int) -> tuple[Any, set[str] | None]:
        """The rows of a shard that stay as they are, and the uris of the others; None for all of them."""
        said = self._found.done(shard)
        if said is None or said.get("processor") != self._processor:
            return None, None
        table = parquet.load(self._found.place(shard))
        skipped = table["skipped"].is_valid()
        return table.filter(table["skipped"].is_null()), set(table.filter(skipped)["uri"].to_pylist())


def _rows(
    dataset: Dataset,
    wanted: Sequence[tuple[str, int | None]],
    extractor: Extractor,
    n_workers: int,
    tell: Callable[[int], None],
) -> list[Row]:
    """A row for each (uri, index in the dataset), in their order; `tell` is called with how many there are so far."""

    def work(item: tuple[str, int | None]) -> Row:
        uri, index = item
        return row_of(uri, lambda: _read(dataset, index), extractor)

    rows: list[Row] = []
    spare = READERS if lies_elsewhere(dataset.archive) else SPARE_WORKERS
    for row in map_in_order(work, wanted, n_workers=n_workers + spare, name="embed"):
        rows.append(row)
        tell(len(rows))
        if len(rows) >= AWAY and all(one.code == "unreachable" for one in rows[-AWAY:]):
            raise InputError(
                f"None of the last {AWAY} photos of '{dataset.source}' could be had: {_lower(row.skipped or '')}",
                hint="When the storage answers again, the same command goes on. Shards that are done are kept.",
            )
    return rows


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _read(dataset: Dataset, index: int | None) -> bytes:
    if index is None:
        raise PhotoError("The file was there when the list was made, and is no longer.", code="missing")
    return dataset.read(index)


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


def _manifest(source: str, output: Place, dataset: Dataset, extractor: Extractor, how: How) -> Manifest:
    if how.precision not in PRECISIONS:
        raise InputError(f"There is no precision '{how.precision}'.", hint=f"Choose one of: {', '.join(PRECISIONS)}.")
    size = how.shard_size
    if size is None:
        try:
            size = opened(output).manifest.shard_size
        except InputError:  # it is begun now
            size = SHARD_SIZE
    return Manifest(
        network=extractor.extractor_key,
        quality=how.quality,
        resize_mode=how.resize_mode,
        precision=how.precision,
        n_features=extractor.backbone.n_features,
        source=dataset.source,
        root=root_of(source, dataset),
        shard_size=size,
        n_photos=dataset.n,
        n_left_out=len(dataset.skipped),
    )
