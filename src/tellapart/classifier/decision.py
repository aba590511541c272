"""When a model gives no class name, or one that is not the likeliest: thresholds, and the answer they lead to.

The rule, in this order, the same in every door (src/tellapart/web/browser-client.js has it again):

1. An OOD score above `ood_score`: "none of these".
2. Classes not to be missed whose probability reaches their own threshold: one of them is the answer, whichever class is
   likelier and however unsure it is. Two or more: "not sure", for either name could miss the other, and no promise may.
3. A confidence below `confidence`: "not sure".
4. Else the likeliest class.

A photo of a class is missed where it gets the name of another class. "None of these" and "not sure" are no misses: they
ask a person to look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

NONE_OF_THESE = "none of these"
NOT_SURE = "not sure"
# Of real photos, what may be called "none of these" and "not sure". At 2 and 3 % nearly four times as many garments
# passed a model of hot dogs (16 % against 4 %), but three to four times as many mistakes got "not sure": docs/trust.md
FAR_SHARE = 0.04
DOUBT_SHARE = 0.01
LEAST_PROMISED = round(1 / FAR_SHARE) - 1  # photos, each of another scene, before FAR_SHARE of them is one
# Before that a threshold on the OOD score promises nothing. Chosen among a hundred rules on five sets of training
# photos with 3, 5 and 10 a class, and on the half of the reference that may be fitted on: docs/decisions/0017-early.md
EARLY_SPREADS = 1.5  # standard deviations above the mean of real photos: the far end of what is known of them
EARLY_REFERENCE = 0.1  # share of the reference photos that are nearer than the near end of other things
LEAST_EARLY = 4  # photos out of fold; fewer have no spread to speak of
FADES_FROM = 18  # of the same; up to there the early threshold, at LEAST_PROMISED the promised one
EARLY_SAID = (
    "“None of these” is early here: it learned from few photos or few scenes, and how many photos of its own classes "
    "it will wrongly refuse is not promised."
)
ANSWERED = 0.95  # what these two leave
_ROUNDING = 1e-9  # 0.01 x 100 photos are 1, whatever the product is in floating point


@dataclass(frozen=True)
class ClassPromise:
    """What the threshold of a class not to be missed promises.

    Args:
        class_name: its name.
        recall: the share of its photos that was asked not to be missed.
        kept: the share to expect at or above the threshold, at least `recall`.
        low: low end of the band that the true share lies in 95 times of 100.
        high: high end.
        n: out-of-fold photos of the class that the threshold comes from.
        n_scenes: scenes that those are of; photos of one scene count as one.
    """

    class_name: str
    recall: float
    kept: float
    low: float
    high: float
    n: int
    n_scenes: int


@dataclass(frozen=True)
class ClassThreshold(ClassPromise):
    """From which probability on a class is answered that must not be missed, and what that promises.

    Args:
        label: of the class.
        prob: its decision threshold: a photo with at least this probability of the class gets its name.
    """

    label: int
    prob: float

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(**{"prob" if key == "probability" else key: value for key, value in facts.items()})

    def to_json(self) -> dict[str, Any]:
        """For the manifest of a model."""
        return {"probability" if key == "prob" else key: value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Thresholds:
    """From where on no class name is answered; None promises nothing, and nothing is withheld.

    Args:
        ood_score: photos above it are "none of these".
        confidence: photos below it are "not sure".
        n: out-of-fold photos that both come from.
        early: whether the OOD score's threshold is set by few photos and promises nothing.
        answer: the share of real photos that these two leave with a class name.
        never_miss: the classes that have a threshold of their own.
        n_torn: of the `n` photos, those that two of these classes claim, so that neither name is given.
        n_scenes: scenes that the `n` photos are of, which ranks are then counted in; None where every photo is a scene
            of its own, and in models of before, whose ranks count photos.
    """

    ood_score: float | None
    confidence: float | None
    n: int
    early: bool = False
    answer: float = ANSWERED
    never_miss: tuple[ClassThreshold, ...] = ()
    n_torn: int = 0
    n_scenes: int | None = None

    @property
    def n_ranked(self) -> int:
        """What ranks are counted in: scenes, or photos where each is a scene of its own."""
        return self.n if self.n_scenes is None else self.n_scenes

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """What `to_json` gave; the manifest's key of the OOD score is `unknown_score`."""
        never_miss = tuple(map(ClassThreshold.from_json, facts.get("never_miss", ())))
        return cls(
            facts["unknown_score"],
            facts["confidence"],
            facts["n"],
            early=facts.get("early", False),
            answer=facts.get("answer", ANSWERED),
            never_miss=never_miss,
            n_torn=facts.get("n_torn", 0),
            n_scenes=facts.get("n_scenes"),
        )

    def to_json(self) -> dict[str, Any]:
        """For the manifest of a model; what is as in any model has no key."""
        facts: dict[str, Any] = {"unknown_score": self.ood_score, "confidence": self.confidence, "n": self.n}
        if self.n_scenes is not None:
            facts["n_scenes"] = self.n_scenes
        if self.early:
            facts["early"] = True
        if self.answer != ANSWERED:
            facts["answer"] = self.answer
        if self.never_miss:
            facts |= {"never_miss": [threshold.to_json() for threshold in self.never_miss], "n_torn": self.n_torn}
        return facts


