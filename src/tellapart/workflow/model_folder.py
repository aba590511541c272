"""What goes into a model folder: its description, its graph's proof, its report."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.kept_scores import KeptScores
from tellapart.classifier.trained import Trained
from tellapart.data.preprocess import Preprocess
from tellapart.data.remote.held import lies_elsewhere, not_fetched
from tellapart.data.source import Dataset
from tellapart.data.split import Split
from tellapart.engine.backbone import QUALITIES, Converted
from tellapart.engine.graph_rules import refuse_unsafe
from tellapart.engine.runner import PRECISION
from tellapart.errors import PhotoError, TrainingError
from tellapart.evaluation.document import inside
from tellapart.evaluation.evaluation import Evaluation, Proof
from tellapart.evaluation.notebook import SHOWN_WRONG
from tellapart.evaluation.wishes import guarantee_of
from tellapart.features.extract import compiled
from tellapart.features.prepare import Prepared, fingerprint
from tellapart.model.artifact import MAX_BYTES, MAX_EXAMPLES, MODEL, OUT_OF_FOLD, TRAINED_ON
from tellapart.model.example_names import example_name
from tellapart.model.kept_file import kept_file
from tellapart.model.prediction import Predictor
from tellapart.recipe import recipe_json
from tellapart.report.card import render_card
from tellapart.report.page import Made, render_page
from tellapart.report.thumbnails import example_photo, thumbnails
from tellapart.text import LONGEST_NAME, counted, shown

Json = dict[str, Any]

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

PROOF_PHOTOS = 16
MAX_PROOF_DIFFERENCE = 1e-3  # of any probability, between the tested head and the written graph
EXAMPLE_TRIES = 4  # photos of a class that are tried as its example
FEW_CLASSES = 3  # that fit into a title
PACKAGES = ("numpy", "onnx", "openvino", "pillow", "scipy")


def describe(trained: Trained, *, name: str) -> Json:
    """The manifest, but for the hashes of the files; its texts as they can be printed anywhere."""
    prepared, split, calibrated = trained.prepared, trained.split, trained.calibrated
    backbone, dataset, preprocessing = prepared.backbone, prepared.dataset, prepared.preprocessing
    hashes = trained.learned_hashes
    guaranteed = guarantee_of(calibrated.thresholds)
    described = {
        "name": name[:LONGEST_NAME],
        "class_names": list(dataset.class_names),
        "preprocess": {
            "input_px": preprocessing.input_px,
            "fit": preprocessing.resize_mode,
            "resize": "antialiased bilinear",
            "key": preprocessing.key,
        },
        "thresholds": calibrated.thresholds.to_json(),
        "promise": guaranteed and guaranteed.to_json(),
        "temperature": calibrated.temperature,
        "model": {
            "quality": (backbone.name if isinstance(backbone, Converted) else trained.probe.reading.quality)[
                :LONGEST_NAME
            ],
            "backbone": backbone.title[:LONGEST_NAME],
            "input_px": backbone.input_px,
            "precision": PRECISION,
            "tellapart": version("tellapart"),
        },
        "backbone": {
            "key": backbone.key,
            "mirrored": getattr(backbone, "mirrored", False),
            "networks": backbone.origin,
        },
        "recipe": recipe_json(trained.recipe) | {"chosen_inverse_regularisation": calibrated.inverse_regularisation},
        "data": {
            "n_train": len(hashes),
            "n_test": len(split.test),
            "fingerprint": fingerprint(hashes),
        },
        "packages": {package: version(package) for package in PACKAGES},
    }
    plain: Json = _plain(described)
    return plain


def _plain(value: Any) -> Any:
    """A JSON value with each of its texts as `shown` gives it: folders and files may have any names."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def model_facts(model: bytes, description: Json) -> Json:
    """What the report says about the model file."""
    facts = {**description["model"], "file_mb": round(len(model) / 1e6, 1)}
    if facts["quality"] not in QUALITIES:  # the name of a network, which its title says better
        del facts["quality"]
    return facts


