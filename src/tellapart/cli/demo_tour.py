"""Pictures drawn here, laid out as a person's folder of photos would be: nothing is fetched, and no package holds them.

Shapes on paper, as an unsteady hand draws them, become class folders to train on, and a second set to evaluate on. Two
other drawings are things that a classifier of shapes has never seen.
"""

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tellapart.errors import InputError
from tellapart.evaluation.document import summary
from tellapart.model.prediction import load
from tellapart.recipe import LinearProbe, Reading
from tellapart.storage.atomic import refuse_unwritable
from tellapart.text import counted
from tellapart.workflow.check import check
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.suggest import suggest
from tellapart.workflow.train import train

Numbers = NDArray[np.float64]

N_TRAIN = 60  # drawings a class to train and test on
N_NEW = 20  # drawings a class to evaluate on afterwards
SIDE_PX = 160
FINE = 3  # drawn this many times as large, so that lines have soft edges
QUALITY = "fast"  # a few lines on paper; a larger network sees nothing more in them


@dataclass(frozen=True)
class DemoPhotos:
    """Where the demonstration's photos lie.

    Args:
        train: a folder of class folders.
        new: the same classes, other drawings.
        strangers: drawings of something else.
    """

    train: Path
    new: Path
    strangers: tuple[Path, ...]


def write_demo_photos(folder: Path) -> DemoPhotos:
    """Write the photos below `folder`; about 560 small JPEG files, the same ones each time."""
    rng = np.random.default_rng(0)
    for name, outline in OUTLINES.items():
        for part, n in (("shapes", N_TRAIN), ("more-shapes", N_NEW)):
            place = folder / part / name
            place.mkdir(parents=True, exist_ok=True)
            for i in range(n):
                _drawing(outline, rng).save(place / f"{i:03d}.jpg", quality=90)
    strangers = []
    for name, picture in (("hills", _hills()), ("bricks", _bricks())):
        path = folder / "strangers" / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        picture.save(path, quality=90)
        strangers.append(path)
    return DemoPhotos(folder / "shapes", folder / "more-shapes", tuple(strangers))


def _polygon(n: int) -> Callable[[Numbers], Numbers]:
    """From angles to the distance of its edge from its centre; its corners are at 1."""
    return lambda angles: math.cos(math.pi / n) / np.cos(angles % (2 * math.pi / n) - math.pi / n)


OUTLINES: Mapping[str, Callable[[Numbers], Numbers]] = {
    "circle": np.ones_like,
    "flower": lambda angles: 0.7 + 0.3 * np.cos(6 * angles),
    "hexagon": _polygon(6),
    "pentagon": _polygon(5),
    "square": _polygon(4),
    "star": lambda angles: 0.4 + 0.6 * np.abs(angles * 5 / math.pi % 2 - 1),
    "triangle": _polygon(3),
}


def _drawing(outline: Callable[[Numbers], Numbers], rng: np.random.Generator) -> Image.Image:
    """One shape with some pen on some paper, among other strokes: turned, squeezed, and not quite closed."""
    angles = np.linspace(0, 2 * math.pi * rng.uniform(0.96, 1.02), 240)
    unsteady = sum(rng.normal(0, 0.06 / k) * np.cos(k * angles + rng.uniform(0, 6)) for k in (1, 2, 3, 5))
    radius = rng.uniform(0.2, 0.4) * outline(angles) * (1 + unsteady)
    turned = angles + rng.uniform(0, 2 * math.pi)
    shape = np.stack([radius * np.cos(turned), radius * np.sin(turned) * rng.uniform(0.8, 1)], axis=1)
    side = SIDE_PX * FINE
    paper = Image.new("RGB", (side, side), _colour(rng, 150, 256))
    draw = ImageDraw.Draw(paper)
    for _ in range(rng.integers(0, 5)):
        draw.line(_points(rng.uniform(0, side, (2, 2))), fill=_colour(rng, 100, 256), width=int(rng.integers(2, 30)))
    points = _points(side * (rng.uniform(0.4, 0.6, 2) + shape))
    if rng.random() < 0.4:
        draw.polygon(points, fill=_colour(rng, 60, 256))
    draw.line(points, fill=_colour(rng, 0, 140), width=int(rng.integers(2, 7)) * FINE, joint="curve")
    return paper.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)


def _colour(rng: np.random.Generator, least: int, below: int) -> tuple[int, ...]:
    return tuple(int(level) for level in rng.integers(least, below, 3))


def _points(places: Numbers) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in places]


def _hills() -> Image.Image:
    """A landscape: the evening sky, the sun, three ranges of hills."""
    picture = Image.linear_gradient("L").resize((480, 320))
    sky = [picture.point([top + (255 - top) * level // 255 for level in range(256)]) for top in (70, 120, 210)]
    picture = Image.merge("RGB", sky)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((330, 60, 390, 120), fill=(255, 236, 150))
    for i, green in enumerate(((96, 140, 110), (60, 112, 70), (34, 80, 40))):
        ridge = [(x, 170 + 45 * i + 22 * math.sin(x / (45 + 12 * i) + 2 * i)) for x in range(481)]
        draw.polygon([(0, 320), *ridge, (480, 320)], fill=green)
    return picture


def _bricks() -> Image.Image:
    """A wall."""
    picture = Image.new("RGB", (480, 320), (205, 195, 180))
    draw = ImageDraw.Draw(picture)
    for row in range(10):
        for column in range(-1, 8):
            left, top = column * 68 + row % 2 * 34, row * 32
            red = 150 + (row * 37 + column * 59) % 50
            draw.rectangle((left, top, left + 62, top + 26), fill=(red, red // 2 - 10, red // 3))
    return picture


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
    say(f"$ tellapart check shapes/ --quality {QUALITY}")
    prepared, findings = check(photos.train, quality=QUALITY)
    n, n_classes = prepared.dataset.n, len(prepared.dataset.class_names)
    say(f"{counted(n, 'photo')} of {counted(n_classes, 'class', 'classes')}; {counted(len(findings), 'finding')}.")
    for finding in findings:
        say(f"  {finding.sentence}")

    say(f"\n$ tellapart train shapes/ -o model --quality {QUALITY}")
    evaluation = train(photos.train, model, LinearProbe(Reading(quality=QUALITY)), force=True)
    for line in summary(evaluation):
        say(line)
    say(f"({evaluation['timings_s']['total']:.1f} s; the photos were already read by the check)")

    say("\n$ tellapart predict model more-shapes/star/000.jpg strangers/")
    for prediction in load(model).predict([photos.new / "star" / "000.jpg", *photos.strangers]):
        say(f"{Path(prediction.photo).name}: {prediction.answer}")

    say("\n$ tellapart evaluate model more-shapes/")
    say(evaluate(model, photos.new)["headline"])

    say("\n$ tellapart suggest model more-shapes/ -n 3")
    for suggestion in suggest(model, [str(photos.new)], 3).suggestions:
        say(f"{Path(suggestion.photo).relative_to(folder).as_posix()}  {suggestion.reason}")
