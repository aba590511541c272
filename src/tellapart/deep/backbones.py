"""Any network as a frozen backbone: converted once, kept, and then used like a bundled one."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from tellapart.deep.convert import convert
from tellapart.deep.networks import build
from tellapart.engine.backbone import Converted
from tellapart.errors import InputError
from tellapart.storage.atomic import write_file
from tellapart.storage.cache_folder import cache_folder

ANY_CLASSES = 2  # the head is not used
_KEY = "tellapart.backbone"
_FACTS = ("name", "title", "input_px", "n_features", "source")


def converted(name: str, weights: str | None, input_px: int | None) -> Converted:
    """The network `name` with its published weights, or those of a file, as a backbone.

    Args:
        name: as `tellapart backbones` lists it.
        weights: a .safetensors or .pth file; None asks the hub, or the copy that this machine has of it.
        input_px: side of its input; None is what it was made for.

    Raises:
        InputError: no such network or weights.
        TrainingError: it cannot be converted.
    """
    place = None if ":" in name else _place(name, weights, input_px)  # a person's own code changes under its name
    known = _kept(place) if place else None
    if known is not None:
        return known
    built = build(name, ANY_CLASSES, weights=weights, pretrained=weights is None, input_px=input_px)
    backbone, _ = convert(built)
    if place:
        _keep(place, backbone)
    return backbone


def _place(name: str, weights: str | None, input_px: int | None) -> Path:
    """Where the converted network is kept; named by what it is made of, so that other weights are another file."""
    content = Path(weights).read_bytes() if weights and Path(weights).is_file() else b""
    made_of = json.dumps([name, input_px, hashlib.sha256(content).hexdigest()])
    return cache_folder() / "networks" / f"{hashlib.sha256(made_of.encode()).hexdigest()[:32]}.onnx"


def _keep(place: Path, backbone: Converted) -> None:
    """Write the graph, with what is known of it in its metadata; where that cannot be, it is made anew each time."""
    model = onnx.load_model_from_string(backbone.graph)
    facts = {name: getattr(backbone, name) for name in _FACTS}
    model.metadata_props.add(key=_KEY, value=json.dumps({**facts, "sha256": backbone.sha256}))
    with suppress(InputError):
        write_file(place, model.SerializeToString(deterministic=True))


def _kept(place: Path) -> Converted | None:
    """What is kept there; None where that is nothing, or not what was written."""
    try:
        model = onnx.load_model_from_string(place.read_bytes())
        facts = json.loads(model.metadata_props.pop().value)
        expected = facts.pop("sha256")
        backbone = Converted(**facts, graph=model.SerializeToString(deterministic=True))
    except (OSError, DecodeError, IndexError, ValueError, TypeError, KeyError):
        return None
    return backbone if backbone.sha256 == expected else None