def proven(model: bytes, description: Json, trained: Trained) -> tuple[Proof, dict[str, bytes]]:
    """The proof that the written graph answers as was tested, and a few small test photos that it answers rightly.

    Raises:
        TrainingError: a probability differs by more than `MAX_PROOF_DIFFERENCE`.
        ArtifactError: it is a graph that would be refused when the model is loaded.
    """
    described, dataset = description["preprocess"], trained.prepared.dataset
    refuse_unsafe(model, n_classes=len(description["class_names"]), input_px=described["input_px"])
    preprocessing = Preprocess(described["input_px"], described["fit"])
    predictor = Predictor(dataset.class_names, preprocessing, trained.calibrated.thresholds, model)
    return _prove(predictor, trained), _examples(predictor, dataset, trained.split)


def _prove(predictor: Predictor, trained: Trained) -> Proof:
    """Some test photos through the written graph, file to probabilities, compared with what was tested."""
    dataset, split = trained.prepared.dataset, trained.split
    tested = split.test if len(split.test) else split.train
    some = tested[np.linspace(0, len(tested) - 1, min(PROOF_PHOTOS, len(tested))).astype(int)]

    def answered(index: int) -> NDArray[np.float32] | None:
        try:
            with dataset.naming(index):
                return predictor.answers(predictor.pixels(dataset.read(index))).probs
        except PhotoError:
            if lies_elsewhere(dataset.archive) or trained.prepared.features.kept:
                return None  # features are kept: a signed address was good for a while, and photos of shards may move
            raise

    answers = [(int(i), answered(int(i))) for i in some]
    some = np.array([i for i, probs in answers if probs is not None], np.int64)
    if not len(some):
        return _prove_drawn(predictor, trained)
    got = np.stack([probs for _, probs in answers if probs is not None])
    expected = trained.calibrated.probs(trained.prepared.values[some])
    largest = float(np.abs(got - expected).max())
    _refuse_difference(largest, f"'{dataset.photos[some[int(np.abs(got - expected).max(axis=1).argmax())]]}'")
    return Proof(len(some), largest)


