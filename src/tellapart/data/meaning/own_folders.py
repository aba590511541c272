"""Folders that tellapart wrote itself, known by the files in them: their photos are nobody's class."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from tellapart.data.listing import Found, Listing, reason_by_name
from tellapart.data.meaning.table_text import office_kind, refuse_spreadsheet
from tellapart.errors import InputError
from tellapart.text import counted, quoted, shown

Folder = tuple[str, ...]

HELD: Final = "a quarantine"

# Each export has one of these, whatever it is for; other programs call a file of theirs export.json, too.
_OF_AN_EXPORT: Final = ("index.html", "app.py", "Dockerfile", "model.json")
# By the names of files that are all there; those of `model/artifact.py`, `export/folder.py`, `report/inside_page.py`
# `checks/removal.py` and `studio/journal.py`, which are higher up; tests hold them against what is written.
_MARKS: Final = (
    (frozenset({"manifest.json", "model.onnx"}), "a model folder"),
    (frozenset({"evaluation.json", "report.html"}), "an evaluation"),
    *((frozenset({"export.json", name}), "an exported model") for name in _OF_AN_EXPORT),
    (frozenset({"model.json", "model.onnx"}), "an exported model"),
    (frozenset({"explanation.html"}), "an explanation"),
    (frozenset({"moved.jsonl", "README.txt"}), HELD),
    (frozenset({"journal.jsonl", "journal.lock"}), "a studio"),
)
# No strange names, so they count only where no photos lie beside them.
_ALONE: Final = frozenset({"export.json", *_OF_AN_EXPORT})


def own_folders(files: Iterable[Folder]) -> dict[Folder, str]:
    """{folder: what it is} of the uppermost folders that tellapart wrote; () stands for the source itself.

    Args:
        files: the names that lead to each file.
    """
    inside: defaultdict[Folder, set[str]] = defaultdict(set)
    for parts in files:
        inside[parts[:-1]].add(parts[-1])
    found: dict[Folder, str] = {}
    for folder in sorted(inside, key=len):
        kind = _kind(inside[folder])
        if kind and not any(folder[:n] in found for n in range(len(folder))):
            found[folder] = kind
    return found


def without_own(listing: Listing) -> tuple[Listing, list[str]]:
    """The listing without what lies in such folders, and a sentence for each; the source itself is not looked at."""
    own = {folder: kind for folder, kind in own_folders(file.parts for file in listing.files).items() if folder}
    if not own:
        return listing, []

    def owner(parts: Folder) -> Folder:
        return next((parts[:n] for n in range(1, len(parts) + 1) if parts[:n] in own), ())

    kept = [file for file in listing.files if not owner(file.parts)]
    left: defaultdict[Folder, list[Found]] = defaultdict(list)
    for file in listing.files:
        left[owner(file.parts)].append(file)
    notes = [
        f"{quoted(shown('/'.join(folder) + '/'))} is {kind} of tellapart, not a class: "
        f"{counted(len(left[folder]), 'file')} in it {'is' if len(left[folder]) == 1 else 'are'} left out."
        for folder, kind in sorted(own.items())
    ]
    return Listing(kept, {folder for folder in listing.folders if not owner(folder)}), notes


def refuse_no_photos(listing: Listing, name: str) -> None:
    """Returns when the listing is not surely something else than a set of photos.

    Raises:
        InputError: it is a folder that tellapart wrote, or the inside of an office program's file.
    """
    files = [file.parts for file in listing.files]
    if kind := office_kind({"/".join(parts) for parts in files}):
        refuse_spreadsheet(kind, name)
    kind = own_folders(files).get((), "")
    if kind and kind != HELD:
        raise InputError(
            f"{quoted(name)} is {kind} of tellapart, not a set of photos.",
            hint="Name the folder that holds one folder of photos for each class.",
        )


def _kind(names: set[str]) -> str:
    for marks, kind in _MARKS:
        if marks <= names and not (marks <= _ALONE and any(not reason_by_name(name) for name in names - marks)):
            return kind
    return ""
