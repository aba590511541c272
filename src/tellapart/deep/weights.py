"""Weights from a file or from the hub; what a file holds is numbers, never code."""

import hashlib
import re
import socket
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import huggingface_hub
import timm.models
import torch
from torch import Tensor, nn

from tellapart.errors import InputError
from tellapart.text import counted, quoted, some

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # what timm's weights are called on the hub, newest form first
CONNECT_S = 5.0  # a hub that has not answered by then is taken for unreachable; its library would try for a minute


@dataclass(frozen=True)
class Weights:
    """What a file of weights holds.

    Args:
        state: {name of a parameter: numbers}.
        origin: a sentence that says where they came from.
    """

    state: dict[str, Tensor] = field(repr=False)
    origin: str


def read_weights(path: str) -> Weights:
    """The weights in the file `path`, on the processor.

    PyTorch reads with `weights_only`: a file that would run something when read is refused.

    Raises:
        InputError: there is no such file, it holds something else than weights, or numbers that are none.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"There is no file {quoted(path)}.", hint="Name a file of weights after --weights.")
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{quoted(path)} is not a file of weights.", hint=f"Weights end in {', '.join(SUFFIXES[:-1])}."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PyTorch finds remarkable about a stranger's file
            state = timm.models.load_state_dict(str(file), device="cpu", weights_only=True)
        data = file.read_bytes()
    except Exception as error:  # damage shows as whatever the reader stumbled over
        raise InputError(
            f"{quoted(path)} cannot be read as weights.",
            hint="Download it again; of a network of your own, save the numbers alone: "
            "torch.save(network.state_dict(), 'weights.pth')",
        ) from error
    _refuse_other_things(path, state)
    return Weights(state, f"file {file.name}, sha256 {hashlib.sha256(data).hexdigest()}")


def _refuse_other_things(path: str, state: object) -> None:
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(
            f"{quoted(path)} holds something else than the weights of one network.",
            hint="Save them with: torch.save(network.state_dict(), 'weights.pth')",
        )
    for name, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise InputError(
                f"The weights in {quoted(path)} hold numbers that are none, in {quoted(str(name))}.",
                hint="They came from a training that failed; use others.",
            )


def load(module: nn.Module, weights: Weights, title: str) -> None:
    """Put `weights` into `module`; its last linear layer keeps its own where the number of classes differs.

    Raises:
        InputError: they are another network's.
    """
    state = dict(weights.state)
    linear = [name for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    if linear:
        own = module.state_dict()
        head = [name for name in (f"{linear[-1]}.weight", f"{linear[-1]}.bias") if name in own and name in state]
        if any(len(state[name]) != len(own[name]) for name in head if state[name].ndim):
            state |= {name: own[name] for name in head}
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise misfit(error, weights.origin, title) from error


def misfit(error: Exception, origin: str, title: str) -> InputError:
    """The refusal of weights that PyTorch could not put into a network: which layers, and how many."""
    said = str(error)
    kinds = {
        "missing": _named(r"Missing key\(s\) in state_dict: (.*)", said),
        "not of this network": _named(r"Unexpected key\(s\) in state_dict: (.*)", said),
        "of another shape": _layers(re.findall(r"size mismatch for (\S+):", said)),
    }
    parts = [f"{counted(len(names), 'layer')} {kind} ({some(names)})" for kind, names in kinds.items() if names]
    return InputError(
        f"The weights ({origin.partition(',')[0]}) are not those of {title}{': ' + '; '.join(parts) if parts else ''}.",
        hint="Name the network that they were made for, with its size, such as resnet34.",
    )


def _named(pattern: str, text: str) -> list[str]:
    found = re.search(pattern, text)
    return _layers(re.findall(r'"([^"]+)"', found[1])) if found else []


def _layers(parameters: list[str]) -> list[str]:
    """The layers that the parameters belong to, in their order."""
    return list(dict.fromkeys(name.rpartition(".")[0] or name for name in parameters))


def kept_file(hub_id: str, name: str | None) -> str | None:
    """Where the weights `hub_id` of the hub lie on this machine, if it has them."""
    for file in (name,) if name else HUB_FILES:
        found = huggingface_hub.try_to_load_from_cache(hub_id, file)
        if isinstance(found, str):
            return found
    return None


def hub_answers() -> bool:
    """Whether the hub can be reached; through a proxy, only an attempt would tell."""
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return False
    if getproxies():
        return True
    place = urlsplit(huggingface_hub.constants.ENDPOINT)
    try:
        socket.create_connection((place.hostname, place.port or 443), timeout=CONNECT_S).close()
    except OSError:
        return False
    return True
