"""Whether a classifier can be trained on what was found."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tellapart.data.meaning.split_words import CROSSED
from tellapart.errors import InputError
from tellapart.text import counted, quoted, some

MIN_PHOTOS_PER_CLASS: Final = 2  # one to learn from, one to check with
WANTED_LAYOUT: Final = """Make one folder for each class and put its photos inside:
  photos/
    hat/   1.jpg  2.jpg
    shoe/  3.jpg  4.jpg"""


def refuse_untrainable(source: str, names: Sequence[str], labels: NDArray[np.int32], splits: NDArray[np.str_]) -> None:
    """Returns when there are two classes or more, each with enough photos to train on.

    Args:
        source: what the person named.
        names: (C,) of the classes.
        labels: (N,) in [0, C).
        splits: (N,) "train", "val" or "test", or "" everywhere; only those of "train", "crossed" or "" count.

    Raises:
        InputError: says which classes fall short, and by how many photos.
    """
    where = quoted(source)
    if len(names) < 2:
        raise InputError(
            f"There is only one class in {where}: {quoted(names[0])}.",
            hint="A classifier needs at least two classes. " + WANTED_LAYOUT,
        )
    counts = np.bincount(labels[np.isin(splits, ["", "train", CROSSED])], minlength=len(names))
    kind = "training photos" if (splits != "").any() else "photos"
    for least, sense in ((1, "no"), (MIN_PHOTOS_PER_CLASS, f"fewer than {MIN_PHOTOS_PER_CLASS}")):
        short = [quoted(name) for name, count in zip(names, counts, strict=True) if count < least]
        if short:
            verb = "has" if len(short) == 1 else "have"
            raise InputError(
                f"{counted(len(short), 'class', 'classes')} in {where} {verb} {sense} {kind}: {some(short)}.",
                hint="Add photos, or remove the class.",
            )
