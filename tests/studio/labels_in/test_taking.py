"""Labels of a file in a studio: one action, one undo; what is there already stays unless it is asked for."""

import json

import pytest

from tellapart.errors import InputError
from tellapart.studio.journal import open_journal
from tellapart.studio.labels_in import taking
from tellapart.studio.session import Session
from tellapart.studio.state import Mark, State


@pytest.fixture
def session(photos, tmp_path):
    with open_journal(tmp_path / "s") as journal:
        one = Session(str(photos), tmp_path / "s", journal, beside=True)
        one.look()
        yield one


def marks(session):
    return {photo.name: session.journal.state.marks[photo.id] for photo in session.heap.photos}


def table(**labels):
    return (
        "path,label\n" + "".join(f"{path.replace('_', '/')}.jpg,{label}\n" for path, label in labels.items())
    ).encode()


def test_one_action_and_one_undo(session):
    before, classes = marks(session), session.journal.state.classes
    content = table(hat_1="hat", shoe_1="mug", **{"0": "mug", "1": "None of these", "2": "cup", "77": "cup"})
    told = session.labels(content, "a.csv", "look")
    assert marks(session) == before
    assert {key: told[key] for key in ("n_rows", "n_photos", "n_new", "n_same", "n_other")} == {
        "n_rows": 6, "n_photos": 5, "n_new": 3, "n_same": 1, "n_other": 1,
    }  # fmt: skip
    assert told["new_classes"] == ["mug", "cup"]
    assert told["left"] == ['1 row of photos that are not here, such as "77.jpg".']
    assert session.labels(content, "a.csv", "new") == told
    now = marks(session)
    assert [now[name] for name in ("0.jpg", "1.jpg", "2.jpg")] == [Mark("mug"), Mark(none=True), Mark("cup")]
    assert now["shoe/1.jpg"] == Mark("shoe")
    assert session.journal.state.classes == ("hat", "shoe", "mug", "cup")
    session.labels(content, "a.csv", "all")
    assert marks(session)["shoe/1.jpg"] == Mark("mug")
    session.do({"do": "undo"})
    assert marks(session) == now
    session.do({"do": "undo"})
    assert (marks(session), session.journal.state.classes) == (before, classes)
    n_lines = session.n_lines
    session.labels(table(hat_1="hat"), "a.csv", "all")  # as it is already
    assert session.n_lines == n_lines


def test_what_disagrees_or_is_no_class_is_said_and_not_guessed(session):
    rows = [("0.jpg", "mug"), ("0.jpg", "cup"), ("1.jpg", "mug"), ("1.jpg", " mug "), ("2.jpg", "not sure"),
            ("3.jpg", "a\u202eb"), ("4.jpg", "x" * 501), ("5.jpg", "hat\u200b")]  # fmt: skip
    content = "\n".join(json.dumps({"path": path, "label": label}) for path, label in rows).encode()
    told = session.labels(content, "a.jsonl", "all")
    assert (told["n_photos"], told["new_classes"]) == (1, ["mug"])
    assert told["left"][0].startswith("4 rows with a label that is no name for a class, such as ")
    assert told["left"][1] == '2 rows that give one photo two labels, such as "0.jpg".'
    assert {name for name, mark in marks(session).items() if mark == Mark("mug")} == {"1.jpg"}


def test_a_photo_that_is_left_out_stays_so(session):
    photo = next(photo for photo in session.heap.photos if photo.name == "0.jpg")
    session.do({"do": "out", "photos": [photo.id], "out": True})
    session.labels(table(**{"0": "mug"}), "a.csv", "new")
    assert marks(session)["0.jpg"] == Mark("mug", out=True)


def test_a_column_of_no_classes_is_refused(session, monkeypatch):
    monkeypatch.setattr(taking, "MAX_NEW_CLASSES", 2)
    with pytest.raises(InputError, match="hardly classes"):
        session.labels(table(**{str(n): f"one {n}" for n in range(3)}), "a.csv", "look")


def test_it_is_in_the_journal_as_every_action_is(session, tmp_path, photos):
    session.labels(table(**{"0": "mug"}), "a.csv", "new")
    lines = (tmp_path / "s" / "journal.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["do"] == "labels"
    again = State()
    for line in session.journal.state.lines:
        again.apply(line)
    assert again.marks == session.journal.state.marks
