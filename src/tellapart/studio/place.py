"""Where a studio keeps what a person says of their photos: beside them, or where this machine keeps such things."""

import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

from tellapart.errors import InputError
from tellapart.storage.cache_folder import state_folder
from tellapart.studio.journal import NAME
from tellapart.text import quoted

ENDING: Final = ".studio"
MAX_NAME_LETTERS: Final = 60  # of the source's name, in the state folder


def place_of(source: str) -> Path:
    """The folder for what is said of the photos in `source`; one name for each folder, however a link leads to it.

    Where there is a journal already, it is that one: labels of before are never left behind.

    Raises:
        InputError: there is no place for it.
    """
    whole = Path(os.path.realpath(source))
    if not whole.name:
        raise InputError("The whole disk is no set of photos.", hint="Name the folder that they are in.")
    beside = whole.with_name(whole.name + ENDING)
    mark = sha256(os.fsencode(whole)).hexdigest()[:12]
    elsewhere = state_folder() / "studio" / f"{whole.name[:MAX_NAME_LETTERS]}-{mark}"
    for folder in (beside, elsewhere):
        if (folder / NAME).is_file():
            return folder
    why = ""
    for folder in (beside, elsewhere):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            why = error.strerror or "the system refused"
        else:
            return folder
    raise InputError(
        f"There is no place for what you say of the photos: neither {quoted(str(beside))} nor "
        f"{quoted(str(elsewhere))} can be written, {why.lower()}.",
        hint="Mend the permissions, or name a folder with the environment variable TELLAPART_STATE_DIR.",
    )


def is_beside(folder: Path, source: str) -> bool:
    """Whether what is said of `source` is kept beside it in `folder`, where a person looks for it."""
    return folder.parent == Path(os.path.realpath(source)).parent
