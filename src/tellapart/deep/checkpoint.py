"""A training that was stopped, as one file: everything that the next epoch depends on.

Tensors and one line of JSON, in the safetensors format: reading it runs nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as write_tensors
from torch import Tensor

from tellapart.errors import InputError
from tellapart.storage.atomic import write_file
from tellapart.text import quoted, some

Json = dict[str, Any]

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """The end of an epoch.

    Args:
        tensors: weights, their means, the best ones, and the optimiser's memory, by name.
        facts: numbers and the epochs so far, as JSON.
    """

    tensors: Mapping[str, Tensor]
    facts: Json


def write(path: Path, checkpoint: Checkpoint, *, training: Json) -> None:
    """Put `checkpoint` in the place of the one before it, or leave that one whole.

    Args:
        path: the file.
        checkpoint: what to keep.
        training: what must be the same for `read` to go on: recipe, photos, network.
    """
    facts = json.dumps({"format": FORMAT, "training": training, "facts": checkpoint.facts})
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    write_file(path, write_tensors(tensors, {"tellapart": facts}))


def read(path: Path, *, training: Json) -> Checkpoint:
    """The checkpoint at `path`.

    Raises:
        InputError: there is none, it is damaged, or it is of another training.
    """
    anew = "Leave out --resume to start from the beginning."
    if not path.is_file():
        raise InputError(
            f"There is no training to go on with: {quoted(path.name)} is not there.",
            hint=f"A training that came to its end leaves none; for more epochs train anew with --epochs. {anew}",
        )
    data = path.read_bytes()
    try:
        tensors = read_tensors(data)
        length = int.from_bytes(data[:8], "little")
        known = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["tellapart"])
        was, facts = known["training"], known["facts"]
        version = known["format"]
        was.get("probe", {}).pop("inverse_regularisation", None)  # of checkpoints of before
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"The checkpoint {quoted(path.name)} is damaged.", hint=anew) from error
    if version != FORMAT:
        raise InputError(f"The checkpoint {quoted(path.name)} was written by another version.", hint=anew)
    now = json.loads(json.dumps(training))
    changed = sorted(key for key in {*was, *now} if was.get(key) != now.get(key))
    if changed == ["epochs"]:
        _refuse_other_length(path, was.get("epochs"), now.get("epochs"))
    if changed:
        raise InputError(
            f"The checkpoint {quoted(path.name)} is of another training; what differs: {some(changed)}.",
            hint=f"Use the same photos and options as then. {anew}",
        )
    return Checkpoint(tensors, facts)


def _refuse_other_length(path: Path, was: object, now: object) -> NoReturn:
    """Epochs cannot be added: the rate falls to nothing at the last one, so each depends on how many there are."""
    raise InputError(
        f"The checkpoint {quoted(path.name)} is of a training of {was} epochs. One of {now} is another from its first "
        "step on: the learning rate falls towards the last epoch.",
        hint=f"Finish it with --epochs {was} --resume, or train {now} epochs anew, without --resume.",
    )
