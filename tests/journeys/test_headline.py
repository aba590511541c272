"""Test photos that were trained on too: every door leads with the score without them, for models of before as well."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

import tellapart as package
from tellapart.export import runtime
from tellapart.export.bundle import ModelSource
from tellapart.export.space import gradio_space, static_space
from tellapart.export.web import web_folder
from tellapart.model.artifact import EVALUATION, MANIFEST, load_artifact, sha256
from tellapart.server.predict_api.serving_model import open_model
from tellapart.timing import no_progress

N_TEST, N_LEAKED = 4, 3  # of each class
BEFORE = Path(__file__).parent / "before-house" / "scratch"


def plant(photos: Path, folder: Path, n_test: int, n_leaked: int) -> Path:
    """The photos as train and test folders, the test with so many of its own and so many exact copies a class."""
    for own in sorted(photos.iterdir()):
        train, test = folder / "train" / own.name, folder / "test" / own.name
        train.mkdir(parents=True)
        test.mkdir(parents=True)
        for i, photo in enumerate(sorted(own.iterdir())):
            shutil.copy(photo, test if i < n_test else train)
        for photo in sorted(train.iterdir())[:n_leaked]:
            shutil.copy(photo, test / f"again {photo.name}")
    return folder


@pytest.fixture(scope="module")
def planted(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(photos, tmp_path_factory.mktemp("leaks") / "photos", N_TEST, N_LEAKED)


@pytest.fixture(scope="module")
def leaky(tellapart: Any, planted: Path) -> tuple[Path, str]:
    """A model with leaks in its test, and what training printed."""
    folder = planted.parent / "model"
    return folder, tellapart.works("train", planted, "-o", folder, "--quality", "fast")


@pytest.fixture(scope="module")
def nothing_left(tellapart: Any, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose test photos were all trained on."""
    place = tmp_path_factory.mktemp("all")
    tellapart.works("train", plant(photos, place / "photos", 0, 4), "-o", place / "model", "--quality", "fast")
    return place / "model"


def read(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / EVALUATION).read_text("utf-8"))
    return said


