"""What is said where an extra is not installed."""

import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tellapart import extras
from tellapart.errors import MissingExtraError

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


@pytest.mark.parametrize("extra", extras.MODULES)
def test_an_extra_is_known_by_modules_that_it_brings(extra):
    declared = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"][extra]
    brought = {canonicalize_name(Requirement(one).name) for one in declared}
    of_module = packages_distributions()
    for module in extras.MODULES[extra]:
        assert {canonicalize_name(name) for name in of_module[module]} & brought


@pytest.mark.parametrize("extra", extras.MODULES)
def test_one_absent_module_is_enough(monkeypatch, extra):
    extras.require(extra, "Not said.")
    absent = extras.MODULES[extra][-1]
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == absent else name)
    assert not extras.has(extra)
    with pytest.raises(MissingExtraError, match=r"^It needs more\.$") as raised:
        extras.require(extra, "It needs more.")
    assert raised.value.hint == f'Run: pip install "tellapart[{extra}]"'
