"""From a photo to an answer, by the model folder alone."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.decision import NONE_OF_THESE, NOT_SURE, Thresholds, answer, claiming
from tellapart.data.preprocess import Preprocess, read_pixels
from tellapart.engine.backbone import IMAGENET, build_imagenet, imagenet_class_names
from tellapart.engine.device import PROCESSOR, device_key, runner_on, waiting_photos
from tellapart.engine.runner import refuse_nonsense
from tellapart.errors import PhotoError
from tellapart.model.artifact import Artifact, is_imagenet, load_artifact
from tellapart.model.photo_like import PhotoLike, Taken, each_of, is_one, pixels_of, take, taken
from tellapart.model.predictions import Prediction, Predictions
from tellapart.parallel import map_in_order, n_cores
from tellapart.text import counted, shown

KEY_DIGITS = 32  # of SHA-256; no two models share as many by chance
SHOWN_NAMES = 10  # of classes, where a person looks at a predictor
LIKELY = 0.15  # probability of an ImageNet class to be worth naming: of 150 photos of them nine in ten names were right


@dataclass(frozen=True)
class Answers:
    """What a model says about one photo, as arrays.

    Args:
        probs: (C,) float32.
        ood_score: distance from the training photos.
        looks_like: the everyday class that the backbone itself finds likeliest; None where it finds none likely.
        feature_map: (D, h, w) float32, what the features are the mean of; None unless asked for.
        features: (D,) float32, what the head sees; None unless asked for.
    """

    probs: NDArray[np.float32]
    ood_score: float | None
    looks_like: str | None = None
    feature_map: NDArray[np.float32] | None = None
    features: NDArray[np.float32] | None = None


class Predictor:
    """A compiled model. Safe to call from several threads.

    Args:
        class_names: (C,) in the order of the graph's probabilities.
        preprocessing: how a photo becomes the graph's pixels.
        thresholds: when no class name is answered.
        model: serialised graph with `pixels` → `probs` and perhaps `unknown_score` and `imagenet_logits`.
        streams: photos in flight at once.
        explains: whether `answers` also gives the feature map, which changes none of the other numbers.
        looks: whether `answers` also gives the features, which changes none either.
        device: what computes, one of `device.DEVICES`.

    Raises:
        InputError: there is no such device here, or it computes something else than the processor.
        MissingExtraError: the library for it is not installed.
    """

    def __init__(
        self,
        class_names: tuple[str, ...],
        preprocessing: Preprocess,
        thresholds: Thresholds,
        model: bytes,
        *,
        streams: int = 1,
        explains: bool = False,
        looks: bool = False,
        device: str = PROCESSOR,
    ) -> None:
        self.class_names = class_names
        self.preprocessing = preprocessing
        self.thresholds = thresholds
        self._streams, self._device, self._model = streams, device, model
        self._explains, self._looks = explains, looks
        optional = ["unknown_score", "imagenet_logits", *["feature_map"] * explains, *["features"] * looks]
        px = preprocessing.input_px
        self._network = runner_on(device, model, px, streams=streams, outputs=["probs"], optional=optional)

    @classmethod
    def from_artifact(
        cls,
        artifact: Artifact,
        *,
        streams: int = 1,
        explains: bool = False,
        looks: bool = False,
        device: str = PROCESSOR,
    ) -> "Predictor":
        """The predictor of a verified model folder."""
        return cls(
            artifact.class_names,
            artifact.preprocess,
            artifact.thresholds,
            artifact.model,
            streams=streams,
            explains=explains,
            looks=looks,
            device=device,
        )

    def answers(self, pixels: NDArray[np.uint8]) -> Answers:
        """What the graph says about preprocessed `pixels` (px, px, 3) uint8.

        Raises:
            ArtifactError: it says what is no probability.
        """
        outputs = self._network(pixels)
        refuse_nonsense(outputs, len(self.class_names))
        ood_score, imagenet = outputs.get("unknown_score"), outputs.get("imagenet_logits")
        return Answers(
            outputs["probs"],
            None if ood_score is None else float(ood_score),
            None if imagenet is None else _everyday_class(imagenet),
            outputs.get("feature_map"),
            outputs.get("features") if self._looks else None,
        )

    def pixels(self, data: bytes) -> NDArray[np.uint8]:
        """The (px, px, 3) uint8 that the graph gets for a photo's bytes.

        Raises:
            PhotoError: the photo cannot be read.
        """
        return read_pixels(data, self.preprocessing)

    @property
    def key(self) -> str:
        """Names all that its answers follow from: classes, preprocessing, thresholds, graph and device."""
        said = [self.class_names, self.preprocessing.key, self.thresholds.to_json()]
        hashed = hashlib.sha256(json.dumps(said).encode() + self._model).hexdigest()[:KEY_DIGITS]
        return hashed + device_key(self._device)

    @property
    def n_waiting(self) -> int:
        """Threads that only wait for the device, so that its batches are full; none for the processor."""
        return waiting_photos(self._device)

    def processor(self) -> str:
        """Names the kind of processor by what the graph says of a drawn picture there."""
        px = self.preprocessing.input_px
        y, x = np.mgrid[:px, :px]
        said = self.answers(np.stack([x * 2, y * 2, (x * y) % 256], axis=-1).astype(np.uint8))
        return hashlib.sha256(said.probs.tobytes() + repr(said.ood_score).encode()).hexdigest()[:12]

    @overload
    def predict(self, photos: PhotoLike) -> Prediction: ...  # type: ignore[overload-overlap]  # a str is one photo

    @overload
    def predict(self, photos: Iterable[PhotoLike]) -> Predictions: ...

    def predict(self, photos: PhotoLike | Iterable[PhotoLike]) -> Prediction | Predictions:
        """The prediction for one photo, or a list of them for many.

        A photo is a path, a file's content, an open file, a Pillow image, or an (H, W, 3) uint8 RGB array. A Pillow
        image that is opened and not loaded is read as its file is. Many are anything that gives one after the other: a
        list, a generator, an array of paths, a column of a data frame. Of many, one that cannot be read gives a
        prediction with `error` set.

        Raises:
            PhotoError: the one photo cannot be read.
            TypeError: it is, or one of them is, nothing that can be a photo; says of what type.
        """
        if not is_one(photos):
            return Predictions(self.predict_many(photos))  # type: ignore[arg-type]  # they are many
        name, item = take(photos)
        if isinstance(item, PhotoError):
            raise item
        return replace(self.prediction(self.answers(pixels_of(item, self.preprocessing)), name), on_disk=item is name)

    def predict_many(self, photos: Iterable[PhotoLike]) -> Iterator[Prediction]:
        """Predictions in the order of `photos`, given out as they are ready; memory does not grow with their number."""
        return map_in_order(self._predict_one, taken(each_of(photos)), n_workers=self._streams, name="predict")

    def _predict_one(self, given: tuple[str, Taken | PhotoError]) -> Prediction:
        name, item = given
        on_disk = item is name
        try:
            if isinstance(item, PhotoError):
                raise item
            pixels = pixels_of(item, self.preprocessing)
        except PhotoError as error:
            return Prediction(name, None, error=error.message, on_disk=on_disk)
        return replace(self.prediction(self.answers(pixels), name), on_disk=on_disk)

    def __reduce__(self) -> tuple[object, ...]:
        """For those who send it to another process: what it was made of, and compiled there."""
        made_of = (self.class_names, self.preprocessing, self.thresholds, self._model)
        return _predictor, (*made_of, self._streams, self._explains, self._looks, self._device)

    def __repr__(self) -> str:
        names = ", ".join(map(shown, self.class_names[:SHOWN_NAMES]))
        more = f" and {len(self.class_names) - SHOWN_NAMES:,} more" if len(self.class_names) > SHOWN_NAMES else ""
        return f"<Predictor of {counted(len(self.class_names), 'class', 'classes')}: {names}{more}>"

    def prediction(self, answers: Answers, name: str = "") -> Prediction:
        """What a person is told about the photo `name`, given what the graph says about it."""
        order = np.argsort(-answers.probs, kind="stable")
        probs = {self.class_names[i]: float(answers.probs[i]) for i in order}
        winner = self.class_names[order[0]]
        said = answer(self.class_names, answers.probs, answers.ood_score or 0.0, self.thresholds)
        looks_like = answers.looks_like if said == NONE_OF_THESE else None
        between: tuple[str, ...] = ()
        if said == NOT_SURE:
            claims = [self.class_names[c] for c in claiming(answers.probs, self.thresholds)]
            between = tuple(claims if len(claims) > 1 else list(probs)[:2])
        ood_score = answers.ood_score
        return Prediction(name, said, winner, probs[winner], probs, ood_score, looks_like, between=between)


def _predictor(
    class_names: tuple[str, ...],
    preprocessing: Preprocess,
    thresholds: Thresholds,
    model: bytes,
    streams: int,
    explains: bool,
    looks: bool,
    device: str,
) -> Predictor:
    how = {"explains": explains, "looks": looks}
    return Predictor(class_names, preprocessing, thresholds, model, streams=streams, device=device, **how)


def _everyday_class(logits: NDArray[np.float32]) -> str | None:
    """The likeliest of ImageNet's classes, if it is likely at all, for (1000,) `logits`."""
    probs = np.exp(logits - logits.max())
    best = int(probs.argmax())
    return imagenet_class_names()[best] if probs[best] >= LIKELY * probs.sum() else None


def load(
    model: str | os.PathLike[str] = "imagenet", *, streams: int | None = None, device: str = PROCESSOR
) -> Predictor:
    """A predictor for the model folder `model`, or for "imagenet": the bundled network's 1,000 everyday classes.

    Args:
        model: a folder that `train` wrote, or "imagenet".
        streams: photos in flight at once; None is one a core, and for a GPU a batch more.
        device: what computes: `cpu`, or a GPU by `cuda`, once it agrees with the processor.

    Raises:
        ArtifactError: the folder cannot be trusted or understood.
        InputError: there is no such device here, or it computes something else than the processor.
        MissingExtraError: the library for it is not installed.
    """
    streams = streams or n_cores() + waiting_photos(device)
    if is_imagenet(model):
        return _imagenet(streams, device)
    return Predictor.from_artifact(load_artifact(Path(model)), streams=streams, device=device)


def _imagenet(streams: int, device: str) -> Predictor:
    return Predictor(
        imagenet_class_names(),
        Preprocess(IMAGENET.input_px, "crop"),  # as the network was trained
        Thresholds(None, None, 0),
        build_imagenet(IMAGENET),
        streams=streams,
        device=device,
    )
