"""`tellapart check`: what was planted is found, moved out of the way, and comes back to the byte."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageFilter, ImageOps

CLASSES = ("dress", "hat", "shoes")
MOVED = {"leak", "unusable", "exact_duplicate", "near_duplicate"}
N_NOTES = 1500  # files that cannot be used; enough that moving them takes a while


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def halved(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2))


def cropped(image: Image.Image) -> Image.Image:
    """Without 5 % of its width and of its height."""
    x, y = image.width / 40, image.height / 40
    return image.crop((round(x), round(y), round(image.width - x), round(image.height - y)))


def dimmed(image: Image.Image) -> Image.Image:
    return image.point(lambda value: int(0.12 * value))


def blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(9))


def plain(shared_data: Path, folder: Path, places: slice, classes: tuple[str, ...] = CLASSES) -> Path:
    """Photos of garments, a folder a class."""
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i, path in enumerate(sorted((shared_data / "clothing" / "train" / name).iterdir())[places]):
            shutil.copyfile(path, folder / name / f"{i:02}.jpg")
    return folder


def plant(shared_data: Path, folder: Path) -> Path:
    """Train and test folders of garments with one of everything that is wrong."""
    train = plain(shared_data, folder / "train", slice(0, 12))
    test = plain(shared_data, folder / "test", slice(12, 15))

    def changed(place: str, change: Callable[[Image.Image], Image.Image], to: Path, quality: int = 92) -> None:
        change(opened(train / place)).save(to, quality=quality)

    changed("dress/00.jpg", halved, train / "dress" / "resized.jpg")
    changed("hat/01.jpg", lambda image: image, train / "hat" / "recompressed.jpg", quality=40)
    changed("shoes/02.jpg", ImageOps.mirror, train / "shoes" / "mirrored.jpg")
    changed("dress/03.jpg", cropped, train / "dress" / "cropped.jpg")
    shutil.copy(train / "hat" / "08.jpg", train / "hat" / "หมวก.jpg")
    shutil.copy(train / "shoes" / "07.jpg", train / "hat" / "torn.jpg")
    shutil.copy(train / "dress" / "05.jpg", test / "dress" / "leak.jpg")
    changed("hat/06.jpg", ImageOps.mirror, test / "hat" / "mirrored\nleak.jpg")
    changed("dress/09.jpg", dimmed, train / "dress" / "dark.jpg")
    changed("shoes/09.jpg", blurred, train / "shoes" / "blurred.jpg")
    (train / "hat" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    return folder


@pytest.fixture(scope="module")
def planted(shared_data, tmp_path_factory):
    """A folder that tests leave as it is."""
    return plant(shared_data, tmp_path_factory.mktemp("planted") / "my photos")


@pytest.fixture(scope="module")
def checked(tellapart, planted, tmp_path_factory):
    """What one check says about it as JSON, and its page."""
    page = tmp_path_factory.mktemp("page") / "check.html"
    found = tellapart.json("check", planted, "--quality", "fast", "-o", page)
    return found, page


def named(found, kind, within):
    """The photos of each row of the findings of that kind, without the folder."""
    rows = [row for finding in found["findings"] if finding["kind"] == kind for row in finding["photos"]]
    return {tuple(cell.removeprefix(f"{within}/") for cell in row) for row in rows}


def kinds(found):
    return {finding["kind"] for finding in found["findings"]}


def test_everything_planted_is_found_and_nothing_else_is_called_a_copy(checked, planted):
    found, _ = checked
    assert found["n_found"] == found["n_used"] + 1 == 36 + 9 + 11
    assert named(found, "label_conflict", planted) == {("train/hat/torn.jpg", "train/shoes/07.jpg", "exact")}
    assert named(found, "leak", planted) == {
        ("test/dress/leak.jpg", "train/dress/05.jpg", "exact"),
        ("test/hat/mirrored\ufffdleak.jpg", "train/hat/06.jpg", "near"),
    }
    assert named(found, "exact_duplicate", planted) == {("train/hat/08.jpg", "train/hat/หมวก.jpg", "exact")}
    assert named(found, "near_duplicate", planted) == {
        ("train/dress/00.jpg", "train/dress/resized.jpg", "near"),
        ("train/dress/03.jpg", "train/dress/cropped.jpg", "near"),
        ("train/dress/09.jpg", "train/dress/dark.jpg", "near"),  # by looking, as is the blurred one
        ("train/hat/01.jpg", "train/hat/recompressed.jpg", "near"),
        ("train/shoes/02.jpg", "train/shoes/mirrored.jpg", "near"),
        ("train/shoes/09.jpg", "train/shoes/blurred.jpg", "near"),
    }
    assert {row[0] for row in named(found, "unusable", planted)} == {"train/hat/broken.jpg"}
    assert {row[0] for row in named(found, "dark", planted)} == {"train/dress/dark.jpg"}
    assert {row[0] for row in named(found, "blurred", planted)} == {"train/shoes/blurred.jpg"}
    for finding in found["findings"]:
        assert set(finding) == {"kind", "sentence", "advice", "photos", "sure", "suspects", "likely_wrong"}
        assert finding["sentence"].endswith(".")
        assert finding["advice"]
        assert finding["sure"]


def test_labels_are_not_judged_with_fewer_than_a_hundred_photos(checked):
    assert "mislabelled" not in kinds(checked[0])


def test_the_page_is_one_file_with_every_finding_and_its_thumbnails(checked):
    found, page = checked
    text = page.read_text("utf-8")
    assert [path.name for path in page.parent.iterdir()] == ["check.html"]
    for sentence in (finding["sentence"] for finding in found["findings"]):
        assert sentence.replace('"', "&#34;") in text or sentence in text
    assert text.count("data:image/") >= 15
    assert not re.findall(r"""\s(?:src|href)\s*=\s*["'](?!data:|#).*?["']""", text)
    assert not re.findall(r"""url\(\s*(?!["']?(?:data:|#))|@import|https?://(?!www\.w3\.org)""", text)
    assert "หมวก.jpg" in text


def test_text_names_what_matters_and_fits_a_screen(tellapart, planted):
    said = tellapart.works("check", planted, "--quality", "fast")
    assert said.startswith("55 photos of 3 classes (56 files found).\n")
    assert "  · test/dress/leak.jpg  ·  train/dress/05.jpg  ·  exact" in said
    assert "mirrored\ufffdleak.jpg" in said
    assert str(planted) not in said, "names are shown within the folder"
    assert len(said.splitlines()) < 60


def test_fix_moves_and_undo_restores_every_byte(tellapart, shared_data, tmp_path, snapshot):
    folder = plant(shared_data, tmp_path / "my photos")
    before = snapshot(tmp_path)

    planned = tellapart.works("check", folder, "--quality", "fast", "--fix", "--dry-run")
    assert snapshot(tmp_path) == before
    assert "10 files would be moved to" in planned
    assert "  · train/hat/broken.jpg  ·  unusable: The photo is cut off" in planned

    said = tellapart.works("check", folder, "--quality", "fast", "--fix")
    assert "10 files moved to" in said
    assert "Nothing was deleted." in said
    assert "2 photos that may be in the wrong class stay: look at each" in said
    after = snapshot(folder)
    assert len(after) == len(before) - 10
    assert all(before[f"my photos/{name}"] == content for name, content in after.items())
    stored = set(snapshot(tmp_path / "my photos.quarantine").values())
    gone = {content for name, content in before.items() if name.removeprefix("my photos/") not in after}
    assert gone <= stored

    again = tellapart.json("check", folder, "--quality", "fast", "--fix")
    assert not kinds(again) & MOVED
    assert again["quarantine"]["moved"] == []

    labels = shlex.split(said.strip().splitlines()[-1].split("nevertheless: ")[1])
    assert labels == ["tellapart", "check", str(folder), "--fix", "--only", "labels"]
    said = tellapart.works(*labels[1:], "--quality", "fast")
    assert "2 files moved to" in said
    command = shlex.split(said.strip().splitlines()[-1].split("To put all back: ")[1])
    assert command[0] == "tellapart"
    restored = tellapart.works(*command[1:])
    assert restored.startswith("12 files moved back from ")
    assert snapshot(tmp_path) == before


def test_a_class_is_never_emptied(tellapart, photos, tmp_path, snapshot):
    folder = tmp_path / "photos"
    shutil.copytree(photos / "banjo", folder / "banjo")
    shutil.copytree(photos / "banjo", folder / "lute")
    shutil.copytree(photos / "drum", folder / "drum")
    before = snapshot(folder)
    assert "0 files moved to" in tellapart.works("check", folder, "--quality", "fast", "--fix")
    said = tellapart.works("check", folder, "--quality", "fast", "--fix", "--only", "labels")
    assert '14 pairs of photos show the same thing under different class names. All photos of "banjo", "lute"' in said
    assert "stays: " in said
    assert "would be left with fewer than 2 photos" in said
    left = [name.split("/")[0] for name in snapshot(folder)]
    assert {name: left.count(name) for name in set(left)} == {"banjo": 2, "lute": 2, "drum": 14}
    tellapart.works("check", folder, "--undo")
    assert snapshot(folder) == before


def test_ctrl_c_while_moving_says_how_to_undo(own_process, photos, tmp_path, snapshot):
    folder = tmp_path / "it's mine"
    for name in ("banjo", "drum"):
        shutil.copytree(photos / name, folder / name)
    for i in range(N_NOTES):
        (folder / "drum" / f"note {i}.txt").write_text(f"{i}")
    before = snapshot(tmp_path)
    run = own_process.start(
        "check", folder, "--quality", "fast", "--fix", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    moved = tmp_path / "it's mine.quarantine" / "moved.jsonl"
    deadline = time.monotonic() + 60
    while not (moved.exists() and moved.stat().st_size > 3000):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    run.send_signal(signal.SIGINT)
    out, err = (text.decode() for text in run.communicate(timeout=60))
    assert run.returncode == 130, err
    assert out == ""
    found = re.fullmatch(r"Stopped\. ([\d,]+) files are in the quarantine\. To put all back: (.+)\n", err)
    assert found, err
    n_moved = int(found[1].replace(",", ""))
    assert 0 < n_moved < N_NOTES
    assert len(list((folder / "drum").glob("*.txt"))) == N_NOTES - n_moved
    said = own_process.works(*shlex.split(found[2])[1:])
    assert said.startswith(f"{n_moved:,} file")
    assert snapshot(tmp_path) == before


def test_only_folders_can_be_fixed(tellapart, photos, tmp_path, snapshot):
    rows = [f"{path},{path.parent.name}" for path in sorted(photos.rglob("*.jpg")) if path.parent.name != "drum"]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted(photos.rglob("*.jpg")):
            archive.write(path, path.relative_to(photos))
    before = snapshot(tmp_path)
    listed = ["is a list of photos", "Remove the lines"]
    tellapart.refuses("check", "labels.csv", "--fix", "--quality", "fast", cwd=tmp_path, says=listed)
    zipped = ["cannot be moved out of the zip", "Unpack it"]
    tellapart.refuses("check", "photos.zip", "--fix", "--quality", "fast", cwd=tmp_path, says=zipped)
    for source in ("labels.csv", "photos.zip", "nowhere"):
        tellapart.refuses("check", source, "--undo", cwd=tmp_path, says=["There is no folder"])
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "options", [["--fix", "--undo"], ["--undo", "--dry-run"], ["--dry-run"], ["--undo", "-o", "page.html"]]
)
def test_options_that_contradict_each_other(tellapart, photos, tmp_path, options):
    tellapart.refuses("check", photos, *options, cwd=tmp_path, says=["--undo goes alone", "--fix --dry-run"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--only", "leaks"], ["--only says what --fix is to move, so it goes with --fix."]),
        (["--only", "leaks", "--undo"], ["goes with --fix"]),
        (["--fix", "--only", "leaks,lables"], ['"lables" is none.', 'Did you mean "labels"?', "copies,leaks,labels"]),
        (["--fix", "--only", ""], ["is none.", "copies,leaks,labels,unusable"]),
    ],
)
def test_only_takes_kinds_of_findings(tellapart, photos, tmp_path, options, says):
    tellapart.refuses("check", photos, *options, cwd=tmp_path, says=says)


@pytest.mark.thorough  # tests/checks/test_fixes.py
def test_a_training_says_what_was_taken_out_of_its_test(tellapart, shared_data, tmp_path):
    folder = plant(shared_data, tmp_path / "photos")
    tellapart.works("check", folder, "--quality", "fast", "--fix", "--only", "leaks,copies")
    said = tellapart.works("train", folder, "-o", tmp_path / "model", "--quality", "fast", "--no-advice")
    sentence = "“tellapart check --fix” has taken out of the test: 2 photos that are also training photos."
    assert sentence in said.splitlines()
    assert sentence in json.loads((tmp_path / "model" / "evaluation.json").read_text("utf-8"))["warnings"]
    assert sentence in (tmp_path / "model" / "report.html").read_text("utf-8")
    assert sentence in tellapart.works("evaluate", tmp_path / "model", folder)
    shutil.rmtree(tmp_path / "photos.quarantine" / "test")
    assert sentence in tellapart.works("evaluate", tmp_path / "model", folder)
    shutil.rmtree(tmp_path / "photos.quarantine")
    assert "warnings" not in tellapart.json("evaluate", tmp_path / "model", folder)


@pytest.fixture
def read_only(photos, tmp_path):
    """Photos with a copy among them on a file system that nobody may write to; or in folders, where one is not root."""
    folder = tmp_path / "read only" / "photos"
    shutil.copytree(photos, folder)
    shutil.copy(next((folder / "drum").iterdir()), folder / "drum" / "again.jpg")
    if os.geteuid() != 0:
        for place in (folder, *folder.iterdir()):
            place.chmod(0o555)
        yield folder
        for place in (folder, *folder.iterdir()):
            place.chmod(0o755)
        return
    bound = shutil.which("mount") and subprocess.run(
        ["mount", "--bind", folder, folder], check=False, stderr=subprocess.DEVNULL
    )
    if not bound or bound.returncode:
        pytest.skip("root may write everywhere, and nothing may be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder, folder], check=True)
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_folder_that_is_read_only_is_an_error_before_anything_moves(tellapart, read_only, snapshot):
    before = snapshot(read_only.parent)
    assert "1 file would be moved" in tellapart.works("check", read_only, "--quality", "fast", "--fix", "--dry-run")
    says = ["Photos cannot be moved out of", "drum", "Nothing was moved."]
    tellapart.refuses("check", read_only, "--quality", "fast", "--fix", says=says)
    assert snapshot(read_only.parent) == before
    assert sorted(path.name for path in read_only.parent.iterdir()) == ["photos"]


def test_undo_without_a_quarantine_says_so(tellapart, photos, snapshot):
    before = snapshot(photos.parent)
    assert tellapart.works("check", photos, "--undo").startswith("There is nothing to undo: no quarantine ")
    assert tellapart.json("check", photos, "--undo")["restored"] == []
    assert snapshot(photos.parent) == before


def test_swapped_labels_are_found_among_a_hundred_photos(tellapart, shared_data, tmp_path):
    folder = plain(shared_data, tmp_path / "photos", slice(0, 36))
    swapped = set()
    for i in range(5):
        name, other = CLASSES[i % 3], CLASSES[(i + 1) % 3]
        (folder / name / f"{3 * i:02}.jpg").rename(folder / other / f"swapped {i}.jpg")
        swapped.add(f"{other}/swapped {i}.jpg")
    rows = named(tellapart.json("check", folder, "--quality", "fast"), "mislabelled", folder)
    found = {row[0] for row in rows}
    assert len(found & swapped) >= 4, found
    assert len(found - swapped) <= 2, found
    assert all(re.fullmatch(r'in ".+"', row[1]) and re.fullmatch(r'looks like ".+"', row[2]) for row in rows)


@pytest.mark.parametrize(
    ("cue", "save"),
    [
        ("file format", lambda image, path: image.save(path.with_suffix(".png"))),
        ("border", lambda image, path: ImageOps.expand(image, 9, (200, 30, 30)).save(path, quality=92)),
    ],
)
def test_a_planted_shortcut_is_named(tellapart, shared_data, tmp_path, cue, save):
    folder = plain(shared_data, tmp_path / "photos", slice(0, 20), CLASSES[:2])
    for path in sorted((folder / "hat").iterdir()):
        image = opened(path)
        path.unlink()
        save(image, path)
    found = tellapart.json("check", folder, "--quality", "fast")
    said = [finding["sentence"] for finding in found["findings"] if finding["kind"] == "shortcut"]
    assert [sentence for sentence in said if sentence.startswith(f"The {cue} alone")], said


def test_what_training_would_refuse_comes_first(tellapart, photos, tmp_path):
    shutil.copytree(photos / "drum", tmp_path / "photos" / "drum")
    found = tellapart.json("check", tmp_path / "photos", "--quality", "fast")
    assert found["findings"][0]["kind"] == "untrainable"
    assert json.dumps(found, allow_nan=False)
