"""Photos copied into a folder for each answer: `predict --sort-into`.

Nothing is moved or overwritten. A copy has its name only once it is whole, so that a run that was stopped is gone on
with by the same command: what is there already is seen to be, by its name and its content.
"""

import errno
import os
import re
import shutil
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from tellapart.classifier.decision import NONE_OF_THESE, NOT_SURE
from tellapart.errors import InputError
from tellapart.model.naming import is_model_folder
from tellapart.model.predictions import Prediction
from tellapart.storage.atomic import NEW_FILE, flush_folder
from tellapart.storage.partial import partial_file
from tellapart.text import counted, quoted, shown

UNREADABLE: Final = "unreadable"
LONGEST_BYTES: Final = 120  # of a folder's name; encrypted disks hold 143 of a name, and a number may follow
LONGEST_FILE_BYTES: Final = 255
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')  # in names, by Windows; "/" everywhere
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # names of devices there
_COMPARED_BYTES: Final = 1 << 20


def folder_names(answers: Iterable[str]) -> list[str]:
    """Of each answer a name that every system takes for a folder; no two are alike, whatever a disk makes of capitals.

    A letter that some system forbids becomes a hyphen, a long name is cut, and a name that another has gets a number.
    """
    found: list[str] = []
    taken: set[str] = set()
    for answer in answers:
        plain = unicodedata.normalize("NFC", _FORBIDDEN.sub("-", shown(answer))).strip()
        plain = _cut(plain, LONGEST_BYTES).rstrip(". ")
        if plain.startswith(".") or not plain or _RESERVED.fullmatch(plain):
            plain = f"_{plain}"
        numbers = (plain if n == 1 else f"{plain} ({n})" for n in count(1))
        found.append(next(name for name in numbers if _folded(name) not in taken))
        taken.add(_folded(found[-1]))
    return found


@dataclass
class Sorter:
    """Copies photos into the folders of their answers, below `target`; make one with `sorter`.

    Attributes:
        target: the folder of folders.
        names: {answer: folder}, as `folder_names` gives them; None is for photos that cannot be read.
        n_sorted: {folder: photos in it of this run, those that were there already among them}.
        n_there: photos that were there already.
        not_copied: names of photos that are no file that can be read, so that there is nothing to copy.
    """

    target: Path
    names: Mapping[str | None, str]
    n_sorted: Counter[str] = field(default_factory=Counter)
    n_there: int = 0
    not_copied: list[str] = field(default_factory=list)
    _taken: set[tuple[str, str]] = field(default_factory=set)  # (folder, name) of this run's photos
    _seen: set[str] = field(default_factory=set)  # real paths of this run's photos
    _folders: set[str] = field(default_factory=set)  # real paths

    def __post_init__(self) -> None:
        self._folders = {os.path.realpath(self.target / name) for name in self.names.values()}

    def is_inside(self, photo: str) -> bool:
        """Whether a photo lies in one of the folders already, as an earlier run left it there."""
        return os.path.realpath(os.path.dirname(photo) or ".") in self._folders

    def outside(self, photos: Sequence[str]) -> tuple[str, ...]:
        """Those of `photos` that do not lie in the folders already.

        Raises:
            InputError: all of them do.
        """
        others = tuple(photo for photo in photos if not self.is_inside(photo))
        if photos and not others:
            raise InputError(
                f"All of the photos lie in the folders of {quoted(str(self.target), longest=300)} already.",
                hint="Name the photos that are to be sorted, or another folder.",
            )
        return others

    def sort(self, prediction: Prediction) -> None:
        """Copy one photo to where its answer says; one that cannot be read to `unreadable`, if it is a file.

        Raises:
            InputError: the copy cannot be written.
        """
        path = prediction.photo
        place = os.path.realpath(path)
        if place in self._seen:  # named twice
            return
        self._seen.add(place)
        folder = self.names[prediction.answer]
        if not _is_file(path):
            self.not_copied.append(path)
            return
        try:
            self._copy(Path(path), folder)
        except OSError as error:
            if prediction.answer is None and isinstance(error, PermissionError) and not os.access(path, os.R_OK):
                self.not_copied.append(path)
                return
            raise InputError(
                f"{quoted(path)} cannot be copied into {quoted(str(self.target / folder), longest=300)}: "
                f"{(error.strerror or 'the system refused').lower()}.",
                hint="What was copied before stays. Make room or check the folder, then run the same command again.",
            ) from error

    def _copy(self, photo: Path, folder: str) -> None:
        within = self.target / folder
        within.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            name = _numbered(photo.name, number)
            if (folder, _folded(name)) in self._taken:  # another photo of this run
                continue
            place = within / name
            if not os.path.lexists(place) and _copied(photo, place):
                break
            if _same(photo, place):
                self.n_there += 1
                break
        self._taken.add((folder, _folded(name)))
        self.n_sorted[folder] += 1

    def sentences(self) -> list[str]:
        """What went where: a line for all, one a folder, and what could not be copied."""
        said = [f"{counted(self.n_sorted.total(), 'photo')} sorted into {shown(str(self.target))}{os.sep}"]
        if self.n_there:
            said[0] += f", of which {self.n_there:,} {'was' if self.n_there == 1 else 'were'} there already"
        width = max((len(f"{n:,}") for n in self.n_sorted.values()), default=0)
        for folder in (name for name in self.names.values() if self.n_sorted[name]):
            said.append(f"  {self.n_sorted[folder]:>{width},}  {shown(folder)}{os.sep}")
        if self.not_copied:
            listed = "; ".join(quoted(name, longest=300) for name in self.not_copied)
            said.append(f"Not copied, because nothing can be read there: {listed}")
        return said


