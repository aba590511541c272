"""Every error that we raise on purpose has its place in the tree and an exit code."""

import inspect

import pytest

from tellapart import errors
from tellapart.cli.options import EXIT_CODES

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]


def test_every_class_has_an_exit_code():
    assert set(EXIT_CODES) == set(CLASSES)
    assert set(EXIT_CODES.values()) <= {1, 2}


def test_all_are_one_tree():
    assert all(issubclass(cls, errors.TellapartError) for cls in CLASSES)
    assert issubclass(errors.InputError, ValueError)
    assert issubclass(errors.PhotoError, errors.InputError)
    assert issubclass(errors.MissingExtraError, ImportError)


def test_the_tree_is_drawn_at_the_top():
    drawn = [line for line in errors.__doc__.splitlines() if line.strip()]
    assert all(any(cls.__name__ in line for line in drawn) for cls in CLASSES)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_is_its_sentence(cls):
    extra = {"code": "x"} if cls is errors.PhotoError else {}
    error = cls("Something is wrong.", hint="Mend it.", **extra)
    assert str(error) == error.message == "Something is wrong."
    assert error.hint == "Mend it."
