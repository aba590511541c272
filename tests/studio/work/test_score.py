"""The score in a real studio: the number of `tellapart train`, of photos that chance chose, compared and kept."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.studio.journal import KIND, VERSION

N = 14  # photos of a class


@pytest.fixture(scope="module")
def garments(shared_data, tmp_path_factory):
    """Hats and shoes, none of them labelled."""
    folder = tmp_path_factory.mktemp("score") / "photos"
    folder.mkdir()
    for name in ("hat", "shoes"):
        for path in sorted((shared_data / "clothing" / "train" / name).iterdir())[:N]:
            shutil.copy(path, folder / f"{name}-{path.name}")
    return folder


def result(one, do, **asked):
    said = one.ended(one.job(do, **asked))
    assert said["state"] == "done", said
    return said["result"]


def classes_of(one):
    """{class: its photos}, by their names."""
    found = {"hat": [], "shoes": []}
    for name, photo in one.ids().items():
        found[name.partition("-")[0]].append(photo)
    return found


def label_all(one, by=""):
    """Each photo by itself, as a person does who takes no proposal."""
    for label, photos in classes_of(one).items():
        for photo in photos:
            one.do(do="label", photos=[photo], label=label, by=by)


def test_the_number_is_that_of_train(garments, studio, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(garments, folder)
    one = studio(folder)
    result(one, "read")
    label_all(one)
    score = result(one, "score")
    assert (score["kind"], score["n_test"], len(score["tested"])) == ("crossed", 2 * N, 2 * N)
    table = tmp_path / "photos.studio" / "photos.csv"
    model = tmp_path / "model"
    command = [sys.executable, "-m", "tellapart", "train", table, "-o", model, "--no-advice"]
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    trained = json.loads((model / "evaluation.json").read_text())
    for key in ("accuracy", "per_class", "headline", "n_test"):
        assert score[key] == trained[key]
    right = sum(label == answer for _, label, answer, _ in score["tested"])
    assert right == score["accuracy"]["n_right"]
    assert {row["photo"] for row in score["wrong"]} == {row[0] for row in score["tested"] if row[1] != row[2]}
    assert len(score["answers"]) == 2 * N

    first, written = score["versions"]["rows"], table.read_text()
    assert [row["number"] for row in result(one, "score")["versions"]["rows"]] == [1]  # the same labels: no new version
    photo = classes_of(one)["hat"][0]
    one.do(do="label", photos=[photo], label="shoes")
    again = result(one, "score")["versions"]
    assert [row["number"] for row in again["rows"]] == [2, 1]
    assert again["compared"]
    assert again["again"].startswith("1 test photo got another label")
    assert again["rows"][1]["n_right"] == first[0]["n_right"] - 1
    old = one.ask(f"/v1/write?lines={first[0]['n_lines']}", b"")[2]
    assert Path(old["path"]).read_text() == written
    assert table.read_text() != written
    steps = result(one, "advice")
    assert steps["enough"]


def test_what_no_chance_chose_only_trains(garments, studio, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(garments, folder)
    journal = tmp_path / "photos.studio" / "journal.jsonl"
    journal.parent.mkdir()
    header = {"journal": KIND, "version": VERSION, "seed": "draws of both classes", "made": "2026-11-29T12:00:00+00:00"}
    journal.write_text(json.dumps(header) + "\n")
    one = studio(folder)
    result(one, "read")
    tests = set(result(one, "suggestions")["drawn"])
    assert 0 < len(tests) < N
    assert not any(photo[-1] for photo in one.state()[1]["photos"])  # nothing says which before it has a label
    hats, shoes = classes_of(one).values()
    left = one.do(do="label", photos=hats, label="hat")["left"]
    assert left == len(tests & set(hats)) > 0
    one.do(do="label", photos=shoes, label="shoes", by="strip")
    marks = {photo[0]: photo[5:] for photo in one.state()[1]["photos"]}
    assert {photo for photo, mark in marks.items() if not mark[0]} == tests
    single = min(tests & set(hats))
    assert one.do(do="label", photos=[single], label="hat", by="suggest")["left"] == 0
    mark = {photo[0]: photo[5:] for photo in one.state()[1]["photos"]}[single]
    assert (mark[0], mark[4], mark[6]) == ("hat", "", True)
    result(one, "score")
    rows = [line.split(",") for line in (tmp_path / "photos.studio" / "photos.csv").read_text().splitlines()[1:]]
    assert {row[2] for row in rows if row[1] == "shoes"} == {"train"}
    assert {row[2] for row in rows if row[1] == "hat"} == {"crossed"}
