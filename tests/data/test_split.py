"""Nobody is on both sides, and every class is on each."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tellapart.data.duplicates import united
from tellapart.data.split import (
    ALWAYS_TRAINS,
    cross_validated_split,
    given_crossed_split,
    given_split,
    make_split,
    stratified_group_split,
)


@st.composite
def grouped_photos(draw, pure=True):
    """Labels and groups of up to 60 photos; in `pure` sets the photos of one group have one label."""
    n_classes, n_groups = draw(st.integers(1, 5)), draw(st.integers(1, 25))
    sizes = draw(st.lists(st.integers(1, 6), min_size=n_groups, max_size=n_groups))
    groups = np.repeat(np.arange(n_groups), sizes).astype(np.int32)
    n = n_groups if pure else len(groups)
    chosen = np.array(draw(st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n)), np.int32)
    labels = chosen[groups] if pure else chosen
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(groups))
    return labels[order], groups[order]


def one_part_each(groups, part):
    return all(len(np.unique(part[groups == g])) == 1 for g in np.unique(groups))


SHARES = st.sampled_from([[0.8, 0.2], [0.5, 0.5], [0.95, 0.05], [0.2] * 5, [0.7, 0.1, 0.2]])
SEEDS = st.integers(0, 1000)


@settings(max_examples=40, deadline=None)
@given(st.booleans().flatmap(lambda pure: grouped_photos(pure=pure)), SHARES, SEEDS)
def test_groups_never_straddle_and_every_photo_has_a_part(photos, shares, seed):
    labels, groups = photos
    part = stratified_group_split(labels, groups, shares, seed=seed)
    assert part.shape == labels.shape
    assert part.min() >= 0
    assert part.max() < len(shares)
    assert one_part_each(groups, part)


@settings(max_examples=40, deadline=None)
@given(grouped_photos(), SHARES, SEEDS)
def test_every_class_is_in_as_many_parts_as_it_has_groups_for(photos, shares, seed):
    labels, groups = photos
    part = stratified_group_split(labels, groups, shares, seed=seed)
    for c in np.unique(labels):
        n_groups = len(np.unique(groups[labels == c]))
        n_parts = len(np.unique(part[labels == c]))
        assert n_parts == min(n_groups, len(shares)) if n_groups <= len(shares) else n_parts == len(shares)


@settings(max_examples=40, deadline=None)
@given(grouped_photos(), SHARES, SEEDS)
def test_shares_are_kept_to_within_one_group(photos, shares, seed):
    labels, groups = photos
    part = stratified_group_split(labels, groups, shares, seed=seed)
    for c in np.unique(labels):
        own = labels == c
        largest = np.unique(groups[own], return_counts=True)[1].max()
        wanted = own.sum() * np.array(shares)
        got = np.bincount(part[own], minlength=len(shares))
        # one group, or where a class has so few groups that each part needs one, what that costs
        few = len(np.unique(groups[own])) < 2 * len(shares)
        assert (got <= wanted + largest * (2 if few else 1) + 1e-9).all()


def test_shares_of_single_photos_are_exact_to_one_photo():
    labels = np.repeat(np.arange(4, dtype=np.int32), [100, 33, 7, 250])
    part = stratified_group_split(labels, np.arange(390, dtype=np.int32), [0.8, 0.2], seed=0)
    for c in range(4):
        n = (labels == c).sum()
        assert abs((part[labels == c] == 1).sum() - 0.2 * n) < 1


@settings(max_examples=40, deadline=None)
@given(grouped_photos(), SHARES, SEEDS)
def test_same_seed_same_split_and_group_numbers_mean_nothing(photos, shares, seed):
    labels, groups = photos
    part = stratified_group_split(labels, groups, shares, seed=seed)
    assert np.array_equal(part, stratified_group_split(labels.copy(), groups.copy(), shares, seed=seed))
    assert np.array_equal(part, stratified_group_split(labels, groups * 7 + 3, shares, seed=seed))


def test_another_seed_is_another_split():
    labels = np.repeat(np.arange(3, dtype=np.int32), 20)
    splits = {
        make_split(labels, np.arange(60, dtype=np.int32), np.arange(60, dtype=np.int32), seed=seed).test.tobytes()
        for seed in range(10)
    }
    assert len(splits) == 10


@settings(max_examples=40, deadline=None)
@given(grouped_photos(), SEEDS)
def test_shuffling_photos_keeps_all_promises(photos, seed):
    labels, groups = photos
    order = np.random.default_rng(seed).permutation(len(labels))
    part, moved = (
        stratified_group_split(a, b, [0.8, 0.2], seed=seed)
        for a, b in ((labels, groups), (labels[order], groups[order]))
    )
    assert one_part_each(groups[order], moved)
    for c in np.unique(labels):
        own = labels == c
        sizes = np.unique(groups[own], return_counts=True)[1]
        assert len(np.unique(part[own])) == len(np.unique(moved[labels[order] == c])) == min(2, len(sizes))


@st.composite
def groups_and_copies(draw):
    """Labels, groups, and copies that divide the groups further; groups may hold several classes."""
    labels, copies = draw(grouped_photos(pure=False))
    n_copies = int(copies.max()) + 1
    group_of = np.array(draw(st.lists(st.integers(0, 12), min_size=n_copies, max_size=n_copies)), np.int32)
    return labels, group_of[copies], copies


@settings(max_examples=60, deadline=None)
@given(groups_and_copies(), SEEDS)
def test_a_split_divides_photos_and_reports_what_it_could_not_keep_together(photos, seed):
    labels, groups, copies = photos
    split = make_split(labels, groups, copies, seed=seed)
    assert split.kind == "made"
    assert len(split.val) == 0
    assert np.array_equal(np.sort(np.concatenate([split.train, split.test])), np.arange(len(labels)))
    assert (np.diff(split.train) > 0).all()
    assert (np.diff(split.test) > 0).all()
    is_test = np.isin(np.arange(len(labels)), split.test)
    kept = ~np.isin(labels, split.undivided)
    assert one_part_each(groups[kept], is_test[kept])  # groups of other classes stay whole
    for c in split.undivided:  # of the divided ones, copies still do
        assert one_part_each(copies[labels == c], is_test[labels == c])


@settings(max_examples=60, deadline=None)
@given(groups_and_copies(), SEEDS)
def test_every_class_trains(photos, seed):
    """A class is missing from the training photos only if all its photos are copies of one photo."""
    labels, groups, copies = photos
    split = make_split(labels, groups, copies, seed=seed)
    for c in np.unique(labels):
        one_photo = len(np.unique(copies[labels == c])) == 1
        mixed = any(len(np.unique(labels[copies == g])) > 1 for g in np.unique(copies[labels == c]))
        assert c in labels[split.train] or one_photo or mixed


@settings(max_examples=60, deadline=None)
@given(grouped_photos(), st.lists(st.integers(0, 8), min_size=25, max_size=25), SEEDS)
def test_every_class_of_two_different_photos_is_on_both_sides(photos, group_of, seed):
    """Copies carry one label here; groups may join classes, as photos of one room do."""
    labels, copies = photos
    groups = np.array(group_of, np.int32)[copies]
    split = make_split(labels, groups, copies, seed=seed)
    for c in np.unique(labels):
        if len(np.unique(copies[labels == c])) > 1:
            assert c in labels[split.train]
            assert c in labels[split.test]


@settings(max_examples=40, deadline=None)
@given(grouped_photos(), SEEDS)
def test_a_class_of_one_group_is_divided_and_named(photos, seed):
    labels, copies = photos
    groups = np.where(labels == 0, 100, copies).astype(np.int32)
    assume((labels == 0).any())
    split = make_split(labels, groups, copies, seed=seed)
    assert 0 in split.undivided
    others = [c for c in np.unique(labels) if len(np.unique(groups[labels == c])) > 1]
    assert not set(others) & set(split.undivided)


@pytest.mark.parametrize("test_share", [0.05, 0.2, 0.5])
def test_test_share(test_share):
    labels = np.repeat(np.arange(2, dtype=np.int32), 200)
    everyone = np.arange(400, dtype=np.int32)
    split = make_split(labels, everyone, everyone, test_share=test_share)
    assert len(split.test) == 400 * test_share
    assert split.undivided == ()


def test_a_given_split_is_kept_and_val_stands_in_for_a_missing_test():
    splits = np.array(["train", "test", "val", "train"])
    split = given_split(splits)
    assert [p.tolist() for p in (split.train, split.val, split.test)] == [[0, 3], [2], [1]]
    assert split.kind == "given"
    split = given_split(np.array(["train", "val", "val"]))
    assert [p.tolist() for p in (split.train, split.val, split.test)] == [[0], [], [1, 2]]


@pytest.mark.parametrize("seed", range(3))
def test_a_crossed_split_tests_every_photo_once_and_keeps_groups_whole(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 60).astype(np.int32)
    groups = (np.arange(60) // 2).astype(np.int32)
    split = cross_validated_split(labels, groups, np.arange(60, dtype=np.int32), n_folds=5, seed=seed)
    assert split.kind == "crossed"
    assert split.test.tolist() == split.learned.tolist() == list(range(60))
    assert set(split.folds) == set(range(5))
    assert (split.folds[0::2] == split.folds[1::2]).all()


def test_a_crossed_split_divides_a_class_of_one_group_and_says_so():
    labels = np.array([0] * 10 + [1] * 10, np.int32)
    groups = np.array([*range(10), *[10] * 10], np.int32)
    split = cross_validated_split(labels, groups, np.arange(20, dtype=np.int32), n_folds=5)
    assert split.undivided == (1,)
    assert len(set(split.folds[labels == 1])) > 1


@settings(max_examples=60, deadline=None)
@given(groups_and_copies(), st.integers(2, 6), SEEDS)
def test_nobody_is_tested_by_a_head_that_never_saw_the_class(photos, n_folds, seed):
    """Whatever is tangled: without any fold, every class of the photos in it still trains."""
    labels, groups, copies = photos
    split = cross_validated_split(labels, groups, copies, n_folds=n_folds, seed=seed)
    assert split.learned.tolist() == list(range(len(labels)))
    assert split.test.tolist() == np.flatnonzero(split.folds != ALWAYS_TRAINS).tolist()
    for fold in np.unique(split.folds[split.test]):
        assert set(labels[split.folds == fold]) <= set(labels[split.folds != fold])
    for c in np.unique(labels):
        of_class = labels == c
        if (split.folds[of_class] == ALWAYS_TRAINS).any():
            assert (split.folds[of_class] == ALWAYS_TRAINS).all()
            assert c in split.undivided


def test_a_class_of_copies_always_trains():
    labels = np.repeat(np.arange(2, dtype=np.int32), 10)
    copies = np.array([*range(10), *[10] * 10], np.int32)
    crossed = cross_validated_split(labels, copies, copies, n_folds=5)
    assert crossed.test.tolist() == list(range(10))
    assert (crossed.folds[10:] == ALWAYS_TRAINS).all()
    made = make_split(labels, copies, copies, test_share=0.5)
    assert set(range(10, 20)) <= set(made.train.tolist())
    alike = cross_validated_split(labels, np.zeros(20, np.int32), np.zeros(20, np.int32), n_folds=5)
    assert len(alike.test) == 0


@st.composite
def bound_groups(draw):
    """Labels, groups, copies, and groups of a person, each inside one of the groups; any number of classes each."""
    labels, copies = draw(grouped_photos(pure=draw(st.booleans())))
    n = len(labels)
    given_names = np.array(draw(st.lists(st.integers(0, draw(st.integers(0, 12))), min_size=n, max_size=n)), np.int32)
    found = np.array(draw(st.lists(st.integers(0, 20), min_size=n, max_size=n)), np.int32)
    return labels, united(united(copies, given_names), found), copies, given_names


@settings(max_examples=300, deadline=None)
@given(bound_groups(), SEEDS, st.sampled_from([0.05, 0.2, 0.5]))
def test_groups_of_the_person_never_straddle_a_split_and_every_class_trains(photos, seed, test_share):
    labels, groups, copies, bound = photos
    split = make_split(labels, groups, copies, bound=bound, test_share=test_share, seed=seed)
    assert np.array_equal(np.sort(np.concatenate([split.train, split.test])), np.arange(len(labels)))
    assert one_part_each(bound, np.isin(np.arange(len(labels)), split.test))
    assert set(labels[split.train]) == set(labels)


@settings(max_examples=300, deadline=None)
@given(bound_groups(), SEEDS, st.integers(2, 8))
def test_groups_of_the_person_never_straddle_a_fold_and_no_class_is_asked_of_who_never_saw_it(photos, seed, n_folds):
    labels, groups, copies, bound = photos
    split = cross_validated_split(labels, groups, copies, bound=bound, n_folds=n_folds, seed=seed)
    assert one_part_each(bound, split.folds)
    for fold in np.unique(split.folds[split.test]):
        assert set(labels[split.folds == fold]) <= set(labels[split.folds != fold])


@pytest.mark.parametrize("seed", range(20))
def test_patients_with_photos_of_several_classes_test_every_class_that_can_be(seed):
    """Thirty patients; the rare class of three of them is nowhere the commonest."""
    rng = np.random.default_rng(seed)
    bound = np.repeat(np.arange(30), 10).astype(np.int32)
    labels = rng.integers(0, 2, 300).astype(np.int32)
    for patient in rng.choice(30, 3, replace=False):
        labels[np.flatnonzero(bound == patient)[:2]] = 2
    everyone = np.arange(300, dtype=np.int32)
    split = make_split(labels, bound, everyone, bound=bound, seed=seed)
    assert one_part_each(bound, np.isin(everyone, split.test))
    assert set(labels[split.test]) == set(labels[split.train]) == {0, 1, 2}
    assert 40 <= len(split.test) <= 90
    crossed = cross_validated_split(labels, bound, everyone, bound=bound, seed=seed)
    assert one_part_each(bound, crossed.folds)
    assert len(crossed.test) == 300


def test_a_class_of_one_group_of_the_person_trains_and_is_not_tested():
    labels = np.repeat(np.arange(3, dtype=np.int32), 20)
    bound = np.array([0] * 20 + [1 + i // 4 for i in range(40)], np.int32)
    everyone = np.arange(60, dtype=np.int32)
    split = make_split(labels, bound, everyone, bound=bound)
    assert set(labels[split.test]) == {1, 2}
    crossed = cross_validated_split(labels, bound, everyone, bound=bound)
    assert (crossed.folds[labels == 0] == ALWAYS_TRAINS).all()
    assert crossed.test.tolist() == list(range(20, 60))


@settings(max_examples=60, deadline=None)
@given(grouped_photos(pure=False), st.integers(2, 10), SEEDS)
def test_crossed_photos_are_asked_of_heads_that_saw_neither_them_nor_their_kin(photos, n_folds, seed):
    labels, groups = photos
    rng = np.random.default_rng(seed)
    splits = rng.choice(["crossed", "train"], len(labels))
    assume((splits == "crossed").any())
    split = given_crossed_split(
        splits, labels, groups, np.arange(len(labels), dtype=np.int32), n_folds=n_folds, seed=seed
    )
    again = given_crossed_split(
        splits, labels, groups, np.arange(len(labels), dtype=np.int32), n_folds=n_folds, seed=seed
    )
    assert (split.folds == again.folds).all()
    assert (splits[split.test] == "crossed").all()
    assert (split.folds[split.test] != ALWAYS_TRAINS).all()
    assert len(split.learned) == len(labels)
    whole = ~np.isin(labels, split.undivided)
    for photo in split.test:
        learned = split.folds != split.folds[photo]
        assert (labels[learned] == labels[photo]).any()  # the head that is asked knows the class
        if whole[groups == groups[photo]].all():
            assert not (groups[learned] == groups[photo]).any()
    kin = split.left_out_with_kin
    assert (splits[kin] == "train").all()
    assert np.isin(groups[kin], groups[split.test]).all()
    left = np.setdiff1d(np.flatnonzero(splits == "crossed"), split.test)
    for photo in left:  # nobody could be asked: all others of its class are its kin, or go with it
        assert (split.folds[groups == groups[photo]] == ALWAYS_TRAINS).any()


@settings(max_examples=60, deadline=None)
@given(grouped_photos(pure=False), st.integers(2, 10), SEEDS)
def test_no_copy_and_no_group_of_the_person_is_on_both_sides_of_a_crossed_photo(photos, n_folds, seed):
    """Whatever its class is called, and though classes that look alike throughout are divided."""
    labels, found = photos
    rng = np.random.default_rng(seed)
    copies, bound = (
        rng.integers(0, size, len(labels)).astype(np.int32) for size in (len(labels), len(labels) // 2 + 1)
    )
    groups = united(united(found, copies), bound)
    splits = rng.choice(["crossed", "train", "train"], len(labels))
    assume((splits == "crossed").any() and (splits == "train").any())
    split = given_crossed_split(splits, labels, groups, copies, bound=bound, n_folds=n_folds, seed=seed)
    assert (splits[split.test] == "crossed").all()
    for photo in split.test:
        learned = split.folds != split.folds[photo]
        assert (labels[learned] == labels[photo]).any()
        assert not (bound[learned] == bound[photo]).any()
        assert not (copies[learned & (splits == "train")] == copies[photo]).any()


def test_a_training_photo_is_left_out_with_its_twin_and_with_no_other():
    labels = np.array([0] * 10 + [1] * 10 + [0, 0, 1], np.int32)
    groups = np.array(
        [*range(20), 4, 30, 4], np.int32
    )  # of the last three two are like the fifth, one under a wrong name
    splits = np.array(["crossed"] * 20 + ["train"] * 3)
    split = given_crossed_split(splits, labels, groups, groups, n_folds=5, seed=1)
    assert split.left_out_with_kin.tolist() == [20, 22]
    assert split.folds[[20, 21, 22]].tolist() == [split.folds[4], ALWAYS_TRAINS, split.folds[4]]
    assert split.learned.tolist() == list(range(23))


def test_where_a_crossed_class_looks_alike_throughout_its_other_photos_still_teach():
    labels = np.array([0] * 6 + [1] * 6, np.int32)
    groups = np.array([0] * 6 + list(range(1, 7)), np.int32)
    splits = np.array(["crossed", *["train"] * 5, *["crossed"] * 6])
    copies = np.array([0, 0, *range(2, 12)], np.int32)
    split = given_crossed_split(splits, labels, groups, copies, seed=0)
    assert (split.undivided, 0 in split.test) == ((0,), True)
    assert split.folds[:6].tolist() == [split.folds[0], split.folds[0], *[ALWAYS_TRAINS] * 4]


def test_where_all_are_crossed_it_is_the_crossed_split():
    labels, groups = np.array([0, 0, 1, 1, 0, 1], np.int32), np.arange(6, dtype=np.int32)
    copies = np.arange(6, dtype=np.int32)
    own = cross_validated_split(labels, groups, copies, n_folds=3, seed=4)
    given_one = given_crossed_split(np.full(6, "crossed"), labels, groups, copies, n_folds=3, seed=4)
    assert (own.folds == given_one.folds).all()
    assert (own.test == given_one.test).all()
