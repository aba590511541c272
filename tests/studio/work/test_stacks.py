"""Stacks: what the look finds, what a person splits and joins, and where later photos go."""

from types import SimpleNamespace

import numpy as np

from tellapart.studio.state import Mark
from tellapart.studio.work.stacks import found_stacks, members_of, stacks_of


def seen(ids, groups):
    photos = [SimpleNamespace(id=one) for one in ids]
    return SimpleNamespace(photos=photos, duplicates=SimpleNamespace(groups=np.array(groups, np.int32)))


def together(ids, groups, marks):
    """The stacks as sets of identities."""
    return sorted("".join(ids[row] for row in rows) for rows in members_of(stacks_of(seen(ids, groups), marks)))


def test_the_look_makes_stacks_and_what_was_found_first_leads():
    marks = {one: Mark() for one in "cab"}
    assert found_stacks(seen("abcd", [1, 0, 1, 2]), {**marks, "d": Mark()}) == [["c", "a"]]
    assert together("abcd", [1, 0, 1, 2], {**marks, "d": Mark()}) == ["ac", "b", "d"]
    assert together("", [], {}) == []


def test_a_person_splits_and_joins_and_later_photos_follow():
    marks = {one: Mark() for one in "abcdx"}
    split = {**marks, "b": Mark(stack="b"), "a": Mark(stack="a"), "c": Mark(stack="a")}
    assert together("abcd", [0, 0, 0, 1], split) == ["ac", "b", "d"]
    assert together("abcdx", [0, 0, 0, 1, 0], split) == ["acx", "b", "d"]  # x shows the scene that `a` leads
    joined = {**marks, "a": Mark(stack="a"), "d": Mark(stack="a")}
    assert together("abcdx", [0, 0, 0, 1, 1], joined) == ["abcdx"]
