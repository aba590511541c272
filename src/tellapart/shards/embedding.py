"""Filling a folder of shards: which shards are whose, one after the other.

A shard's bytes follow from its photos and the network alone. So it does not matter which process makes which shard, how
many threads it has, or how often it was stopped before.
"""

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, chdir, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

from tellapart.data.meaning.unlabelled import scan_any
from tellapart.data.preprocess import ResizeMode
from tellapart.data.remote.held import lies_elsewhere, requests_for
from tellapart.data.remote.place import Place
from tellapart.data.source import Dataset
from tellapart.errors import InputError
from tellapart.features.extract import STAGE, Extractor, bundled_extractor
from tellapart.shards import parquet
from tellapart.shards.claims import claims_at
from tellapart.shards.destination import (
    KINDS,
    LOCKS,
    PRECISIONS,
    SHARD_SIZE,
    Destination,
    Manifest,
    all_done,
    begun,
    is_shards,
    opened,
)
from tellapart.shards.making import FeatureRows, Reader, Shards, rows_of
from tellapart.shards.origin import bytes_of, not_seen, reader_at, reader_of, refuse_inside, root_of
from tellapart.shards.rows import REPEATING, processor, table_of
from tellapart.shards.updating import brought_up
from tellapart.shards.work import Begun, Embedded, Maker
from tellapart.timing import Progress, usual_progress

WAIT_S = 0.2  # between two looks at shards that another process is making
TRIED = 200  # photos of a plan: under 3 s on two cores, and the rate to 10 %


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
    update: bool = False,
    progress: Progress = usual_progress,
) -> Embedded:
    """Make those shards of `output` that are not done yet; returns when all of this part are.

    Args:
        source: labelled photos, as for `train`.
        output: the folder of shards, or its address.
        how: what to make of a photo.
        part: which of the shards are this run's.
        n_workers: threads; None is one a core, and for a GPU a batch more.
        retry_failed: whether what was skipped is read once more, files that were empty when they were listed too.
        group_by: what says which photos belong together, as for `scan`.
        allow_private: whether addresses of the web may lead to hosts of this network.
        update: whether the list is brought up to date first: photos that are new get shards of their own.
        progress: called with (stage, done, total).

    Raises:
        InputError: there are no photos, or `output` is something else, or cannot be written; shards are kept.
    """
    job = EmbedJob(source, output, how, part, retry_failed, group_by, allow_private, update)
    return job.run(n_workers=n_workers, progress=progress)


class Filling:
    """What every `Job` that fills a folder of shards does the same way.

    Args:
        source: photos.
        output: the folder of shards, or its address.
        part: which of the shards are this run's.
        folder: what names are relative to; other processes run elsewhere.
    """

    stage: ClassVar[str] = STAGE
    source: str
    output: Place
    part: Part
    folder: str

    @property
    def on_gpu(self) -> bool:
        """Whether photos are computed on a GPU."""
        raise NotImplementedError

    def opened(
        self, n_workers: int | None, *, computes: bool = True
    ) -> AbstractContextManager[tuple[Shards, tuple[int, ...], int]]:
        """What makes shards of the photos found now, those that are to be made, and how many photos are new or gone.

        Args:
            n_workers: threads.
            computes: whether shards are made in this process; else it need not have the device that makes them.
        """
        raise NotImplementedError

    def maker(self, begun: Begun, n_workers: int) -> AbstractContextManager[Maker]:
        """As of `Job`."""
        raise NotImplementedError

    def run(self, *, n_workers: int | None, progress: Progress) -> Embedded:
        """Do it all in this process."""
        with self.opened(n_workers) as (shards, waiting, changed):
            made, photos = make_all(shards, waiting, progress, self.stage)
        return Embedded(made, photos, changed)

    def begin(self) -> Begun:
        """Find the photos, and begin or go on with the folder of shards."""
        with chdir(self.folder), self.opened(1, computes=False) as (shards, waiting, changed):
            output = self._output
            return Begun(waiting, tuple(shards.found.sizes), output / LOCKS, changed, opened(output).mark)

    def waiting(self, shards: Shards) -> tuple[int, ...]:
        """Those of this run's shards that are to be made."""
        own = [shard for shard in range(shards.found.manifest.n_shards) if self.part.has(shard)]
        said = zip(own, all_done(shards.found, own), strict=True)
        return tuple(shard for shard, footer in said if not shards.counts(shard, footer))

    def found_again(self, begun: Begun) -> Destination:
        """The folder of shards as another process began it.

        Raises:
            InputError: this machine does not see it.
        """
        output = self._output
        found = opened(output) if is_shards(str(output), KINDS) else None
        if found is None or found.mark != begun.mark:
            raise not_seen(str(output))
        return found

    def at_home(self) -> AbstractContextManager[None]:
        """In it, names are relative to `folder`, where this machine has that."""
        return chdir(self.folder) if os.path.isdir(self.folder) else nullcontext()

    @property
    def _output(self) -> Place:
        """The folder of shards, wherever this process runs."""
        return Path(os.path.abspath(Path(self.folder, self.output))) if isinstance(self.output, Path) else self.output


