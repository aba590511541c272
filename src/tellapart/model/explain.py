"""What a model does with a photo: where it looked, what it cannot do without, what its layers see, what is alike."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

from tellapart.data import photo as files
from tellapart.data.meaning.named_photos import scan_photos
from tellapart.data.source import Dataset, scan
from tellapart.engine.backbone import QUALITIES, Backbone, Converted
from tellapart.engine.builder import needed
from tellapart.engine.runner import Network
from tellapart.errors import InputError
from tellapart.features.extract import cached_extractor
from tellapart.model.artifact import MODEL, Artifact, load_artifact
from tellapart.model.cam import class_activation, for_class, head_weight, heatmap_png
from tellapart.model.prediction import Predictor
from tellapart.model.predictions import Prediction
from tellapart.model.thumbnail import make_thumbnail, thumbnail_of
from tellapart.parallel import map_in_order, n_cores
from tellapart.storage.photo_locations import load_locations
from tellapart.text import html_photo, shown, tag
from tellapart.timing import Progress, no_progress, usual_progress

CELLS: Final = 12  # places a side where the photo is covered
COVER: Final = 3  # cells a side that are covered at once: smaller ones rarely change an answer
DEPTHS: Final = (0.0, 0.25, 0.6)  # of the layers, whose maps are shown besides the last
MAPS: Final = 12  # shown of each layer
NEIGHBOURS: Final = 8
_ALMOST: Final = 1e-6  # a probability nearer to 0 or 1 counts as this near


@dataclass(frozen=True)
class Layer:
    """Maps of one layer: which places of the photo each of its features answers to.

    Args:
        depth: share of the network that comes before it, in [0, 1].
        n: features that the layer has.
        maps: (K, h, w) in [0, 1], those that tell most.
    """

    depth: float
    n: int
    maps: NDArray[np.float32]


@dataclass(frozen=True)
class Neighbour:
    """A photo that the model sees as alike.

    Args:
        path: where it is.
        cosine: of the two photos' features; 1 is the same.
    """

    path: str
    cosine: float


@dataclass(frozen=True)
class Inside:
    """What a model does with one photo.

    Args:
        prediction: what it answers.
        pixels: (px, px, 3) uint8, the photo as the model sees it.
        activation: (h, w) in [0, 1], how much each place spoke for the likeliest class; None for a network whose
            features are not the mean of a map.
        occlusion: (CELLS, CELLS), by how much covering each place lowers the log-odds of the likeliest class; negative
            where covering it helps.
        filters: (F, k, k, 3) in [0, 1], what the first layer looks for; None for a network without such a layer.
        layers: the first ones first; with an activation the last one's maps are those that spoke most for the class.
        neighbours: the training photos most alike, most alike first; empty where they are not on this machine.
    """

    prediction: Prediction
    pixels: NDArray[np.uint8]
    activation: NDArray[np.float32] | None
    occlusion: NDArray[np.float32]
    filters: NDArray[np.float32] | None
    layers: tuple[Layer, ...]
    neighbours: tuple[Neighbour, ...]

    def __repr__(self) -> str:
        alike = "".join(f"\n  alike: {shown(one.path)} ({one.cosine:.2f})" for one in self.neighbours)
        return f"<Inside {self.prediction!r}>{alike}"

    def _repr_html_(self) -> str:
        parts = [html_photo(make_thumbnail(self.pixels), "as the model sees it")]
        if self.activation is not None:
            parts.append(html_photo(make_thumbnail(_looked(self.pixels, self.activation)), "where it looked"))
        said = tag("p", tag("strong", self.prediction.in_words()))
        near = [
            html_photo(thumbnail_of(one.path), f"alike: {one.cosine:.2f}", name=one.path) for one in self.neighbours
        ]
        return tag("div", said, tag("div", *parts), tag("div", *near))

    def to_json(self) -> dict[str, Any]:
        """For machines: what is said and the two maps of the photo, by rows."""
        return {
            **self.prediction.to_json(),
            "activation": None if self.activation is None else np.round(self.activation, 4).tolist(),
            "occlusion": np.round(self.occlusion, 4).tolist(),
            "neighbours": [{"photo": one.path, "cosine": round(one.cosine, 4)} for one in self.neighbours],
        }


def look_inside(
    model: str | PathLike[str],
    photo: str | PathLike[str],
    *,
    among: str | PathLike[str] | None = None,
    progress: Progress = usual_progress,
) -> Inside:
    """Everything that `model` does with `photo`.

    Args:
        model: a folder that `train` wrote.
        photo: path of the photo.
        among: a folder of photos, or a label file, to look for similar ones in; the training photos unless told, where
            they are still on this machine.
        progress: called with (stage, done, total).

    Raises:
        ArtifactError: the model cannot be trusted or understood.
        PhotoError: the photo cannot be read.
        InputError: nothing is found at `among`.
    """
    artifact = load_artifact(Path(model))
    predictor = Predictor.from_artifact(artifact, streams=n_cores(), explains=True)
    pixels = predictor.pixels(files.read(photo))
    said = predictor.answers(pixels)
    weight = head_weight(artifact.model)
    winner = int(said.probs.argmax())
    layers, features = _early_layers(artifact, pixels)
    activation = None
    if said.feature_map is not None and weight is not None:
        row = for_class(weight, winner)
        activation = class_activation(said.feature_map, row)
        layers.append(_last_layer(said.feature_map, row))
    return Inside(
        prediction=predictor.prediction(said, fspath(photo)),
        pixels=pixels,
        activation=activation,
        occlusion=occlusion(predictor, pixels, winner, progress),
        filters=first_filters(artifact.model),
        layers=tuple(layers),
        neighbours=_neighbours(artifact, features, among, progress),
    )


def _looked(pixels: NDArray[np.uint8], activation: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The photo (px, px, 3) with its heatmap laid over."""
    image = Image.fromarray(pixels).convert("RGBA")
    image.alpha_composite(Image.open(io.BytesIO(heatmap_png(activation, len(pixels)))))
    return np.asarray(image.convert("RGB"))


