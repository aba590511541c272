"""What is installed beside the core, and what to say where it is not."""

import re
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from tellapart.errors import MissingExtraError

# The modules by which an extra is known to be there; what else it brings comes with them.
MODULES: Final = {
    "cloud": ("adlfs", "aiohttp", "fsspec", "gcsfs", "huggingface_hub", "s3fs"),  # each imported where it is used
    "cluster": ("ray",),
    "deep": ("torch", "torchvision", "timm", "onnxscript"),  # what networks are trained and written with
    "hub": ("datasets",),
    "serve": ("prometheus_client", "starlette", "uvicorn"),
    "shards": ("pyarrow",),
    "sklearn": ("sklearn",),
}

# Modules that tellapart needs, and a copy that only answers does without: 150 MB of an exported container.
LEFT_OUT: Final = ("jinja2", "packaging", "scipy", "threadpoolctl")


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


def incomplete(error: ModuleNotFoundError) -> MissingExtraError | None:
    """The error for a copy without a package that tellapart itself needs, such as one in an exported container.

    None where the module that is not there is no package of ours: then something is wrong, and where helps.
    """
    module = (error.name or "").partition(".")[0]
    if module not in _own_packages():
        return None
    return MissingExtraError(
        f"This copy of tellapart is there to answer, and cannot do this: it has no {module}.",
        hint="Do it where all of it is installed: pip install tellapart",
    )


def is_whole() -> bool:
    """Whether this is more than a copy that only answers."""
    return all(find_spec(module) is not None for module in LEFT_OUT)


def _own_packages() -> frozenset[str]:
    """The modules of the packages that tellapart needs without any extra, as far as they bear the package's name."""
    metadata = import_module("importlib.metadata")  # 20 ms, which only a missing package need cost
    try:
        needed = [line for line in metadata.requires("tellapart") or [] if "extra ==" not in line]
    except metadata.PackageNotFoundError:  # run from a folder of sources
        return frozenset()
    return frozenset(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower().replace("-", "_") for line in needed)


def install(extra: str, options: str = "") -> str:
    """The command that installs `extra`."""
    return f'pip install {options}"tellapart[{extra}]"'
