"""Photos and journal together: what is found, what is told."""

import os

import pytest
from PIL import Image

from tellapart.data.source import scan
from tellapart.server.shell.problem import as_json
from tellapart.studio import session as module
from tellapart.studio.journal import open_journal
from tellapart.studio.session import Session
from tellapart.studio.state import Mark


@pytest.fixture
def opened(photos, tmp_path):
    """Does something with the studio on the photos, and ends it: `opened(work)`."""

    def run(work):
        with open_journal(tmp_path / "s") as journal:
            session = Session(str(photos), tmp_path / "s", journal, beside=True)
            session.look()
            return work(session)

    return run


def label_of(session, name):
    return next(session.journal.state.marks[photo.id] for photo in session.heap.photos if photo.name == name)


def test_what_a_folder_says_is_said_once(opened, photos):
    """A label of the studio's stands, also when the photo lies in another class's folder."""

    def relabel(session):
        photo = next(photo for photo in session.heap.photos if photo.name == "hat/1.jpg")
        session.do({"do": "label", "photos": [photo.id], "label": "shoe"})

    opened(relabel)
    assert opened(lambda session: label_of(session, "hat/1.jpg")) == Mark("shoe")
    (photos / "hat" / "1.jpg").rename(photos / "moved.jpg")  # known by its content
    assert opened(lambda session: label_of(session, "moved.jpg")) == Mark("shoe")


def test_photos_that_come_later_are_found_and_nothing_else_is_written(opened, photos):
    n = opened(lambda session: len(session.journal.state.lines))
    assert opened(lambda session: len(session.journal.state.lines)) == n
    Image.new("RGB", (9, 9), "red").save(photos / "new.jpg")
    (photos / "mug").mkdir()
    Image.new("RGB", (9, 9), "blue").save(photos / "mug" / "1.jpg")

    def later(session):
        assert session.look() == 0
        return session.journal.state.classes, label_of(session, "mug/1.jpg"), len(session.journal.state.lines)

    assert opened(later) == (("hat", "shoe", "mug"), Mark("mug"), n + 1)


def test_what_is_written_says_groups_and_splits_as_train_reads_them(opened):
    def write(session):
        by_name = {photo.name: photo.id for photo in session.heap.photos}
        plain = scan(session.write()["path"])
        session.do({"do": "label", "photos": [by_name["0.jpg"]], "label": "hat", "by": "strip"})
        session.drew([[by_name["hat/1.jpg"], by_name["hat/2.jpg"]]])
        return plain, scan(session.write()["path"])

    plain, told = opened(write)
    assert (plain.groups, set(plain.splits)) == (None, {""})
    assert told.groups is not None
    assert told.groups.kind == "column"
    (first,) = {*told.groups.names} - {""}
    rows = zip(told.places, told.splits.tolist(), told.groups.names, strict=True)
    assert {"/".join(place.split(os.sep)[-2:]): said for place, *said in rows} == {
        "hat/1.jpg": ["crossed", first],
        "hat/2.jpg": ["crossed", first],
        "shoe/1.jpg": ["crossed", ""],
        "shoe/2.jpg": ["crossed", ""],
        "photos/0.jpg": ["train", ""],
    }


def test_a_class_that_was_deleted_does_not_come_back_with_its_folder(opened):
    opened(lambda session: session.do({"do": "class_delete", "name": "hat"}))
    assert opened(lambda session: session.journal.state.classes) == ("shoe",)


def test_empty_class_folders_are_classes(opened, photos):
    for path in photos.rglob("*.jpg"):
        path.unlink()
    assert opened(lambda session: session.journal.state.classes) == ("hat", "shoe")


def test_many_are_found_in_several_lines(opened, monkeypatch):
    monkeypatch.setattr(module, "FOUND_AT_ONCE", 3)
    assert opened(lambda session: (len(session.journal.state.lines), len(session.heap.photos))) == (4, 10)


def test_a_page_is_told_what_changed_since(opened):
    def work(session):
        told = session.whole()
        photo = told["photos"][0][0]
        session.do({"do": "none", "photos": [photo]})
        session.do({"do": "undo"})
        session.do({"do": "redo"})
        return session.changes(told["n"]), photo

    said, photo = opened(work)
    assert said["photos"] == {photo: ["", True, False, [], "", "", False, False]}
    assert (said["undo"], said["redo"], said["classes"]) == ("none", None, ["hat", "shoe"])


def test_what_is_sent_is_what_holds(opened, photos):
    """It is made once as long as nothing changes."""

    def work(session):
        def now():
            sent = session.whole_as_sent()
            assert sent == as_json(session.whole())
            assert session.whole_as_sent() is sent
            return sent

        first = now()
        photo = session.whole()["photos"][0][0]
        session.do({"do": "label", "photos": [photo], "label": "scarf"})
        labelled = now()
        session.do({"do": "undo"})
        undone = now()
        (photos / "hat" / "1.jpg").unlink()
        session.look()
        session.drew([[photo]])
        return len({first, labelled, undone, now()})

    assert opened(work) == 4


def test_a_photo_that_is_gone_is_not_shown_and_not_forgotten(opened, photos):
    content = (photos / "hat" / "1.jpg").read_bytes()
    opened(lambda session: session.do({"do": "class_rename", "name": "hat", "to": "cap"}))
    (photos / "hat" / "1.jpg").unlink()
    assert "hat/1.jpg" not in {photo[1] for photo in opened(lambda session: session.whole())["photos"]}
    (photos / "back.jpg").write_bytes(content)
    assert opened(lambda session: label_of(session, "back.jpg")) == Mark("cap")
