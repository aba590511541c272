"""State as a function of lines: undo and redo are held against a twin that keeps a copy of everything."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.studio.actions import line_for
from tellapart.studio.state import FOUND, Line, Mark, Side, State, state_of

PHOTOS = ["a", "b", "c", "d"]
NAMES = ["hat", "shoe", "mug"]
photos = st.lists(st.sampled_from(PHOTOS), min_size=1, unique=True)
ASKED = st.one_of(
    st.builds(lambda p, label: {"do": "label", "photos": p, "label": label}, photos, st.sampled_from(["", *NAMES])),
    st.builds(lambda p: {"do": "none", "photos": p}, photos),
    st.builds(lambda p, out: {"do": "out", "photos": p, "out": out}, photos, st.booleans()),
    st.builds(lambda name: {"do": "class_new", "name": name}, st.sampled_from(NAMES)),
    st.builds(
        lambda do, name, to: {"do": do, "name": name, "to": to},
        st.sampled_from(["class_rename", "class_merge", "class_delete"]),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
    ),
    st.sampled_from([{"do": "undo"}, {"do": "undo"}, {"do": "redo"}]),
)


def found(*names: str, label: str = "") -> Line:
    return Line(FOUND, Side(), Side({name: Mark(label) for name in names}))


def begun() -> State:
    return state_of([found(*PHOTOS)])


def do(state: State, asked: dict) -> Line | None:
    try:
        line = line_for(state, asked)
    except ValueError:  # an InputError: nothing of the kind can be done now
        return None
    if line is not None:
        state.apply(line)
    return line


def held(state: State):
    return state.classes, dict(state.marks)


@given(st.lists(ASKED, max_size=40))
def test_undo_and_redo_are_what_a_copy_of_everything_would_give(asked):
    state = begun()
    past, future = [], []
    for one in asked:
        before = copy.deepcopy(held(state))
        line = do(state, one)
        if line is None:
            assert held(state) == before
            assert one["do"] != "undo" or not past
            assert one["do"] != "redo" or not future
        elif line.do == "undo":
            future.append(before)
            assert held(state) == past.pop()
        elif line.do == "redo":
            past.append(before)
            assert held(state) == future.pop()
        else:
            past.append(before)
            future.clear()
        assert {mark.label for mark in state.marks.values()} <= {"", *state.classes}
        assert len(state.done) == len(past)
        assert len(state.undone) == len(future)


@given(st.lists(ASKED, max_size=30))
def test_lines_read_again_give_the_same(asked):
    state = begun()
    for one in asked:
        do(state, one)
    again = state_of(Line.from_json(json.loads(json.dumps(line.to_json()))) for line in state.lines)
    assert held(again) == held(state)
    assert (again.done, again.undone, again.lines) == (state.done, state.undone, state.lines)


@given(st.lists(st.one_of(ASKED, st.sampled_from(NAMES)), max_size=30))
def test_photos_that_are_found_meanwhile_keep_their_class(asked):
    """An undo of a class's new name must not take away the class of a photo that came after it."""
    state = begun()
    for n, one in enumerate(asked):
        if isinstance(one, str):
            classes = state.classes if one in state.classes else (*state.classes, one)
            state.apply(Line(FOUND, Side(), Side({f"new{n}": Mark(one)}, classes)))
        else:
            do(state, one)
        assert {mark.label for mark in state.marks.values()} <= {"", *state.classes}
    while (line := state.undo()) is not None:
        state.apply(line)
    assert all(state.marks[name] == Mark() for name in PHOTOS)


def test_one_undo_takes_back_a_bulk_action():
    state = begun()
    do(state, {"do": "label", "photos": PHOTOS, "label": "hat"})
    do(state, {"do": "undo"})
    assert set(state.marks.values()) == {Mark()}
    assert state.classes == ()


def test_what_changed_since_is_what_lines_set():
    state = begun()
    at = len(state.lines)
    do(state, {"do": "out", "photos": ["b"], "out": True})
    assert state.touched_since(at) == {"b"}
    assert state.touched_since(0) == set(PHOTOS)


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, {"do": "label"}, {"do": "dance", "before": {"photos": {}}, "after": {"photos": {}}},
        {"do": "undo", "before": {"photos": {}}, "after": {"photos": {}}},
        {"do": "none", "of": 1, "before": {"photos": {}}, "after": {"photos": {}}},
        {"do": "label", "before": {"photos": []}, "after": {"photos": {}}},
        {"do": "label", "before": {"photos": {"a": {"label": 1}}}, "after": {"photos": {}}},
        {"do": "label", "before": {"photos": {"a": {"label": "x", "none": True}}}, "after": {"photos": {}}},
        {"do": "label", "before": {"photos": {}, "classes": [1]}, "after": {"photos": {}}},
    ],
)  # fmt: skip
def test_what_is_no_line_is_refused(value):
    with pytest.raises(ValueError):  # noqa: PT011
        Line.from_json(value)


def test_an_undo_of_another_line_than_the_last_is_refused():
    state = begun()
    do(state, {"do": "none", "photos": ["a"]})
    with pytest.raises(ValueError):  # noqa: PT011
        state.apply(Line("undo", Side(), Side(), 0))
