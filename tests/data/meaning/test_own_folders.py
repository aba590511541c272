"""What tellapart wrote is known again, in folders and zips, wherever it lies and whatever it is called."""

import zipfile
from pathlib import Path

import pytest

from tellapart.checks.quarantine import README
from tellapart.checks.removal import LIST
from tellapart.data.meaning.named_photos import scan_photos
from tellapart.data.meaning.own_folders import HELD, own_folders
from tellapart.data.source import scan
from tellapart.errors import InputError
from tellapart.export.folder import RECORD
from tellapart.model.artifact import EVALUATION, MANIFEST, MODEL, REPORT
from tellapart.report.inside_page import PAGE
from tellapart.studio.journal import LOCK, NAME
from tellapart.studio.table import NAME as TABLE

KINDS = {
    "a model folder": [MANIFEST, MODEL, EVALUATION, REPORT, "examples/1-hat.jpg"],
    "an evaluation": [EVALUATION, REPORT],
    "an exported model": [RECORD, "index.html", "model/examples/1-hat.jpg"],
    "an explanation": [PAGE, "seen.png"],
    HELD: [LIST, README, "hat/1.jpg"],
    "a studio": [NAME, LOCK, TABLE],
}


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"photo")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "photos", *(f"{name}/{n}.jpg" for name in ("hat", "dress") for n in (1, 2, 3)))
    return tmp_path / "photos"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["model", "hat/old model", "Kleidung"])
@pytest.mark.parametrize("packed", [False, True])
def test_what_tellapart_wrote_is_left_out_and_said(photos: Path, kind: str, place: str, packed: bool) -> None:
    make(photos / place, *KINDS[kind])
    source = "photos"
    if packed:
        source = "photos.zip"
        with zipfile.ZipFile(source, "w") as file:
            for path in sorted(photos.rglob("*.*")):
                file.write(path, str(path.relative_to(photos)))
    dataset = scan(source)
    assert dataset.class_names == ("dress", "hat")
    assert (dataset.n, dataset.skipped) == (6, ())
    [note] = dataset.notes
    assert note.startswith(f'"{place}/" is {kind} of tellapart, not a class: {len(KINDS[kind])} files')
    if not packed:
        assert len(scan_photos(["photos"])) == 6


def test_a_wrapper_beside_a_model_is_still_a_wrapper(photos: Path) -> None:
    make(photos.parent, "all/set/hat/1.jpg", "all/set/dress/1.jpg", "all/model/manifest.json", "all/model/model.onnx")
    assert scan("all").class_names == ("dress", "hat")


def test_what_killed_runs_leave_is_no_class(photos: Path) -> None:
    make(photos, ".model.partial-x1/model.onnx", ".model.partial-x1/examples/1.jpg", ".studio/crops/1.jpg")
    assert (scan("photos").class_names, scan("photos").notes) == (("dress", "hat"), ())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != HELD])
def test_a_model_is_no_set_of_photos(photos: Path, kind: str) -> None:
    make(photos.parent / "mine", *KINDS[kind])
    with pytest.raises(InputError, match=f'^"mine" is {kind} of tellapart, not a set of photos'):
        scan("mine")


def test_files_of_such_names_alone_prove_nothing() -> None:
    assert own_folders([("hat", "manifest.json"), ("hat", "1.jpg"), ("cap", "report.html")]) == {}
    assert own_folders([("hat", "export.json"), ("hat", "1.jpg")]) == {}  # photos as another program exported them


def test_an_export_json_of_another_program_above_photos_is_no_export_of_ours(photos: Path) -> None:
    make(photos, "export.json", "hat/export.json", "hat/2023/4.jpg")
    (photos / "hat").joinpath("1.jpg").rename(photos / "hat" / "2023" / "1.jpg")
    dataset = scan("photos")
    assert (dataset.class_names, dataset.n, dataset.notes) == (("dress", "hat"), 7, ())


@pytest.mark.parametrize("made", ["index.html", "app.py", "Dockerfile", "model.json"])
def test_every_kind_of_export_is_known(made: str) -> None:
    assert own_folders([("site", RECORD), ("site", made), ("site", "README.md")]) == {("site",): "an exported model"}
