"""Text that no spreadsheet runs, and the way back."""

import pytest

from tellapart.data.spreadsheet import guarded, unguarded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hat/1.jpg", "hat/1.jpg"),
        ("a=b-c@d", "a=b-c@d"),
        ("=1+1", "'=1+1"),
        ("-1", "'-1"),
        ("＠cmd", "'＠cmd"),
        ("a;=1", "a;'=1"),
        ("a, +1", "a,' +1"),
        (' "=1', "' \"=1"),
        ("a;", "a;'"),
        ("\ta", "'\ta"),
    ],
)
def test_a_formula_gets_an_apostrophe_and_loses_it_again(text, expected):
    assert guarded(text) == expected
    assert unguarded(expected) == text


def test_an_apostrophe_of_one_s_own_stays():
    assert unguarded("'hat'") == "'hat'"
