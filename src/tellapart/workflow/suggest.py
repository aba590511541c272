"""Which unlabelled photos are worth labelling next: close calls that differ from each other.

Photos are taken one by one. Each time the one is taken whose call is closest, times how far it is from those taken
already. On clothing and instruments that taught more than as many photos labelled at random:
`benchmarks/suggest.py`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data import photo
from tellapart.data.grey_picture import grey_picture
from tellapart.data.meaning.named_photos import scan_photos
from tellapart.data.preprocess import preprocess
from tellapart.data.source import Skipped
from tellapart.engine.runner import Network, refuse_nonsense
from tellapart.errors import InputError, PhotoError
from tellapart.features.copies import find_copies
from tellapart.features.extract import hash_pixels
from tellapart.model.artifact import Artifact, load_artifact
from tellapart.model.thumbnail import thumbnail_of
from tellapart.parallel import map_in_order, n_cores
from tellapart.text import counted, html_photo, quoted, shown, tag
from tellapart.timing import Progress, usual_progress

STAGE = "looking at photos"
SHOWN_LINES = 20  # of the suggestions, as text: they fit a screen
SHOWN_PHOTOS = 24  # in a notebook: a screen of pictures
CLOSE_CALL = 0.5  # between the two likeliest probabilities; below it two classes compete
MOST_FAR_SHARE = 0.2  # of the suggestions: photos far from all training ones may be a new kind of thing, or rubbish


@dataclass(frozen=True)
class Suggestion:
    """A photo worth labelling.

    Args:
        photo: its path.
        reason: why, in a few words.
        class_name: the likeliest class, a start for whoever labels it.
        confidence: its probability.
    """

    photo: str
    reason: str
    class_name: str
    confidence: float

    def to_json(self) -> dict[str, Any]:
        """One flat object; its keys are the columns of a CSV file."""
        return asdict(self)


@dataclass(frozen=True)
class Suggested:
    """What to label next.

    Args:
        suggestions: the most useful first.
        n_looked_at: readable photos that they were chosen from.
        n_copies: photos among these that repeat another one, of which at most one is suggested.
        skipped: photos that could not be read, with the reason.
    """

    suggestions: tuple[Suggestion, ...]
    n_looked_at: int
    n_copies: int
    skipped: tuple[Skipped, ...]

    def to_json(self) -> dict[str, Any]:
        """What `suggest --json` prints."""
        counts = {"n_looked_at": self.n_looked_at, "n_copies": self.n_copies}
        return {
            "suggestions": [one.to_json() for one in self.suggestions],
            **counts,
            "skipped": [vars(skipped) for skipped in self.skipped],
        }

    def __repr__(self) -> str:
        lines = [f"  {shown(one.photo)}  {shown(one.reason)}" for one in self.suggestions[:SHOWN_LINES]]
        if len(self.suggestions) > SHOWN_LINES:
            lines.append(f"  … and {len(self.suggestions) - SHOWN_LINES:,} more in .suggestions")
        return "\n".join([f"<Suggested {self._counts()}>", *lines])

    def _repr_html_(self) -> str:
        figures = [
            html_photo(thumbnail_of(one.photo), tag("strong", one.reason), f"{one.class_name}?", name=one.photo)
            for one in self.suggestions[:SHOWN_PHOTOS]
        ]
        return tag("div", tag("p", self._counts()), *figures)

    def _counts(self) -> str:
        return f"{counted(len(self.suggestions), 'photo')} to label next, of {self.n_looked_at:,} looked at"


@dataclass(frozen=True)
class Pool:
    """What a model says about N unlabelled photos.

    Args:
        photos: (N,) paths.
        features: (N, D) float32.
        probs: (N, C).
        ood_scores: (N,) OOD scores.
        copies: (N,) group number of photos that repeat each other, exactly or nearly.
    """

    photos: tuple[str, ...]
    features: NDArray[np.float32]
    probs: NDArray[np.float32]
    ood_scores: NDArray[np.float32]
    copies: NDArray[np.int32]


def suggest(
    model: str | PathLike[str],
    source: str | PathLike[str] | Sequence[str],
    n: int = 50,
    progress: Progress = usual_progress,
) -> Suggested:
    """The `n` photos of `source` that would teach the model most, fewer where there are fewer different ones.

    Args:
        model: the model folder.
        source: a file, folder or glob of unlabelled photos, or several.
        n: how many to suggest, at least 1.
        progress: called with (stage, done, total).

    Raises:
        InputError: `n` is below 1, or there is no photo, or not one can be read.
        ArtifactError: the model folder cannot be trusted.
    """
    if n < 1:
        raise InputError(f"The number of suggestions must be at least 1. Got {n}.")
    photos = sorted(scan_photos([fspath(source)] if isinstance(source, str | PathLike) else map(fspath, source)))
    if not photos:
        raise InputError("There are no photos to choose from.", hint="Name a folder of photos without labels.")
    artifact = load_artifact(Path(model))
    pool, skipped = image_stats_of(artifact, photos, progress)
    far = np.zeros(len(pool.photos), bool)
    if artifact.thresholds.ood_score is not None and not artifact.thresholds.early:  # which promises nothing
        far = pool.ood_scores > artifact.thresholds.ood_score
    chosen = choose(pool.features, pool.probs, far, pool.copies, n)
    suggestions = tuple(_suggestion(pool, i, bool(far[i]), artifact.class_names) for i in chosen)
    n_copies = len(pool.photos) - len(np.unique(pool.copies))
    return Suggested(suggestions, len(pool.photos), n_copies, skipped)


def image_stats_of(artifact: Artifact, photos: Sequence[str], progress: Progress) -> tuple[Pool, tuple[Skipped, ...]]:
    """What the model says about each of `photos` that can be read, and why the others cannot.

    Raises:
        InputError: not one can be read.
    """
    outputs_asked = ["features", "probs", "unknown_score"]
    network = Network(artifact.model, artifact.preprocess.input_px, outputs_asked, streams=n_cores())

    def ask(path: str) -> tuple[dict[str, NDArray[np.float32]], str, NDArray[np.uint8]] | PhotoError:
        try:
            image = photo.decode(photo.read(path), min_side_px=artifact.preprocess.min_side_px)
        except PhotoError as error:
            return error
        pixels = preprocess(image, artifact.preprocess)
        outputs = network(pixels)
        refuse_nonsense(outputs, len(artifact.class_names))
        return outputs, hash_pixels(pixels).hex(), grey_picture(image)

    said, readable, hashes, pictures, skipped = [], [], [], [], []
    for i, result in enumerate(map_in_order(ask, photos, name="suggest")):
        progress(STAGE, i + 1, len(photos))
        if isinstance(result, PhotoError):
            skipped.append(Skipped(photos[i], result.message))
            continue
        readable.append(photos[i])
        said.append(result[0])
        hashes.append(result[1])
        pictures.append(result[2])
    if not said:
        raise InputError(
            f"Not one of {counted(len(photos), 'photo')} can be read. "
            f"The first is {quoted(skipped[0].photo)}: {skipped[0].reason}",
            hint="Open one of them in a photo viewer.",
        )
    features, probs, ood_scores = (np.stack([s[key] for s in said]) for key in network.outputs)
    same = find_copies(features, np.stack(pictures), np.array(hashes, "S32")).same
    return Pool(tuple(readable), features, probs, ood_scores, same), tuple(skipped)


def choose(
    features: NDArray[np.float32],
    probs: NDArray[np.floating],
    far: NDArray[np.bool_],
    copies: NDArray[np.integer],
    n: int,
) -> list[int]:
    """Indices of up to `n` photos in the order in which to label them; no two are copies.

    The first is the closest call. Each next one has the largest product of how close its call is, 1 - (p₁ - p₂), and
    its least squared distance to those taken, between directions of centred features. Ties go to the first photo. The
    photos that are far from all training ones take at most MOST_FAR_SHARE of the first places, however many those are,
    so that fewer wanted are the first of more.

    Args:
        features: (N, D) of unlabelled photos.
        probs: (N, C), C >= 2.
        far: (N,) which photos lie beyond the model's threshold for "none of these".
        copies: (N,) group number; photos of one group repeat each other.
        n: how many are wanted.

    Source: the farthest-first traversal of Sener and Savarese, Active Learning for Convolutional Neural Networks: A
    Core-Set Approach, ICLR 2018, algorithm 1, weighted by the margin; started among the unlabelled photos, because a
    model folder holds no training photo.
    """
    two = np.sort(probs.astype(np.float64), axis=1)[:, -2:]
    closeness = 1 - (two[:, 1] - two[:, 0])
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    distance = np.full(len(features), 4.0)  # of opposite directions, the farthest there are
    free = np.ones(len(features), bool)
    chosen: list[int] = []
    while free.any() and len(chosen) < n:
        enough_far = int(far[chosen].sum()) >= max(1, round(MOST_FAR_SHARE * (len(chosen) + 1)))
        near = free & ~far
        eligible = near if enough_far and near.any() else free
        # Above 0 even for a sure call right beside one taken, so that it comes before what may not be taken.
        worth = np.where(eligible, closeness * distance + np.finfo(np.float64).eps, 0.0)
        best = int(worth.argmax())
        chosen.append(best)
        distance = np.minimum(distance, np.maximum(0.0, 2 - 2 * (centred @ centred[best])))
        free &= copies != copies[best]
    return chosen


def _suggestion(pool: Pool, index: int, far: bool, class_names: Sequence[str]) -> Suggestion:
    probs = pool.probs[index]
    first, second = np.argsort(-probs, kind="stable")[:2]
    if far:
        reason = "unlike your training photos"
    elif probs[first] - probs[second] < CLOSE_CALL:
        reason = f"close call: {class_names[first]} or {class_names[second]}"
    else:
        reason = "unlike the others in this list"
    return Suggestion(pool.photos[index], reason, class_names[first], float(probs[first]))