def occlusion(
    predictor: Predictor, pixels: NDArray[np.uint8], label: int, progress: Progress = no_progress
) -> NDArray[np.float32]:
    """(CELLS, CELLS): by how much the log-odds of class `label` fall while a place is covered, the mean over covers.

    Source: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section 4.2; log-odds
    rather than the probability, which is near 1 whatever is covered when the model is sure.
    """
    edges = np.linspace(0, len(pixels), CELLS + 1).astype(int)
    grey = np.rint(pixels.mean(axis=(0, 1))).astype(np.uint8)
    starts = range(-COVER + 1, CELLS)  # covers reach over the edges, so that each cell is under as many
    covers = [(max(top, 0), min(top + COVER, CELLS), max(left, 0), min(left + COVER, CELLS))
              for top in starts for left in starts]  # fmt: skip

    def log_odds(cover: tuple[int, int, int, int] | None) -> float:
        seen = pixels
        if cover is not None:
            top, bottom, left, right = cover
            seen = pixels.copy()
            seen[edges[top] : edges[bottom], edges[left] : edges[right]] = grey
        p = float(np.clip(predictor.answers(seen).probs[label], _ALMOST, 1 - _ALMOST))
        return float(np.log(p / (1 - p)))

    drops, times = np.zeros((CELLS, CELLS)), np.zeros((CELLS, CELLS))
    whole = log_odds(None)
    for done, (cover, said) in enumerate(
        zip(covers, map_in_order(log_odds, covers, name="cover"), strict=True), start=1
    ):
        top, bottom, left, right = cover
        drops[top:bottom, left:right] += whole - said
        times[top:bottom, left:right] += 1
        progress("covering places", done, len(covers))
    return (drops / times).astype(np.float32)


def first_filters(model: bytes) -> NDArray[np.float32] | None:
    """(F, k, k, 3) the weights of the first layer of the serialised graph `model`, scaled to [0, 1] around a half."""
    graph = onnx.load_model_from_string(model).graph
    stored = {weight.name: weight for weight in graph.initializer}
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    first = next((node for node in graph.node if node.op_type == "Conv"), None)
    name = "" if first is None else casts.get(first.input[1], first.input[1])
    if name not in stored:
        return None
    weight = numpy_helper.to_array(stored[name]).astype(np.float32)
    if weight.ndim != 4 or weight.shape[1] != 3 or not np.isfinite(weight).all():
        return None
    largest = np.abs(weight).max(axis=(1, 2, 3), keepdims=True).clip(np.finfo(np.float32).tiny)
    return np.asarray(0.5 + 0.5 * weight / largest, np.float32).transpose(0, 2, 3, 1)


