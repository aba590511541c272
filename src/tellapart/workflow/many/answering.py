"""What a model says of many photos, in shards: the same list, locks, resume and parts as of features."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar, Final

import numpy as np

from tellapart.data.meaning.unlabelled import scan_unlabelled
from tellapart.data.remote.door import READERS
from tellapart.data.remote.place import Place
from tellapart.data.source import Dataset
from tellapart.engine.device import PROCESSOR, device_key
from tellapart.errors import PhotoError
from tellapart.features.extract import made_on
from tellapart.formats.metadata import taken
from tellapart.model.artifact import is_imagenet
from tellapart.model.prediction import Predictor, load
from tellapart.model.predictions import Prediction
from tellapart.parallel import map_in_order, n_cores
from tellapart.shards import parquet
from tellapart.shards.destination import ANSWERS_KIND, LIST, Destination, Manifest, begun
from tellapart.shards.embedding import Filling, Part, shard_size_of
from tellapart.shards.making import AWAY, Reader, Shards, refuse_away
from tellapart.shards.origin import not_seen, reader_at, reader_of, refuse_inside, root_of
from tellapart.shards.updating import brought_up
from tellapart.shards.work import Begun, Embedded
from tellapart.timing import Progress, usual_progress

STAGE: Final = "predicting"
OWN: Final = ("uri", "code")  # columns beside those of every table of answers
REPEATING: Final = ["answer", "class_name", "error", "date", "camera", "code"]


@dataclass(frozen=True)
class AnswerRows:
    """Rows of answers.

    Args:
        found: the folder of answers.
        predictor: the model.
        columns: (C,) how the columns of its classes are called.
        reader: where photos come from.
        n_workers: threads.
    """

    found: Destination
    predictor: Predictor
    columns: Sequence[str]
    reader: Reader
    n_workers: int

    def processor(self) -> str:
        """Names the kind of processor by what the model says of a drawn picture."""
        return self.predictor.processor()

    def table(self, uris: Sequence[str], tell: Callable[[int], None]) -> tuple[Any, list[str | None]]:
        """Of each photo what `predict --csv` says, under the same names."""

        def work(uri: str) -> tuple[Prediction, tuple[str, str], str | None]:
            try:
                data = self.reader.read(uri)
                return self.predictor.predict(data), taken(data), None
            except PhotoError as error:
                return Prediction("", None, error=error.message), ("", ""), error.code

        spare = READERS if self.reader.elsewhere else 0
        rows: list[tuple[Prediction, tuple[str, str], str | None]] = []
        for row in map_in_order(work, uris, n_workers=self.n_workers + spare, name="answer"):
            rows.append(row)
            tell(len(rows))
            refuse_away([code for _, _, code in rows[-AWAY:]], row[0].error or "", self.reader.source)
        return self._table(uris, rows), [code for _, _, code in rows]

    def _table(self, uris: Sequence[str], rows: Sequence[tuple[Prediction, tuple[str, str], str | None]]) -> Any:
        pa, said = parquet.arrow(), [prediction for prediction, _, _ in rows]
        failed = np.array([one.error is not None for one in said], bool)

        def text(values: Sequence[str | None]) -> Any:
            return pa.array(values, pa.string())

        def numbers(values: Sequence[float | None]) -> Any:
            return pa.array(np.array([value or 0 for value in values], np.float32), pa.float32(), mask=failed)

        columns = {
            "uri": text(uris),
            "photo": self._names(uris),
            "answer": text([one.answer for one in said]),
            "class_name": text([one.class_name for one in said]),
            "confidence": numbers([one.confidence for one in said]),
            "error": text([one.error for one in said]),
        }
        for name, column in zip(self.predictor.class_names, self.columns, strict=True):
            columns[column] = numbers([(one.probs or {}).get(name) for one in said])
        columns["date"] = text([date for _, (date, _), _ in rows])
        columns["camera"] = text([camera for _, (_, camera), _ in rows])
        columns["code"] = text([code for _, _, code in rows])
        return pa.table(columns)

    def _names(self, uris: Sequence[str]) -> Any:
        """What people call these photos."""
        listed = self._listed
        at = import_module("pyarrow.compute").index_in(parquet.arrow().array(uris, listed["uri"].type), listed["uri"])
        return listed["photo"].take(at).combine_chunks()

    @cached_property
    def _listed(self) -> parquet.Table:
        """The photos' uris and names, not as Python's strings, of which 10⁶ would take half a gigabyte."""
        return parquet.load(self.found.path / LIST, ["uri", "photo"])


def answer(
    model: str,
    source: str,
    output: Place,
    name_columns: Callable[[Sequence[str]], Sequence[str]],
    *,
    shard_size: int | None = None,
    part: Part = Part(),  # noqa: B008  a value that nobody can change
    n_workers: int | None = None,
    retry_failed: bool = False,
    allow_private: bool = False,
    device: str = "cpu",
    progress: Progress = usual_progress,
) -> Embedded:
    """Make those shards of answers in `output` that are not done yet; returns when all of this part are.

    Args:
        model: a folder that `train` wrote, or "imagenet".
        source: photos, with labels or without, which are not looked at.
        output: the folder of answers, or its address.
        name_columns: (C,) names of classes to those of their columns.
        shard_size: photos in a shard; None is that of the folder, or 4,096 in a new one.
        part: which of the shards are this run's.
        n_workers: threads; None is one a core, and for a GPU a batch more.
        retry_failed: whether photos that could not be read are read once more.
        allow_private: whether addresses of the web may lead to hosts of this network.
        device: what computes: `cpu`, or a GPU by `cuda`.
        progress: called with (stage, done, total).

    Raises:
        ArtifactError: the model cannot be trusted or understood.
        InputError: there are no photos, or `output` is something else, or cannot be written; shards are kept.
    """
    job = AnswerJob(model, source, output, name_columns, shard_size, part, retry_failed, allow_private, device)
    return job.run(n_workers=n_workers, progress=progress)


@dataclass(frozen=True)
class AnswerJob(Filling):
    """The same as work that other processes can do: a `Job`. Arguments as of `answer`.

    Args:
        name_columns: a function of some module, which other processes find under its name.
        folder: what names are relative to; other processes run elsewhere.
    """

    stage: ClassVar[str] = STAGE
    model: str
    source: str
    output: Place
    name_columns: Callable[[Sequence[str]], Sequence[str]]
    shard_size: int | None = None
    part: Part = Part()  # noqa: RUF009  a value that nobody can change
    retry_failed: bool = False
    allow_private: bool = False
    device: str = "cpu"
    folder: str = field(default_factory=os.getcwd)

    @property
    def on_gpu(self) -> bool:
        """As of `Job`."""
        return self.device != PROCESSOR

    @contextmanager
    def opened(self, n_workers: int | None, *, computes: bool = True) -> Iterator[tuple[Shards, tuple[int, ...], int]]:
        """As of `Filling`."""
        parquet.arrow()
        refuse_inside(self.source, self.output)
        dataset = scan_unlabelled(self.source, allow_private=self.allow_private)
        predictor = load(self.model, streams=n_workers, device=self.device if computes else PROCESSOR)
        found = begun(self.output, dataset, self._manifest(dataset, predictor))
        uris, reader = reader_of(dataset, found.manifest.root)
        found, changed = brought_up(found, dataset, uris, retry_failed=self.retry_failed)
        shards = self._shards(found, predictor, reader, n_workers or n_cores() + predictor.n_waiting)
        yield shards, self.waiting(shards), changed

    @contextmanager
    def maker(self, begun: Begun, n_workers: int) -> Iterator[Shards]:
        """What makes shards in this process, which lists no photos: it reads those that the list names.

        Raises:
            ArtifactError: the model cannot be trusted or understood.
            InputError: this machine does not see the shards, the photos or the same model.
        """
        found = self.found_again(begun)
        with self.at_home():
            reader = reader_at(found.manifest, self.source, allow_private=self.allow_private)
            if not is_imagenet(self.model) and not os.path.isdir(self.model):
                raise not_seen(self.model)
            predictor = load(self.model, streams=n_workers, device=self.device)
        if predictor.key != found.manifest.network:
            raise not_seen(self.model)
        shards = self._shards(found, predictor, reader, n_workers + predictor.n_waiting)
        shards.warm()
        yield shards

    def _shards(self, found: Destination, predictor: Predictor, reader: Reader, n_workers: int) -> Shards:
        rows = AnswerRows(found, predictor, self.name_columns(predictor.class_names), reader, n_workers)
        return Shards(found, rows, retry_failed=self.retry_failed, source=reader.source)

    def _manifest(self, dataset: Dataset, predictor: Predictor) -> Manifest:
        return Manifest(
            network=made_on(predictor.key)[0] + device_key(self.device),
            quality=os.path.basename(os.path.abspath(self.model)),
            resize_mode=predictor.preprocessing.resize_mode,
            precision="float32",
            n_features=len(predictor.class_names),
            source=dataset.source,
            root=root_of(self.source, dataset),
            shard_size=shard_size_of(self.output, self.shard_size),
            n_photos=dataset.n,
            n_left_out=len(dataset.skipped),
            kind=ANSWERS_KIND,
        )
