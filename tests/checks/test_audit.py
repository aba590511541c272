"""What the check tells a person: right, and in these words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.checks.audit import audit, class_counts, imbalance_sentence
from tellapart.data.duplicates import Duplicates, Pair, find_duplicates, leaked_pairs, spare_copies
from tellapart.data.source import Dataset, Skipped
from tellapart.workflow.check import check

NOTHING = np.zeros(0, np.int32)


def made(labels, class_names=("cat", "dog"), splits=None):
    """A dataset of photos that are never read."""
    labels = np.array(labels, np.int32)
    names = tuple(f"{class_names[c]}/{i}.jpg" for i, c in enumerate(labels))
    return Dataset("photos", tuple(class_names), names, names, labels, np.array(splits or [""] * len(labels), "U5"))


def none_alike(n):
    return Duplicates((), np.arange(n, dtype=np.int32), np.arange(n, dtype=np.int32))


def kinds(findings):
    return [f.kind for f in findings]


@pytest.fixture(scope="module")
def hotdog_set(shared_data, tmp_path_factory):
    """All test photos, those of training that are among them, and every eighth of the rest; test_train.py has all."""
    whole, folder = shared_data / "hotdog", tmp_path_factory.mktemp("hotdog")
    tested = {path.read_bytes() for path in (whole / "test").glob("*/*")}
    for i, path in enumerate(sorted(whole.glob("*/*/*"))):
        if path.parts[-3] == "test" or i % 8 == 0 or path.read_bytes() in tested:
            target = folder / path.relative_to(whole)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def hotdog(hotdog_set, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE_DIR", str(tmp_path_factory.mktemp("hotdog-cache")))
        return check(hotdog_set, quality="fast")


@pytest.mark.slow
def test_the_leaks_of_the_hotdog_set_are_the_files_of_equal_bytes(hotdog, hotdog_set):
    """56 test photos; the 58 of the set's README are pairs, because two of them are in train twice."""
    prepared, findings = hotdog
    train = {path.read_bytes() for path in (hotdog_set / "train").glob("*/*")}
    copied = {str(path) for path in (hotdog_set / "test").glob("*/*") if path.read_bytes() in train}
    [leak] = [f for f in findings if f.kind == "leak"]
    assert leak.sentence == ("56 of 140 test photos are also training photos, so a score on them means little.")
    assert leak.advice == "Take them out of the test folder; training reports the score with and without them."
    assert {test for test, _, _ in leak.photos} == copied
    assert len(leak.photos) == 56
    assert set(leak.suspects) == copied
    assert leak.sure == "Exact copies have the same pixels."
    index = {photo: i for i, photo in enumerate(prepared.dataset.photos)}
    for test, twin, kind in leak.photos:
        assert kind == "exact"
        assert prepared.dataset.splits[index[test]] == "test"
        assert prepared.dataset.splits[index[twin]] == "train"
        assert prepared.dataset.read(index[test]) == prepared.dataset.read(index[twin])


def test_the_hotdog_findings_are_only_the_ones_that_are_there(hotdog):
    _, findings = hotdog
    of_audit = {"leak", "exact_duplicate", "near_duplicate", "label_conflict"}
    of_looks = {"mislabelled", "blurred", "dark", "overexposed", "odd_shape"}
    assert set(kinds(findings)) <= of_audit | of_looks
    assert kinds(findings)[0] in ("label_conflict", "leak")


