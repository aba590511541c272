"""What is installed beside the core."""

from importlib.util import find_spec

DEEP = ("torch", "torchvision", "timm", "onnxscript")  # what networks are trained and written with
INSTALL_DEEP = 'pip install "tellapart[deep]"'
INSTALL_SKLEARN = 'pip install "tellapart[sklearn]"'


def has_deep() -> bool:
    """Whether networks can be trained on this machine."""
    return all(find_spec(name) is not None for name in DEEP)


def has_sklearn() -> bool:
    """Whether there can be a `PhotoClassifier`."""
    return find_spec("sklearn") is not None
