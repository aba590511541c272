"""How many real photos a model will answer, and how sure that is: the band of the conformal guarantee.

A threshold is the l-th most extreme of n out-of-fold scores, l = floor(share (n + 1)). Were those n photos all that
there is to know, the share l / (n + 1) of new photos would lie beyond. But another n photos would have given another
threshold: the share kept, over such draws, is Beta(n + 1 - l, l) distributed, whatever the scores look like.

A model has two gates, "none of these" with rank k and "not sure" with rank l, and a photo may fail both. How
often is not known, and need not be:

- At least this many are kept. Suppose that the doubt threshold were set on the n - k photos within the far threshold
  only. It would be no lower, so no fewer photos would be refused, and the share kept by that pair of gates is exactly
  Beta(n + 1 - k - l, k + l) (each step cuts off statistically equivalent blocks). So the low end for one gate of rank
  k + l is a low end for the pair.
- At most this many. The pair keeps no photo that either gate refuses, so the high end of the stricter gate alone is
  a high end for the pair.

Where photos of one scene repeat, n counts scenes, each photo weighs 1 / its scene's size, and a rank is a weight: what
lies beyond a threshold weighs no more than its whole rank less one (`classifier.decision.lowest_by_scene`). A scene
whose photos differ says more than one photo and less than all, so the bands are, if anything, too wide.

Each end is missed at most once in forty times, for any dependence of the gates. Both hold for photos drawn as those
were, for scores without ties, and for out-of-fold scores as far as the final model scores new photos as the folds'
models scored theirs.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

TAIL = 0.025  # left out at each end of a central 95 % band
_ROUNDING = 1e-9  # 0.29 x 100 photos are 29, whatever the product is in floating point


@dataclass(frozen=True)
class Guarantee:
    """What share of real photos gets a class name.

    Args:
        kept: the share to expect, in (0, 1); of several gates, the least it can be.
        low: low end of the band that the true share lies in 95 times of 100.
        high: high end.
        n: photos that the thresholds come from.
        n_refused: how many of those lie at or beyond a threshold if no photo fails two gates.
        n_refused_least: the same if every photo that fails one gate fails the strictest.
        n_scenes: scenes that the photos are of, where photos of one scene repeat; those are then what the two before
            count, and the band follows from.
    """

    kept: float
    low: float
    high: float
    n: int
    n_refused: int
    n_refused_least: int
    n_scenes: int | None = None

    @property
    def n_ranked(self) -> int:
        """What ranks are counted in: scenes, or photos where each is a scene of its own."""
        return self.n if self.n_scenes is None else self.n_scenes

    def to_json(self) -> dict[str, Any]:
        """For the manifest of a model; where every photo is a scene of its own, `n_scenes` has no key."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Observed:
    """Whether a test bears the guarantee out.

    Args:
        low: fewest test photos answered that fit the guarantee.
        high: most.
        holds: whether the number answered lies between them, ends included.
    """

    low: int
    high: int
    holds: bool


def guarantee(n: int, *shares: float, n_more: int = 0, n_scenes: int | None = None) -> Guarantee | None:
    """The share of real photos that gates guarantee to answer, with its band; None with too few photos for any gate.

    A gate that n photos are too few for is absent, as it is in the model.

    Args:
        n: photos whose out-of-fold scores the thresholds come from.
        shares: what each gate may refuse, each in [0, 1), together less than 1.
        n_more: of the photos, those refused by what is no rank among them; counted, so the law holds only about.
        n_scenes: scenes that the photos are of, where ranks count scenes.

    Source: Wilks, Ann. Math. Stat. 12 (1941) and Vovk, ACML 2012: the Beta law of one threshold; Tukey, Ann. Math.
    Stat. 18 (1947), statistically equivalent blocks, for several.
    """
    ranked = n if n_scenes is None else n_scenes
    more = n_more if n_scenes is None else math.ceil(n_more * n_scenes / n)
    ranks = [math.floor(share * (ranked + 1) + _ROUNDING) for share in shares]
    most, least = min(ranked, sum(ranks) + more), max(*ranks, more, 0)
    if least == 0:
        return None
    return Guarantee(
        kept=1 - most / (ranked + 1),
        low=float(special.betaincinv(ranked + 1 - most, most, TAIL)),
        high=float(special.betaincinv(ranked + 1 - least, least, 1 - TAIL)),
        n=n,
        n_refused=most,
        n_refused_least=least,
        n_scenes=n_scenes,
    )


def share_kept(n: int, rank: float) -> tuple[float, float, float]:
    """The share of new photos that one threshold keeps, and the band (low, high) it lies in 95 times of 100.

    Args:
        n: photos, or scenes of them, that the threshold comes from.
        rank: which of their scores it is, counted from the most extreme, in [1, n]; need not be whole.

    Source: as `guarantee`.
    """
    kept = n + 1 - rank
    low, high = (float(special.betaincinv(kept, rank, level)) for level in (TAIL, 1 - TAIL))
    return kept / (n + 1), low, high


def least_photos(share: float) -> int:
    """Photos, or scenes of them, that it takes before the share `share` of them is one; 0 < share < 1."""
    return max(1, math.ceil(1 / share - 1 - _ROUNDING))


def observed_in_band(n_answered: int, n_test: int, guaranteed: Guarantee, n_scenes: int | None = None) -> Observed:
    """Whether as many real test photos got a class name as guaranteed, give or take the chance in the test photos.

    Wider than the guarantee's own band: even a model that keeps it exactly answers now more, now fewer of n_test
    photos. If the guarantee holds, the number lies outside at most once in twenty times.

    Args:
        n_answered: test photos that got a class name, right or wrong; 0 to `n_test`.
        n_test: test photos of the model's classes, which set no threshold.
        guaranteed: what was guaranteed.
        n_scenes: scenes that the test photos are of, where photos of one scene repeat: chance then is that of so many.
    """
    drawn = n_scenes or n_test
    ends = guaranteed.n_ranked + 1
    low = _quantile(drawn, ends - guaranteed.n_refused, guaranteed.n_refused, TAIL)
    least = guaranteed.n_refused_least
    high = _quantile(drawn, ends - least, least, 1 - TAIL) if least else drawn
    if n_scenes:  # the same shares of the photos
        low, high = low * n_test // n_scenes, -(-high * n_test // n_scenes)
    return Observed(low, high, low <= n_answered <= high)


def _quantile(n_test: int, kept: int, refused: int, level: float) -> int:
    """The smallest count with at least `level` of the beta-binomial distribution at or below it."""
    counts: NDArray[np.int64] = np.arange(n_test + 1)
    of_one = -special.betaln(counts + 1, n_test - counts + 1) - math.log(n_test + 1)  # log of n_test choose count
    logs = of_one + special.betaln(counts + kept, n_test - counts + refused) - special.betaln(kept, refused)
    reached = np.cumsum(np.exp(logs))
    return min(n_test, int(np.searchsorted(reached, level)))
