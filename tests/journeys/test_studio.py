"""A real studio in a process of its own: who may ask it, what it says, and that kill -9 loses nothing that is saved."""

import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from http.client import HTTPException

import pytest

from tellapart.studio.journal import NAME


@pytest.fixture
def photos(heap):
    """A folder of ten, some in class folders."""
    return heap


@pytest.fixture
def connection():
    """A plain connection: `connection(studio)`."""
    made = []

    def go(studio):
        made.append(http.client.HTTPConnection(studio.url.removeprefix("http://"), timeout=10))
        return made[-1]

    yield go
    for one in made:
        one.close()


@pytest.fixture
def refused_studio():
    """What becomes of a studio that cannot be opened: `refused_studio(folder)`."""

    def go(folder):
        command = [sys.executable, "-m", "tellapart", "studio", str(folder), "--no-browser"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return go


def test_only_who_knows_the_token_is_answered_and_no_other_site(photos, studio, connection):
    one = studio(photos)
    for path in ("/v1/state", "/v1/changes?since=0", "/v1/thumbnail?photo=0"):
        for said in ("", "Bearer wrong", "Basic x"):
            assert one.ask(path, Authorization=said)[0] == 401
    action = {"do": "class_new", "name": "mug"}
    assert one.ask("/v1/do", action, Authorization="")[0] == 401
    assert one.ask("/v1/do", action, Origin="https://evil.example")[0] == 403
    assert one.ask("/v1/do", action, Sec_Fetch_Site="cross-site")[0] == 403
    assert one.ask("/v1/look", b"", Origin="null")[0] == 403
    assert one.ask("/v1/state", Host="evil.example")[0] == 421
    assert one.ask("/v1/do", json.dumps(action).encode(), Content_Type="text/plain")[0] == 415
    assert "mug" not in one.state()[1]["classes"]
    for path in ("/", "/studio.js", "/elements.js", "/icon.svg"):  # the page's own files are no secret
        assert one.ask(path, Authorization="")[0] == 200
    page = one.ask("/")[1]
    assert "default-src 'none'" in page["content-security-policy"]
    assert one.ask("/tell-apart.js")[0] == 404


NO_ACTIONS = (
    (b"", 400), (b"[]", 400), (b"{", 400), (b"[" * 100_000, 400), (b"{}", 422), (b'{"do":[1]}', 422),
    (b'{"do":"label","photos":"abc","label":"hat"}', 422), (b'{"do":"label","photos":[{}],"label":"hat"}', 422),
)  # fmt: skip


def test_what_is_no_action_is_refused_in_a_sentence(photos, studio, connection):
    one = studio(photos)
    before = one.state()
    for body, status in NO_ACTIONS:
        got, _, said = one.ask("/v1/do", body)
        assert (got, bool(said["message"])) == (status, True)
    asked = connection(one)
    asked.putrequest("POST", "/v1/do")
    for name, value in (("Authorization", f"Bearer {one.token}"), ("Content-Type", "application/json")):
        asked.putheader(name, value)
    asked.putheader("Content-Length", "20000001")
    asked.endheaders()
    assert asked.getresponse().status == 413
    assert one.state() == before


def test_a_thumbnail_is_kept_by_the_browser_for_good(photos, studio):
    one = studio(photos)
    ids = one.ids()
    status, headers, jpeg = one.ask(f"/v1/thumbnail?photo={ids['0.jpg']}")
    assert (status, jpeg[:2]) == (200, b"\xff\xd8")
    assert headers["cache-control"] == "private, max-age=31536000, immutable"
    assert one.ask("/v1/thumbnail?photo=../../etc/passwd")[0] == 404
    (photos / "1.jpg").write_bytes((photos / "2.jpg").read_bytes())
    status, _, said = one.ask(f"/v1/thumbnail?photo={ids['1.jpg']}")
    assert (status, said["error"]) == (422, "changed")
    status, _, told = one.ask("/v1/look", b"")
    assert (status, len(told["photos"])) == (200, 9)


def test_what_was_said_outlives_the_studio_and_the_photos_are_as_they_were(photos, studio, tmp_path):
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    one = studio(photos)
    ids = one.ids()
    one.do(do="label", photos=[ids["0.jpg"], ids["1.jpg"]], label="mug")
    one.do(do="out", photos=[ids["hat/1.jpg"]], out=True)
    state = one.state()[0]
    code, said = one.stop()
    assert (code, "Traceback" in said) == (0, False)
    assert "10 photos, 4 of them labelled." in said
    again = studio(photos)
    assert again.state()[0] == state
    again.do(do="undo")
    said = again.do(do="undo")
    assert said["classes"] == ["hat", "shoe"]
    assert said["undo"] is None
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "photos.studio"]


