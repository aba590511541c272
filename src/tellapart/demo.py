"""Real pictures that an installed package already carries, laid out as a person's folder of photos would be.

scikit-learn brings 1,797 scans of handwritten digits (UCI Optical Recognition of Handwritten Digits, CC BY 4.0) and two
photographs (CC BY 2.0). The digits become class folders to train on, and a second set by other writers' hands to
evaluate on; the photographs are things that a digit classifier has never seen.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from tellapart.atomic import refuse_unwritable
from tellapart.data.wording import counted
from tellapart.errors import InputError
from tellapart.prediction import load
from tellapart.recipe import Probe
from tellapart.scoring import summary
from tellapart.workflow import check, evaluate, train

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLASSES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
N_TRAIN = 60  # digits a class to train and test on
N_NEW = 20  # digits a class to evaluate on afterwards
SIDE_PX = 128
INK_PX = 80  # of the scan on the paper; scans have no margin, and digits known by their edges would be a poor example
QUALITY = "fast"  # the scans have 64 pixels; a larger network sees nothing more in them
INK_LEVELS = 16  # grey values in the scans


@dataclass(frozen=True)
class DemoPhotos:
    """Where the demonstration's photos lie.

    Args:
        train: a folder of class folders.
        new: the same classes, other scans.
        strangers: photographs of something else.
    """

    train: Path
    new: Path
    strangers: tuple[Path, ...]


def write_demo_photos(folder: Path) -> DemoPhotos:
    """Write the photos below `folder`; about 800 small JPEG files."""
    digits = load_digits()
    for c in CLASSES:
        scans = digits.images[digits.target == c]
        for part, chosen in (("digits", scans[:N_TRAIN]), ("more-digits", scans[-N_NEW:])):
            place = folder / part / WORDS[c]
            place.mkdir(parents=True, exist_ok=True)
            for i, scan in enumerate(chosen):
                _to_image(scan).save(place / f"{i:03d}.jpg", quality=90)
    strangers = []
    sample = load_sample_images()
    for name, image in zip(sample.filenames, sample.images, strict=True):
        path = folder / "strangers" / Path(name).name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path, quality=90)
        strangers.append(path)
    return DemoPhotos(folder / "digits", folder / "more-digits", tuple(strangers))


def _to_image(scan: NDArray[np.float64]) -> Image.Image:
    """One 8×8 scan as dark ink in the middle of white paper, enlarged smoothly."""
    ink = Image.fromarray((255 - np.clip(scan * (255 / INK_LEVELS), 0, 255)).astype(np.uint8))
    paper = Image.new("RGB", (SIDE_PX, SIDE_PX), "white")
    margin = (SIDE_PX - INK_PX) // 2
    paper.paste(ink.resize((INK_PX, INK_PX), Image.Resampling.BICUBIC), (margin, margin))
    return paper


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
    photos = write_demo_photos(folder)
    model = folder / "model"
    say(f"$ tellapart check digits/ --quality {QUALITY}")
    prepared, findings = check(photos.train, quality=QUALITY)
    n, n_classes = prepared.dataset.n, len(prepared.dataset.class_names)
    say(f"{n} photos of {n_classes} classes; {counted(len(findings), 'finding')}.")
    for finding in findings:
        say(f"  {finding.sentence}")

    say(f"\n$ tellapart train digits/ -o model --quality {QUALITY}")
    evaluation = train(photos.train, model, Probe(quality=QUALITY), force=True)
    for line in summary(evaluation):
        say(line)
    say(f"({evaluation['timings_s']['total']:.1f} s; the photos were already read by the check)")

    say("\n$ tellapart predict model more-digits/three/000.jpg strangers/")
    for prediction in load(model).predict([photos.new / "three" / "000.jpg", *photos.strangers]):
        say(f"{Path(prediction.photo).name}: {prediction.answer}")

    say("\n$ tellapart evaluate model more-digits/")
    say(evaluate(model, photos.new)["headline"])

    say("\n$ tellapart predict imagenet strangers/ --top 3")
    for prediction in load("imagenet").predict(list(photos.strangers)):
        best = list((prediction.probs or {}).items())[:3]
        say(f"{Path(prediction.photo).name}: " + ", ".join(f"{name} {p:.0%}" for name, p in best))
