"""The changelog knows this version."""

import re
import tomllib
from pathlib import Path

import tellapart

REPOSITORY = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
CHANGELOG = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_newest_entry_is_the_version_of_the_project():
    assert re.findall(r"^## \[(.+?)\]", CHANGELOG, re.MULTILINE)[0] == VERSION


def test_the_installed_version_is_the_same():
    assert tellapart.__version__ == VERSION