def _prove_drawn(predictor: Predictor, trained: Trained) -> Proof:
    """The same with a picture that is drawn here, where no photo can be fetched any more."""
    px = predictor.preprocessing.input_px
    y, x = np.mgrid[:px, :px]
    drawn = np.stack([x * 255 // px, y * 255 // px, (x ^ y) % 256], axis=-1).astype(np.uint8)
    features = compiled(trained.prepared.backbone)(drawn)["features"]
    expected = trained.calibrated.probs(features[None])[0]
    largest = float(np.abs(predictor.answers(drawn).probs - expected).max())
    _refuse_difference(largest, "a drawn picture")
    return Proof(0, largest)


def _refuse_difference(largest: float, what: str) -> None:
    """Returns where no probability of the written graph differs by more than may be."""
    if largest > MAX_PROOF_DIFFERENCE:
        raise TrainingError(
            f"The written model answers {what} differently from the tested one, by {largest:.4f}.",
            hint="No model was written. Please report this, with what `pip freeze` prints.",
        )


def read_again(evaluation: Evaluation, prepared: Prepared, shown_names: Sequence[str]) -> Evaluation:
    """The evaluation with a sentence on photos that could not be had again: the report is blank there.

    Args:
        evaluation: of the photos.
        prepared: the photos; those that were read just now are all there, but for those elsewhere and those of shards.
        shown_names: the photos that the report shows, as inside the dataset.
    """
    dataset = prepared.dataset
    why = Counter(not_fetched(dataset.archive, dataset.places))
    if prepared.features.kept and not lies_elsewhere(dataset.archive):
        why = _moved(dataset, set(shown_names))
    if not why:
        return evaluation
    reasons = " ".join(f"{n:,} × {reason}" for reason, n in why.most_common())
    said = f"{counted(why.total(), 'photo')} cannot be read any more, so the report shows none there: {reasons}"
    return replace(evaluation, warnings=(*(evaluation.warnings or ()), said))


def _moved(dataset: Dataset, wanted: Set[str]) -> Counter[str]:
    """{why: how many} of the photos of these names, as inside the dataset, that are not where they were."""
    why: Counter[str] = Counter()
    for index, photo in enumerate(dataset.photos):
        if inside(dataset, photo) in wanted:
            try:
                dataset.read(index)
            except PhotoError as error:
                why[error.message] += 1
    return why


def _examples(predictor: Predictor, dataset: Dataset, split: Split) -> dict[str, bytes]:
    """One test photo of each class, named by class; of the first classes where there are very many.

    A copy this small may be answered otherwise than its photo, so it is asked about, and a few are tried. Of a class
    that the model gets wrong each time, the copy stands there that is its own most of all.
    """
    files: dict[str, bytes] = {}
    tested = split.test if len(split.test) else split.train
    labels = dataset.labels[tested]
    for label in map(int, np.unique(labels)[:MAX_EXAMPLES]):
        name = dataset.class_names[label]
        best = -1.0
        for photo in (example_photo(dataset, int(i)) for i in tested[labels == label][:EXAMPLE_TRIES]):
            if photo is None:
                continue
            said = predictor.predict(photo)
            own = 2.0 if said.answer == name else float((said.probs or {}).get(name, 0))
            if own > best:
                best, files[example_name(dataset.class_names, label)] = own, photo
            if said.answer == name:
                break
    return files


def page(evaluation: Evaluation, pictures: Mapping[str, str], name: str, made: Made | None = None) -> bytes:
    """The report on the model `name`; without timings, so that the same photos and seed give the same bytes a day."""
    title = title_of(evaluation.confusion.class_names, name)
    return render_page(evaluation, pictures, title=title, model_name=name, made=made).encode()


def title_of(class_names: Sequence[str], name: str) -> str:
    """What was learned to be told apart: the classes where they are few, else the model's name."""
    return " or ".join(class_names) if len(class_names) <= FEW_CLASSES else name


def made_today(folder: str, command: str) -> Made:
    """The day, which SOURCE_DATE_EPOCH sets for those who want the same bytes on every day, and the command."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    when = datetime.fromtimestamp(int(seconds), UTC) if seconds.isdecimal() else datetime.now().astimezone()
    return Made(f"{when.day} {MONTHS[when.month - 1]} {when.year}", folder, command)


def pictures_of(dataset: Dataset, names: Sequence[str]) -> dict[str, str]:
    """{photo: data URI} of those `names`, as inside the dataset, that can be read again, until a page is full."""
    by_name = {inside(dataset, photo): photo for photo in dataset.photos}
    wanted = [by_name[photo] for photo in names if photo in by_name]
    return {inside(dataset, photo): uri for photo, uri in thumbnails(dataset, wanted).items()}


def pictured(evaluation: Evaluation, pictures: Mapping[str, str]) -> Evaluation:
    """The evaluation with the pictures that a notebook shows."""
    worst = [one.photo for one in evaluation.most_wrong[:SHOWN_WRONG]]
    return replace(evaluation, pictures={photo: pictures[photo] for photo in worst if photo in pictures})


def card(evaluation: Evaluation, description: Json) -> bytes:
    """The model card."""
    return render_card(evaluation, description).encode()


def model_files(model: bytes, trained: Trained, kept: KeptScores) -> dict[str, bytes]:
    """The graph, the hashes by which a training photo is known again, and the scores that thresholds rest on.

    A hash cannot be turned back into a photo; `evaluate` uses them to say when it is shown what was trained on. The
    file has room for three million; of more, those that the report is about are the first.
    """
    most = MAX_BYTES[TRAINED_ON] // (trained.prepared.pixel_hashes.itemsize + 1)
    hashes = np.unique(trained.learned_hashes[:most]).astype(str)
    files = {MODEL: model, TRAINED_ON: "".join(f"{h}\n" for h in hashes).encode()}
    scores = kept_file(kept)
    return files if scores is None else files | {OUT_OF_FOLD: scores}
