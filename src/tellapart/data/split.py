"""Who trains and who tests: stratified by class, and never two photos of one group on both sides.

Groups that were found by looks may be wrong, so a class whose photos are all of one is divided, and named. Groups that
the person gave (`bound`) are never divided: a class of one such group trains and is not tested.

given_split             the one that came with the photos
given_crossed_split     the photos that the source names learn, and each is tested by a head that has not seen it
make_split              a share of each class is set aside for the test
cross_validated_split   too few photos to set any aside: all learn; each is tested by a head that has not seen it
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.duplicates import united
from tellapart.data.meaning.split_words import CROSSED, SPLIT_TYPE

TEST_SHARE = 0.2
FEW_TEST_PHOTOS = 50  # below this Wilson's range is some 20 points wide at 90 % right
CROSSED_FOLDS = 10  # five leave so much less to learn from that the score is 4 to 10 points too low at 5 of a class
ALWAYS_TRAINS = -1  # fold of photos that are never held out


@dataclass(frozen=True)
class Split:
    """Which of N photos train, choose and test.

    Args:
        train, val, test: indices, ascending.
        kind: `given` by the source, `made` here, or `crossed`: all photos train, and `test` are those with a fold.
        undivided: labels of classes whose photos are all of one group, so that near duplicates had to be divided.
        folds: (N,) where crossed: those of `test` of one number are tested by a head that learned from no photo of
            that number; photos of ALWAYS_TRAINS train every head.
    """

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]
    kind: str
    undivided: tuple[int, ...] = ()
    folds: NDArray[np.int32] | None = None

    @property
    def learned(self) -> NDArray[np.int64]:
        """Indices of the photos that the final head learns from, ascending: those that train and those that choose."""
        return np.sort(np.concatenate([self.train, self.val]))

    @property
    def left_out_with_kin(self) -> NDArray[np.int64]:
        """Indices of photos that only train, and not the heads that are asked about their twins, ascending."""
        held_out = np.zeros(0, np.int64) if self.folds is None else np.flatnonzero(self.folds != ALWAYS_TRAINS)
        return np.setdiff1d(held_out, self.test)

    def sides(self, n: int) -> NDArray[np.str_]:
        """(n,) `test` or `train` of all n photos; photos that do both are `test`."""
        sides = np.full(n, "train", SPLIT_TYPE)
        sides[self.test] = "test"
        return sides


def stratified_group_split(
    labels: NDArray[np.int32], groups: NDArray[np.int32], shares: Sequence[float], *, seed: int
) -> NDArray[np.int32]:
    """(N,) part number of each photo: groups stay whole, and each class is spread as `shares` say.

    Groups are dealt in random order, large ones first, each to the part that lacks most photos of the group's
    commonest class; but no part goes without a class that has groups enough for all parts.

    Args:
        labels: (N,) in [0, C).
        groups: (N,) photos with equal numbers stay together.
        shares: part sizes, summing to 1.
        seed: of the order.
    """
    rng = np.random.default_rng(seed)
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    group_label = commonest_label(labels, group_of, len(sizes))
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    n_photos = np.bincount(group_label, weights=sizes)
    groups_left = np.bincount(group_label)
    lacking = np.outer(n_photos, shares)
    empty = np.ones(lacking.shape, bool)
    part_of_group = np.empty(len(sizes), np.int32)
    for g in order:
        c = group_label[g]
        needed = groups_left[c] <= empty[c].sum()
        part = int(np.argmax(np.where(empty[c], lacking[c], -np.inf) if needed else lacking[c]))
        part_of_group[g] = part
        lacking[c, part] -= sizes[g]
        empty[c, part] = False
        groups_left[c] -= 1
    return part_of_group[group_of]


def commonest_label(labels: NDArray[np.int32], group_of: NDArray[np.int64], n_groups: int) -> NDArray[np.int32]:
    """(G,) the label that most photos of each group carry; of equals the smallest."""
    pairs, counts = np.unique(np.stack([group_of, labels], axis=1), axis=0, return_counts=True)
    winners = np.lexsort((pairs[:, 1], -counts, pairs[:, 0]))
    first = np.unique(pairs[winners, 0], return_index=True)[1]
    result = np.empty(n_groups, np.int32)
    result[pairs[winners[first], 0]] = pairs[winners[first], 1]
    return result


def make_split(
    labels: NDArray[np.int32],
    groups: NDArray[np.int32],
    copies: NDArray[np.int32],
    *,
    bound: NDArray[np.int32] | None = None,
    test_share: float = TEST_SHARE,
    seed: int = 0,
) -> Split:
    """A seeded, stratified split in which no group is on both sides.

    Where that would leave a class without a photo on one side, its groups are divided and only exact copies are kept
    together; `undivided` names those classes, whose score then means less. A class that is copies of one photo only
    trains.

    Args:
        labels: (N,) in [0, C).
        groups: (N,) photos that should stay together.
        copies: (N,) photos that are the same.
        bound: (N,) photos that must stay together, whatever it costs a class; each lies in one of `groups`.
        test_share: fraction of each class to test on.
        seed: of the choice.
    """
    part, divided = _split_every_class(labels, groups, copies, bound, [1 - test_share, test_share], seed)
    part[_photos_missing_a_side(labels, part, bound)] = 0
    train, test = np.flatnonzero(part == 0), np.flatnonzero(part == 1)
    return Split(train, np.zeros(0, np.int64), test, "made", divided)


def cross_validated_split(
    labels: NDArray[np.int32],
    groups: NDArray[np.int32],
    copies: NDArray[np.int32],
    *,
    bound: NDArray[np.int32] | None = None,
    n_folds: int = CROSSED_FOLDS,
    seed: int = 0,
) -> Split:
    """All photos learn, and all test, in folds that no group straddles; classes of one group as in `make_split`.

    Where there are fewer groups than folds, each group is one. A class that is copies of one photo has no fold: the
    head asked about it would never have seen its class. Nor has a group of `bound` that holds all photos of a class.
    """
    n_folds = max(2, min(n_folds, len(np.unique(groups))))
    folds, divided = _split_every_class(labels, groups, copies, bound, [1 / n_folds] * n_folds, seed)
    folds[_photos_missing_a_side(labels, folds, bound)] = ALWAYS_TRAINS
    test = np.flatnonzero(folds != ALWAYS_TRAINS)
    return Split(np.arange(len(labels)), np.zeros(0, np.int64), test, CROSSED, divided, folds)


def _split_every_class(
    labels: NDArray[np.int32],
    groups: NDArray[np.int32],
    copies: NDArray[np.int32],
    bound: NDArray[np.int32] | None,
    shares: Sequence[float],
    seed: int,
) -> tuple[NDArray[np.int32], tuple[int, ...]]:
    """(N,) parts with every class in two of them or more if it can be, and those whose groups were divided for it."""
    part, divided, _ = _dealt_in_units(labels, groups, copies, bound, shares, seed)
    return part, divided


def _dealt_in_units(
    labels: NDArray[np.int32],
    groups: NDArray[np.int32],
    copies: NDArray[np.int32],
    bound: NDArray[np.int32] | None,
    shares: Sequence[float],
    seed: int,
    *,
    named: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int32], tuple[int, ...], NDArray[np.int32]]:
    """Parts with every class in two of them or more if it can be, the classes divided for it, and what stayed together.

    Args:
        labels, groups, copies, bound: (N,) of all photos.
        shares: of the parts.
        seed: of the deal.
        named: (M,) indices of the photos that are dealt; None for all. Copies then stay together under any name, and a
            class may lie in one part if another photo of it, in no unit with one of these, trains whatever happens.

    Returns:
        (M,) parts; labels of classes whose groups were divided; (N,) units, none of which is in two parts.
    """
    dealt = np.arange(len(labels)) if named is None else named
    divided: list[int] = []
    units = groups
    while True:
        part = _dealt(labels[dealt], units[dealt], bound, shares, seed)
        known = _labels_elsewhere(labels, units, dealt)
        lacking = [c for c in _classes_missing_a_side(labels[dealt], part, known) if c not in divided]
        if not lacking:
            return part, tuple(divided), units
        divided = sorted([*divided, *lacking])  # dividing a group of two classes may leave the other one short
        units = np.where(np.isin(labels, divided), copies + groups.max() + 1, groups).astype(np.int32)
        units = units if bound is None else united(units, bound)
        units = units if named is None else united(units, copies)


def _labels_elsewhere(labels: NDArray[np.int32], units: NDArray[np.int32], dealt: NDArray[np.int64]) -> frozenset[int]:
    """The labels of photos that are in no unit with one that is dealt."""
    return frozenset(labels[~np.isin(units, units[dealt])].tolist())


def _dealt(
    labels: NDArray[np.int32],
    groups: NDArray[np.int32],
    bound: NDArray[np.int32] | None,
    shares: Sequence[float],
    seed: int,
) -> NDArray[np.int32]:
    """(N,) parts as `stratified_group_split` gives them; with bound groups of many classes, mended class by class."""
    part = stratified_group_split(labels, groups, shares, seed=seed)
    return part if bound is None else _mended(labels, groups, part, len(shares), seed)


def _mended(
    labels: NDArray[np.int32], groups: NDArray[np.int32], part: NDArray[np.int32], n_parts: int, seed: int
) -> NDArray[np.int32]:
    """`part` with groups moved until no class of two groups is in one part alone, as far as single moves lead there.

    Groups are dealt by their commonest class, so a class that is nowhere the commonest may lie in one part by chance.
    A group that holds all photos of a class first goes to the first part, where it stays: it cannot be tested.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    n_groups, n_classes = int(group_of.max()) + 1, int(labels.max()) + 1
    members = np.unique(np.stack([labels, group_of], axis=1), axis=0)
    own = [members[members[:, 0] == c, 1] for c in range(n_classes)]
    fixed = np.zeros(n_groups, bool)
    fixed[[int(of_class[0]) for of_class in own if len(of_class) == 1]] = True
    by_group = members[np.argsort(members[:, 1], kind="stable")]
    held = np.split(by_group[:, 0], np.searchsorted(by_group[:, 1], np.arange(1, n_groups)))
    placed = np.empty(n_groups, np.int32)
    placed[group_of] = part
    placed[fixed] = 0
    n_in = np.zeros((n_classes, n_parts), np.int64)
    np.add.at(n_in, (members[:, 0], placed[members[:, 1]]), 1)
    rng = np.random.default_rng(seed)

    def cost(classes: NDArray[np.int64]) -> int:
        return sum(1 for c in classes if len(own[c]) > 1 and np.count_nonzero(n_in[c]) < 2)

    for c in (c for c in range(n_classes) if len(own[c]) > 1):
        moves = [(int(g), p) for g in rng.permutation(own[c]) if not fixed[g] for p in rng.permutation(n_parts)]
        for g, to in moves:
            if np.count_nonzero(n_in[c]) > 1:
                break
            before, at = cost(held[g]), placed[g]
            n_in[held[g], at] -= 1
            n_in[held[g], to] += 1
            if cost(held[g]) < before:
                placed[g] = to
            else:
                n_in[held[g], to] -= 1
                n_in[held[g], at] += 1
    return placed[group_of]


