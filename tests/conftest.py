"""Fixtures that every test may use: real photos, where they are, and one small trained model."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset
from tellapart.engine.backbone import QUALITIES
from tellapart.features.extract import Extractor

# No sandbox, because tests run as root in containers; the rest keeps Chromium from doing anything of its own.
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# Tests run side by side, a worker a core. PyTorch would take all cores in each of them and in every process they start,
# and threads that wait for each other without a core of their own are many times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
WAITING_S = 120  # for a folder that another worker makes
REPOSITORY = Path(__file__).resolve().parents[1]
TESTS = REPOSITORY / "tests"


# What scripts/test --quick leaves out: whole commands, browsers, PyTorch, proofs of exports.
NOT_QUICK = ("journeys", "web", "deep", "export", "sandbox")


def pytest_addoption(parser):
    parser.addoption(
        "--lane", choices=("quick", "default", "all"), default="default", help="how much to test; see docs/tests.md"
    )


def pytest_ignore_collect(collection_path, config):
    """Nothing of these folders is even imported: PyTorch and browsers take seconds."""
    return True if config.getoption("--lane") == "quick" and _is_not_quick(collection_path) else None


def _is_not_quick(path):
    return any(path.is_relative_to(TESTS / folder) for folder in NOT_QUICK)


def pytest_collection_modifyitems(config, items):
    lane = config.getoption("--lane")
    beyond = {"quick": ("slow", "thorough"), "default": ("thorough",), "all": ()}[lane]
    left_out = [item for item in items if any(map(item.get_closest_marker, beyond))]
    if lane == "quick":  # what is named on the command line is collected all the same
        left_out += [item for item in items if _is_not_quick(item.path)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session")
def thorough(request) -> bool:
    """Whether this is scripts/test --all."""
    return request.config.getoption("--lane") == "all"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos beside the checkout; a stranger's machine has none."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real photos (../shared/data) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def fuzz_cases() -> Callable[[int], int]:
    """How many cases a fuzzer tries: few by default, as many as TELLAPART_FUZZ_CASES says where it is set."""
    return lambda few: int(os.environ.get("TELLAPART_FUZZ_CASES", few))


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory):
    """Where all tests of one process remember features, so that each photo is read once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(session_cache, monkeypatch):
    """No test touches the person's own cache."""
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(session_cache))


@pytest.fixture(scope="session")
def clothing(shared_data):
    """80 photos of garments in four classes, as a dataset."""
    folder = shared_data / "clothing" / "train"
    names = ("dress", "hat", "pants", "shoes")
    paths = [path for name in names for path in sorted((folder / name).iterdir())[:20]]
    return Dataset.from_lists(paths, [path.parent.name for path in paths])


@pytest.fixture(scope="session")
def extractor():
    """The fast backbone, compiled once, without a cache."""
    fast = QUALITIES["fast"]
    return Extractor(fast, Preprocess(fast.input_px))


@pytest.fixture(scope="session")
def clothing_features(extractor, clothing):
    """The features of `clothing` as the fast backbone makes them."""
    return extractor.extract(clothing)


@pytest.fixture(scope="session")
def clothing_folder(clothing, tmp_path_factory):
    """The photos of `clothing` as a folder of class folders."""
    folder = tmp_path_factory.mktemp("photos") / "clothing"
    for place, label in zip(clothing.places, clothing.labels, strict=True):
        target = folder / clothing.class_names[label] / Path(place).name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(place)
    return folder


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """`made_once(name, make)`: a folder that the first worker to want it makes, and all others wait for."""
    everybodys = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a folder of its own in there
        everybodys = everybodys.parent

    def wanted(name, make):
        made, begun = everybodys / "made-once" / name, everybodys / f"{name}.begun"
        try:
            begun.mkdir()
        except FileExistsError:
            deadline = time.monotonic() + WAITING_S
            while not made.exists():
                assert time.monotonic() < deadline, f"another worker did not make {name}"
                time.sleep(0.05)
        else:
            make(begun / name)
            made.parent.mkdir(exist_ok=True)
            (begun / name).rename(made)
        return made

    return wanted


