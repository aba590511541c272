"""A first look at everything, on real photos that come with the package: 86 small ones of garments, CC0.

`scripts/make_demo_photos` drew them by chance from the training part of a public set. Three classes are trained on;
four other photos of each are evaluated on. Two drawings and two garments are of none of the three.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tellapart.errors import InputError
from tellapart.evaluation.document import summary
from tellapart.model.prediction import load
from tellapart.storage.atomic import refuse_unwritable
from tellapart.text import counted, quoted
from tellapart.workflow.check import check
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.suggest import suggest
from tellapart.workflow.train import train

PHOTOS: Final = Path(__file__).parent / "demo_photos"  # photos/CLASS/*.jpg, new/CLASS/*.jpg, other/*.jpg


def run_demo(keep: str | None, say: Callable[[str], None]) -> None:
    """Train, evaluate, predict and check on the demonstration's photos, saying each command as a person would type it.

    Args:
        keep: folder to leave everything in; None uses a temporary one and leaves nothing.
        say: called with each line to show.
    """
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="tellapart-demo-") as folder:
            _tour(Path(folder), say)
        say("\nNothing was kept. To keep the photos, the model and the report: tellapart demo --keep my-demo")
        return
    if Path(keep).exists():
        raise InputError(f"'{keep}' exists already.", hint="Choose another name with --keep.")
    refuse_unwritable(Path(keep), force=False)
    _tour(Path(keep), say)
    say(f"\nOpen {Path(keep) / 'model' / 'report.html'} in a browser.")


def _tour(folder: Path, say: Callable[[str], None]) -> None:
    for part in ("photos", "new", "other"):
        shutil.copytree(PHOTOS / part, folder / part, dirs_exist_ok=True)
    photos, new, other, model = (folder / name for name in ("photos", "new", "other", "model"))

    say("$ tellapart check photos/")
    prepared, findings = check(photos)
    n, n_classes = prepared.dataset.n, len(prepared.dataset.class_names)
    say(f"{counted(n, 'photo')} of {counted(n_classes, 'class', 'classes')}; {counted(len(findings), 'finding')}.")
    for finding in findings:
        say(f"  {finding.sentence}")

    say("\n$ tellapart train photos/ -o model")
    evaluation = train(photos, model, force=True)
    for line in summary(evaluation):
        say(line)
    say(f"({evaluation['timings_s']['total']:.1f} s; the photos were already read by the check)")

    say("\n$ tellapart predict model new/hat/01.jpg other/")
    taken_for = []
    for prediction in load(model).predict([new / "hat" / "01.jpg", *sorted(other.iterdir())]):
        name = Path(prediction.photo).relative_to(folder).as_posix()
        say(f"{name}: {prediction.answer}")
        if prediction.answer == prediction.class_name and name.startswith("other/"):
            taken_for.append((name, str(prediction.answer)))
    for name, answer in taken_for[:1]:
        say(f"({name} is like {quoted(answer)} to a model of three garments. A class for all other things would help.)")

    say("\n$ tellapart evaluate model new/")
    say(evaluate(model, new)["headline"])

    say("\n$ tellapart suggest model new/ -n 3")
    for suggestion in suggest(model, [str(new)], 3).suggestions:
        say(f"{Path(suggestion.photo).relative_to(folder).as_posix()}  {suggestion.reason}")