def shares(answer: float) -> tuple[float, float]:
    """What may be called "none of these" and "not sure", so that the share `answer` gets a class name.

    At 95 % and above as 4 to 1. Below, "none of these" keeps its 4 % and all else is "not sure": on three sets, with
    90 % named, 24, 48 and 34 of 100 mistakes are then withheld, and 17, 36 and 20 as 4 to 1; docs/trust.md has more.
    """
    if answer == ANSWERED:
        return FAR_SHARE, DOUBT_SHARE
    far = min(FAR_SHARE, (1 - answer) * FAR_SHARE / (FAR_SHARE + DOUBT_SHARE))
    return far, 1 - answer - far


def fit_thresholds(
    ood_scores: NDArray[np.floating],
    confidences: NDArray[np.floating],
    of_reference: NDArray[np.floating] | None = None,
    *,
    scenes: NDArray[np.integer] | None = None,
    answer: float = ANSWERED,
) -> Thresholds:
    """Thresholds that leave about the share `answer` of real photos with an answer.

    Where photos of one scene repeat, each scene counts as one, as in `lowest_by_scene`: a hundred frames of five things
    are no hundred photos. Scenes too few for the promise set an early threshold, and without `of_reference` the rank
    among photos is one.

    Args:
        ood_scores: (N,) out-of-fold OOD scores of real photos.
        confidences: (N,) out-of-fold confidences of the same photos.
        of_reference: (M,) OOD scores of photos of something else, for an early threshold where N is too small for the
            promise; None sets none then.
        scenes: (N,) which of the photos are alike; None where none are.
        answer: the share of real photos to get a class name; with 1 there is no early threshold either.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, chapter 2: the k-th smallest of n
    exchangeable scores exceeds a new one with probability k / (n + 1).
    """
    n, near = len(ood_scores), -np.asarray(ood_scores, np.float64)
    scenes = scenes if repeats(scenes) else None
    n_scenes = None if scenes is None else len(np.unique(scenes))
    far_share, doubt_share = shares(answer)
    far = _lowest(near, far_share, scenes)
    doubt = _lowest(np.asarray(confidences, np.float64), doubt_share, scenes)
    few = n >= LEAST_EARLY and (n if n_scenes is None else n_scenes) < LEAST_PROMISED
    early = far is None and few and answer < 1
    if early:
        by_photo = _lowest(near, far_share)
        far = by_photo if of_reference is None else -early_threshold(ood_scores, of_reference, scenes)
    return Thresholds(
        None if far is None else -far, doubt, n, early=early and far is not None, answer=answer, n_scenes=n_scenes
    )


def repeats(scenes: NDArray[np.integer] | None) -> bool:
    """Whether photos of one scene are among them more than once."""
    return scenes is not None and len(np.unique(scenes)) < len(scenes)