@dataclass(frozen=True)
class EmbedJob(Filling):
    """The same as work that other processes can do: a `Job`. Arguments as of `embed`.

    Args:
        folder: what names are relative to; other processes run elsewhere.
    """

    source: str
    output: Place
    how: How
    part: Part = Part()  # noqa: RUF009  a value that nobody can change
    retry_failed: bool = False
    group_by: str | None = None
    allow_private: bool = False
    update: bool = False
    folder: str = field(default_factory=os.getcwd)

    @property
    def on_gpu(self) -> bool:
        """As of `Job`."""
        return self.how.device != "cpu"

    @contextmanager
    def opened(self, n_workers: int | None, *, computes: bool = True) -> Iterator[tuple[Shards, tuple[int, ...], int]]:
        """As of `Filling`."""
        parquet.arrow()
        refuse_inside(self.source, self.output)
        dataset = scan_any(self.source, group_by=self.group_by, allow_private=self.allow_private)
        with bundled_extractor(self.how.quality, self.how.resize_mode, keep=False, device=self.how.device) as extractor:
            if computes:
                extractor.refuse_absent_device()  # before the folder is one for it
            found = begun(self.output, dataset, _manifest(self.source, self.output, dataset, extractor, self.how))
            uris, reader = reader_of(dataset, found.manifest.root)
            found, changed = brought_up(found, dataset, uris, update=self.update, retry_failed=self.retry_failed)
            rows = FeatureRows(found.manifest, reader, extractor, n_workers or extractor.n_workers)
            shards = Shards(found, rows, retry_failed=self.retry_failed, source=dataset.source)
            yield shards, self.waiting(shards), changed

    @contextmanager
    def maker(self, begun: Begun, n_workers: int) -> Iterator[Shards]:
        """What makes shards in this process, which lists no photos: it reads those that the list names.

        Raises:
            InputError: this machine does not see the shards or the photos.
        """
        found = self.found_again(begun)
        with self.at_home():
            reader = reader_at(found.manifest, self.source, allow_private=self.allow_private)
        with bundled_extractor(self.how.quality, self.how.resize_mode, keep=False, device=self.how.device) as extractor:
            rows = FeatureRows(found.manifest, reader, extractor, n_workers + extractor.n_waiting)
            shards = Shards(found, rows, retry_failed=self.retry_failed, source=reader.source)
            shards.warm()
            yield shards


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
    dataset = scan_any(source, allow_private=allow_private)
    with bundled_extractor(how.quality, how.resize_mode, keep=False, device=how.device) as extractor:
        processor(extractor)  # compiles
        step = max(1, dataset.n // TRIED)
        tried = list(range(0, dataset.n, step))[:TRIED]

        def tell(done: int) -> None:
            progress(STAGE, done, len(tried))

        started = time.perf_counter()
        names = [str(i) for i in tried]
        reader = Reader(lambda name: dataset.read(int(name)), dataset.source, lies_elsewhere(dataset.archive))
        rows = rows_of(names, reader, extractor, n_workers or extractor.n_workers, tell)
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


def make_all(shards: Shards, own: Sequence[int], progress: Progress, stage: str = STAGE) -> tuple[int, int]:
    """How many shards were made here, and the photos in them, when all of `own` are done, by whomever."""
    sizes = shards.found.sizes
    waiting, total, done, made, photos = list(own), sum(sizes[shard] for shard in own), 0, 0, 0

    def tell(n: int) -> None:
        progress(stage, done + n, total)

    tell(0)
    with closing(claims_at(shards.found.path / LOCKS)) as claims:
        while waiting:
            others = []
            for shard in waiting:
                with claims.claimed(shard) as mine:
                    if not mine:
                        others.append(shard)
                        continue
                    if not shards.is_done(shard):
                        shards.make(shard, tell)
                        made, photos = made + 1, photos + sizes[shard]
                    done += sizes[shard]
                    tell(0)
            waiting = others
            if waiting:
                time.sleep(WAIT_S)
    return made, photos


def _manifest(source: str, output: Place, dataset: Dataset, extractor: Extractor, how: How) -> Manifest:
    if how.precision not in PRECISIONS:
        raise InputError(f"There is no precision '{how.precision}'.", hint=f"Choose one of: {', '.join(PRECISIONS)}.")
    return Manifest(
        network=extractor.extractor_key,
        quality=how.quality,
        resize_mode=how.resize_mode,
        precision=how.precision,
        n_features=extractor.backbone.n_features,
        source=dataset.source,
        root=root_of(source, dataset),
        shard_size=shard_size_of(output, how.shard_size),
        n_photos=dataset.n,
        n_left_out=len(dataset.skipped),
    )


def shard_size_of(output: Place, asked: int | None) -> int:
    """Photos in a shard: as asked for, as in the folder that is there, or as usual."""
    if asked is not None:
        return asked
    try:
        return opened(output).manifest.shard_size
    except InputError:  # it is begun now
        return SHARD_SIZE
