"""Very many photos dealt to parts in one go: scenes whole, classes evenly, and a smaller sample within a larger one.

`split.stratified_group_split` deals scene by scene, which for a million of them takes minutes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.split import commonest_label


@dataclass(frozen=True)
class Deal:
    """Which of N photos do what, as (N,) yes or no; no scene is in two parts.

    Args:
        sample: learn first.
        half: of these, about half of each class.
        held_out: tell whether more photos help; learned from by no head.
        rest: learn if more photos help.
        test: tested on.
    """

    sample: NDArray[np.bool_]
    half: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    rest: NDArray[np.bool_]
    test: NDArray[np.bool_]


def deal(
    labels: NDArray[np.int32],
    scenes: NDArray[np.int32],
    *,
    n_sample: int,
    n_held_out: int,
    test_share: float,
    least_of_class: int = 1,
    given_test: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> Deal:
    """Deal N photos; which part a scene is in depends on the scenes and the seed, and not on where the photos lie.

    The first scene of each class is learned from, whatever the shares, and the last of two or more is tested.

    Args:
        labels: (N,) in [0, C).
        scenes: (N,) photos with equal numbers stay together, but for what `given_test` divides.
        n_sample: about how many photos the sample has.
        n_held_out: about how many are held out.
        test_share: of each class, tested on; of no meaning where the test is given.
        least_of_class: about so many photos of each class are in the sample, where there are so many.
        given_test: (N,) whether a photo tests; None chooses by the share.
        seed: of the order of scenes.
    """
    if given_test is None:
        begins, ends = _order(labels, scenes, seed)
        test = ((begins + ends) / 2 >= 1 - test_share) | (ends >= 1)
        test &= begins > 0
    else:
        test = given_test
    sample, half, held_out = (np.zeros(len(labels), bool) for _ in range(3))
    pool = np.flatnonzero(~test)
    begins, ends = _order(labels[pool], scenes[pool], seed)
    middle, first = (begins + ends) / 2, begins == 0
    of_class = np.bincount(labels[pool])[labels[pool]]
    held_share = n_held_out / max(len(pool), 1)
    share = np.maximum(n_sample / max(len(pool), 1), np.minimum(least_of_class / of_class, 1))
    held_out[pool] = (middle >= 1 - held_share) & ~first
    left = ~held_out[pool]
    sample[pool] = ((middle < share) | first) & left
    half[pool] = ((middle < np.minimum(share, 1 - held_share) / 2) | first) & left
    return Deal(sample, half, held_out, ~(sample | held_out | test), test)


def _order(
    labels: NDArray[np.int32], scenes: NDArray[np.int32], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) where a photo's scene begins and ends among those of its class, in random order, as shares of their photos.

    Scenes are numbered by their first photo, so that the order does not rest on the numbers that they came with.
    """
    if not len(labels):
        return np.zeros(0), np.zeros(0)
    _, firsts, raw = np.unique(scenes, return_index=True, return_inverse=True)
    number = np.empty(len(firsts), np.int64)
    number[np.argsort(firsts)] = np.arange(len(firsts))
    scene = number[raw]
    n_scenes = len(firsts)
    sizes = np.bincount(scene, minlength=n_scenes)
    own = commonest_label(labels, scene, n_scenes)
    order = np.lexsort((np.random.default_rng(seed).random(n_scenes), own))
    totals = np.bincount(own, weights=sizes)
    before = np.cumsum(sizes[order]) - sizes[order]
    of_class = np.concatenate([[0.0], np.cumsum(totals)])[own[order]]
    begins, ends = np.empty(n_scenes), np.empty(n_scenes)
    begins[order] = (before - of_class) / totals[own[order]]
    ends[order] = (before - of_class + sizes[order]) / totals[own[order]]
    return begins[scene], ends[scene]
