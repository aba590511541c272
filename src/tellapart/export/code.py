"""tellapart's own code and the versions it was proven with, to travel with an export."""

import base64
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from tellapart.errors import MissingExtraError

NAME = "tellapart"
# What answering needs, and what the command line and the server need besides.
FOR_ANSWERS = ("numpy", "onnx", "openvino", "pi-heif", "pillow", "platformdirs", "protobuf", "scipy", "simplejpeg")
FOR_THE_SERVER = ("click", "fastapi", "h11", "prometheus-client", "pydantic", "starlette", "tqdm", "uvicorn")
PACKAGE = Path(__file__).parents[1]
# Weights that only training and "imagenet" need: 34 MB that answer nothing.
FOR_TRAINING = re.compile(r"engine/(backbones/.*\.onnx|strangers/.*\.f16)$")
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files give the same wheel
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)\s*(?:\[([^]]*)\])?[^;]*(?:;(.*))?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def code_files() -> dict[str, bytes]:
    """{name inside the package: content} of the installed tellapart, without what only training needs."""
    paths = (p for p in sorted(PACKAGE.rglob("*")) if p.is_file() and "__pycache__" not in p.parts)
    named = ((p.relative_to(PACKAGE).as_posix(), p) for p in paths)
    return {name: path.read_bytes() for name, path in named if not FOR_TRAINING.search(name)}


def wheel() -> tuple[str, bytes]:
    """(file name, content) of a wheel of the installed tellapart, without what only training needs.

    Source: PEP 427, The Wheel Binary Package Format 1.0, 2012.
    """
    about = distribution(NAME)
    info = f"{NAME}-{about.version}.dist-info"
    files = {f"{NAME}/{name}": content for name, content in code_files().items()}
    for name in ("METADATA", "entry_points.txt"):
        files[f"{info}/{name}"] = (about.read_text(name) or "").encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: tellapart\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = [(name, f"sha256={_digest(content)}", len(content)) for name, content in files.items()]
    record = io.StringIO()
    csv.writer(record, lineterminator="\n").writerows([*rows, (f"{info}/RECORD", "", "")])
    files[f"{info}/RECORD"] = record.getvalue().encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return f"{NAME}-{about.version}-py3-none-any.whl", packed.getvalue()


def pins(roots: Iterable[str]) -> list[str]:
    """`name==version` of the packages `roots` and of everything that they need, in the versions installed here.

    Raises:
        MissingExtraError: one of `roots` is not installed, so there is no version to fix.
    """
    found: dict[str, str] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in roots]
    needed_for_sure = {name for name, _ in waiting}
    seen = set(waiting)
    while waiting:
        name, wanted = waiting.pop()
        try:
            about = distribution(name)
        except PackageNotFoundError as error:
            if name in needed_for_sure:
                raise MissingExtraError(
                    f"This export fixes the version of {name}, which is not installed here.",
                    hint='Run: pip install "tellapart[serve]"',
                ) from error
            continue  # for another system, or an optional part that is not here
        found[name] = f"{name}=={about.version}"
        for requirement in about.requires or []:
            part = _needed(requirement, wanted)
            if part is not None and part not in seen:
                seen.add(part)
                waiting.append(part)
    return [found[name] for name in sorted(found)]


def _needed(requirement: str, extras: frozenset[str]) -> tuple[str, frozenset[str]] | None:
    """(normal name, extras) of a requirement; None when it belongs to an extra that is not wanted."""
    match = _REQUIREMENT.match(requirement)
    if match is None:
        return None
    name, of_its_own, marker = match.groups()
    asked = _EXTRA.search(marker or "")
    if asked and asked[1] not in extras:
        return None
    inner = frozenset(part.strip() for part in (of_its_own or "").split(",") if part.strip())
    return re.sub(r"[-_.]+", "-", name).lower(), inner


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def own_version() -> str:
    """The version of tellapart that is running."""
    return version(NAME)