@st.composite
def found_duplicates(draw):
    """Photos with splits, and duplicates among them as `find_duplicates` gives them."""
    n = draw(st.integers(1, 25))
    rng = np.random.default_rng(draw(st.integers(0, 500)))
    heads = rng.standard_normal((max(1, n // 3), 16))
    features = (heads[rng.integers(0, len(heads), n)] + 0.2 * rng.standard_normal((n, 16))).astype(np.float32)
    hashes = np.array([b"%d" % v for v in rng.integers(0, max(1, n // 2), n)], "S16")
    for h in np.unique(hashes):  # equal pixels have equal features
        features[hashes == h] = features[np.flatnonzero(hashes == h)[0]]
    splits = rng.choice(["train", "val", "test"], n).astype("U5")
    return find_duplicates(features, hashes), splits, hashes


@settings(max_examples=60, deadline=None)
@given(found_duplicates())
def test_leaks_equal_the_brute_force_twin(found):
    duplicates, splits, hashes = found
    n, test = len(splits), splits == "test"
    near = {frozenset((p.first, p.second)) for p in duplicates.pairs if p.kind == "near"}
    expected = {}
    for i in np.flatnonzero(test):
        if any(hashes[i] == hashes[j] for j in range(n) if not test[j]):
            expected[int(i)] = "exact"
        elif any(frozenset((int(i), j)) in near for j in range(n) if not test[j]):
            expected[int(i)] = "near"
    got = leaked_pairs(duplicates, splits)
    assert {p.first: p.kind for p in got} == expected
    assert len(got) == len(expected)
    for p in got:
        assert test[p.first]
        assert not test[p.second]
        assert hashes[p.first] == hashes[p.second] or frozenset((p.first, p.second)) in near


@settings(max_examples=60, deadline=None)
@given(found_duplicates())
def test_of_copies_one_stays_and_every_other_goes(found):
    """Photos set aside have one like them that stays; of those that stay, no two are alike."""
    duplicates, splits, hashes = found
    n, side = len(splits), (splits == "test") + 2 * (np.arange(len(splits)) % 2)  # of two classes in turn
    spare = spare_copies(duplicates, side)
    gone = {*spare["exact"], *spare["near"]}
    alike = np.array([[hashes[i] == hashes[j] and side[i] == side[j] for j in range(n)] for i in range(n)])
    near = alike.copy()
    for pair in duplicates.pairs:
        if pair.kind == "near" and side[pair.first] == side[pair.second]:
            near[pair.first, pair.second] = near[pair.second, pair.first] = True
    assert set(spare["exact"]) == {j for j in range(n) if alike[j, :j].any()}
    assert not set(spare["exact"]) & set(spare["near"])
    stay = [i for i in range(n) if i not in gone]
    for i in spare["near"]:
        copies = np.flatnonzero(alike[i])
        assert near[np.ix_(copies, stay)].any() or any(
            near[c, k] for c in copies for s in stay for k in np.flatnonzero(alike[s])
        )
    assert not any(near[i, j] for i in stay for j in stay if i < j)


def test_contradicting_copies_all_go():
    dataset = made([0, 0, 1] + [0, 1] * 20)
    copies = np.array([0, 0, 0, *range(1, 41)], np.int32)
    pairs = (Pair(0, 1, "exact"), Pair(1, 2, "exact"), Pair(10, 12, "near"), Pair(20, 21, "near"))
    conflict, exact, near = audit(dataset, (), Duplicates(pairs, copies, copies))
    assert conflict.suspects == tuple(dataset.photos[i] for i in (0, 1, 2, 20, 21))
    assert exact.suspects == (dataset.photos[1],)  # what has another name is no copy to clear away
    assert near.suspects == (dataset.photos[12],)
    assert "1.4 million" in near.sure
    assert "1.4 million" not in exact.sure


def test_one_of_each_has_words_in_the_singular():
    dataset = made([0, 1] + [0, 1] * 20)
    alone = np.arange(dataset.n, dtype=np.int32)
    [conflict] = audit(dataset, (), Duplicates((Pair(0, 1, "exact"),), alone, alone))
    assert conflict.sentence == "2 photos show the same thing under different class names."


def test_conflicts_name_each_pair_with_two_class_names():
    dataset = made([0, 1, 0, 1] + [0, 1] * 20)
    n = dataset.n
    pairs = (Pair(0, 1, "exact"), Pair(0, 2, "near"), Pair(2, 3, "near"))
    findings = audit(dataset, (), Duplicates(pairs, np.arange(n, dtype=np.int32), np.arange(n, dtype=np.int32)))
    conflict, near = findings
    assert conflict.kind == "label_conflict"
    assert conflict.sentence == "2 pairs of photos show the same thing under different class names."
    assert conflict.advice == "Look at each pair and delete the photo that is in the wrong folder."
    assert conflict.photos == (("cat/0.jpg", "dog/1.jpg", "exact"), ("cat/2.jpg", "dog/3.jpg", "near"))
    assert near.sentence == "2 photos are near duplicates.", "a pair with two class names is named once"
    assert near.kind == "near_duplicate"


def test_a_planted_conflict_is_found(clothing, clothing_features):
    hats, dresses = (np.flatnonzero(clothing.labels == c)[:2] for c in (1, 0))
    order = [*range(clothing.n), int(hats[0])]
    dataset = clothing.subset(order)
    labels = dataset.labels.copy()
    labels[-1] = clothing.labels[dresses[0]]
    dataset = Dataset("list", dataset.class_names, dataset.photos, dataset.places, labels, dataset.splits)
    found = find_duplicates(clothing_features.values[order], clothing_features.pixel_hashes[order])
    [conflict] = [f for f in audit(dataset, (), found) if f.kind == "label_conflict"]
    assert (dataset.photos[hats[0]], dataset.photos[-1], "exact") in conflict.photos


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ((60, 20), '"cat" has 60 photos and "dog" has 20; in training, photos of small classes weigh more.'),
        ((25, 1200), '"dog" has 1200 photos and "cat" has 25; in training, photos of small classes weigh more.'),
        ((59, 20), None),
        ((20, 20), None),
        ((50, 0), None),
    ],
)
def test_imbalance(counts, sentence):
    dataset = made(np.repeat([0, 1], counts))
    assert imbalance_sentence(dataset) == sentence
    found = [f for f in audit(dataset, (), none_alike(dataset.n)) if f.kind == "imbalance"]
    assert [f.sentence for f in found] == ([sentence] if sentence else [])
    assert class_counts(dataset).tolist() == list(counts)


def test_small_classes_are_listed_smallest_first():
    names = ("a", "b", "c", "d", "e", "f", "g")
    dataset = made(np.repeat(range(7), (3, 30, 19, 1, 5, 2, 4)), names)
    [few] = [f for f in audit(dataset, (), none_alike(dataset.n)) if f.kind == "few_photos"]
    assert few.sentence == (
        '6 classes with fewer than 20 photos: "d" (1), "f" (2), "a" (3), "g" (4), "e" (5) and others.'
    )


def test_one_small_class():
    dataset = made(np.repeat([0, 1], (19, 20)))
    [few] = audit(dataset, (), none_alike(dataset.n))
    assert few.sentence == '1 class with fewer than 20 photos: "cat" (19).'


def test_files_that_cannot_be_used():
    dataset = made([0, 1] * 20)
    [unusable] = audit(dataset, (Skipped("cat/x.jpg", "The file is empty."),), none_alike(40))
    assert unusable.kind == "unusable"
    assert unusable.sentence == "1 file cannot be used."
    assert unusable.photos == (("cat/x.jpg", "The file is empty."),)
    assert unusable.suspects == ("cat/x.jpg",)


def test_nothing_wrong_is_no_finding():
    assert audit(made([0, 1] * 20), (), none_alike(40)) == []


def test_copies_inside_a_set_without_a_split_are_no_leak():
    dataset = made([0, 1] * 20)
    copies = np.zeros(40, np.int32)
    pairs = tuple(Pair(i, i + 1, "exact") for i in range(39))
    assert "leak" not in kinds(audit(dataset, (), Duplicates(pairs, copies, copies)))


def test_findings_are_json():
    dataset = made(np.repeat([0, 1], (3, 30)))
    for finding in audit(dataset, (), none_alike(33)):
        assert set(finding.to_json()) == {"kind", "sentence", "advice", "photos", "sure", "suspects", "likely_wrong"}
        assert finding.sure
