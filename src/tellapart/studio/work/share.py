"""The model folder and its exports, written by what the commands write them with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tellapart.evaluation.document import summary
from tellapart.export.folder import TARGETS, export
from tellapart.export.proof import sentences
from tellapart.studio.table import NAME as TABLE
from tellapart.studio.table import older_table
from tellapart.studio.work.desk import Desk
from tellapart.text import for_shell, shown
from tellapart.timing import Progress
from tellapart.workflow.train import train

EXPORTS: Final = "exports"  # the folder for them, beside the journal


def train_model(desk: Desk, asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Train on the label file that was written last, as `tellapart train` does, and write the model folder.

    Where `lines` is asked for, it is the file of what was said after so many lines of the journal.

    Raises:
        InputError: these photos cannot be trained on, or the folder cannot be written.
    """
    lines, model = asked.get("lines"), Path(asked["model"])
    table = desk.folder / (older_table(lines) if type(lines) is int else TABLE)
    command = f"tellapart train {for_shell(str(table))} -o {for_shell(str(model))}"
    evaluation = train(table, model, force=True, command=command, progress=progress)
    return {"model": shown(str(model)), "sentences": summary(evaluation)}


def export_model(desk: Desk, asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Export the model folder in the form `to`, once it has answered as the model does.

    Raises:
        InputError: there is no such form, or it cannot be made or written.
        TrainingError: it answers a photo differently.
    """
    to = str(asked.get("to"))
    output = desk.folder / EXPORTS / (to if to in TARGETS else "unknown")
    output.parent.mkdir(exist_ok=True)
    made = export(asked["model"], output, to, force=True, progress=progress)
    sizes = f"Model {made.model_bytes / 1e6:.1f} MB, folder {made.total_bytes / 1e6:.1f} MB."
    return {"folder": shown(str(output)), "sentences": [*sentences(made.proof), sizes, *made.notes, made.next_step]}
