"""Whole runs of `embed`, `status` and `train` on shards: stopped, killed, two at once, on a full disk."""

import csv
import json
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from tellapart.extras import has
from tellapart.shards import parquet

OPTIONS = ("--quality", "fast", "--shard-size", "7")
N_PHOTOS, N_SHARDS = 89, 13


@pytest.fixture(scope="module")
def garments(shared_data, tmp_path_factory) -> Path:
    """89 photos of garments in four classes, and two files that are none."""
    folder = tmp_path_factory.mktemp("garments") / "photos"
    for name in ("dress", "hat", "pants", "shoes"):
        shutil.copytree(shared_data / "clothing" / "test" / name, folder / name)
    (folder / "hat" / "empty.jpg").touch()
    (folder / "hat" / "readme.txt").write_text("hello")
    return folder


@pytest.fixture(scope="module")
def whole(tellapart, garments) -> Path:
    """All their shards, by one process."""
    target = garments.parent / "whole"
    tellapart.works("embed", garments, "-o", target, *OPTIONS)
    return target


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "features").iterdir())}


def wait_for_shards(folder: Path, n: int, run: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 100
    while not folder.is_dir() or sum(not path.name.startswith(".") for path in folder.iterdir()) < n:
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_run_leaves_whole_shards_and_the_next_goes_on(own_process, garments, whole, tmp_path):
    target = tmp_path / "killed"
    for n in (1, 3):
        run = own_process.start("embed", garments, "-o", target, *OPTIONS, stdout=subprocess.PIPE)
        wait_for_shards(target / "features", n, run)
        run.kill()
        run.communicate()
    left = shards(target)
    assert 3 <= len([name for name in left if not name.startswith(".")]) < N_SHARDS
    state = own_process.json("status", target)
    assert state["found"] == N_PHOTOS + 2 == state["used"] + state["skipped"] + state["waiting"]
    times = {path.name: path.stat().st_mtime_ns for path in (target / "features").glob("*.parquet")}
    said = own_process.json("embed", garments, "-o", target, *OPTIONS)
    assert said["made"] == N_SHARDS - len(times)
    assert shards(target) == shards(whole)
    assert all((target / "features" / name).stat().st_mtime_ns == at for name, at in times.items())


def test_a_loop_over_parts_and_two_runs_at_once_give_the_bytes_of_one(
    own_process, tellapart, garments, whole, tmp_path
):
    for i in (1, 2, 3):
        tellapart.works("embed", garments, "-o", tmp_path / "loop", *OPTIONS, "--shard", f"{i}/3", "--workers", 2)
    assert shards(tmp_path / "loop") == shards(whole)
    runs = [
        own_process.start("embed", garments, "-o", tmp_path / "both", *OPTIONS, "--json", stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [json.loads(run.communicate(timeout=150)[0]) for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sum(one["made"] for one in said) == N_SHARDS
    assert all(one["done"] == N_SHARDS for one in said)
    assert shards(tmp_path / "both") == shards(whole)


def test_ctrl_c_says_how_to_go_on(own_process, garments, tmp_path):
    target = tmp_path / "stopped"
    run = own_process.start("embed", garments, "-o", target, *OPTIONS, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for_shards(target / "features", 2, run)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert out == b""
    assert err.decode() == "Stopped. Shards that are done are kept; the same command makes the others.\n"
    assert not [name for name in shards(target) if not name.endswith(".parquet")]


@pytest.mark.thorough  # files are written as everywhere, tests/storage/test_atomic.py
def test_a_full_disk_is_a_sentence_and_nothing_is_lost(own_process, tellapart, garments, whole, tmp_path):
    """A limit on the size of files, under which the tables fit and a shard does not."""
    target = tmp_path / "full"
    tellapart.works("embed", garments, "-o", target, *OPTIONS, "--shard", f"1/{N_SHARDS}")
    kept = shards(target)

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    run = own_process.start("embed", garments, "-o", target, *OPTIONS, preexec_fn=small_disk,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    err = run.communicate(timeout=100)[1].decode()
    assert run.returncode == 2
    assert "Traceback" not in err
    assert "000001.parquet' cannot be written: file too large." in err
    assert shards(target) == kept
    tellapart.works("embed", garments, "-o", target, *OPTIONS)
    assert shards(target) == shards(whole)


def test_a_model_of_shards_is_the_model_of_the_photos(tellapart, garments, whole, tmp_path):
    for name, source in (("photos", garments), ("shards", whole)):
        tellapart.works("train", source, "-o", tmp_path / name / "garments", "--quality", "fast", "--no-advice")
    a, b = (tmp_path / name / "garments" for name in ("photos", "shards"))
    assert (a / "model.onnx").read_bytes() == (b / "model.onnx").read_bytes()
    first, second = (json.loads((folder / "evaluation.json").read_bytes()) for folder in (a, b))
    assert first | {"timings_s": 0} == second | {"timings_s": 0}


def test_bad_input_gets_a_sentence(tellapart, garments, whole, tmp_path):
    tellapart.refuses("embed", garments, "-o", whole, says=["another network", "--quality fast"])
    tellapart.refuses("embed", garments, says=["--plan"])
    tellapart.refuses("embed", garments, "-o", whole, "--shard", "0/4", says=["3/64"])
    tellapart.refuses("embed", tmp_path / "absent", "-o", tmp_path / "new", says=["There is no"])
    tellapart.refuses("status", garments, says=["no folder of shards"])
    tellapart.refuses("train", whole, "-o", tmp_path / "model", says=["--quality fast"])
    assert not (tmp_path / "new").exists()


def test_a_plan_and_a_state_are_said_in_words(tellapart, garments, whole, tmp_path):
    said = tellapart.works("embed", garments, "--plan", "--quality", "fast")
    assert said.startswith(f"{N_PHOTOS} photos of 2.")
    assert f"photos/s of the {N_PHOTOS} tried now." in said
    said = tellapart.works("status", whole)
    assert said.splitlines()[:2] == ["13 of 13 shards done.", "91 files found = 89 used + 2 skipped."]
    assert "1 × empty file" in said


def test_check_finds_in_shards_what_it_finds_in_the_photos(tellapart, garments, whole, tmp_path):
    """Copies, a leak of labels, a blurred and a dark photo among them; then with no photo there any more."""
    photos, dest = tmp_path / "photos", tmp_path / "shards"
    for name in ("dress", "hat"):
        shutil.copytree(garments / name, photos / name)
    first, second = sorted((photos / "hat").glob("*.jpg"))[:2]
    shutil.copyfile(first, photos / "hat" / "copy.jpg")
    shutil.copyfile(second, photos / "dress" / "conflict.jpg")
    with Image.open(second) as image:
        image.filter(ImageFilter.GaussianBlur(12)).save(photos / "hat" / "blurred.jpg")
        image.point(lambda value: value // 30).save(photos / "hat" / "dark.png")
    tellapart.works("embed", photos, "-o", dest, *OPTIONS)
    wanted = tellapart.json("check", photos, "--quality", "fast")
    assert tellapart.json("check", dest, "--quality", "fast") == wanted
    kinds = {finding["kind"] for finding in wanted["findings"]}
    assert {"label_conflict", "exact_duplicate", "blurred", "dark", "unusable"} <= kinds
    photos.rename(tmp_path / "elsewhere")
    assert tellapart.json("check", dest, "--quality", "fast") == wanted
    tellapart.works("check", dest, "--quality", "fast", "-o", tmp_path / "page.html")
    tellapart.refuses("check", dest, "--fix", says=["folder of shards"])
    tellapart.refuses("check", dest, says=["another network", "--quality fast"])


@pytest.mark.thorough
def test_a_model_of_photos_that_are_gone_is_written_and_says_so(tellapart, whole, tmp_path):
    dest = moved(whole, tmp_path, tmp_path / "gone")
    tellapart.works("train", dest, "-o", tmp_path / "garments", "--quality", "fast", "--no-advice")
    said = json.loads((tmp_path / "garments" / "evaluation.json").read_bytes())
    (warning,) = [text for text in said["warnings"] if "cannot be read any more" in text]
    assert "The file does not exist" in warning
    assert said["proof"]["n"] == 0
    assert "a drawn picture" in (tmp_path / "garments" / "report.html").read_text()
    assert not list((tmp_path / "garments").glob("examples/*"))


@pytest.mark.thorough
def test_of_photos_that_are_half_there_the_model_is_the_same(tellapart, garments, whole, tmp_path):
    shutil.copytree(garments, tmp_path / "half")
    for photo in sorted((tmp_path / "half").rglob("*.jpg"))[::2]:
        photo.unlink()
    for name, dest in (("there", whole), ("half", moved(whole, tmp_path, tmp_path / "half"))):
        tellapart.works("train", dest, "-o", tmp_path / name / "garments", "--quality", "fast", "--no-advice")
    there, half = (tmp_path / name / "garments" for name in ("there", "half"))
    assert (there / "model.onnx").read_bytes() == (half / "model.onnx").read_bytes()
    n_proven = [json.loads((folder / "evaluation.json").read_bytes())["proof"]["n"] for folder in (there, half)]
    assert n_proven[0] > n_proven[1] > 0


def moved(whole: Path, tmp_path: Path, root: Path) -> Path:
    """The shards `whole`, which look for their photos in `root`."""
    dest = tmp_path / "moved"
    shutil.copytree(whole, dest)
    manifest = json.loads((dest / "manifest.json").read_bytes())
    (dest / "manifest.json").write_text(json.dumps(manifest | {"root": str(root)}))
    return dest


def test_photos_without_labels_are_embedded_found_and_labelled_later(tellapart, garments, tmp_path):
    photos, dest = tmp_path / "loose", tmp_path / "shards"
    photos.mkdir()
    for name in ("dress", "hat"):
        for photo in sorted((garments / name).glob("*.jpg"))[:9]:
            shutil.copyfile(photo, photos / f"{name}-{photo.name}")
    (photos / "hat-empty.jpg").unlink(missing_ok=True)
    tellapart.works("embed", photos, "-o", dest, *OPTIONS)
    tellapart.refuses("train", dest, "-o", tmp_path / "model", "--quality", "fast", says=["None of", "column label"])
    path = dest / "labels" / "part-0.parquet"
    table = parquet.load(path)
    labels = [uri.split("-")[0] for uri in table["uri"].to_pylist()]
    table = table.set_column(1, "label", parquet.arrow().array(["", *labels[1:]]))
    parquet.save(path, table, {}, [])
    said = tellapart.works("train", dest, "-o", tmp_path / "model", "--quality", "fast", "--no-advice")
    assert "dress" in said or "hat" in said
    assert "1 photo without a label is not used." in (tmp_path / "model" / "evaluation.json").read_text()
    photo = min((garments / "hat").glob("1*.jpg"), default=min((garments / "hat").glob("*.jpg")))
    found = tellapart.json("similar", dest, photo, "-n", 3)
    assert [one["label"] in {"hat", "dress", ""} for one in found["photos"]] == [True] * 3
    lines = tellapart.works("similar", dest, found["photos"][0]["uri"], "-n", 2).splitlines()
    assert len(lines) == 2
    tellapart.refuses("similar", dest, "absent.jpg", says=["no photo in"])
    tellapart.refuses("similar", photos, photo, says=["no folder of shards"])


def test_options_of_answers_in_shards_are_refused_where_they_do_not_belong(tellapart, model, garments, tmp_path):
    for option, value in (("--shard", "1/2"), ("--ray", "auto"), ("--device", "cpu"), ("--workers", 2)):
        tellapart.refuses("predict", model, garments, option, value, says=[f"{option}", "go with -o"])
    asked = ("predict", model, garments, "-o", tmp_path / "new", "--ray")
    tellapart.refuses(*asked, "two words", says=["no address of a Ray cluster", "HOST:PORT"])
    if has("cluster"):
        tellapart.refuses(*asked, "127.0.0.1:1", says=["No Ray cluster answers at '127.0.0.1:1'"])
    assert not (tmp_path / "new").exists()


@pytest.mark.thorough
def test_answers_on_many_photos_are_those_of_a_table(tellapart, own_process, model, garments, tmp_path):
    """Stopped by a kill in between; the columns are those of the table, and their values too."""
    dest, table = tmp_path / "answers", tmp_path / "table.csv"
    command = ("predict", model, garments, "-o", dest, "--shard-size", 7)
    run = own_process.start(*command, stdout=subprocess.PIPE)
    wait_for_shards(dest / "answers", 2, run)
    run.kill()
    run.communicate()
    done = len(list((dest / "answers").glob("*.parquet")))
    state = tellapart.json(*command)
    assert state["made"] == N_SHARDS - done
    assert tellapart.json("status", dest)["used"] == state["used"] == N_PHOTOS
    tellapart.works("predict", model, garments, "--csv", table)
    wanted = {row["photo"]: row for row in csv.DictReader(table.read_text().splitlines())}
    files = sorted((dest / "answers").glob("*.parquet"))
    rows = [row for path in files for row in parquet.load(path).to_pylist()]
    assert [name for name in rows[0] if name not in ("uri", "code")] == list(next(iter(wanted.values())))
    for row in rows:
        of_table = wanted[row["photo"]]
        for name, value in of_table.items():
            mine = "" if row[name] is None else f"{row[name]:.6f}" if isinstance(row[name], float) else row[name]
            assert mine == value, name
    tellapart.refuses(*command, "--csv", table, says=["--csv"])
    tellapart.refuses("similar", dest, rows[0]["uri"], says=["no features"])
