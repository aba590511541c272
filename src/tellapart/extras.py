"""What is installed beside the core, and what to say where it is not."""

from importlib.util import find_spec
from typing import Final

from tellapart.errors import MissingExtraError

# The modules by which an extra is known to be there; what else it brings comes with them.
MODULES: Final = {
    "deep": ("torch", "torchvision", "timm", "onnxscript"),  # what networks are trained and written with
    "hub": ("datasets",),
    "serve": ("prometheus_client", "starlette", "uvicorn"),
    "sklearn": ("sklearn",),
}


def has(extra: str) -> bool:
    """Whether what `extra`, one of MODULES, brings is installed."""
    return all(find_spec(name) is not None for name in MODULES[extra])


def require(extra: str, sentence: str) -> None:
    """Returns where `extra` is installed.

    Args:
        extra: one of MODULES.
        sentence: what cannot be done without it.

    Raises:
        MissingExtraError: it is not.
    """
    if not has(extra):
        raise missing(extra, sentence)


def missing(extra: str, sentence: str, *, options: str = "") -> MissingExtraError:
    """The error for a part of `extra` that is absent or too old, with the command that installs it.

    Args:
        extra: its name.
        sentence: what cannot be done without it.
        options: for pip, such as "-U ".
    """
    return MissingExtraError(sentence, hint=f"Run: {install(extra, options)}")


def install(extra: str, options: str = "") -> str:
    """The command that installs `extra`."""
    return f'pip install {options}"tellapart[{extra}]"'