def _photos_missing_a_side(
    labels: NDArray[np.int32],
    part: NDArray[np.int32],
    bound: NDArray[np.int32] | None,
    *,
    known: Collection[int] = (),
) -> NDArray[np.bool_]:
    """(N,) photos of classes that are in one part alone, and all that are bound to them."""
    missing = np.isin(labels, _classes_missing_a_side(labels, part, known))
    return missing if bound is None else np.isin(bound, bound[missing])


def _classes_missing_a_side(
    labels: NDArray[np.int32], part: NDArray[np.int32], known: Collection[int] = ()
) -> list[int]:
    present = np.unique(labels)
    return [int(c) for c in present if c not in known and len(np.unique(part[labels == c])) < 2]


def given_split(splits: NDArray[np.str_]) -> Split:
    """The split that came with the source; with no `test` part, `val` is what is tested on.

    Args:
        splits: (N,) of "train", "val" or "test"; CROSSED is for `given_crossed_split`.
    """
    tested = tested_part(splits)
    train, val, test = (np.flatnonzero(splits == name) for name in ("train", "val", tested))
    return Split(train, val if tested != "val" else val[:0], test, "given")


def given_crossed_split(
    splits: NDArray[np.str_],
    labels: NDArray[np.int32],
    groups: NDArray[np.int32],
    copies: NDArray[np.int32],
    *,
    bound: NDArray[np.int32] | None = None,
    n_folds: int = CROSSED_FOLDS,
    seed: int = 0,
) -> Split:
    """All photos learn, and those that the source calls crossed test, in folds as of `cross_validated_split`.

    A photo that only trains is in no fold, unless it is of a group with one that tests: then it is in that one's fold,
    so that no head learns from it that is asked about its twin. The final head learns from it as from all.

    Args:
        splits: (N,) CROSSED, or what else trains only.
        labels: (N,) in [0, C).
        groups: (N,) photos that should stay together.
        copies: (N,) photos that are the same.
        bound: (N,) photos that must stay together, whatever it costs a class; each lies in one of `groups`.
        n_folds: at most; where there are fewer groups, each is one.
        seed: of the deal.
    """
    named, others = np.flatnonzero(splits == CROSSED), np.flatnonzero(splits != CROSSED)
    if not len(others):
        return cross_validated_split(labels, groups, copies, bound=bound, n_folds=n_folds, seed=seed)
    n_folds = max(2, min(n_folds, len(np.unique(groups[named]))))
    of = (labels, groups, copies, bound)
    dealt, divided, units = _dealt_in_units(*of, [1 / n_folds] * n_folds, seed, named=named)
    known, own_bound = _labels_elsewhere(labels, units, named), None if bound is None else bound[named]
    dealt[_photos_missing_a_side(labels[named], dealt, own_bound, known=known)] = ALWAYS_TRAINS
    folds = np.full(len(labels), ALWAYS_TRAINS, np.int32)
    folds[named] = dealt
    test = named[dealt != ALWAYS_TRAINS]
    fold_of = dict(zip(units[test].tolist(), folds[test].tolist(), strict=True))
    folds[others] = [fold_of.get(unit, ALWAYS_TRAINS) for unit in units[others].tolist()]
    return Split(np.arange(len(labels)), np.zeros(0, np.int64), test, CROSSED, divided, folds)


def tested_part(splits: NDArray[np.str_]) -> str:
    """Which part of a given split is tested on: `val` where there is no `test`."""
    return next((part for part in (CROSSED, "test") if (splits == part).any()), "val")
