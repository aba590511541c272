"""Photos handed over at once are one action: one undo takes the batch back, one redo brings it, also after a kill."""

import io
import shutil
import zipfile
from urllib.parse import quote

import pytest

from tellapart.errors import InputError
from tellapart.studio.handed import GONE, Batch, Words, added, by_folders, told_of
from tellapart.studio.state import ADD, FOUND, Line, Mark, Side, State, state_of


@pytest.fixture
def jpegs(photos):
    return [path.read_bytes() for path in sorted(photos.rglob("*.jpg"))]


@pytest.fixture
def empty(studio, tmp_path):
    (tmp_path / "new").mkdir()
    return studio(tmp_path / "new")


def hand_over(one, jpegs, *paths, **asked):
    """Hands photos over as the page does; what became of them."""
    rows = []
    for path, jpeg in zip(paths, jpegs, strict=False):
        status, _, said = one.ask(f"/v1/photos?name={quote(path)}", jpeg)
        assert status == 200, said
        rows.append([said["photo"], path, not said["known"]])
    status, _, said = one.ask("/v1/add", {"photos": rows, "by_folder": True, **asked})
    assert status == 200, said
    return said["added"]


def shown(one):
    """{name: label} of the photos that a page shows."""
    return {name: said[0] for name, said in one.state()[0].items() if not said[7]}


def on_disk(folder):
    return sorted(path.read_bytes() for path in (folder / "photos").rglob("*") if path.is_file())


def test_one_undo_takes_a_batch_back_and_one_redo_brings_it_also_after_a_kill(empty, jpegs, studio, tmp_path):
    state = tmp_path / "new.studio"
    hand_over(empty, jpegs, "first.jpg")
    hand_over(empty, jpegs[1:], "a.jpg", "b.jpg", "c.jpg", label="hat", burst=True)
    whole = shown(empty)
    assert whole == {"collected/first.jpg": "", **{f"collected/{name}.jpg": "hat" for name in "abc"}}
    said = empty.do(do="undo")
    assert (said["classes"], said["undo"], said["redo"]) == ([], "add", "add")
    assert shown(empty) == {"collected/first.jpg": ""}
    assert on_disk(state) == sorted(jpegs[:4])  # nothing of the person's is deleted
    assert empty.ask("/v1/look", b"")[2]["n_new"] == 0  # nor comes back by itself
    assert shown(empty) == {"collected/first.jpg": ""}
    gone = [photo[0] for photo in empty.state()[1]["photos"] if photo[12]]
    assert empty.ask("/v1/do", {"do": "label", "photos": gone, "label": "shoe"})[0] == 422
    empty.kill()
    again = studio(tmp_path / "new")
    assert shown(again) == {"collected/first.jpg": ""}
    again.do(do="redo")
    assert shown(again) == whole
    assert len({said[5] for name, said in again.state()[0].items() if name != "collected/first.jpg"}) == 1
    again.do(do="undo")
    again.do(do="undo")
    assert shown(again) == {}
    assert hand_over(again, jpegs[1:], "b.jpg", label="mug")["n_new"] == 1  # the same once more
    assert list(shown(again).values()) == ["mug"]
    assert on_disk(state) == sorted(jpegs[:4])  # each content once


def test_what_had_come_when_a_page_was_closed_is_a_batch_with_an_undo(empty, jpegs, studio, tmp_path):
    """Found by another look, or by the next start."""
    hand_over(empty, jpegs, "a.jpg", label="hat")
    for n in (1, 2):
        empty.ask(f"/v1/photos?name={n}.jpg", jpegs[n])
    (tmp_path / "new" / "own.jpg").write_bytes(jpegs[3])
    assert empty.ask("/v1/look", b"")[2]["n_new"] == 3
    here = {"collected/a.jpg": "hat", "own.jpg": ""}
    assert shown(empty) == {**here, "collected/1.jpg": "", "collected/2.jpg": ""}
    empty.do(do="undo")
    assert shown(empty) == here
    empty.ask("/v1/photos?name=3.jpg", jpegs[4])
    empty.kill()
    again = studio(tmp_path / "new")
    assert shown(again) == {**here, "collected/3.jpg": ""}
    again.do(do="undo")
    assert (shown(again), again.ask("/v1/look", b"")[2]["n_new"]) == (here, 0)


@pytest.mark.thorough  # the child has the photos that the page has
def test_what_was_taken_back_counts_nowhere(empty, jpegs):
    hand_over(empty, jpegs, "a.jpg", "b.jpg", label="hat")
    hand_over(empty, jpegs[2:], "c.jpg", "d.jpg", label="shoe")
    empty.do(do="undo")
    assert empty.ask("/v1/write", {})[2]["n_photos"] == 2
    read = empty.ended(empty.job("read"))["result"]
    assert {photo for stack in read["stacks"] for photo in stack} <= set(empty.ids().values())
    assert empty.ended(empty.job("score"))["state"] == "failed"  # one class alone
    assert empty.ask("/v1/changes?since=0")[2]["classes"] == ["hat"]