def _early_layers(artifact: Artifact, pixels: NDArray[np.uint8]) -> tuple[list[Layer], NDArray[np.float32]]:
    """What layers at `DEPTHS` make of the photo, as many as the network has, and its features (D,)."""
    proto = onnx.load_model_from_string(artifact.model)
    names = _map_names(proto)
    chosen = sorted({int(depth * len(names)) for depth in DEPTHS}) if names else []
    present = {value.name for value in proto.graph.output}
    for name in {names[i] for i in chosen} - present:
        proto.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    outputs = [*(names[i] for i in chosen), "features"]
    seen = Network(proto.SerializeToString(), artifact.preprocess.input_px, outputs, streams=1)(pixels)
    layers = []
    for i in chosen:
        maps = seen[names[i]]
        varied = np.argsort(-maps.std(axis=(1, 2)), kind="stable")[:MAPS]
        layers.append(Layer(i / len(names), len(maps), _scaled(maps[varied])))
    return layers, seen["features"]


def _map_names(proto: onnx.ModelProto) -> list[str]:
    """The values that are maps (N, D, h, w), in order: what activations give, or convolutions where there are none.

    Activations without a node of their own, such as SiLU, are not found; squeezed maps of a single place are left out.
    """
    inferred = onnx.shape_inference.infer_shapes(proto).graph.value_info
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in inferred}
    maps = {name for name, shape in shapes.items() if len(shape) == 4 and shape[2] * shape[3] > 1}
    # Only what leads to an output was tried before this graph was let in (engine/trial.py).
    nodes = needed(proto.graph.node, {value.name for value in proto.graph.output})
    for kinds in (("Clip", "Relu"), ("Conv",)):
        found = [node.output[0] for node in nodes if node.op_type in kinds and node.output[0] in maps]
        if found:
            return found
    return []


def _last_layer(feature_map: NDArray[np.float32], row: NDArray[np.float32]) -> Layer:
    spoke = row * feature_map.mean(axis=(1, 2))
    most = np.argsort(-spoke, kind="stable")[:MAPS]
    return Layer(1.0, len(feature_map), _scaled(feature_map[most]))


def _scaled(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """`maps` (K, h, w), each from 0 where it answers least to 1 where it answers most."""
    low, high = (edge(maps, axis=(1, 2), keepdims=True) for edge in (np.min, np.max))
    return np.asarray((maps - low) / np.maximum(high - low, np.finfo(np.float32).tiny), np.float32)


def _neighbours(
    artifact: Artifact, own: NDArray[np.float32], among: str | PathLike[str] | None, progress: Progress
) -> tuple[Neighbour, ...]:
    """The photos most alike among the training photos, or among those named."""
    places = _places(artifact, among)
    if not places:
        return ()
    with cached_extractor(_backbone(artifact, len(own)), artifact.preprocess) as extractor:
        features = extractor.extract(Dataset.from_lists(places, ["photo"] * len(places)), progress=progress)
    use = features.usable
    rows = features.values[use]
    cosines = rows @ own / np.maximum(np.linalg.norm(rows, axis=1) * np.linalg.norm(own), np.finfo(np.float32).tiny)
    nearest = np.argsort(-cosines, kind="stable")[:NEIGHBOURS]
    return tuple(Neighbour(places[use[i]], float(cosines[i])) for i in nearest)


def _backbone(artifact: Artifact, n_features: int) -> Backbone:
    """What makes the model's features: the bundled backbone that it was made with, or else its own graph.

    Features of a bundled one are in the cache since the training. For any other the model itself is asked, under the
    hash of what it is: a name in the manifest could be anybody's, and spoil what the cache knows of other networks.
    """
    described, px = artifact.manifest.get("backbone"), artifact.preprocess.input_px
    key = described.get("key") if isinstance(described, dict) else None
    for bundled in QUALITIES.values():
        if (bundled.key, bundled.input_px, bundled.n_features) == (key, px, n_features):
            return bundled
    return Converted("model", artifact.manifest["name"], px, n_features, artifact.model, "its own graph")


def _places(artifact: Artifact, among: str | PathLike[str] | None) -> Sequence[str]:
    """Paths of the photos to look among.

    Raises:
        InputError: nothing is there, or they are inside a zip or a data set.
    """
    if among is None:
        return load_locations(artifact.manifest["files"][MODEL], "train")
    if Path(among).is_dir() or not Path(among).exists():
        return scan_photos([fspath(among)])
    dataset = scan(among)
    if dataset.archive is not None:
        raise InputError(
            f"Similar photos cannot be shown from inside a {dataset.archive.kind}.",
            hint="Unpack it, and name the folder.",
        )
    return dataset.places
