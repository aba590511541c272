"""The native libraries that read photos: their versions as loaded, and the oldest that we trust with strangers' files.

A hole in one of them is mended by an upgrade that nobody hears of. So what is in memory is asked, once, and a format
whose library is older than its floor is refused, and no other.

A Pillow that a Linux distribution or conda built is shown and not held: it uses libraries of the system, which are
mended without a new number.
"""

import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import PIL
from PIL import features

from tellapart.errors import PhotoError
from tellapart.formats import heic

try:
    from PIL._avif import codec_versions
except ImportError:  # Pillow was built without AVIF

    def codec_versions() -> str:
        """Nothing."""
        return ""


try:
    import simplejpeg
except ImportError:  # Pillow reads its photos then
    simplejpeg = None


@dataclass(frozen=True)
class Library:
    """A native library that sees bytes of photos.

    Args:
        name: as its makers write it.
        package: what pip upgrades to upgrade it.
        formats: what it reads, as `header.sniff` says.
        floor: the oldest version that is trusted; None where it is only shown.
    """

    name: str
    package: str
    formats: tuple[str, ...]
    floor: str | None


WITH_PROFILE: Final = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF")  # formats that carry colour profiles
LIBRARIES: Final = (
    Library("libheif", "pi-heif-decoder", ("HEIF",), "1.23.4"),  # CVE-2026-84383: a file runs code
    Library("libde265", "pi-heif-decoder", ("HEIF",), "1.1.2"),  # CVE-2026-54240, and memory used after it was freed
    Library("libtiff", "pillow", ("TIFF",), "4.7.2"),  # CVE-2026-4775: writes outside its memory for YCbCr
    Library("libwebp", "pillow", ("WEBP",), "1.3.2"),  # CVE-2023-4863: a file runs code, and did
    Library("libavif", "pillow", ("AVIF",), "1.3.0"),  # CVE-2025-48174: writes outside its memory
    Library("dav1d", "pillow", ("AVIF",), "1.4.3"),  # CVE-2024-1580, and reads outside its memory on ARM
    Library("libjpeg-turbo", "pillow", ("JPEG", "TIFF"), "3.0.0"),  # CVE-2021-29390, CVE-2023-2804: outside a row
    Library("simplejpeg", "simplejpeg", ("JPEG",), "1.9.0"),  # cannot be asked for the libjpeg-turbo in it: of 2025
    Library("lcms2", "pillow", WITH_PROFILE, "2.19"),  # CVE-2026-41254: a size of a profile's table overflows
    Library("zlib", "pillow", ("PNG", "TIFF"), None),  # the one that Python loaded, often the system's own
)


@cache
def versions() -> dict[str, str]:
    """{name: version} of those of `LIBRARIES` that are in memory."""
    found: dict[str, str | None] = {
        "libheif": heic.libheif_version(),
        "libde265": heic.libde265_version(),
        "libtiff": features.version("libtiff"),
        "libwebp": features.version("webp"),
        "libavif": features.version("avif"),
        "dav1d": _number_in(codec_versions(), "dav1d"),
        "libjpeg-turbo": features.version("libjpeg_turbo"),
        "simplejpeg": None if simplejpeg is None else simplejpeg.__version__,
        "lcms2": features.version("littlecms2"),
        "zlib": features.version("zlib"),
    }
    return {name: version for name, version in found.items() if version}


def is_held(library: Library) -> bool:
    """Whether the library's floor counts here: not for what a system brings and mends under the same number."""
    return library.floor is not None and (library.package != "pillow" or _brings_its_own())


def outdated() -> tuple[Library, ...]:
    """Those of `LIBRARIES` that are in memory and older than their floor."""
    return tuple(library for library in LIBRARIES if _is_outdated(library))


def refuse_outdated(kind: str) -> None:
    """Refuses a format that an outdated library would read.

    Args:
        kind: as `header.sniff` says.

    Raises:
        PhotoError: `outdated`.
    """
    if kind == "HEIF" and "libheif" not in versions():
        raise PhotoError(
            "HEIC photos are not read: the library for them is not installed, or not whole.",
            code="outdated",
            hint="Run: pip install --force-reinstall pi-heif-decoder",
        )
    for library in LIBRARIES:
        if kind in library.formats and _is_outdated(library):
            name = {"HEIF": "HEIC", "WEBP": "WebP"}.get(kind, kind)
            raise PhotoError(
                f"{name} photos are not read until the library for them is upgraded: it has known security holes.",
                code="outdated",
                hint=f"{library.name} is {versions()[library.name]} and has to be {library.floor} or later. "
                f"Run: pip install --upgrade {library.package}",
            )


def _is_outdated(library: Library) -> bool:
    version = versions().get(library.name)
    if version is None or library.floor is None or not is_held(library):
        return False
    return _numbers(version) < _numbers(library.floor)


@cache
def _brings_its_own() -> bool:
    """Whether this Pillow is the wheel with libraries of its own, rather than a system's."""
    place = Path(PIL.__file__).parent
    return sys.platform == "win32" or (place / ".dylibs").is_dir() or (place.parent / "pillow.libs").is_dir()


@cache
def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0]))


def _number_in(text: str, name: str) -> str | None:
    """The version behind `name` in a sentence such as "dav1d [dec]:1.5.3-0-gb546257, aom [enc]:3.14.1"."""
    match = re.search(rf"{name}\D*(\d+(?:\.\d+)*)", text)
    return match[1] if match else None