def test_a_second_studio_is_refused_and_a_newer_journal_is(photos, studio, refused_studio, tmp_path):
    one = studio(photos)
    refused = refused_studio(photos)
    assert refused.returncode == 2
    assert "Another studio has" in refused.stderr
    one.kill()
    (tmp_path / "photos.studio" / NAME).write_text('{"journal":"tellapart studio","version":9,"seed":""}\n')
    refused = refused_studio(photos)
    assert (refused.returncode, "newer tellapart" in refused.stderr) == (2, True)


def test_begun_with_nothing_it_makes_a_folder_and_takes_names(studio, tmp_path, photos):
    one = studio(cwd=tmp_path)
    assert one.do(do="class_new", name="mug")["classes"] == ["mug"]
    (photos / "0.jpg").rename(tmp_path / "studio" / "0.jpg")
    assert one.ask("/v1/look", b"")[2]["n_new"] == 1
    one.do(do="label", photos=list(one.ids().values()), label="mug")
    assert (tmp_path / "studio.studio" / NAME).is_file()


def test_a_place_that_cannot_be_written_is_said(photos, studio, tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "photos.studio").write_text("")
    one = studio(photos)
    one.do(do="class_new", name="mug")
    assert one.state()[1]["beside"] is False
    _, said = one.stop()
    assert "There is no place for it beside the photos" in said
    assert list((tmp_path / "state").rglob(NAME))


def test_what_is_not_there_is_a_sentence(refused_studio, tmp_path):
    refused = refused_studio(tmp_path / "gone")
    assert (refused.returncode, "There is no '" in refused.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_nothing_that_was_saved(photos, studio, thorough):
    """Kills in the middle of actions, bulk ones and undos among them; what was answered is there afterwards."""
    random.seed(0)
    saved = None  # the state that the last answer told of, and how many lines there were
    for moment in range(50 if thorough else 8):
        one = studio(photos)
        ids = list(one.ids().values())
        state, told = one.state()
        if saved:
            lines, marks = saved
            assert told["n"] in (lines, lines + 1)  # the one that was under way is there as a whole or not at all
            if told["n"] == lines:
                assert state == marks
        names = {value: key for key, value in one.ids().items()}
        killer = threading.Timer(0.05 + 0.4 * random.random(), one.process.kill)
        killer.start()
        marks = dict(state)
        saved = told["n"], dict(marks)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            chosen = random.sample(ids, random.randint(1, len(ids)))
            asked = random.choice([
                {"do": "label", "photos": chosen, "label": random.choice(["hat", "shoe", f"new {moment}"])},
                {"do": "none", "photos": chosen}, {"do": "undo"}, {"do": "redo"},
            ])  # fmt: skip
            try:
                said = one.do(**asked, since=saved[0])
            except (OSError, HTTPException):
                break
            marks = {**marks, **{names[photo]: mark for photo, mark in said["photos"].items()}}
            saved = said["n"], dict(marks)
        killer.join()
        one.kill()
    one = studio(photos)
    assert one.state()[1]["n"] in (saved[0], saved[0] + 1)
    assert saved[0] > 8


def test_what_was_said_is_trained_on(photos, studio, tmp_path):
    """The file that the page writes is what `train` reads, from any folder."""
    one = studio("photos", cwd=tmp_path)
    ids = one.ids()
    one.do(do="label", photos=[ids[f"{n}.jpg"] for n in range(6)], label="mug")
    one.do(do="out", photos=[ids["5.jpg"]], out=True)
    status, _, said = one.ask("/v1/write", b"")
    assert (status, said["n_photos"], said["left"]) == (200, 9, "Not in it: 1 photo (1 left out).")
    command = [sys.executable, "-m", *said["command"].split()[:3], "-o", "model", "--quality", "fast"]
    environment = {**os.environ, "TELLAPART_CACHE_DIR": str(tmp_path / "cache")}
    (tmp_path / "elsewhere").mkdir()
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path / "elsewhere", env=environment, timeout=240
    )
    assert ran.returncode == 0, ran.stderr
    manifest = json.loads((tmp_path / "elsewhere" / "model" / "manifest.json").read_text())
    assert manifest["class_names"] == ["hat", "mug", "shoe"]
