"""Names that may mean one class are found; names of two classes are left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.checks.names import MIN_LETTERS, clashing_names, name_findings, slip


@pytest.mark.parametrize(
    "names",
    [
        ("hot_dog", "hotdog"),
        ("Hot Dogs", "hot-dog"),
        ("Cat", "cat"),
        ("T-Shirt", "tshirts"),
        ("cherry", "cherries"),
        ("box", "Boxes"),
        ("café", "cafe"),
        ("accordian", "accordion"),
        ("saxophone", "saxaphone"),
        ("brocoli", "broccoli"),
        ("seperated", "separated"),
        ("giraffe", "girafe"),
        ("spanield", "spaniel"),
        ("recieved", "received"),
        ("class 1", "class1"),
        ("1", "1.0"),
        ("01", "1"),
    ],
)
def test_clashes(names):
    assert clashing_names(names) == [names]


@pytest.mark.parametrize(
    "names",
    [
        ("cat", "hat"),
        ("class1", "class2"),
        ("class_11", "class_1"),
        ("variety A", "variety B"),
        ("variety A", "variety"),
        ("grade 1", "grade 10"),
        ("jacket", "racket"),
        ("typical", "atypical"),
        ("shirt", "skirt"),
        ("plane", "planet"),
        ("with_mask", "without_mask"),
        ("hot_dog", "not_hot_dog"),
        ("ripe", "unripe"),
        ("shirt", "t-shirt"),
        ("glass", "grass"),
        ("1", "2"),
        ("-", "+"),
        ("", "a"),
    ],
)
def test_no_clashes(names):
    assert clashing_names(names) == []


def test_the_names_of_real_sets_do_not_clash(shared_data):
    for place in ("clothing/train", "instruments", "hotdog/train", "fruits/train_market"):
        assert clashing_names(tuple(sorted(path.name for path in (shared_data / place).iterdir()))) == []


def test_the_finding_lists_the_pairs():
    [finding] = name_findings(("hot_dog", "hotdog", "Hot Dogs", "pizza"))
    assert finding.kind == "name_clash"
    assert finding.sentence == (
        '3 pairs of class names may mean the same class: "hot_dog" and "hotdog", "hot_dog" and "Hot Dogs", '
        '"hotdog" and "Hot Dogs".'
    )
    assert name_findings(("hot_dog", "pizza")) == []
    assert name_findings(()) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abcde", min_size=5, max_size=9), max_size=25, unique=True))
def test_no_pair_is_missed_for_not_being_compared(words):
    """Against all pairs, one by one; words end in a letter that no plural ends in."""
    names = tuple(word + "k" for word in words)
    slow = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if slip(a, b)]
    assert clashing_names(names) == slow


def test_slips_are_symmetric_and_need_long_words():
    assert slip("abcdefg", "abdefg")
    assert slip("abdefg", "abcdefg")
    assert not slip("bcdefg", "abcdefg")
    assert not slip("abc", "ab")
    assert not slip("a" * MIN_LETTERS, "a" * MIN_LETTERS)
