"""The words of a score, and what older files are read as; whole folders are in tests/journeys/test_headline.py."""

import pytest

from tellapart.model.headline import as_now, left_out, nothing_known, of_so_many, score_of_headline, with_them

BEFORE = {
    "headline": "138 of 140 test photos right (133 to 139 is plausible).",
    "n_test": 140,
    "accuracy": {"value": 138 / 140, "low": 0.949, "high": 0.996, "n_right": 138},
    "leaks": {
        "n": 56,
        "photos": [],
        "without": {"value": 82 / 84, "low": 0.917, "high": 0.993, "n_right": 82, "n_test": 84},
        "headline_without": "82 of 84 test photos right (77 to 83 is plausible).",
    },
}
HONEST = (
    "82 of 84 test photos right (77 to 83 is plausible). "
    "56 more were also trained on and left out; 138 of 140 were right with them."
)


def test_word_for_word():
    assert of_so_many(82, 84, 0.917, 0.993) == ("82 of 84 test photos right", "(77 to 83 is plausible).")
    assert of_so_many(1, 1, 1.0, 1.0) == ("1 of 1 test photo right", "(1 is plausible).")
    assert of_so_many(9, 10, 0.5, 1.0, crossed=True) == ("9 of 10 photos right", "(5 to 10 is plausible).")
    assert left_out(1, 3, 4) == "1 more was also trained on and left out; 3 of 4 were right with it."
    assert left_out(2, 1003, 2000) == "2 more were also trained on and left out; 1,003 of 2,000 were right with them."
    assert with_them(1, 1, 1) == "1 of 1 were right with it."
    assert nothing_known(1) == "The one test photo was also trained on, so nothing is known about new photos."
    assert nothing_known(1100).startswith("All 1,100 test photos were also trained on, so nothing")


def test_a_file_of_before_leads_with_the_score_without_leaks():
    said = as_now(BEFORE)
    assert said["headline"] == said["leaks"]["headline_without"] == HONEST
    assert said["headline_with_leaks"] == BEFORE["headline"]
    assert BEFORE["leaks"]["headline_without"] == "82 of 84 test photos right (77 to 83 is plausible)."
    assert as_now(said) == said
    assert score_of_headline(said) == (84, BEFORE["leaks"]["without"])


def test_a_file_that_led_with_it_already_stays():
    said = as_now({**BEFORE, "headline": HONEST})
    assert said["headline"] == said["leaks"]["headline_without"] == HONEST
    assert said["headline_with_leaks"] == BEFORE["headline"]


def test_where_nothing_leaked():
    for leaks in ({"n": 0, "photos": [], "without": None, "headline_without": ""}, None):
        said = as_now({**BEFORE, "leaks": leaks})
        assert said == {**BEFORE, "leaks": leaks, "headline_with_leaks": None}
        assert score_of_headline(said) == (140, BEFORE["accuracy"])


@pytest.mark.parametrize("without", [None, {"value": None, "low": None, "high": None, "n_right": 0, "n_test": 0}])
def test_where_all_leaked(without):
    leaks = {**BEFORE["leaks"], "n": 140, "without": without, "headline_without": "There are no test photos."}
    said = as_now({**BEFORE, "leaks": leaks})
    assert said["headline"] == f"{nothing_known(140)} 138 of 140 were right with them."
    assert said["headline_with_leaks"] == BEFORE["headline"]
    assert score_of_headline(said) == (0, None)


@pytest.mark.parametrize(
    "change",
    [
        {"headline": None},
        {"leaks": "many"},
        {"leaks": {"n": "many"}},
        {"leaks": {"n": 3, "headline_without": 7}, "accuracy": None},
        {"leaks": {"n": 3}, "n_test": "140"},
        {"leaks": {"n": 141}},
        {"accuracy": {"n_right": None}},
        {"n_test": 10**400},
        {"accuracy": {"n_right": 141}},
        {"accuracy": {"n_right": -1}},
    ],
)
def test_what_a_stranger_wrote_is_read_without_harm(change):
    strange = {**BEFORE, **change}
    assert as_now(strange) == {**strange, "headline_with_leaks": None}


def test_a_strangers_numbers_need_not_be_numbers():
    said = as_now({**BEFORE, "headline": HONEST, "accuracy": {"n_right": 138, "low": "x", "high": 1e999}})
    assert said["headline_with_leaks"] == "138 of 140 test photos right (0 is plausible)."
