"""The one place that knows which package reads HEIC: its pixels, its threads, and the versions that were loaded.

Another reader is another `import` here and another name in pyproject.toml; docs/decisions/0011-reading-heic.md says
when. The package is imported under a name that two distributions share: a discontinued one that must not be used, and
its successor. Where both were installed, the files of either may have won, and where the former was then removed, files
of both are gone. Only the library in memory knows which it is, so it is asked, and nothing else is believed.
"""

from typing import Any

try:
    import pi_heif
except ImportError:  # removed by hand: every other format can still be read
    pi_heif = None

_reader: Any = pi_heif


def libheif_version() -> str | None:
    """The version of libheif in memory, such as "1.23.4"; None where it cannot be loaded."""
    try:
        return str(_reader.libheif_version())
    except (ImportError, AttributeError):
        return None


def libde265_version() -> str | None:
    """The version of libde265 in memory, which decodes what libheif finds; None where it cannot be loaded."""
    try:
        said = str(_reader.libheif_info()["decoders"]["libde265"])  # "libde265 HEVC decoder, version 1.1.3"
    except (ImportError, AttributeError, LookupError):
        return None
    return said.rpartition(" ")[2]


def one_thread() -> None:
    """From now on a photo is decoded by the thread that asks for it, and no other is started."""
    if libheif_version() is not None:
        _reader.options.DECODE_THREADS = 1


def register() -> None:
    """Let Pillow open HEIC: the photo alone, since what hangs on it is never shown and would only be parsed."""
    if libheif_version() is not None:
        _reader.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
