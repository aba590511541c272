"""The hashes of the files that an image installs, asked of the person's own package index through pip.

What is installed here does not tell which files it came from, and an image is often built for another kind of
processor. So pip is asked what it would install there. pip 23.3 and later fetches what describes the packages and no
more, from an index that has that, such as PyPI; otherwise the packages themselves, about 120 MB for both kinds of
processor. Each answer is kept, so that the next export needs no network.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tellapart.errors import InputError
from tellapart.storage.atomic import write_file
from tellapart.storage.cache_folder import cache_folder

DEBIAN: Final = "trixie"  # Debian 13, which gets security fixes until 2028, and 2030 with its long-term support
GLIBC: Final = 41  # 2.41, what that Debian has; it decides which wheels pip takes there
OLDEST_GLIBC: Final = 17  # 2.17: what our dependencies' oldest wheels are built for
MACHINES: Final = ("x86_64", "aarch64")  # servers and most computers; Apple's and other ARM computers
PATIENCE_S: Final = 300  # for pip's answer: 8 s with the packages at hand, or as long as a slow line takes for them
_HASH: Final = re.compile(r"[0-9a-f]{64}")

Hashes = dict[str, list[str]]
"""{`name==version`: SHA-256 of each file that may be installed for it, in order}."""


def hashed_pins(pins: Sequence[str], python: str) -> tuple[list[str], tuple[str, ...]]:
    """(lines of a requirements file, the kinds of processor that they have hashes for).

    Without an index that can be asked, the lines are `pins` and there are no processors.

    Args:
        pins: `name==version`.
        python: of the image, such as "3.13".
    """
    with ThreadPoolExecutor(len(MACHINES)) as executor:
        found = dict(zip(MACHINES, executor.map(lambda machine: _hashes(pins, python, machine), MACHINES), strict=True))
    known = {machine: hashes for machine, hashes in found.items() if hashes is not None}
    if not known:
        return list(pins), ()
    merged: dict[str, set[str]] = {}
    for hashes in known.values():
        for pin, files in hashes.items():
            merged.setdefault(pin, set()).update(files)
    return [hashed_line(pin, sorted(files)) for pin, files in sorted(merged.items())], tuple(known)


def hashed_line(pin: str, files: Sequence[str]) -> str:
    """A line of a requirements file."""
    return " \\\n    ".join([pin, *(f"--hash=sha256:{file}" for file in files)])


def _hashes(pins: Sequence[str], python: str, machine: str) -> Hashes | None:
    """What pip would install on `machine`, with hashes; None where it cannot say."""
    asked = "\n".join([*pins, python, machine, str(GLIBC)])
    kept = cache_folder() / "hashes" / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.json"
    try:
        return _checked(json.loads(kept.read_bytes()), pins)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    hashes = ask_pip(pins, python, machine, GLIBC)
    if hashes is not None:
        _keep(kept, hashes)
    return hashes


def _keep(path: Path, hashes: Hashes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(hashes, indent=1).encode())
    except (OSError, InputError):  # a cache that cannot be written costs time, nothing else
        return


def ask_pip(pins: Sequence[str], python: str, machine: str, glibc: int, patience_s: int = PATIENCE_S) -> Hashes | None:
    """What pip would install for `pins`, with its own configuration and index; None where it cannot say.

    Args:
        pins: `name==version`.
        python: the version that would run it.
        machine: the kind of processor.
        glibc: the minor version of glibc 2 there, which decides among wheels.
        patience_s: how long to wait for pip.
    """
    with tempfile.TemporaryDirectory(prefix="tellapart-") as place:
        wanted, report = Path(place, "requirements.txt"), Path(place, "report.json")
        wanted.write_text("\n".join(pins), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--no-input"]
        command += ["--disable-pip-version-check", "--retries", "1", "--timeout", "15", "--report", str(report)]
        command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
        command += [part for platform in _platforms(machine, glibc) for part in ("--platform", platform)]
        command += ["--target", str(Path(place, "nothing")), "--requirement", str(wanted)]
        try:
            subprocess.run(  # noqa: S603  # this Python's pip; the pins are names and versions of what is installed
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=patience_s, check=True
            )
            return _checked(_reported(json.loads(report.read_bytes())), pins)
        except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError, AttributeError):
            return None


def _platforms(machine: str, glibc: int) -> list[str]:
    """Names of the systems whose wheels run there, best first, as pip orders them in the image."""
    newest_first = [f"manylinux_2_{minor}_{machine}" for minor in range(glibc, OLDEST_GLIBC - 1, -1)]
    return [*newest_first, f"manylinux2014_{machine}"]


def _reported(report: Mapping[str, object]) -> Hashes:
    hashes: Hashes = {}
    for one in report["install"]:  # type: ignore[attr-defined]  # whatever is otherwise than pip documents is caught
        name = re.sub(r"[-_.]+", "-", one["metadata"]["name"]).lower()
        hashes[f"{name}=={one['metadata']['version']}"] = [one["download_info"]["archive_info"]["hashes"]["sha256"]]
    return hashes


def _checked(hashes: Hashes, pins: Sequence[str]) -> Hashes:
    """The hashes, if they are some and every pin has one.

    Raises:
        ValueError: otherwise.
    """
    whole = all(files and all(_HASH.fullmatch(file) for file in files) for files in hashes.values())
    if not whole or not set(pins) <= set(hashes):
        raise ValueError("not every pin has a hash")
    return hashes
