"""The floors of pyproject.toml and those that decision 2 gives reasons for are the same."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DECISION = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def required(lines):
    """{package: floor} of requirements such as "numpy>=2.0"; our own extras are left out."""
    form = r"([A-Za-z0-9._-]+)\s*(?:>=|==)\s*([\w.]+)(?:,<[\w.]+)?"
    found = [re.fullmatch(form, line) for line in lines if "[" not in line]
    assert all(found), lines
    return {match[1]: match[2] for match in found}


def rows(title):
    """The cells of the first table below a heading."""
    section = DECISION.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def extras():
    """{extra: {package: floor}} as decision 2 lists them; its extras of extras are in words."""
    found, extra = {}, ""
    for name, packages, *_ in rows("Extras"):
        extra = name.strip("`") or extra
        listed = found.setdefault(extra, {})
        for package, floor in re.findall(r"([\w.{},-]+) \(([\d.]+)(?: exactly)?\)", packages):
            braces = re.fullmatch(r"(.*)\{(.*)\}(.*)", package)
            names = [braces[1] + each + braces[3] for each in braces[2].split(",")] if braces else [package]
            listed.update(dict.fromkeys(names, floor))
    return found


def test_what_is_always_installed_has_its_floor_and_reason():
    assert required(PROJECT["dependencies"]) == {
        name: floor for name, floor, *_ in rows("What `pip install tellapart` brings")
    }
    assert all(reason for *_, reason in rows("What `pip install tellapart` brings"))


def test_extras_have_their_floors_and_reasons():
    wanted = {name: required(lines) for name, lines in PROJECT["optional-dependencies"].items()}
    assert extras() == wanted
    assert all(reason for *_, reason in rows("Extras"))


def test_what_is_installed_here_is_not_older_than_the_floors():
    from importlib.metadata import PackageNotFoundError, version

    floors = required(PROJECT["dependencies"])
    for lines in PROJECT["optional-dependencies"].values():
        floors |= {name: floor for name, floor in required(lines).items() if f"{name}>={floor}" in lines}
    checked = 0
    for name, floor in floors.items():
        try:
            here = version(name)
        except PackageNotFoundError:  # of an extra that is not installed
            continue
        checked += 1
        numbers = [tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0])) for text in (here, floor)]
        assert numbers[0] >= numbers[1], (name, here, floor)
    assert checked >= len(PROJECT["dependencies"]) - 1