@pytest.fixture(scope="session")
def model(clothing_folder, made_once, tmp_path_factory):
    """A model folder trained on `clothing` with the fast backbone; not to be changed."""
    from tellapart.recipe import LinearProbe, Reading
    from tellapart.workflow.train import train

    def trained(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TELLAPART_CACHE_DIR", str(tmp_path_factory.mktemp("model-cache")))
            train(clothing_folder, folder, LinearProbe(Reading(quality="fast", test_share=0.2)))

    return made_once("garments", trained)


@pytest.fixture(scope="session")
def early_model(clothing_folder, made_once, tmp_path_factory):
    """A model folder trained on five hats and five dresses: too few for a promise; not to be changed."""
    from tellapart.recipe import LinearProbe, Reading
    from tellapart.workflow.train import train

    def trained(folder):
        photos = tmp_path_factory.mktemp("few")
        for name in ("dress", "hat"):
            (photos / name).mkdir()
            for photo in sorted((clothing_folder / name).iterdir())[:5]:
                (photos / name / photo.name).symlink_to(photo.resolve())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TELLAPART_CACHE_DIR", str(tmp_path_factory.mktemp("early-cache")))
            train(photos, folder, LinearProbe(Reading(quality="fast")))

    return made_once("few-garments", trained)


@pytest.fixture(scope="module")
def open_browser():
    """Opens Chromium: `open_browser(*flags)`. A module's own, because Playwright leaves an event loop running."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed; scripts/test installs it where it may")
    with sync_playwright() as playwright:
        browsers = []

        def open_one(*flags):
            browsers.append(playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_FLAGS, *flags]))
            return browsers[-1]

        yield open_one
        for browser in browsers:
            browser.close()


def draw(path: Path, number: int) -> Path:
    """A photo that differs from all of other numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((320, 240), Image.Resampling.BICUBIC).save(path, quality=85)
    return path


@pytest.fixture
def heap(tmp_path):
    """Two photos in each of two class folders, and six in none."""
    folder = tmp_path / "photos"
    for n, name in enumerate(["hat/1.jpg", "hat/2.jpg", "shoe/1.jpg", "shoe/2.jpg", *(f"{n}.jpg" for n in range(6))]):
        draw(folder / name, n)
    return folder


class Studio:
    """`tellapart studio` in a process of its own."""

    def __init__(self, *arguments: str, cwd: Path | None = None) -> None:
        command = [sys.executable, "-m", "tellapart", "studio", *arguments, "--no-browser"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd)
        first = self.process.stdout.readline()
        if "http://" not in first:
            self.kill()
            raise AssertionError(first)
        self.address = first.split()[-1]
        self.url, _, self.token = self.address.partition("/#token=")

    def ask(self, path, body=None, **headers):
        """(status, headers, content) of an answer; JSON is read."""
        sent = {"Authorization": f"Bearer {self.token}", **{key.replace("_", "-"): v for key, v in headers.items()}}
        data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data, {key: value for key, value in sent.items() if value})
        try:
            response = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            content = response.read()
        kind = response.headers.get("content-type", "")
        return response.status, response.headers, json.loads(content) if "json" in kind else content

    def state(self):
        """{name: [label, none, out]}, and all that is told."""
        _, _, told = self.ask("/v1/state")
        return {photo[1]: photo[5:] for photo in told["photos"]}, told

    def ids(self):
        return {photo[1]: photo[0] for photo in self.ask("/v1/state")[2]["photos"]}

    def do(self, **asked):
        status, _, said = self.ask("/v1/do", asked)
        assert status == 200, said
        return said

    def job(self, do, **asked):
        """Where a job stands that was just begun."""
        status, _, said = self.ask("/v1/jobs", {"do": do, **asked})
        assert status == 200, said
        return said

    def ended(self, job, seconds=60):
        """What a job has come to, with its result."""
        end = time.monotonic() + seconds
        while (said := self.ask(f"/v1/job?number={job['number']}")[2])["state"] in ("waiting", "running"):
            assert time.monotonic() < end, said
            time.sleep(0.02)
        return said

    def children(self):
        """Process ids of those that do its work."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in listed if "studio.work" in Path(f"/proc/{pid}/cmdline").read_text()]

    def kill(self):
        if self.process.stdout.closed:
            return
        self.process.kill()
        self.process.communicate()

    def stop(self):
        """How it ended, and what it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        with self.process.stdout as said:
            return self.process.returncode, said.read()


@pytest.fixture
def studio():
    """Opens studios: `studio(folder, …)`."""
    opened = []

    def go(*arguments, cwd=None):
        opened.append(Studio(*map(str, arguments), cwd=cwd))
        return opened[-1]

    yield go
    for one in opened:
        one.kill()
