"""Every command in the exported container: it answers, or says in a sentence that this copy cannot."""

import os
import subprocess
import sys
import zipfile
from importlib.metadata import requires
from importlib.util import find_spec
from io import BytesIO

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tellapart.cli.main import COMMANDS
from tellapart.export.code import FOR_ANSWERS, FOR_THE_SERVER, pins, wheel
from tellapart.extras import LEFT_OUT

# A package that is not in the container's list is not found, although this environment has it.
BLOCK = """
import sys
ABSENT = {absent!r}
class Without:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in ABSENT else self.finder.find_spec(name, path, target)
sys.meta_path[:] = map(Without, sys.meta_path)
"""
ANSWERS = {
    "info": ["info", "MODEL"],
    "info --json": ["info", "MODEL", "--json"],
    "info --versions": ["info", "--versions"],
    "predict": ["predict", "MODEL", "PHOTO"],
    "serve": ["serve", "--help"],
    "cache": ["cache"],
    "backbones": ["backbones"],
    "doctor": ["doctor"],
    "collect": ["collect", "--help"],
}
REFUSES = {
    "evaluate": ["evaluate", "MODEL", "PHOTOS"],
    "compare": ["compare", "MODEL", "MODEL", "PHOTOS"],
    "threshold": ["threshold", "MODEL"],
    "name": ["name", "MODEL", "--title", "A name"],
    "explain": ["explain", "MODEL", "PHOTO", "-o", "page.html"],
    "suggest": ["suggest", "MODEL", "PHOTOS"],
    "check": ["check", "PHOTOS"],
    "train": ["train", "PHOTOS", "-o", "new"],
    "export": ["export", "MODEL", "--to", "onnx", "-o", "new"],
    "demo": ["demo"],
    "summary": ["summary", "first-cnn"],
    "embed": ["embed", "PHOTOS", "-o", "shards"],
    "status": ["status", "shards"],
    "similar": ["similar", "shards", "PHOTO"],
    "studio": ["studio", "PHOTOS", "--no-browser"],
}


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    """The environment of a process that has the exported wheel and the packages that are pinned, and nothing else."""
    place = tmp_path_factory.mktemp("container")
    zipfile.ZipFile(BytesIO(wheel()[1])).extractall(place)
    extras = ("torch", "torchvision", "timm", "onnxscript", "datasets", "pandas", "sklearn", "openvino_telemetry")
    absent = {*LEFT_OUT, *extras}
    (place / "sitecustomize.py").write_text(BLOCK.format(absent=absent))
    return {**os.environ, "PYTHONPATH": str(place), "TELLAPART_CACHE_DIR": str(place / "cache")}


def run(container, words, model, photo, cwd):
    named = {"MODEL": str(model), "PHOTO": str(photo), "PHOTOS": str(photo.parent.parent)}
    start = "from tellapart.cli.main import main; main()"
    command = [sys.executable, "-P", "-c", start, *(named.get(word, word) for word in words)]
    return subprocess.run(command, env=container, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def photo(clothing_folder):
    return sorted((clothing_folder / "hat").iterdir())[0]


def test_what_is_left_out_is_what_the_container_has_not():
    pinned = {line.partition("==")[0] for line in pins((*FOR_ANSWERS, *FOR_THE_SERVER))}
    own = {canonicalize_name(Requirement(line).name) for line in requires("tellapart") if "extra ==" not in line}
    assert own - pinned == set(LEFT_OUT)


def test_every_command_is_tried():
    tried = {words[0] for words in (*ANSWERS.values(), *REFUSES.values())}
    assert {command.name for command in COMMANDS} == tried


PREDICT_NEEDS_ALL = find_spec("tellapart.data.meaning.named_photos") is None
lists_alone = pytest.mark.skipif(PREDICT_NEEDS_ALL, reason="naming photos still needs all that a data set needs")


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=lists_alone if name == "predict" else ()) for name in ANSWERS]
)
def test_what_a_container_is_for_works(container, model, photo, tmp_path, command):
    done = run(container, ANSWERS[command], model, photo, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not done.stderr


@pytest.mark.parametrize("command", REFUSES)
def test_what_it_is_not_for_is_said(container, model, photo, tmp_path, command):
    done = run(container, REFUSES[command], model, photo, tmp_path)
    assert done.returncode == 2
    assert not done.stdout
    first, hint = done.stderr.splitlines()
    assert first.startswith(("Error: This copy of tellapart is there to answer, and cannot do this: it has no ",
                             "Error: Networks need a part of tellapart that is not installed."))  # fmt: skip
    assert "pip install" in hint
    assert not list(tmp_path.iterdir())


@lists_alone
def test_it_has_no_network_of_its_own(container, photo, tmp_path):
    done = run(container, ["predict", "imagenet", "PHOTO"], "", photo, tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Error: This copy of tellapart answers with the model that it came with: it has no network of its own.",
        "Hint: Do it where all of it is installed: pip install tellapart",
    ]


def test_a_module_that_is_nobody_s_is_a_fault(container, tmp_path):
    """Only packages that tellapart needs are left out; anything else is broken, and where it broke must be seen."""
    code = "import sys; sys.modules['tellapart.engine.backbone'] = None; from tellapart.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, "backbones"], env=container, cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "ModuleNotFoundError" in done.stderr
