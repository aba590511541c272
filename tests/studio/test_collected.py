"""Photos handed to a real studio: kept byte for byte under safe names, once each, and part of all that follows."""

import io
import zipfile
from urllib.parse import quote

import pytest

LEAN = b"PK\x05\x06" + bytes(18)  # a zip of nothing


@pytest.fixture
def jpegs(photos):
    return [path.read_bytes() for path in sorted(photos.rglob("*.jpg"))]


@pytest.fixture
def empty(studio, tmp_path):
    (tmp_path / "new").mkdir()
    return studio(tmp_path / "new")


def stored(tmp_path):
    folder = tmp_path / "new.studio" / "photos"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_handed_over_is_kept_and_shown(empty, jpegs, tmp_path):
    names = ["a.jpg", "a.jpg", "../../evil.jpg", "%2Fetc%2Fcron.d%2Fx.jpg", ".hidden.jpg", "con.jpg", "x%00y.jpg"]
    for name, jpeg in zip(names, jpegs, strict=False):
        status, _, said = empty.ask(f"/v1/photos?name={name}", jpeg)
        assert (status, said["known"]) == (200, False), said
    assert sorted(stored(tmp_path).values()) == sorted(jpegs[: len(names)])
    assert {"a.jpg", "evil.jpg", "etc/cron.d/x.jpg"} <= stored(tmp_path).keys()
    assert not any(part.startswith(".") for name in stored(tmp_path) for part in name.split("/"))
    outside = {path.name for path in tmp_path.rglob("*.jpg") if "new.studio" not in path.parts}
    assert not outside & {"evil.jpg", "x.jpg"}
    assert empty.ask("/v1/look", b"")[2]["n_new"] == len(names)
    status, _, again = empty.ask("/v1/photos?name=other.jpg", jpegs[0])
    assert (status, again["known"]) == (200, True)
    assert len(stored(tmp_path)) == len(names)
    assert all(name.startswith("collected/") for name in empty.ids())
    empty.do(do="label", photos=list(empty.ids().values()), label="mug")
    assert empty.ask("/v1/write", {})[2]["n_photos"] == len(names)


def test_what_is_no_photo_is_refused_with_its_reason(empty, jpegs, tmp_path):
    for body in (b"", b"text", jpegs[0][:200]):
        status, _, said = empty.ask("/v1/photos?name=x.jpg", body)
        assert (status, bool(said["message"])) == (422, True)
    assert empty.ask("/v1/photos", jpegs[0], Authorization="")[0] == 401
    assert stored(tmp_path) == {}


def test_photos_keep_the_folders_that_they_lay_in(empty, jpegs, tmp_path):
    """Whatever the folders are called, and however deep they lie; a photo may have the name of a folder."""
    deep = "/".join("abcdef")
    paths = ["hat/1.jpg", "shoe/1.jpg", "hat", "hat/2.jpg", f"{deep}/3.jpg", "../con/.x/../4.jpg", "c:\\mine\\5.jpg"]
    for path, jpeg in zip(paths, jpegs, strict=False):
        assert empty.ask(f"/v1/photos?name={quote(path)}", jpeg)[0] == 200
    wanted = ["hat/1.jpg", "shoe/1.jpg", "hat/2.jpg", "c/d/e/f/3.jpg", "con_/_.x/4.jpg", "c_/mine/5.jpg"]
    names = dict(zip([*wanted[:2], "hat", *wanted[2:]], jpegs, strict=False))
    own = names.pop("hat")
    found = stored(tmp_path)
    (other,) = found.keys() - names.keys()
    assert (found.pop(other), found) == (own, names)
    empty.ask("/v1/look", b"")
    assert empty.ids().keys() >= {f"collected/{name}" for name in names}


def test_a_photo_whose_folder_has_the_name_of_a_photo_is_kept(empty, jpegs, tmp_path):
    for path, jpeg in zip(("hat", "hat/1.jpg"), jpegs, strict=False):
        assert empty.ask(f"/v1/photos?name={path}", jpeg)[0] == 200
    assert stored(tmp_path) == {"hat": jpegs[0], "1.jpg": jpegs[1]}


def test_a_first_look_begins_with_the_demo_s_photos(empty):
    assert empty.ask("/v1/demo", {})[2]["photos"] == 84
    assert len(empty.ids()) == 84
    assert all(photo[5] == "" for photo in empty.state()[1]["photos"])  # nobody has said what they are
    assert empty.ask("/v1/demo", {})[0] == 422


def test_a_zip_is_taken_apart(empty, jpegs, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("hat/1.jpg", jpegs[0])
        archive.writestr("shoe/1.jpg", jpegs[1])
        archive.writestr("shoe/2.jpg", jpegs[1])
        archive.writestr("cut.jpg", jpegs[2][:200])
        archive.writestr("notes.txt", "x")
    name = empty.ask("/v1/zip", packed.getvalue())[2]["zip"]
    said = empty.ended(empty.job("unzip", zip=name))["result"]
    assert (len(said["photos"]), said["n_known"], said["n_refused"]) == (2, 1, 2)
    assert {row[0] for row in said["refused"]} == {"cut.jpg", "notes.txt"}
    assert sorted(stored(tmp_path).values()) == sorted(jpegs[:2])
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../evil.jpg", jpegs[0])
    for content in (packed.getvalue(), b"no zip", LEAN):
        name = empty.ask("/v1/zip", content)[2]["zip"]
        job = empty.ended(empty.job("unzip", zip=name))
        assert job["state"] == "failed" or not job["result"]["photos"]
    assert empty.ended(empty.job("unzip", zip="../../x.zip"))["state"] == "failed"
    assert len(stored(tmp_path)) == 2
    assert not list((tmp_path / "new.studio").glob("incoming-*"))
