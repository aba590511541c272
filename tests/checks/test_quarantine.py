"""Out of the dataset and back again: every byte, whatever happens in between."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tellapart.checks.finding import Finding
from tellapart.checks.quarantine import README, held, quarantine, taken_out, undo
from tellapart.checks.removal import LIST, Kept, plan
from tellapart.data.source import Dataset, scan
from tellapart.errors import InputError
from tellapart.storage.moves import move_file

NOBODY = 65534
MANY = 200
CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it otherwise
from tellapart.checks.finding import Finding
from tellapart.data.source import scan
from tellapart.checks.quarantine import quarantine
dataset = scan(sys.argv[1])
print("ready", flush=True)
quarantine(dataset, [Finding("copy", "", "", suspects=dataset.photos)], sys.argv[2])
"""


def finding(*suspects, kind="exact_duplicate", photos=()):
    return Finding(kind, "What.", "Do.", photos, suspects=suspects)


def content(folder):
    """{path: bytes, or where a link leads} of all files below a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file()]
    return {
        path.relative_to(folder).as_posix(): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in files
    }


def lines(folder):
    return [json.loads(line) for line in (folder / LIST).read_text("utf-8").splitlines()]


@pytest.fixture
def photos(tmp_path):
    """Five hats and four shoes; what is in them does not matter here."""
    folder = tmp_path / "photos"
    for name, n in (("hat", 5), ("shoe", 4)):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            (folder / name / f"{i}.jpg").write_bytes(f"{name} {i}".encode() * 50)
    return folder


@pytest.fixture
def away(tmp_path):
    return tmp_path / "photos.quarantine"


def test_out_and_back_again(photos, away):
    before, stamp = content(photos), os.stat(photos / "hat/1.jpg").st_mtime_ns
    named = [f"{photos}/hat/1.jpg", f"{photos}/shoe/0.jpg"]
    rows = ((named[1], f"{photos}/shoe/3.jpg", "near"),)
    done = quarantine(scan(photos), [finding(*named, kind="near_duplicate", photos=rows)])
    assert done.folder == away
    assert [(move.photo, move.path) for move in done.moves] == [(named[0], "hat/1.jpg"), (named[1], "shoe/0.jpg")]
    assert done.kept == ()
    gone = {"hat/1.jpg", "shoe/0.jpg"}
    assert content(photos) == {path: data for path, data in before.items() if path not in gone}
    assert content(away).keys() == gone | {LIST, README}
    assert {path: content(away)[path] for path in gone} == {path: before[path] for path in gone}
    first, second = lines(away)
    assert (first["from"], first["to"], first["source"]) == ("hat/1.jpg", "hat/1.jpg", str(photos))
    assert first["why"] == ["near duplicate"]
    assert second["why"] == [f"near duplicate: {photos}/shoe/3.jpg, near"]
    assert first["sha256"] == hashlib.sha256(before["hat/1.jpg"]).hexdigest()
    assert abs(time.time() - time.mktime(time.strptime(first["when"][:19], "%Y-%m-%dT%H:%M:%S"))) < 15 * 3600
    assert f"tellapart check {photos} --undo" in (away / README).read_text("utf-8")
    assert held(photos) == ("hat/1.jpg", "shoe/0.jpg")

    restored = undo(photos)
    assert (restored.n, restored.paths, restored.kept) == (2, ("hat/1.jpg", "shoe/0.jpg"), ())
    assert content(photos) == before
    assert os.stat(photos / "hat/1.jpg").st_mtime_ns == stamp
    assert not away.exists()
    assert undo(photos).n == 0
    assert held(photos) == ()


def test_a_plan_is_what_happens_and_changes_nothing(photos, tmp_path):
    before, dataset = content(tmp_path), scan(photos)
    findings = [finding(*dataset.photos), finding("no such photo")]
    planned = plan(dataset, findings)
    assert content(tmp_path) == before
    assert quarantine(dataset, findings) == planned
    assert [move.path for move in planned.moves] == ["hat/0.jpg", "hat/1.jpg", "hat/2.jpg", "shoe/0.jpg", "shoe/1.jpg"]


def test_progress_counts_to_the_end(photos):
    seen = []
    suspects = [f"{photos}/hat/{i}.jpg" for i in range(3)]
    quarantine(scan(photos), [finding(*suspects)], progress=lambda *step: seen.append(step))
    assert seen == [("moving photos", i, 3) for i in (1, 2, 3)]


def test_nothing_to_move_makes_no_folder(photos, away):
    assert quarantine(scan(photos), []).moves == ()
    assert quarantine(scan(photos), [finding(kind="imbalance")]).moves == ()
    assert not away.exists()


def test_works_on_the_folder_one_is_in(photos, away, monkeypatch):
    monkeypatch.chdir(photos)
    before = content(photos)
    assert [move.path for move in quarantine(scan("."), [finding("hat/0.jpg")]).moves] == ["hat/0.jpg"]
    assert (away / "hat/0.jpg").is_file()
    assert undo(".").n == 1
    assert content(photos) == before


def test_no_photo_moves_before_the_list_says_where_it_was(photos, away, monkeypatch):
    """A kill between the two rarely lands, so what it would find is looked at here."""
    moved = []

    def move(origin, target):
        moved.append(origin.relative_to(photos).as_posix())
        assert [line["from"] for line in lines(away)] == moved
        move_file(origin, target)

    monkeypatch.setattr("tellapart.storage.moves.move_file", move)
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg", f"{photos}/shoe/1.jpg")])
    assert moved == ["hat/0.jpg", "shoe/1.jpg"]


@pytest.mark.parametrize("where", ["beside", "another file system"])
@pytest.mark.parametrize(("after", "number"), [(1, signal.SIGKILL), (30, signal.SIGINT), (90, signal.SIGKILL)])
def test_a_kill_or_ctrl_c_in_the_middle_loses_nothing(tmp_path, where, after, number):
    with elsewhere(tmp_path, where) as away:
        photos = tmp_path / "photos"
        for i in range(MANY):
            path = photos / "ab"[i % 2] / f"{i:04}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(5000))
        before = content(photos)
        command = [sys.executable, "-c", CHILD, photos, away]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        child.stdout.readline()
        while child.poll() is None and n_lines(away / LIST) < after:
            time.sleep(0.0005)
        child.send_signal(number)
        child.communicate(timeout=30)
        assert child.returncode == -number
        n_away = len(held(photos, away))
        assert after - 1 <= n_away < MANY - 4
        assert {**content(photos), **{path: (away / path).read_bytes() for path in held(photos, away)}} == before
        n_both = n_away + len(content(photos)) - MANY
        assert n_both in ([0] if where == "beside" else [0, 1])
        restored = undo(photos, away)
        assert content(photos) == before
        assert restored.n == n_away - n_both
        assert [kept.reason for kept in restored.kept] == ["the same file is in its place already"] * n_both
        assert n_both or not away.exists()


def n_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


@contextmanager
def elsewhere(tmp_path, where):
    """A quarantine on the same file system as the photos, or on another."""
    if where == "beside":
        yield tmp_path / "quarantine"
        return
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to write to")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder).resolve() / "quarantine"


def test_across_file_systems_and_back(photos, tmp_path):
    (photos / "hat/link.jpg").symlink_to("../shoe/0.jpg")
    os.utime(photos / "hat/0.jpg", ns=(1, 10**18))
    before = content(photos)
    with elsewhere(tmp_path, "another file system") as away:
        done = quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg", f"{photos}/hat/link.jpg")], away)
        assert len(done.moves) == 2
        assert content(away).keys() == {LIST, README, "hat/0.jpg", "hat/link.jpg"}
        assert os.readlink(away / "hat/link.jpg") == "../shoe/0.jpg"
        assert (away / "hat/0.jpg").stat().st_mtime_ns == 10**18
        assert undo(photos, away).n == 2
    assert content(photos) == before


def test_runs_add_up_and_one_undo_is_enough(photos, away):
    before = content(photos)
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg")])
    quarantine(scan(photos), [finding(f"{photos}/hat/1.jpg", f"{photos}/shoe/0.jpg")])
    assert held(photos) == ("hat/0.jpg", "hat/1.jpg", "shoe/0.jpg")
    assert undo(photos).n == 3
    assert content(photos) == before
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg")])
    assert len(lines(away)) == 1
    assert undo(photos).n == 1
    assert content(photos) == before


def test_a_photo_of_several_findings_moves_once_with_every_reason(photos, away):
    photo = f"{photos}/hat/2.jpg"
    findings = [finding(photo, photo), finding(photo, kind="mislabelled", photos=((photo, "looks like shoe"),))]
    assert [move.reasons for move in quarantine(scan(photos), findings).moves] == [
        ("exact duplicate", "mislabelled: looks like shoe")
    ]
    assert len(lines(away)) == 1


def test_a_class_keeps_two_photos(photos):
    dataset = scan(photos)
    done = quarantine(dataset, [finding(f"{photos}/shoe/3.jpg"), finding(*dataset.photos)])
    assert sorted(content(photos)) == ["hat/3.jpg", "hat/4.jpg", "shoe/1.jpg", "shoe/2.jpg"]
    reason = 'the class "{}" would be left with fewer than 2 photos to train on'
    assert done.kept == tuple(
        Kept(f"{photos}/{name}/{i}.jpg", reason.format(name))
        for name, i in (("hat", 3), ("hat", 4), ("shoe", 1), ("shoe", 2))
    )


def test_with_a_split_training_keeps_two_and_a_test_may_lose_all(tmp_path):
    for split, n in (("train", 3), ("test", 2)):
        for name in ("a", "b"):
            for i in range(n):
                path = tmp_path / "photos" / split / name / f"{i}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"x")
    dataset = scan(tmp_path / "photos")
    quarantine(dataset, [finding(*dataset.photos)])
    assert sorted(content(tmp_path / "photos")) == [
        "train/a/1.jpg", "train/a/2.jpg", "train/b/1.jpg", "train/b/2.jpg"
    ]  # fmt: skip


def test_files_that_cannot_be_used_go_too(photos, away):
    (photos / "notes.txt").write_text("mine")
    (photos / LIST).write_text("{}")
    (photos / "hat" / "empty.jpg").touch()
    (photos / "hat" / "gone.jpg").symlink_to("nowhere.jpg")
    before, dataset = content(photos), scan(photos)
    done = quarantine(dataset, [finding(*(item.photo for item in dataset.skipped), kind="unusable")])
    assert sorted(move.path for move in done.moves) == ["hat/empty.jpg", "hat/gone.jpg", LIST, "notes.txt"]
    assert (away / "moved (2).jsonl").read_text() == "{}"
    assert os.readlink(away / "hat/gone.jpg") == "nowhere.jpg"
    assert undo(photos).n == 4
    assert content(photos) == before


def test_a_link_moves_itself_and_a_linked_folder_stays(photos, tmp_path, away):
    other = tmp_path / "other"
    other.mkdir()
    (other / "far.jpg").write_bytes(b"far")
    (photos / "hat/link.jpg").symlink_to(other / "far.jpg")
    (photos / "hat/inner").symlink_to(other)
    done = quarantine(scan(photos), [finding(f"{photos}/hat/link.jpg", f"{photos}/hat/inner/far.jpg")])
    assert [move.path for move in done.moves] == ["hat/link.jpg"]
    assert done.kept == (Kept(f"{photos}/hat/inner/far.jpg", "it lies behind a link to another folder"),)
    assert os.readlink(away / "hat/link.jpg") == str(other / "far.jpg")
    assert lines(away)[0]["sha256"] == hashlib.sha256(b"far").hexdigest()
    assert (other / "far.jpg").read_bytes() == b"far"
    assert undo(photos).n == 1
    assert os.readlink(photos / "hat/link.jpg") == str(other / "far.jpg")


def test_a_file_that_appeared_meanwhile_is_not_overwritten(photos, away):
    before = content(photos)
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg", f"{photos}/hat/1.jpg")])
    (photos / "hat/0.jpg").write_bytes(b"new")
    restored = undo(photos)
    assert restored.paths == ("hat/1.jpg",)
    assert restored.kept == (Kept("hat/0.jpg", "there is a file of this name again"),)
    assert (photos / "hat/0.jpg").read_bytes() == b"new"
    assert (away / "hat/0.jpg").read_bytes() == before["hat/0.jpg"]
    (photos / "hat/0.jpg").unlink()
    assert undo(photos).n == 1
    assert content(photos) == before
    assert not away.exists()


def test_a_copy_that_a_kill_left_is_never_taken_for_a_photo(photos, away):
    before = content(photos)
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg", f"{photos}/hat/1.jpg")])
    for name in (".README.txt.partial-x1", "hat/.2.jpg.partial"):  # not whole; as a kill would leave them
        (away / name).write_bytes(b"half")
    shutil.copy(away / "hat/0.jpg", photos / "hat/0.jpg")  # whole, but the original had not gone yet
    restored = undo(photos)
    assert restored.paths == ("hat/1.jpg",)
    assert restored.kept == (Kept("hat/0.jpg", "the same file is in its place already"),)
    assert content(photos) == before
    assert content(away).keys() == {LIST, README, "hat/0.jpg"}


def test_two_photos_that_had_one_name_get_two_names(photos, away):
    photo = photos / "hat/0.jpg"
    for text in (b"first", b"second", b"third"):
        photo.write_bytes(text)
        quarantine(scan(photos), [finding(str(photo))])
    assert content(away / "hat") == {
        "0.jpg": b"first", "0 (2).jpg": b"second", "0 (3).jpg": b"third"
    }  # fmt: skip
    restored = undo(photos)
    assert (restored.n, photo.read_bytes()) == (1, b"third")
    assert {kept.photo for kept in restored.kept} == {"hat/0.jpg", "hat/0 (2).jpg"}


@pytest.mark.parametrize(
    "name", ["หมวก/ฟ้า สวย.jpg", 'a b/it\'s "so".jpg', "<script>/&amp;.jpg", "a/back\\slash.jpg", "-rf/new\nline.jpg"]
)
def test_any_name_comes_back(tmp_path, away, name):
    photos = tmp_path / "photos"
    for path in (photos / name, photos / Path(name).parent / "b.jpg", photos / Path(name).parent / "c.jpg"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    before = content(photos)
    done = quarantine(scan(photos), [finding(f"{photos}/{name}".replace("\n", "\ufffd"))])
    assert [move.path for move in done.moves] == [name]
    assert (away / name).read_bytes() == before[name]
    assert json.dumps(name, ensure_ascii=False) in (away / LIST).read_text("utf-8")
    assert undo(photos).n == 1
    assert content(photos) == before


def test_a_name_that_is_no_text_comes_back(photos):
    odd = os.fsdecode(os.fsencode(photos / "hat") + b"/\xff\xfe.jpg")
    Path(odd).write_bytes(b"odd")
    before, dataset = content(photos), scan(photos)
    [shown] = [photo for photo in dataset.photos if "\ufffd" in photo]
    assert len(quarantine(dataset, [finding(shown)]).moves) == 1
    assert not Path(odd).exists()
    assert undo(photos).n == 1
    assert content(photos) == before


def test_two_files_that_look_alike_by_name_stay(photos):
    for byte in (b"\xff", b"\xfe"):
        Path(os.fsdecode(os.fsencode(photos / "hat") + b"/" + byte + b".jpg")).write_bytes(byte)
    done = quarantine(scan(photos), [finding(f"{photos}/hat/\ufffd.jpg")])
    assert done.moves == ()
    assert [kept.photo for kept in done.kept] == [f"{photos}/hat/\ufffd.jpg"]


def test_photos_in_a_zip_or_a_list_are_not_moved(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("photos.zip", "w") as file:
        for name in ("a/1.jpg", "b/1.jpg"):
            file.writestr(name, b"x")
    Path("labels.csv").write_text("path,label\nphotos/hat/0.jpg,hat\nphotos/shoe/0.jpg,shoe\n")
    listed = Dataset.from_lists([photos / "hat/0.jpg"], ["hat"])
    for dataset, message, hint in (
        (scan("photos.zip"), 'Photos cannot be moved out of the zip "photos.zip".', "Unpack it and name the folder"),
        (scan("labels.csv"), '"labels.csv" is a list of photos, which may lie anywhere, so none of them is moved.',
         "Remove the lines"),
        (listed, '"the list" is a list of photos, which may lie anywhere, so none of them is moved.', "Remove"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            quarantine(dataset, [finding(dataset.photos[0])])
        assert str(caught.value) == message
        assert caught.value.hint.startswith(hint)


def test_a_quarantine_lies_outside_the_photos(photos, tmp_path):
    (tmp_path / "link").symlink_to(photos)
    for folder in (photos, photos / "away", photos / "hat", tmp_path, tmp_path / "link" / "away"):
        with pytest.raises(InputError, match="must be outside"):
            plan(scan(photos), [], folder)


def test_a_folder_of_something_else_is_not_used(photos, away):
    away.mkdir()
    (away / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else already, so no photos are moved there"):
        quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg")])
    assert undo(photos).n == 0
    assert content(away) == {"letter.txt": b"mine"}


def test_a_quarantine_belongs_to_one_folder(photos, tmp_path, away):
    shutil.copytree(photos, tmp_path / "twin")
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg")])
    for work in (
        lambda: quarantine(scan(tmp_path / "twin"), [finding(f"{tmp_path}/twin/hat/0.jpg")], away),
        lambda: undo(tmp_path / "twin", away),
        lambda: held(tmp_path / "twin", away),
    ):
        with pytest.raises(InputError, match="is the quarantine of"):
            work()
    assert len(content(tmp_path / "twin")) == 9


def test_both_folders_may_be_renamed(photos, away, tmp_path):
    before = content(photos)
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg")])
    photos.rename(tmp_path / "pictures")
    away.rename(tmp_path / "pictures.quarantine")
    assert undo(tmp_path / "pictures").n == 1
    assert content(tmp_path / "pictures") == before


def test_a_class_folder_that_is_gone_comes_back(photos):
    before = content(photos)
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg", f"{photos}/hat/1.jpg")])
    shutil.rmtree(photos / "hat")
    assert undo(photos).n == 2
    assert content(photos / "hat") == {f"{i}.jpg": before[f"hat/{i}.jpg"] for i in range(2)}


def test_a_torn_line_is_no_harm(photos, away):
    before = content(photos)
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg")])
    with (away / LIST).open("ab") as file:
        file.write('{"from": "hat/1.jpg", "to": "hat/1.jpg", "why": ["ส'.encode()[:-1])
    assert held(photos) == ("hat/0.jpg",)
    quarantine(scan(photos), [finding(f"{photos}/hat/1.jpg")])
    assert undo(photos).n == 2
    assert content(photos) == before


def test_a_line_whose_photo_never_moved_is_passed_over(photos, away):
    before = content(photos)
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg")])
    line = (away / LIST).read_text("utf-8")
    (away / LIST).write_text(line + line.replace("0.jpg", "1.jpg"))
    restored = undo(photos)
    assert (restored.n, restored.kept) == (1, ())
    assert content(photos) == before


def test_what_the_list_does_not_name_is_kept_and_reported(photos, away):
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg", f"{photos}/hat/1.jpg")])
    first, _ = (away / LIST).read_text("utf-8").splitlines()
    (away / LIST).write_text(first + "\n[[[\n7\n{}\n")
    restored = undo(photos)
    assert restored.paths == ("hat/0.jpg",)
    assert restored.kept == (Kept("hat/1.jpg", "moved.jsonl does not say where it was"),)
    assert (away / "hat/1.jpg").is_file()


@pytest.mark.parametrize("evil", ["../../evil.jpg", "/tmp/evil.jpg", "a/../../evil.jpg", "", "x\0y", "out/evil.jpg", 7])
def test_a_list_from_a_stranger_moves_nothing_out_of_its_place(photos, away, tmp_path, evil):
    outside = tmp_path / "outside"
    outside.mkdir()
    (photos / "out").symlink_to(outside)
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg")])
    record = lines(away)[0]
    (away / LIST).write_text(json.dumps(record | {"from": evil}) + "\n")
    restored = undo(photos)
    assert (restored.n, [kept.photo for kept in restored.kept]) == (0, ["hat/0.jpg"])
    (away / LIST).write_text(json.dumps(record | {"to": evil, "from": "hat/9.jpg"}) + "\n")
    (tmp_path / "evil.jpg").write_bytes(b"not yours")
    assert undo(photos).n == 0
    assert (tmp_path / "evil.jpg").read_bytes() == b"not yours"
    assert content(outside) == {}


@contextmanager
def nobody():
    """A person who may not write everywhere, as root may."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def guarded():
    """Photos in a folder that anybody can reach; the folder of the hats is not to be written to."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        place.chmod(0o755)
        with nobody_owns(place):
            for name in ("hat", "shoe"):
                (place / "photos" / name).mkdir(parents=True)
                for i in range(4):
                    (place / "photos" / name / f"{i}.jpg").write_bytes(f"{name} {i}".encode())
        yield place / "photos"
        for path in (place, *place.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)


@contextmanager
def nobody_owns(place):
    if os.geteuid() == 0:
        os.chown(place, NOBODY, NOBODY)
    with nobody():
        yield


def test_nothing_moves_where_one_folder_is_not_to_be_written_to(guarded):
    (guarded / "hat").chmod(0o555)
    before = content(guarded.parent)
    suspects = finding(f"{guarded}/shoe/0.jpg", f"{guarded}/hat/0.jpg")
    with nobody(), pytest.raises(InputError) as caught:
        quarantine(scan(guarded), [suspects])
    assert str(caught.value) == f'Photos cannot be moved out of "{guarded}/hat": permission denied.'
    assert caught.value.hint.startswith("Nothing was moved.")
    assert content(guarded.parent) == before
    with nobody():
        assert len(plan(scan(guarded), [suspects]).moves) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to somebody else")
def test_what_may_not_be_moved_stays_with_the_reason(guarded):
    (guarded / "hat").chmod(0o1777)  # as /tmp: everybody may write, and move what is their own
    os.chown(guarded / "hat", 0, 0)
    os.chown(guarded / "hat/0.jpg", 0, 0)
    with nobody():
        done = quarantine(scan(guarded), [finding(f"{guarded}/hat/0.jpg", f"{guarded}/shoe/0.jpg")])
        assert [move.path for move in done.moves] == ["shoe/0.jpg"]
        assert done.kept == (Kept(f"{guarded}/hat/0.jpg", "operation not permitted"),)
        assert len(content(guarded)) == 7
        (guarded / "shoe").chmod(0o555)
        restored = undo(guarded)
        assert (restored.n, restored.kept) == (0, (Kept("shoe/0.jpg", "permission denied"),))
        (guarded / "shoe").chmod(0o755)
        assert undo(guarded).n == 1
    assert len(content(guarded)) == 8


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to somebody else")
def test_what_may_not_be_moved_across_file_systems_leaves_no_copy(guarded, tmp_path):
    with elsewhere(tmp_path, "another file system") as away:
        away.parent.chmod(0o777)
        (guarded / "hat").chmod(0o1777)
        os.chown(guarded / "hat", 0, 0)
        os.chown(guarded / "hat/0.jpg", 0, 0)
        with nobody():
            done = quarantine(scan(guarded), [finding(f"{guarded}/hat/0.jpg")], away)
        assert done.kept == (Kept(f"{guarded}/hat/0.jpg", "operation not permitted"),)
        assert content(away).keys() == {LIST, README}
    assert len(content(guarded)) == 8


def test_no_place_for_a_quarantine_moves_nothing(guarded):
    guarded.parent.chmod(0o555)
    with nobody(), pytest.raises(InputError, match=r"cannot be written: permission denied\.") as caught:
        quarantine(scan(guarded), [finding(f"{guarded}/hat/0.jpg")])
    assert caught.value.hint
    assert len(content(guarded)) == 8


def test_a_file_in_the_quarantines_place(photos, away):
    away.write_text("a file")
    with pytest.raises(InputError, match="a part of its path is a file"):
        quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg")])
    assert len(content(photos)) == 9


def test_what_is_taken_out_is_known_while_the_list_is_there(photos, away):
    quarantine(scan(photos), [finding(*(f"{photos}/hat/{i}.jpg" for i in range(3)), kind="leak")])
    assert [record.home for record in taken_out(photos)] == ["hat/0.jpg", "hat/1.jpg", "hat/2.jpg"]
    assert {record.why for record in taken_out(photos)} == {("leak",)}
    shutil.rmtree(away / "hat")  # the photos deleted for good
    (photos / "hat/2.jpg").write_bytes(b"again")
    assert [record.home for record in taken_out(photos)] == ["hat/0.jpg", "hat/1.jpg"]
    assert held(photos) == ()
    for odd in ("7", '["leak", 7]'):
        text = (away / LIST).read_text("utf-8").replace('["leak"]', odd)
        (away / LIST).write_text(text)
    assert {record.why for record in taken_out(photos)} == {()}
    shutil.rmtree(away)
    assert taken_out(photos) == taken_out("nowhere") == ()


def test_what_another_folder_lacks_is_not_said_of_this_one(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "twin")
    quarantine(scan(photos), [finding(f"{photos}/hat/0.jpg")], tmp_path / "twin.quarantine")
    assert taken_out(tmp_path / "twin") == ()


def test_no_such_folder(tmp_path):
    with pytest.raises(InputError, match="There is no folder"):
        undo(tmp_path / "nothing")
