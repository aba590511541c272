"""What a person may have meant who named something that is no model folder."""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tellapart.errors import ArtifactError
from tellapart.text import for_shell, quoted

MANIFEST: Final = "manifest.json"
IMAGENET: Final = "imagenet"  # the bundled network as it is, wherever a model can be named
SUFFIXES: Final = (
    ".onnx", ".pt", ".pth", ".ckpt", ".h5", ".hdf5", ".keras", ".pb", ".tflite", ".safetensors", ".bin", ".pkl",
    ".joblib", ".mlmodel", ".xml", ".zip",
)  # fmt: skip  # of files that hold models, here or elsewhere
TRAIN_ONE: Final = "Train one with: tellapart train PHOTOS -o MODEL"
TRAIN: Final = "Train a model with: tellapart train PHOTOS -o MODEL"


def is_model_folder(path: str | os.PathLike[str]) -> bool:
    """Whether it looks like one from outside."""
    return Path(path, MANIFEST).is_file()


def not_a_model(folder: Path) -> ArtifactError:
    """The error for a path that is no model folder, with what was meant, where that can be told."""
    there_is_none = f"There is no model folder '{folder}'"
    if folder.is_dir():
        inner = [path for path in _folders(folder) if is_model_folder(path)]
        meant = f"Did you mean {quoted(str(inner[0]), longest=300)}, which is one? " if inner else ""
        return ArtifactError(f"'{folder}' is not a model folder.", hint=f"{meant}{TRAIN}")
    if is_model_folder(folder.parent) and folder.exists():
        return ArtifactError(
            f"{there_is_none}; it is a file of the model {quoted(str(folder.parent), longest=300)}.",
            hint=f"Name the folder: {for_shell(str(folder.parent))}",
        )
    if folder.suffix.lower() in SUFFIXES and folder.exists():
        return ArtifactError(
            f"{there_is_none}; it is a file.", hint=f"Only folders that tellapart wrote are read. {TRAIN}"
        )
    meant_name = _meant(folder)
    hint = f"Did you mean {quoted(meant_name, longest=300)}? " if meant_name else ""
    return ArtifactError(f"{there_is_none}.", hint=f"{hint}{TRAIN_ONE}")


def refuse_swapped(model: str, photos: Iterable[str], command: str) -> None:
    """Returns unless the model stands among the photos, as it does where a person names them the other way round.

    Args:
        model: what was given as the model.
        photos: what was given as photos, any number.
        command: what was asked for, as it begins on the command line.

    Raises:
        ArtifactError: it does; the hint is the command as it was meant.
    """
    if model == IMAGENET or is_model_folder(model) or not os.path.exists(model):
        return
    named = list(photos)
    for path in named:
        if _is_model(path):
            meant = [path, *(model if other == path else other for other in named)]
            raise ArtifactError(
                f"The model comes first, and {quoted(model, longest=300)} is none.",
                hint=f"Did you mean: {command} {' '.join(map(for_shell, meant))}",
            )


def refuse_swapped_pair(models: Sequence[str], photos: str, command: str) -> None:
    """Returns unless photos stand where one of two models belongs, and that model where the photos do.

    Raises:
        ArtifactError: they do; the hint is the command as it was meant.
    """
    wrong = next((path for path in models if os.path.exists(path) and not _is_model(path)), None)
    if wrong is not None and _is_model(photos):
        meant = [*(path for path in (*models, photos) if path != wrong), wrong]
        raise ArtifactError(
            f"The two models come first, and {quoted(wrong, longest=300)} is none.",
            hint=f"Did you mean: {command} {' '.join(map(for_shell, meant))}",
        )


def refuse_swapped_option(model: str, options: Mapping[str, str | None], command: str, rest: str = "") -> None:
    """Returns unless an option names the model, and what that option is for was given as the model.

    Args:
        model: what was given as the model.
        options: {option: path}, of those that a path is given to.
        command: what was asked for, as it begins on the command line.
        rest: the options beside these.

    Raises:
        ArtifactError: one does; the hint is the command as it was meant.
    """
    named = {option: path for option, path in options.items() if path}
    for option, path in named.items():
        if not _is_model(model) and _is_model(path):
            meant = named | {option: model}
            said = " ".join([*filter(None, [rest]), *(f"{name} {for_shell(value)}" for name, value in meant.items())])
            raise ArtifactError(
                f"The model comes first, and {quoted(model, longest=300)} is none.",
                hint=f"Did you mean: {command} {for_shell(path)} {said}",
            )


def _is_model(path: str) -> bool:
    return is_model_folder(path) or (path == IMAGENET and not os.path.exists(path))


def _meant(folder: Path) -> str | None:
    """A model folder beside it whose name is much like it, or the bundled network."""
    beside = {path.name.casefold(): str(path) for path in _folders(folder.parent) if is_model_folder(path)}
    name = folder.name.casefold()
    known = beside if folder.parent != Path() else {**beside, IMAGENET: IMAGENET}
    letters = "".join(filter(str.isalpha, name))
    if IMAGENET in known and letters.startswith(IMAGENET):  # ImageNet, image-net, imagenet1k
        return IMAGENET
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return known[close[0]] if close else None


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:  # none, or not ours to look into
        return []
