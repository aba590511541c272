"""From a photo to an answer, by the model folder alone."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.classifier.decision import NONE_OF_THESE, NOT_SURE, Thresholds, answer, claiming
from tellapart.data import photo
from tellapart.data.preprocess import Preprocess, preprocess, read_pixels
from tellapart.engine.backbone import IMAGENET, build_imagenet, imagenet_class_names
from tellapart.engine.runner import Network, refuse_nonsense
from tellapart.errors import PhotoError
from tellapart.model.artifact import Artifact, is_imagenet, load_artifact
from tellapart.parallel import map_in_order, n_cores

LIKELY = 0.15  # probability of an ImageNet class to be worth naming: of 150 photos of them nine in ten names were right

PhotoLike = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]


@dataclass(frozen=True)
class Prediction:
    """The answer about one photo.

    Args:
        photo: its path or name as given.
        answer: a class name, "not sure", "none of these", or None for a photo that could not be read.
        class_name: the likeliest class, whether or not it is the answer; None with an error.
        confidence: its probability.
        probs: {class name: probability}, likeliest first.
        ood_score: distance from the training photos, higher is further; None where the model has none.
        looks_like: for "none of these", which of ImageNet's 1,000 classes it looks more like, where one is likely.
        error: why the photo could not be read, a plain sentence, or None.
        between: for "not sure", the classes in question: those not to be missed that claim it, else the two likeliest.
    """

    photo: str
    answer: str | None
    class_name: str | None = None
    confidence: float | None = None
    probs: Mapping[str, float] | None = None
    ood_score: float | None = None
    looks_like: str | None = None
    error: str | None = None
    between: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The machine contract: one flat object."""
        return {
            "photo": self.photo,
            "answer": self.answer,
            "class_name": self.class_name,
            "confidence": self.confidence,
            "probs": dict(self.probs or {}),
            "unknown_score": self.ood_score,
            "looks_like": self.looks_like,
            "error": self.error,
        }


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
    ) -> None:
        self.class_names = class_names
        self.preprocessing = preprocessing
        self.thresholds = thresholds
        self._streams = streams
        optional = ["unknown_score", "imagenet_logits", *["feature_map"] * explains, *["features"] * looks]
        self._network = Network(model, preprocessing.input_px, ["probs"], optional=optional, streams=streams)

    @classmethod
    def from_artifact(
        cls, artifact: Artifact, *, streams: int = 1, explains: bool = False, looks: bool = False
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
            outputs.get("features"),
        )

    def pixels(self, data: bytes) -> NDArray[np.uint8]:
        """The (px, px, 3) uint8 that the graph gets for a photo's bytes.

        Raises:
            PhotoError: the photo cannot be read.
        """
        return read_pixels(data, self.preprocessing)

    @overload
    def predict(self, photos: PhotoLike) -> Prediction: ...  # type: ignore[overload-overlap]  # a str is one photo

    @overload
    def predict(self, photos: Iterable[PhotoLike]) -> list[Prediction]: ...

    def predict(self, photos: PhotoLike | Iterable[PhotoLike]) -> Prediction | list[Prediction]:
        """The prediction for one photo, or a list of them for many.

        A photo is a path, a file's bytes, a Pillow image, or an (H, W, 3) uint8 RGB array. A Pillow image that is
        opened and not loaded is read as its file is. One that cannot be read gives a prediction with `error` set;
        nothing is raised for it.
        """
        if isinstance(photos, (str, os.PathLike, bytes, Image.Image, np.ndarray)):
            return self._predict_one(photos)
        return list(self.predict_many(photos))

    def predict_many(self, photos: Iterable[PhotoLike]) -> Iterator[Prediction]:
        """Predictions in the order of `photos`, given out as they are ready; memory does not grow with their number."""
        return map_in_order(self._predict_one, photos, n_workers=self._streams, name="predict")

    def _predict_one(self, item: PhotoLike) -> Prediction:
        name = os.fspath(item) if isinstance(item, (str, os.PathLike)) else ""
        try:
            pixels = self._pixels_of(item)
        except PhotoError as error:
            return Prediction(name, None, error=error.message)
        return self.prediction(self.answers(pixels), name)

    def _pixels_of(self, item: PhotoLike) -> NDArray[np.uint8]:
        if isinstance(item, np.ndarray):
            if item.dtype != np.uint8 or item.ndim != 3 or item.shape[2] != 3 or 0 in item.shape:
                raise PhotoError("An image array must be (H, W, 3) uint8.", code="unsupported")
            return preprocess(item, self.preprocessing)
        if isinstance(item, Image.Image):
            return preprocess(photo.decode_image(item, min_side_px=self.preprocessing.min_side_px), self.preprocessing)
        return self.pixels(item if isinstance(item, bytes) else photo.read(item))

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


def _everyday_class(logits: NDArray[np.float32]) -> str | None:
    """The likeliest of ImageNet's classes, if it is likely at all, for (1000,) `logits`."""
    probs = np.exp(logits - logits.max())
    best = int(probs.argmax())
    return imagenet_class_names()[best] if probs[best] >= LIKELY * probs.sum() else None


def load(model: str | os.PathLike[str] = "imagenet") -> Predictor:
    """A predictor for the model folder `model`, or for "imagenet": the bundled network's 1,000 everyday classes.

    Args:
        model: a folder that `train` wrote, or "imagenet".

    Raises:
        ArtifactError: the folder cannot be trusted or understood.
    """
    if is_imagenet(model):
        return _imagenet()
    return Predictor.from_artifact(load_artifact(Path(model)), streams=n_cores())


def _imagenet() -> Predictor:
    return Predictor(
        imagenet_class_names(),
        Preprocess(IMAGENET.input_px, "crop"),  # as the network was trained
        Thresholds(None, None, 0),
        build_imagenet(IMAGENET),
        streams=n_cores(),
    )
