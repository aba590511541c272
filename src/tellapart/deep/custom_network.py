"""A person's own network, named on their own command line: `package.module:Class` or `file.py:Class`.

This imports and runs that person's code, as `python file.py` would. A model folder never names, stores or runs any.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

from torch import nn

from tellapart.errors import InputError
from tellapart.text import quoted

HOW = "Write it as package.module:Class or file.py:Class; it is called with the number of classes."


def custom_network(name: str, n_classes: int) -> nn.Module:
    """What the class or function `name` makes when it is called with the number of classes.

    Raises:
        InputError: there is no such file, module or class, its code fails, or it makes no `nn.Module`.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute.isidentifier():
        raise InputError(f"{quoted(name)} names no class.", hint=HOW)
    try:
        module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    except InputError:
        raise
    except Exception as error:  # the person's own code may fail in any way
        raise InputError(f"{quoted(place)} cannot be imported: {said(error)}", hint=HOW) from error
    make = getattr(module, attribute, None)
    if not callable(make):
        raise InputError(f"{quoted(place)} has no class {quoted(attribute)}.", hint=HOW)
    try:
        network = make(n_classes)
    except Exception as error:  # as above
        raise InputError(f"{quoted(attribute)} cannot be made: {said(error)}", hint=HOW) from error
    if not isinstance(network, nn.Module):
        raise InputError(f"{quoted(attribute)} makes no torch.nn.Module, but a {type(network).__name__}.", hint=HOW)
    return network


def said(error: BaseException) -> str:
    """An exception as the end of a sentence."""
    first = str(error).partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {first[:150]}." if first else f"{type(error).__name__}."


def _import_file(file: Path) -> ModuleType:
    if not file.is_file():
        raise InputError(f"There is no file {quoted(str(file))}.", hint=HOW)
    name = f"tellapart_network_{file.stem}"  # never the name of something else that is imported
    loader = SourceFileLoader(name, str(file))
    module = importlib.util.module_from_spec(ModuleSpec(name, loader, origin=str(file)))
    sys.modules[name] = module
    with _importable(file.resolve().parent):
        loader.exec_module(module)
    return module


def _import_module(name: str) -> ModuleType:
    with _importable(Path.cwd()):
        return importlib.import_module(name)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Modules in `folder` can be imported; last of all, so that a file there never stands in for a library."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
