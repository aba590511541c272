"""How a model comes to its answer about one photo: for code and notebooks, and as a page with its pictures."""

import os
from pathlib import Path

from tellapart.model.explain import Inside, look_inside
from tellapart.report.inside_page import FILES, PAGE, inside_page
from tellapart.storage.atomic import refuse_unwritable, write_folder
from tellapart.text import shown
from tellapart.timing import Progress, usual_progress


def explain(
    model: str | os.PathLike[str],
    photo: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    among: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Progress = usual_progress,
) -> Inside:
    """Where `model` looked in `photo`, what it cannot do without, what its layers see, which photos are most alike.

    Args:
        model: a folder that `train` wrote.
        photo: path of the photo.
        output: a folder for the page and its pictures; None writes nothing.
        among: where to look for similar photos; None takes those that the model learned from, where they still are.
        force: whether an existing `output` may be replaced.
        progress: called with (stage, done, total).

    Raises:
        ArtifactError: the model cannot be trusted or understood.
        PhotoError: the photo cannot be read.
        InputError: nothing is found at `among`, or the output cannot be written.
    """
    if output is None:
        return look_inside(model, photo, among=among, progress=progress)
    target = Path(output)
    refuse_unwritable(target, force=force, ours=FILES if (target / PAGE).is_file() else frozenset())
    inside = look_inside(model, photo, among=among, progress=progress)
    names = (shown(Path(each).name) for each in (model, photo))
    write_folder(target, inside_page(inside, *names, learned=among is None))
    return inside