def early_threshold(
    ood_scores: NDArray[np.floating], of_reference: NDArray[np.floating], scenes: NDArray[np.integer] | None = None
) -> float:
    """A threshold by few photos: halfway between the far end of one's own and the near end of other things.

    From FADES_FROM photos on it moves, photo by photo, to the furthest of one's own, which is what the promise begins
    with at LEAST_PROMISED: so nothing jumps there.

    Args:
        ood_scores: (N,) out of fold, LEAST_EARLY <= N.
        of_reference: (M,) of photos of something else, at least one.
        scenes: (N,) which of them are alike, where some are: each scene then counts as one.
    """
    own = np.asarray(ood_scores, np.float64)
    n, mean, spread = len(own), own.mean(), own.std(ddof=1)
    if scenes is not None:
        weights = _weights(scenes)
        n, mean = round(weights.sum()), np.average(own, weights=weights)
        spread = np.sqrt((weights * np.square(own - mean)).sum() / max(n - 1, 1))
    far_end = mean + EARLY_SPREADS * spread
    near_end = np.quantile(np.asarray(of_reference, np.float64), EARLY_REFERENCE)
    promised = min(max((n - FADES_FROM) / (LEAST_PROMISED - FADES_FROM), 0.0), 1.0)
    return float((1 - promised) * (far_end + near_end) / 2 + promised * own.max())


def _lowest(scores: NDArray[np.float64], share: float, scenes: NDArray[np.integer] | None = None) -> float | None:
    """The score that about `share` of exchangeable scores fall below; None with too few scores to say.

    Its rank is whole among scenes too, so that what is promised follows from the share and the number of scenes alone.
    """
    n = len(scores) if scenes is None else len(np.unique(scenes))
    rank = int(share * (n + 1) + _ROUNDING)
    if rank < 1:
        return None
    if scenes is None:
        return float(np.sort(scores)[rank - 1])
    found = lowest_by_scene(scores, scenes, rank / (n + 1))
    return None if found is None else found[0]


def _weights(scenes: NDArray[np.integer]) -> NDArray[np.float64]:
    """(N,) of each photo, such that every scene weighs 1."""
    _, scene_of, sizes = np.unique(scenes, return_inverse=True, return_counts=True)
    return np.asarray(1 / sizes[scene_of])


def lowest_by_scene(
    probs: NDArray[np.floating], scenes: NDArray[np.integer], share: float
) -> tuple[float, float] | None:
    """The highest value that at most `share` of new photos fall below, and its rank among scenes; None if too few.

    Every scene counts as one, however many photos it has. With one photo a scene the value is the k-th smallest of n,
    k = floor(share (n + 1)), and the rank is k; in general the rank is 1 more than the weight of what lies below.

    Args:
        probs: (M,) out-of-fold probabilities of one class for its own photos.
        scenes: (M,) which photos are alike.
        share: in (0, 1).

    Source: Lee, Barber and Willett, Distribution-free inference with hierarchical data, arXiv 2306.06342 (2023):
    weights 1 / size, for a new photo of a new scene.
    """
    budget = share * (len(np.unique(scenes)) + 1) + _ROUNDING
    if budget < 1:
        return None
    values, place = np.unique(np.asarray(probs, np.float64), return_inverse=True)
    weights = np.bincount(place, weights=_weights(scenes))
    below = np.cumsum(weights) - weights
    last = int(np.flatnonzero(below + 1 <= budget)[-1])
    return float(values[last]), float(below[last] + 1)


def claiming(probs: NDArray[np.floating], thresholds: Thresholds) -> list[int]:
    """The classes not to be missed that a photo with (C,) `probs` may be of."""
    return [t.label for t in thresholds.never_miss if float(probs[t.label]) >= t.prob]


def answer(class_names: Sequence[str], probs: NDArray[np.floating], ood_score: float, thresholds: Thresholds) -> str:
    """What to tell a person: a class name, "not sure" or "none of these"."""
    return withheld(probs, ood_score, thresholds) or class_names[named(probs, thresholds)]


def named(probs: NDArray[np.floating], thresholds: Thresholds) -> int:
    """The class whose name is given, if one is: the one not to be missed, else the likeliest."""
    claims = claiming(probs, thresholds)
    return claims[0] if len(claims) == 1 else int(probs.argmax())


def withheld(probs: NDArray[np.floating], ood_score: float, thresholds: Thresholds) -> str | None:
    """What is said in place of a class name; None where there is one, whatever the classes are called."""
    if thresholds.ood_score is not None and ood_score > thresholds.ood_score:
        return NONE_OF_THESE
    claims = claiming(probs, thresholds)
    if claims:
        return None if len(claims) == 1 else NOT_SURE
    if thresholds.confidence is not None and float(probs.max()) < thresholds.confidence:
        return NOT_SURE
    return None
