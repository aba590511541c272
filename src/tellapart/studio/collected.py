"""Photos that were handed to the page: kept byte for byte beside the journal, and part of the heap from then on."""

import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final

from tellapart.errors import InputError
from tellapart.storage.atomic import write_file
from tellapart.studio.heap import COLLECTED
from tellapart.studio.writing.layout import safe_name

INCOMING: Final = "incoming-"  # begins the name of a zip that is being taken apart
MAX_ZIP_BYTES: Final = 4_000_000_000
MAX_FOLDERS: Final = 4  # above a photo that are kept: their names fit into any system's longest path


def keep(state: Path, name: str, content: bytes, identity: str) -> Path:
    """Store a photo under its name, or one beside it where that is another photo's; where it lies.

    The folders that it lay in are kept, for that is how people find it again.

    Args:
        state: the studio's folder.
        name: as whoever sent it calls it, with the folders above; nothing in it leads out of the studio's.
        content: of the file.
        identity: what the photo is known by.

    Raises:
        InputError: it cannot be written.
    """
    *above, last = name.replace("\\", "/").split("/")
    folder = _made(state / COLLECTED, [safe_name(part) for part in above if part.strip(". ")][-MAX_FOLDERS:])
    stem, ending = os.path.splitext(safe_name(last or "photo.jpg"))
    place = folder / f"{stem}{ending}"
    if place.exists():
        place = folder / f"{stem}-{identity[:12]}{ending}"
    if not place.exists():
        write_file(place, content)
    return place


def _made(folder: Path, above: Sequence[str]) -> Path:
    """The folder for a photo that lay in the folders `above`; `folder` itself where a photo has the name of one.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
        with suppress(FileExistsError, NotADirectoryError):
            folder.joinpath(*above).mkdir(parents=True, exist_ok=True)
            return folder.joinpath(*above)
    except OSError as error:
        raise InputError(
            "The photo cannot be stored.", hint="Make room on the disk, or mend its permissions."
        ) from error
    return folder


def demo_photos() -> list[bytes]:
    """The photos of `tellapart demo`, garments of three kinds, mixed."""
    root = files("tellapart") / "cli" / "demo_photos"
    classes = [kind for part in ("photos", "new") for kind in (root / part).iterdir()]
    contents = [file.read_bytes() for kind in classes for file in kind.iterdir() if file.name.endswith(".jpg")]
    return sorted(contents, key=lambda content: sha256(content).digest())


async def take_zip(state: Path, parts: AsyncIterator[bytes]) -> str:
    """Store a zip as it arrives; the name that `unzip` takes.

    Raises:
        InputError: it is too large, or cannot be written.
    """
    name = f"{INCOMING}{secrets.token_hex(8)}.zip"
    try:
        with (state / name).open("xb") as file:
            async for part in parts:
                file.write(part)
                _refuse_large(file.tell())
    except BaseException as error:
        with suppress(OSError):
            (state / name).unlink()
        if isinstance(error, OSError):
            raise InputError("The zip cannot be stored.", hint="Make room on the disk.") from error
        raise
    return name


def _refuse_large(n_bytes: int) -> None:
    if n_bytes > MAX_ZIP_BYTES:
        raise InputError(f"The zip is larger than {MAX_ZIP_BYTES // 10**9} GB.", hint="Make two of it.")


def clear_incoming(state: Path) -> None:
    """Remove what a studio that was killed left of zips."""
    for path in state.glob(f"{INCOMING}*.zip"):
        with suppress(OSError):
            path.unlink()