def rewritten(folder: Path, to: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a model folder with another evaluation.json, sealed again."""
    shutil.copytree(folder, to)
    evaluation, manifest = read(to), json.loads((to / MANIFEST).read_text("utf-8"))
    change(evaluation)
    (to / EVALUATION).write_text(json.dumps(evaluation), "utf-8")
    manifest["files"][EVALUATION] = sha256((to / EVALUATION).read_bytes())
    (to / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    return to


@contextmanager
def served(own_process: Any, folder: Path) -> Iterator[str]:
    """The address of a server of the model."""
    with own_process.start("serve", folder, "--port", 0, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        try:
            yield re.search(rb"http://\S+:\d+", run.stdout.readline())[0].decode()
        finally:
            run.terminate()


def exported(folder: Path) -> Iterator[tuple[str, str]]:
    """(door, what it says) of each exported page; nothing is fetched."""
    source = ModelSource(folder, load_artifact(folder), no_progress, {runtime.MODULE: b"", runtime.WASM: b""})
    for build in (web_folder, static_space, gradio_space):
        files = build(source, "x").files
        for name in ("model/model.json", "about.json"):
            if name in files:
                yield f"{build.__name__} {name}", json.loads(files[name])["headline"].replace("\\", "")
        if build is not web_folder:
            _, _, text = files["README.md"].decode().split("---\n", 2)
            yield f"{build.__name__} README.md", text.replace("\\", "")


def text_of(page: str) -> str:
    """The words of a page, without its marks."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_evaluation_holds_both(leaky: tuple[Path, str]) -> None:
    said = read(leaky[0])
    without, n_leaked = said["leaks"]["without"], 3 * N_LEAKED
    assert said["leaks"]["n"] == n_leaked
    assert without["n_test"] == 3 * N_TEST
    honest = f"{without['n_right']} of {3 * N_TEST} test photos right ("
    assert said["headline"].startswith(honest)
    right, n = said["accuracy"]["n_right"], said["n_test"]
    assert said["headline"].endswith(
        f" {n_leaked} more were also trained on and left out; {right} of {n} were right with them."
    )
    assert said["headline_with_leaks"].startswith(f"{right} of {n} test photos right (")
    assert said["leaks"]["headline_without"] == said["headline"]


def test_every_door_leads_with_the_score_without_them(
    tellapart: Any, own_process: Any, leaky: tuple[Path, str]
) -> None:
    folder, printed = leaky
    said = read(folder)
    honest, other = said["headline"], said["headline_with_leaks"]
    assert printed.startswith(honest)
    assert tellapart.works("info", folder).splitlines()[2] == honest
    card = (folder / "README.md").read_text("utf-8").replace("\\", "")
    _, matter, text = card.split("---\n", 2)
    assert text.strip().splitlines()[2] == honest
    assert f"value: {said['leaks']['without']['value']:.4f}" in matter
    page = text_of((folder / "report.html").read_text("utf-8")).replace("&#39;", "'")
    score = honest.split(" (")[0]
    assert page.index(score) < page.index(other.split(" (")[0])
    with served(own_process, folder) as address, urlopen(f"{address}/v1/model") as answer:
        facts = json.load(answer)
    assert (facts["headline"], facts["headline_with_leaks"]) == (honest, other)
    assert facts["n_test"] == 3 * N_TEST
    assert facts["accuracy"] == {end: said["leaks"]["without"][end] for end in ("value", "low", "high")}
    for door, text in exported(folder):
        assert honest in text, door
        assert other not in text, door


def test_in_python_and_for_new_photos(tellapart: Any, leaky: tuple[Path, str], planted: Path) -> None:
    folder = leaky[0]
    evaluation = package.evaluate(folder, planted)
    without = evaluation["leaks"]["without"]
    assert without["n_test"] == 3 * N_TEST
    assert evaluation["headline"].startswith(f"{without['n_right']} of {without['n_test']} test photos right (")
    assert evaluation["leaks"]["headline_without"] == evaluation["headline"]
    assert evaluation["headline_with_leaks"].startswith(f"{evaluation['accuracy']['n_right']} of {3 * 7} test photos")
    assert tellapart.works("evaluate", folder, planted).startswith(evaluation["headline"])


def test_without_leaks_there_is_nothing_beside_it(trained: Path, tellapart: Any) -> None:
    said = read(trained)
    assert said["leaks"]["n"] == 0
    assert said["headline_with_leaks"] is None
    assert said["leaks"]["headline_without"] == ""
    assert "were right with" not in said["headline"]
    facts = open_model(trained, streams=1).facts
    assert (facts["headline"], facts["headline_with_leaks"]) == (said["headline"], None)
    assert facts["n_test"] == said["n_test"]


def test_where_all_were_trained_on_no_door_has_a_score(nothing_left: Path, tellapart: Any) -> None:
    said = read(nothing_left)
    lead = "All 12 test photos were also trained on, so nothing is known about new photos."
    assert said["headline"].startswith(lead)
    assert said["leaks"]["headline_without"] == said["headline"]
    assert lead in tellapart.works("info", nothing_left)
    facts = open_model(nothing_left, streams=1).facts
    assert facts["headline"] == said["headline"]
    assert (facts["n_test"], facts["accuracy"]) == (0, None)
    card = (nothing_left / "README.md").read_text("utf-8")
    assert "model-index" not in card
    assert lead in card
    for door, text in exported(nothing_left):
        assert lead in text, door


def as_before(evaluation: dict[str, Any]) -> None:
    """As it was written first: the headline is that of all, the other stands among the leaks."""
    leaks = evaluation["leaks"]
    leaks["headline_without"] = evaluation["headline"].partition(f" {leaks['n']} more were also")[0]
    if not leaks["without"]["n_test"]:
        leaks["headline_without"] = "There are no test photos, so nothing is known about how well this works."
    evaluation["headline"] = evaluation.pop("headline_with_leaks")


def as_between(evaluation: dict[str, Any]) -> None:
    """As it was written for a while: the headline leads with the score without leaks already."""
    leaks = evaluation["leaks"]
    leaks["headline_without"] = evaluation["headline"].partition(f" {leaks['n']} more were also")[0]
    del evaluation["headline_with_leaks"]


@pytest.mark.parametrize("change", [as_before, as_between])
@pytest.mark.parametrize("left", ["some", "none"])
def test_a_model_of_before_says_the_same(
    leaky: tuple[Path, str], nothing_left: Path, tellapart: Any, tmp_path: Path, change: Any, left: str
) -> None:
    folder = leaky[0] if left == "some" else nothing_left
    old = rewritten(folder, tmp_path / "old", change)
    now, before = open_model(folder, streams=1).facts, open_model(old, streams=1).facts
    keys = ("headline", "n_test", "accuracy")
    assert {key: before[key] for key in keys} == {key: now[key] for key in keys}
    score = str(now["headline_with_leaks"]).partition(" Always")[0]
    assert before["headline_with_leaks"].startswith(score)
    read_now = load_artifact(old).evaluation
    assert read_now["leaks"]["headline_without"] == read_now["headline"] == now["headline"]
    assert tellapart.works("info", old).splitlines()[2] == now["headline"]
    assert dict(exported(old)) == dict(exported(folder))


def test_the_folder_that_was_written_before(tellapart: Any) -> None:
    recorded = read(BEFORE)
    honest = recorded["leaks"]["headline_without"]
    assert recorded["headline"].startswith("10 of 15 test photos right")
    artifact = load_artifact(BEFORE)
    assert artifact.headline == (f"{honest} 3 more were also trained on and left out; 10 of 15 were right with them.")
    assert honest.startswith("7 of 12 test photos right")
    assert artifact.headline_with_leaks == recorded["headline"]
    assert tellapart.works("info", BEFORE).splitlines()[2] == artifact.headline
    assert open_model(BEFORE, streams=1).facts["n_test"] == 12
