"""The score in a real studio: the number of `tellapart train`, of photos that chance chose, compared and kept."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.source import Dataset
from tellapart.recipe import LinearProbe
from tellapart.studio.draw import Draw
from tellapart.studio.heap import Photo
from tellapart.studio.journal import KIND, VERSION, open_journal
from tellapart.studio.session import Session
from tellapart.studio.work import score as scoring
from tellapart.studio.work.desk import READING, Desk, Seen
from tellapart.studio.work.stacks import draw_on
from tellapart.studio.work.tasks import TASKS
from tellapart.timing import no_progress
from tellapart.workflow.train import scored

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


def a_photo(i, place):
    return Photo(f"{i:032x}", str(i), place, "", False, "", 0.0, 1)


@pytest.fixture
def desk(garments, tmp_path):
    """What the child has at hand, in this process: all of them labelled, and read."""
    folder, state = tmp_path / "photos", tmp_path / "photos.studio"
    shutil.copytree(garments, folder)
    with open_journal(state) as journal:
        session = Session(str(folder), state, journal, beside=True)
        session.look()
        with Desk(state, str(folder)) as one:
            one.take(session.heap.photos)
            session.drew(TASKS["read"](one, {}, no_progress)["stacks"])
            for photo in session.heap.photos:
                session.do({"do": "label", "photos": [photo.id], "label": photo.name.partition("-")[0]})
            one.take(None)
            yield one


def test_the_number_is_told_before_the_rest_and_stays(desk):
    told = []
    desk.tell_first = lambda part: told.append(json.loads(json.dumps(part)))
    result = json.loads(json.dumps(TASKS["score"](desk, {}, no_progress)))
    (first,) = told
    late = ("sentences", "answers")
    assert {key: first[key] for key in first if key not in late} == {
        key: result[key] for key in result if key not in late
    }
    assert "answers" not in first
    assert set(first["sentences"]) <= set(result["sentences"])


@pytest.mark.thorough
def test_of_very_many_stacks_the_number_is_of_some_of_them(desk, monkeypatch):
    """As `train` gives it on the photos that are left, so that no other photo had a part in it."""
    TASKS["score"](desk, {}, no_progress)
    n_all = desk.at_hand.trained.prepared.dataset.n
    monkeypatch.setattr(scoring, "MOST_STACKS", 20)
    result = TASKS["score"](desk, {}, no_progress)
    left = desk.at_hand.trained.prepared.dataset
    assert 20 <= left.n < n_all
    assert result["thinned"] == len(set(draw_on(desk, no_progress).stacks.values()))
    table = desk.folder / "thinned.csv"
    rows = (desk.folder / "photos.csv").read_text().splitlines()
    kept = [row for row in rows if row.split(",")[0] in left.places]
    table.write_text("\n".join([rows[0], *kept]) + "\n")
    _, evaluation, _ = scored(str(table), LinearProbe(READING), progress=no_progress)
    assert result["headline"] == evaluation.headline
    assert result["accuracy"]["n_right"] == evaluation.accuracy.n_right


@pytest.mark.parametrize("seed", range(5))
def test_stacks_are_left_out_as_a_whole_and_classes_keep_their_shares(seed, tmp_path, monkeypatch):
    rng = np.random.default_rng(seed)
    n, most, n_classes = 600, int(rng.integers(60, 200)), int(rng.integers(2, 6))
    stack_of = np.sort(rng.integers(0, 400, n))
    label_of = rng.integers(0, n_classes, 400)
    is_test = rng.random(400) < 0.1
    file = tmp_path / "0"
    file.touch()
    splits = np.where(is_test[stack_of], "test", "train")
    dataset = Dataset.from_lists([file] * n, [f"c{c}" for c in label_of[stack_of]], splits.tolist())
    places = tuple(str(tmp_path / str(i)) for i in range(n))
    object.__setattr__(dataset, "places", places)
    photos = tuple(a_photo(i, place) for i, place in enumerate(places))
    none = np.zeros((0, 1), np.float32)
    seen = Seen(photos, none, none, none, {}, None)
    draw = Draw({photo.id: f"s{stack}" for photo, stack in zip(photos, stack_of, strict=True)}, frozenset())
    whole, n_told = scoring.at_most(dataset, seen, draw)
    assert (whole, n_told) == (dataset, 0)
    monkeypatch.setattr(scoring, "MOST_STACKS", most)
    some, n_told = scoring.at_most(dataset, seen, draw)
    names = np.unique(stack_of)
    assert n_told == len(names)
    left = np.array([int(place.rpartition("/")[2]) for place in some.places])
    chosen = np.unique(stack_of[left])
    assert np.array_equal(np.sort(left), np.flatnonzero(np.isin(stack_of, chosen)))  # whole stacks
    assert set(names[is_test[names]]) <= set(chosen)
    assert abs(len(chosen) - most) <= n_classes
    for label in range(n_classes):
        every, own = (rows[(label_of[rows] == label) & ~is_test[rows]] for rows in (names, chosen))
        assert abs(len(own) - len(every) * (most - is_test[names].sum()) / (~is_test[names]).sum()) <= 1
    again, _ = scoring.at_most(dataset, seen, draw)
    assert again.places == some.places
