"""What can be asked for, and the sentences where it cannot."""

import pytest

from tellapart.errors import InputError
from tellapart.studio.actions import ENOUGH_FOR_OTHER, line_for
from tellapart.studio.state import FOUND, Line, Mark, Side, state_of

MANY = [f"p{n}" for n in range(ENOUGH_FOR_OTHER)]


@pytest.fixture
def state():
    marks = {"a": Mark("hat"), "b": Mark("shoe", out=True), **dict.fromkeys(MANY, Mark())}
    return state_of([Line(FOUND, Side(), Side(marks, ("hat", "shoe")))])


def do(state, **asked):
    line = line_for(state, asked)
    if line is not None:
        state.apply(line)
    return line


def test_a_label_that_is_new_makes_its_class_in_the_same_action(state):
    do(state, do="label", photos=["p0"], label=" straw  hat ")
    assert state.classes == ("hat", "shoe", "straw hat")
    assert state.marks["p0"] == Mark("straw hat")
    do(state, do="undo")
    assert state.classes == ("hat", "shoe")


def test_a_class_of_another_form_of_unicode_is_the_same(state):
    do(state, do="class_new", name="cafe\u0301")
    do(state, do="label", photos=["p0"], label="caf\u00e9")
    assert state.classes[2:] == ("caf\u00e9",)


def test_what_is_so_already_is_no_line(state):
    assert do(state, do="label", photos=["a"], label="hat") is None
    assert do(state, do="redo") is None


def test_leaving_out_keeps_the_label_and_none_of_these_takes_it(state):
    do(state, do="out", photos=["a"], out=True)
    assert state.marks["a"] == Mark("hat", out=True)
    do(state, do="none", photos=["a"])
    assert state.marks["a"] == Mark(none=True, out=True)
    do(state, do="label", photos=["a"], label="shoe")
    assert state.marks["a"] == Mark("shoe", out=True)


def test_classes_are_renamed_merged_and_deleted_with_all_their_photos(state):
    do(state, do="class_rename", name="hat", to="cap")
    assert (state.classes, state.marks["a"]) == (("cap", "shoe"), Mark("cap"))
    do(state, do="class_merge", name="cap", to="shoe")
    assert (state.classes, state.marks["a"]) == (("shoe",), Mark("shoe"))
    do(state, do="class_delete", name="shoe")
    assert (state.classes, state.marks["a"], state.marks["b"]) == ((), Mark(), Mark(out=True))
    for _ in range(3):
        do(state, do="undo")
    assert (state.classes, state.marks["a"], state.marks["b"]) == (("hat", "shoe"), Mark("hat"), Mark("shoe", out=True))


def test_enough_of_none_of_these_become_a_class(state):
    do(state, do="none", photos=MANY[1:])
    with pytest.raises(InputError, match=r"19 photos of none of the classes: a class takes 20 at least\."):
        do(state, do="other")
    do(state, do="none", photos=MANY)
    do(state, do="other")
    assert state.classes[-1] == "other"
    assert state.marks["p3"] == Mark("other")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"do": "label", "photos": [], "label": "hat"}, "No photo is chosen."),
        ({"do": "label", "photos": ["zzz"], "label": "hat"}, "A photo is chosen that the studio does not know."),
        ({"do": "label", "photos": [["a"]], "label": "hat"}, "A photo is chosen that the studio does not know."),
        ({"do": "label", "photos": ["a"], "label": 7}, "The page asks for something that this version does not know."),
        ({"do": "dance"}, "The page asks for something that this version does not know."),
        ({"do": "class_new", "name": "  "}, "A class needs a name."),
        ({"do": "class_new", "name": "hat"}, 'There is a class "hat" already.'),
        ({"do": "class_new", "name": "\u202ehat"}, '"\ufffdhat" is no name for a class.'),
        ({"do": "class_rename", "name": "hat", "to": "shoe"}, 'There is a class "shoe" already.'),
        ({"do": "class_rename", "name": "cap", "to": "shoe"}, 'There is no class "cap".'),
        ({"do": "class_merge", "name": "hat", "to": "hat"}, 'There is no class "hat" to merge "hat" into.'),
        (
            {"do": "class_new", "name": "None of these"},
            'A class cannot be called "None of these": a model gives this answer itself.',
        ),
    ],
)
def test_what_cannot_be_done_is_a_sentence(state, asked, sentence):
    n = len(state.lines)
    with pytest.raises(InputError) as refused:
        do(state, **asked)
    assert refused.value.message == sentence
    assert len(state.lines) == n


def test_stacks_are_split_and_joined_in_one_line_each_and_taken_back(state):
    line = do(state, do="split", photos=["p0", "p1", "p2"], stacks=["p0", "p1", "p1"])
    assert [state.marks[photo].stack for photo in ("p0", "p1", "p2", "p3")] == ["p0", "p1", "p1", ""]
    assert set(line.after.photos) == {"p0", "p1", "p2"}
    do(state, do="join", photos=["p0", "p1", "p2", "a"], stacks=["p1"] * 4)
    assert state.marks["a"] == Mark("hat", stack="p1")
    do(state, do="undo")
    do(state, do="undo")
    assert {mark.stack for mark in state.marks.values()} == {""}
    for stacks in (["p0"], ["nobody", "p1"], "p0", None):
        with pytest.raises(InputError):
            do(state, do="split", photos=["p0", "p1"], stacks=stacks)


def test_what_chose_a_photo_is_remembered_until_nothing_is_said_of_it(state):
    do(state, do="label", photos=["p0", "a"], label="shoe", by="strip")
    assert state.marks["p0"] == Mark("shoe", by="strip")
    assert state.marks["a"] == Mark("shoe")  # it had a label that nothing chose
    do(state, do="label", photos=["p0"], label="hat")
    assert state.marks["p0"].by == "strip"
    do(state, do="label", photos=["p0"], label="")
    assert state.marks["p0"] == Mark()
    do(state, do="none", photos=["p0"], by="suggest")
    assert state.marks["p0"] == Mark(none=True, by="suggest")
    for by in ("chance", ["strip"], None):
        with pytest.raises(InputError):
            do(state, do="label", photos=["p1"], label="hat", by=by)