def sorter(target: str, class_names: Sequence[str]) -> Sorter:
    """What copies into `target`, a folder that is there or is made.

    Raises:
        InputError: it is no folder, a model's, or cannot be written to.
    """
    place = Path(target)
    if is_model_folder(place):
        raise InputError(f"{quoted(target, longest=300)} is a model folder.", hint="Name another one for the photos.")
    if os.path.lexists(place) and not place.is_dir():
        raise InputError(f"{quoted(target, longest=300)} is not a folder.", hint="Name a folder for the photos.")
    try:
        place.mkdir(parents=True, exist_ok=True)
        with partial_file(place / "photo", NEW_FILE):
            pass
    except OSError as error:
        raise InputError(
            f"{quoted(target, longest=300)} cannot be written to: {(error.strerror or 'the system refused').lower()}.",
            hint="Choose another folder, or check its permissions.",
        ) from error
    answers = list(dict.fromkeys([*class_names, NOT_SURE, NONE_OF_THESE]))
    return Sorter(place, dict(zip([*answers, None], folder_names([*answers, UNREADABLE]), strict=True)))


def _copied(photo: Path, place: Path) -> bool:
    """Copies to a free place, whole or not at all; False where another took the place meanwhile."""
    with partial_file(place, NEW_FILE) as partial:
        with photo.open("rb") as file, partial.open("wb") as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            os.fsync(copy.fileno())
        with suppress(OSError):  # a disk that knows no times
            times = photo.stat()
            os.utime(partial, ns=(times.st_atime_ns, times.st_mtime_ns))
        try:
            os.link(partial, place)  # unlike a rename it replaces nothing
        except FileExistsError:
            return False
        except OSError as error:  # a disk without hard links
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            if os.path.lexists(place):
                return False
            partial.rename(place)
        flush_folder(place.parent)
    return True


def _same(photo: Path, place: Path) -> bool:
    """Whether two files hold the same."""
    try:
        if not place.is_file() or photo.stat().st_size != place.stat().st_size:
            return False
        with photo.open("rb") as one, place.open("rb") as other:
            while part := one.read(_COMPARED_BYTES):
                if part != other.read(_COMPARED_BYTES):
                    return False
    except FileNotFoundError:
        return False
    return True


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _numbered(name: str, number: int) -> str:
    """The name of the `number`th photo that is called `name`, cut where the number makes it too long."""
    if number == 1:
        return name
    stem, ending = os.path.splitext(name)
    tail = f" ({number}){ending}"
    return _cut(stem, max(LONGEST_FILE_BYTES - len(os.fsencode(tail)), 1)) + tail


def _cut(text: str, longest: int) -> str:
    """As many of its first letters as fit into `longest` bytes of a name."""
    while len(os.fsencode(text) if os.name == "posix" else text.encode("utf-8", "surrogatepass")) > longest:
        text = text[:-1]
    return text


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
