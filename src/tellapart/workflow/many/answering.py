"""What a model says of many photos, in shards: the same list, locks, resume and parts as of features."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tellapart.data.meaning.unlabelled import scan_unlabelled
from tellapart.data.remote.door import READERS
from tellapart.data.remote.held import lies_elsewhere
from tellapart.data.remote.place import Place
from tellapart.data.source import Dataset
from tellapart.errors import PhotoError
from tellapart.formats.metadata import taken
from tellapart.model.prediction import Predictor, load
from tellapart.model.predictions import Prediction
from tellapart.parallel import map_in_order, n_cores
from tellapart.shards import parquet
from tellapart.shards.destination import ANSWERS_KIND, Manifest, all_done, begun, uri_of
from tellapart.shards.embedding import Part, changed_since, make_all, shard_size_of
from tellapart.shards.making import AWAY, Reader, Shards, no_longer_there, refuse_away
from tellapart.shards.origin import refuse_inside, root_of
from tellapart.shards.work import Embedded
from tellapart.timing import Progress, usual_progress

STAGE: Final = "predicting"
OWN: Final = ("uri", "code")  # columns beside those of every table of answers
REPEATING: Final = ["answer", "class_name", "error", "date", "camera", "code"]


@dataclass(frozen=True)
class AnswerRows:
    """Rows of answers.

    Args:
        predictor: the model.
        columns: (C,) how the columns of its classes are called.
        names: {uri: the photo's name for people}.
        reader: where photos come from.
        n_workers: threads.
    """

    predictor: Predictor
    columns: Sequence[str]
    names: dict[str, str]
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
            "photo": text([self.names[uri] for uri in uris]),
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
        n_workers: threads; None is one a core.
        retry_failed: whether photos that could not be read are read once more.
        allow_private: whether addresses of the web may lead to hosts of this network.
        progress: called with (stage, done, total).

    Raises:
        ArtifactError: the model cannot be trusted or understood.
        InputError: there are no photos, or `output` is something else, or cannot be written; shards are kept.
    """
    parquet.arrow()
    refuse_inside(source, output)
    dataset, n_workers = scan_unlabelled(source, allow_private=allow_private), n_workers or n_cores()
    predictor = load(model, streams=n_workers)
    found = begun(output, dataset, _manifest(model, source, output, dataset, predictor, shard_size))
    root = found.manifest.root
    index = {uri_of(place, root): i for i, place in enumerate(dataset.places)}
    listed = found.listed

    def read(uri: str) -> bytes:
        if uri not in index:
            raise no_longer_there()
        return dataset.read(index[uri])

    names = {uri: listed.photos[i] for uri, i in listed.there.items()}
    reader = Reader(read, dataset.source, lies_elsewhere(dataset.archive))
    rows = AnswerRows(predictor, name_columns(predictor.class_names), names, reader, n_workers)
    shards = Shards(found, rows, retry_failed=retry_failed, source=dataset.source)
    changed = changed_since(found, index.keys(), dataset.source)
    own = [shard for shard in range(found.manifest.n_shards) if part.has(shard)]
    said = zip(own, all_done(found, own), strict=True)
    own = [shard for shard, footer in said if not shards.counts(shard, footer)]
    made, photos = make_all(shards, own, progress, STAGE)
    return Embedded(made, photos, changed)


def _manifest(
    model: str, source: str, output: Place, dataset: Dataset, predictor: Predictor, shard_size: int | None
) -> Manifest:
    return Manifest(
        network=predictor.key,
        quality=os.path.basename(os.path.abspath(model)),
        resize_mode=predictor.preprocessing.resize_mode,
        precision="float32",
        n_features=len(predictor.class_names),
        source=dataset.source,
        root=root_of(source, dataset),
        shard_size=shard_size_of(output, shard_size),
        n_photos=dataset.n,
        n_left_out=len(dataset.skipped),
        kind=ANSWERS_KIND,
    )
