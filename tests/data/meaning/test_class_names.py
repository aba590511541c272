"""Labels that are none, lists, and numbers written in two ways; test_source.py has names that are refused."""

import pytest

from tellapart.data.meaning.class_names import is_list, is_missing, label_notes, same_numbers, whole_numbers


@pytest.mark.parametrize("label", ["nan", "NaN", "NAN", " nan ", "<NA>", "NaT", "#N/A", "-nan", "1.#IND"])
def test_what_programs_write_for_no_value(label: str) -> None:
    assert is_missing(label)


@pytest.mark.parametrize("label", ["none", "None", "naan", "nano", "null", "NA", "NAT", "nat", "n", "hat", ""])
def test_what_a_class_may_be_called(label: str) -> None:
    assert not is_missing(label)


def test_classes_that_may_be_missing_labels_are_said() -> None:
    assert label_notes(["dress", "hat", "none"], 0) == []
    assert label_notes(["N/A", "None", "hat", "nan"], 2) == [
        "2 photos without a label are not used.",
        'The classes "N/A", "None", "nan" may stand for photos that have no label. If so, leave them out: else a model '
        "learns to answer that.",
    ]


def test_one_number_written_in_two_ways() -> None:
    assert same_numbers(["0", "1", "1.0", "01", "hat", "2"]) == [("1", "01"), ("1", "1.0")]
    assert same_numbers(["1,0", "1", "1.5", "v1"]) == [("1", "1,0")]
    assert same_numbers(["9007199254740992", "9007199254740993"]) == []  # too large to be told apart as numbers
    assert whole_numbers(["0", "1", "1.0", "01", "2.0"]) == {"1.0": "1"}
    assert label_notes(["01", "1"], 0) == [
        'Two classes are one number written in two ways: "1" and "01". If they are one, give them one name.'
    ]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        *((label, True) for label in ("[0]", "[0, 2]", "['hat', 'dress']", "('hat', 'dress')", "{'hat': 1}", "[]")),
        *((label, False) for label in ("hat", "[unknown]", "(other)", "hat (red, blue)", "{x}", "a,b", "[hat] 1")),
    ],
)
def test_a_list_is_no_label(label: str, expected: bool) -> None:
    assert is_list(label) == expected
