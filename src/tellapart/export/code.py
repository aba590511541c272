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

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tellapart.extras import missing

NAME = "tellapart"
# What answering needs, and what the command line and the server need besides.
FOR_ANSWERS = ("numpy", "onnx", "openvino", "pi-heif-decoder", "pillow", "platformdirs", "protobuf", "simplejpeg")
FOR_THE_SERVER = ("click", "h11", "msgspec", "prometheus-client", "starlette", "tqdm", "uvicorn")
PACKAGE = Path(__file__).parents[1]
# Weights that only training and "imagenet" need: 34 MB that answer nothing.
ONLY_FOR_TRAINING = re.compile(r"(engine/(backbones/.*\.onnx|ood_reference/.*\.f16)|cli/demo_photos/.*)$")
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files give the same wheel
LINUX = {
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_release": "",
    "platform_version": "",
}


def code_files() -> dict[str, bytes]:
    """{name inside the package: content} of the installed tellapart, without what only training needs."""
    paths = (p for p in sorted(PACKAGE.rglob("*")) if p.is_file() and "__pycache__" not in p.parts)
    named = ((p.relative_to(PACKAGE).as_posix(), p) for p in paths)
    return {name: path.read_bytes() for name, path in named if not ONLY_FOR_TRAINING.search(name)}


def licences() -> dict[str, bytes]:
    """{name: content} of the licence texts that came with the install; whoever gets a copy of the code gets them too.

    Source: Apache License 2.0, section 4 (a); PEP 639, License-File.
    """
    about = distribution(NAME)
    names = [f"licenses/{name}" for name in about.metadata.get_all("License-File") or []]
    return {name: text.encode() for name in names if (text := about.read_text(name)) is not None}


def wheel() -> tuple[str, bytes]:
    """(file name, content) of a wheel of the installed tellapart, without what only training needs.

    Source: PEP 427, The Wheel Binary Package Format 1.0, 2012.
    """
    about = distribution(NAME)
    info = f"{NAME}-{about.version}.dist-info"
    files = {f"{NAME}/{name}": content for name, content in code_files().items()}
    for name in ("METADATA", "entry_points.txt"):
        files[f"{info}/{name}"] = (about.read_text(name) or "").encode()
    files |= {f"{info}/{name}": content for name, content in licences().items()}
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
    """`name==version` of the packages `roots` and all that they need on Linux, in the versions installed here.

    What only Linux needs and is not installed here, because this is another system, has no version to fix and is left
    to the package that asks for it.

    Raises:
        MissingExtraError: one of `roots` is not installed, so there is no version to fix.
    """
    found: dict[str, str] = {}
    needed_for_sure = {name: Requirement(name) for name in roots}
    waiting = list(needed_for_sure.values())
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            about = distribution(name)
        except PackageNotFoundError as error:
            if name in needed_for_sure:
                raise missing(
                    "serve", f"This export fixes the version of {name}, which is not installed here."
                ) from error
            continue
        found[name] = f"{name}=={about.version}"
        needed = map(Requirement, about.requires or [])
        waiting += [requirement for requirement in needed if _is_needed(requirement, extras)]
    return [found[name] for name in sorted(found)]


def _is_needed(requirement: Requirement, extras: frozenset[str]) -> bool:
    """Whether its marker holds on Linux, with this Python, for one of the `extras` or without any."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate(LINUX | {"extra": extra}) for extra in ("", *extras))


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def own_version() -> str:
    """The version of tellapart that is running."""
    return version(NAME)
