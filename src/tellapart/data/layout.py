"""Every file with its class and split, by the folders that it lies in."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from tellapart.data.listing import Found, Listing
from tellapart.data.meaning.class_names import normal
from tellapart.data.meaning.folders import Layout, classes_alone, split_above, split_inside, tree_of
from tellapart.text import counted, quoted, shown

NOT_INSIDE_CLASS = "not inside a class folder"
NOT_INSIDE_SPLIT = "not inside a train, val or test folder"


class Placed(NamedTuple):
    """A file found, with its class and split; or with the `reason` why it is not used.

    Attributes:
        photo: its name as shown to the person.
        place: where its bytes are.
        class_name: in Unicode normal form C; empty when it is not used.
        split: "train", "val", "test" or "".
        reason: empty when it is used.
        group: which photos it belongs with; "" when it stands alone, or nothing says it.
    """

    photo: str
    place: str
    class_name: str = ""
    split: str = ""
    reason: str = ""
    group: str = ""


class Arranged(NamedTuple):
    """What a listing means.

    Attributes:
        placed: every file with its class and split.
        class_names: all of them, those of empty folders too.
        notes: sentences that say which folders were taken for splits, which are not used, and what is doubtful.
    """

    placed: list[Placed]
    class_names: set[str]
    notes: list[str]


def arrange(listing: Listing, prefix: str) -> Arranged:
    """Every file of the listing with its class and split.

    Photos may lie deeper inside a class folder; they belong to that class.

    Args:
        listing: the files and folders below the source.
        prefix: put before every name that is shown, such as "photos/".

    Raises:
        InputError: the folders can be read in two ways, and neither is evidently meant.
    """
    tree = tree_of(listing)
    layout = split_above(tree) or split_inside(tree, prefix) or classes_alone(tree, prefix)
    placed = [_place(file, layout, prefix) for file in listing.files]
    notes = [*layout.notes, *_unused(placed, layout, listing, prefix)]
    return Arranged(placed, {normal(name) for name in layout.class_names}, notes)


def _place(file: Found, layout: Layout, prefix: str) -> Placed:
    name = shown(prefix + "/".join(file.parts))
    if file.reason:
        return Placed(name, file.place, reason=file.reason)
    base = next((file.parts[:n] for n in range(len(file.parts)) if file.parts[:n] in layout.bases), None)
    root = layout.root
    if base is None:
        above = layout.splits and len(file.parts) > len(root) + 1 and file.parts[: len(root)] == root
        return Placed(name, file.place, reason=NOT_INSIDE_SPLIT if above else NOT_INSIDE_CLASS)
    if layout.class_at < 0:  # the class lies below the split
        below = file.parts[len(base) : -1]
        class_name = below[0] if below else ""
    else:
        class_name = file.parts[layout.class_at] if len(file.parts) > layout.class_at + 1 else ""
    if not class_name:
        return Placed(name, file.place, reason=NOT_INSIDE_CLASS)
    return Placed(name, file.place, normal(class_name), layout.bases[base])


def _unused(placed: Iterable[Placed], layout: Layout, listing: Listing, prefix: str) -> list[str]:
    """A sentence for each folder beside splits that is none, and each split whose photos lie in no class folder."""
    at = len(layout.root)
    strange: Counter[str] = Counter()
    loose: Counter[str] = Counter()
    for file, one in zip(listing.files, placed, strict=True):
        if layout.splits and one.reason == NOT_INSIDE_SPLIT:
            strange[file.parts[at]] += 1
        elif layout.splits and one.reason == NOT_INSIDE_CLASS and len(file.parts) > at + 1:
            loose[file.parts[at]] += 1
    where = prefix + "".join(f"{part}/" for part in layout.root)
    return [
        *(
            f"{quoted(f'{where}{name}/')} is no train, val or test folder: {_photos_not_used(n)}."
            for name, n in sorted(strange.items())
        ),
        *(
            f"{quoted(f'{where}{name}/')} holds photos in no class folder: {_photos_not_used(n)}."
            for name, n in sorted(loose.items())
        ),
    ]


def _photos_not_used(n: int) -> str:
    return f"{counted(n, 'photo')} in it {'is' if n == 1 else 'are'} not used"
