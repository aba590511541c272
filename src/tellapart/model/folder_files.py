"""Files of a model folder as they lie on a disk: whole, or what git, a link or a download left in their place.

Links are followed, because model folders come as links: from the Hugging Face cache, Kubernetes, DVC, git-annex. What
they lead to is held to the hash in the manifest like any file, so a link shows nothing that its maker does not have.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from tellapart.errors import ArtifactError
from tellapart.text import quoted

COPY_AGAIN: Final = "Copy the whole folder again."
LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
ANNEX_POINTER: Final = re.compile(rb"/annex/objects/[^\n]{1,1000}\n?")  # an unlocked file of git-annex, not fetched
LINK_AS_TEXT: Final = re.compile(rb"(?:\.\.?/|/|[A-Za-z]:[\\/])[^\x00-\x1f\x7f]{1,1000}")  # git where links are texts
LONGEST_POINTER: Final = 1_100  # bytes
MAX_CARD_BYTES: Final = 1_000_000  # ours have 5,000
CARD_HEAD: Final = 4_000  # bytes; where a card of ours names tellapart among its tags
LINE_ENDS_VARY: Final = (".txt", ".json", ".html")  # of the files that git may give other line ends; ours are "\n"


def read_file(folder: Path, name: str, limit_bytes: int, sha256: str | None = None) -> bytes:
    """The content of one file of a model folder; a text that git gave other line ends has ours again.

    Args:
        folder: the model folder.
        name: the file's, within it.
        limit_bytes: the most that it may have.
        sha256: hexadecimal, what the content must have; None for a file without one.

    Raises:
        ArtifactError: it is absent, unreadable, larger, no file, another than the hash says, or only points to one.
    """
    path = folder / name
    try:
        if not path.is_file():
            raise _absent(folder, name)
        if path.stat().st_size > limit_bytes:
            raise ArtifactError(f"'{name}' is larger than a model of ours can be.", hint="Do not use this model.")
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"'{name}' cannot be read.", hint=COPY_AGAIN) from error
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        data = _with_our_line_ends(name, data)
        if hashlib.sha256(data).hexdigest() != sha256:
            refuse_pointer(name, data)
            raise ArtifactError(
                f"'{name}' is not the file that this model was saved with.", hint=f"{COPY_AGAIN[:-1]}, or train again."
            )
    return data


def read_card(folder: Path, name: str) -> bytes | None:
    """The model card, which has no hash because people edit it; None where there is none.

    A link to anything but a card of tellapart's is no card: a stranger's link could lead to a private file, which would
    be copied into the next model folder.

    Raises:
        ArtifactError: it cannot be read, or is larger than a card can be.
    """
    path = folder / name
    if not path.is_file():
        return None
    data = read_file(folder, name, MAX_CARD_BYTES)
    foreign = path.is_symlink() and not (data.startswith(b"---") and b"- tellapart" in data[:CARD_HEAD])
    return None if foreign else data


def refuse_pointer(name: str, data: bytes) -> None:
    """Returns unless `data` only says where the content is, in the file `name`.

    Raises:
        ArtifactError: it is a pointer of Git LFS or git-annex, or a link that became a text.
    """
    if data.startswith(LFS_POINTER):
        raise ArtifactError(
            f"'{name}' is a Git-LFS pointer, not the file itself.", hint="Run `git lfs pull` in that folder."
        )
    if len(data) > LONGEST_POINTER:
        return
    if ANNEX_POINTER.fullmatch(data):
        raise ArtifactError(
            f"'{name}' is a pointer of git-annex, not the file itself.", hint="Run `git annex get` in that folder."
        )
    if LINK_AS_TEXT.fullmatch(data.rstrip(b"\r\n")):
        raise ArtifactError(
            f"'{name}' holds the path of another file, as a link does that was copied as a text.",
            hint="Copy the folder again from where it is whole, with what its links lead to.",
        )


def refuse_absent(folder: Path) -> None:
    """Returns where `folder` is there, or nobody says where it could come from.

    Raises:
        ArtifactError: DVC or a link has to do with its absence.
    """
    if folder.exists():
        return
    if folder.with_name(f"{folder.name}.dvc").is_file():
        raise ArtifactError(
            f"The model folder '{folder}' is not here yet, but its description for DVC is.",
            hint=f"Run `dvc pull {folder.name}.dvc` beside it.",
        )
    if folder.is_symlink():
        raise ArtifactError(f"'{folder}' is a link that leads nowhere.", hint="Name the folder itself.")


def _absent(folder: Path, name: str) -> ArtifactError:
    """What to say of a file that is none: whether it, or the folder it lies in, is a link to what is not there."""
    path = folder / name
    linked = next((part for part in (path.parent, path) if part != folder and _leads_nowhere(part)), None)
    if linked is None:
        return ArtifactError(f"The model folder has no file '{name}'.", hint=COPY_AGAIN)
    return ArtifactError(
        f"{quoted(os.fspath(linked.relative_to(folder)))} in the model folder is a link that leads nowhere.",
        hint="Fetch what it leads to (`dvc pull`, `git annex get`, the download again), or copy the folder with what "
        "its links lead to: cp -rL.",
    )


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _with_our_line_ends(name: str, data: bytes) -> bytes:
    """The text as git found it, where `core.autocrlf` made each line end with "\\r\\n"; other files as they are."""
    return data.replace(b"\r\n", b"\n") if name.endswith(LINE_ENDS_VARY) else data