def test_folders_are_classes_where_there_are_several(empty, jpegs):
    said = hand_over(empty, jpegs, "mine/hat/1.jpg", "mine/hat/2.jpg", "mine/shoe/1.jpg", "mine/none of these/1.jpg")
    assert (said["n_new"], said["by_folder"]) == (4, True)
    assert said["classes"] == {"hat": 2, "shoe": 1, "none of these": 1}
    again = hand_over(empty, [*jpegs[:2], jpegs[4]], "cap/1.jpg", "shoe/2.jpg", "cap/3.jpg")
    assert (again["n_new"], again["n_known"], again["n_kept"], again["classes"]) == (1, 2, 2, {"cap": 1})
    empty.do(do="undo")
    empty.do(do="undo")
    assert (shown(empty), empty.state()[1]["classes"]) == ({}, [])


@pytest.mark.thorough
def test_photos_of_a_zip_are_one_batch_with_its_folders(empty, jpegs, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, jpeg in zip(("hat/1.jpg", "shoe/1.jpg", "shoe/2.jpg"), jpegs, strict=False):
            archive.writestr(path, jpeg)
    for n_new in (3, 0, 3):
        name = empty.ask("/v1/zip", packed.getvalue())[2]["zip"]
        rows = empty.ended(empty.job("unzip", zip=name))["result"]["photos"]
        told = empty.ask("/v1/add", {"photos": rows, "by_folder": True})[2]["added"]
        assert told["n_new"] == n_new
        if not n_new:
            assert sorted(shown(empty).values()) == ["hat", "shoe", "shoe"]
            empty.do(do="undo")
    assert sorted(shown(empty).values()) == ["hat", "shoe", "shoe"]
    assert len(on_disk(tmp_path / "new.studio")) == 3


@pytest.mark.thorough
def test_a_photo_that_was_taken_back_comes_with_its_folder(empty, jpegs, tmp_path):
    hand_over(empty, jpegs, "a.jpg", label="mug")
    empty.do(do="undo")
    (tmp_path / "new" / "hat").mkdir()
    (tmp_path / "new" / "hat" / "own.jpg").write_bytes(jpegs[0])
    assert empty.ask("/v1/look", b"")[2]["n_new"] == 1
    assert shown(empty) == {"hat/own.jpg": "hat"}
    shutil.rmtree(tmp_path / "new" / "hat")
    empty.ask("/v1/look", b"")
    assert shown(empty) == {"collected/a.jpg": "hat"}


@pytest.mark.thorough
def test_another_look_between_the_files_and_their_line_changes_nothing(empty, jpegs):
    said = empty.ask("/v1/photos?name=a.jpg", jpegs[0])[2]
    assert empty.ask("/v1/look", b"")[2]["n_new"] == 1  # another tab's
    added = empty.ask("/v1/add", {"photos": [[said["photo"], "a.jpg", True]], "label": "hat"})[2]["added"]
    assert added["n_new"] == 1
    empty.do(do="undo")
    assert shown(empty) == {}


def test_a_batch_that_is_none_or_has_no_name_for_a_class_is_refused(empty, jpegs):
    photo = empty.ask("/v1/photos?name=a.jpg", jpegs[0])[2]["photo"]
    for asked in (
        {},
        {"photos": "all"},
        {"photos": [[photo]]},
        {"photos": [[photo, "a", 1]]},
        {"photos": [], "by": "me"},
    ):
        assert empty.ask("/v1/add", asked)[0] == 422, asked
    for label in ("not sure", "x" * 1_000):
        assert empty.ask("/v1/add", {"photos": [[photo, "a.jpg", True]], "label": label})[0] == 422
    assert empty.ask("/v1/add", {"photos": [["nobody", "a.jpg", True]]})[2]["added"]["n_new"] == 0
    assert shown(empty) == {}


@pytest.mark.parametrize(
    ("paths", "labels", "folder"),
    [
        (["hat/1.jpg", "shoe/1.jpg"], ["hat", "shoe"], ""),
        (["mine/hat/1.jpg", "mine/shoe/red/1.jpg"], ["hat", "shoe"], ""),
        (["train/hat/1.jpg", "test/hat/2.jpg", "test/shoe/3.jpg"], ["hat", "hat", "shoe"], ""),
        (["mine/hat/1.jpg", "mine/2.jpg", "mine/shoe/1.jpg"], ["hat", "", "shoe"], ""),
        (["mine/hat/1.jpg", "shoe/1.jpg"], ["mine", "shoe"], ""),
        (["hat/1.jpg", "hat/2.jpg"], ["", ""], "hat"),
        (["hat/1.jpg", "2.jpg"], ["", ""], ""),
        (["1.jpg", ""], ["", ""], ""),
        (["หมวก/๑.jpg", "รองเท้า/๑.jpg"], ["หมวก", "รองเท้า"], ""),
        (["mine/hat/1.jpg", "mine/shoe/1.jpg", "mine/x.zip//cap/1.jpg"], ["hat", "shoe", ""], ""),
        (["x.zip//hat/1.jpg", "x.zip//shoe/1.jpg", "x.jpg"], ["hat", "shoe", ""], ""),
        (["mine/.git/1.jpg", "mine/hat/1.jpg"], ["", ""], ""),
    ],
)
def test_what_folders_say(paths, labels, folder):
    words = by_folders(dict(enumerate(paths)))
    assert ([words.labels[n] for n in range(len(paths))], words.folder) == (labels, folder)


def test_folders_that_can_mean_two_things_say_nothing_but_why():
    folders = ("fold1", "fold2")
    words = by_folders({f"{a}{b}": f"{a}/{b}/1.jpg" for a in folders for b in ("hat", "shoe")})
    assert not any(words.labels.values())
    assert "not taken for classes" in words.note


def test_what_was_said_stands_unless_it_is_to_be_replaced():
    state = state_of([Line(FOUND, Side(), Side({"a": Mark("hat"), "b": Mark(), "t": Mark(out=True)}))])
    paths = dict.fromkeys("abtn", "")
    line = added(state, Batch(paths, {"n"}, "shoe"), Words({}), {"n"}, {"b"})
    assert line.after.photos == {"t": Mark("shoe", out=True), "n": Mark("shoe")}
    assert line.before.photos == {"t": Mark(out=True), "n": GONE}
    assert (line.do, line.after.classes) == (ADD, ("shoe",))
    state.apply(line)
    state.apply(state.undo())
    assert (state.marks["t"], state.marks["n"], state.classes) == (Mark(out=True), GONE, ())
    over = added(State(), Batch({"a": ""}, {"a"}, "none of these", by="try"), Words({}), {"a"}, set())
    assert over.after.photos == {"a": Mark(none=True, by="try")}
    over = added(state, Batch({"a": ""}, set(), "shoe", by="try", replacing=True), Words({}), set(), set())
    assert over.after.photos == {"a": Mark("shoe")}  # chance, or the person, chose it when it got its first word
    with pytest.raises(InputError):
        added(state, Batch({"n": ""}, {"n"}, "not sure"), Words({}), {"n"}, set())


@pytest.mark.parametrize(
    ("label", "words", "n_left"),
    [
        ("shoe", {}, 2),
        ("none of these", {}, 2),
        ("", {}, 0),
        ("", {"s": "shoe", "t": "hat", "u": "not sure"}, 1),
    ],
)
def test_photos_of_the_test_that_a_batch_leaves_without_a_label_are_told(label, words, n_left):
    """A new one has its label, another its own; and what no class is called is no word."""
    state = state_of([Line(FOUND, Side(), Side({"a": Mark("hat"), "b": Mark(), "t": Mark(), "u": Mark()}))])
    batch = Batch(dict.fromkeys("abntu", ""), {"n"}, label)
    line = added(state, batch, Words(words), {"n"}, {"a", "n", "t", "u"})
    state.apply(line)
    assert told_of(state, batch, Words(words), line)["n_left"] == n_left


def test_folders_keep_one_space_and_classes_that_came_into_the_source_meanwhile(empty, jpegs, tmp_path):
    dogs = tmp_path / "new" / "dogs"
    dogs.mkdir()
    (dogs / "1.jpg").write_bytes(jpegs[0])
    told = hand_over(empty, jpegs[1:], "all/my  hats/1.jpg", "all/my  hats/2.jpg", "all/shoe /3.jpg")
    assert told["classes"] == {"my hats": 2, "shoe": 1}
    assert empty.state()[1]["classes"] == ["dogs", "my hats", "shoe"]
    assert shown(empty)["dogs/1.jpg"] == "dogs"


def test_a_photo_that_lies_in_the_source_too_can_be_labelled_after_an_undo(empty, jpegs, tmp_path):
    hand_over(empty, jpegs, "a.jpg", label="hat")
    (tmp_path / "new" / "own.jpg").write_bytes(jpegs[0])
    empty.ask("/v1/look", b"")
    empty.do(do="undo")
    (photo,) = [photo[0] for photo in empty.state()[1]["photos"] if not photo[12]]
    empty.do(do="label", photos=[photo], label="shoe")
    assert list(shown(empty).values()) == ["shoe"]
