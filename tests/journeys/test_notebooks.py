"""The notebooks of examples/ run from first cell to last, in kernels of their own, and show what they promise."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
# In a process of its own: Playwright leaves an event loop running in this one.
RUN = """
import sys
import nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": "."}}).execute()
nbformat.write(book, "done.ipynb")
"""


@pytest.fixture
def shown(tmp_path, session_cache):
    """Runs a notebook beside the folders in `tmp_path`; gives {kind: its outputs of that kind, joined}."""

    def run(name):
        env = os.environ | {"TELLAPART_CACHE_DIR": str(session_cache), "IPYTHONDIR": str(tmp_path / "ipython")}
        command = [sys.executable, "-c", RUN, str(EXAMPLES / name)]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stderr
        outputs = [
            output
            for cell in json.loads((tmp_path / "done.ipynb").read_text())["cells"]
            for output in cell.get("outputs", [])
        ]
        assert not [output for output in outputs if output["output_type"] == "error"]
        html = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]
        text = ["".join(output.get("data", {}).get("text/plain", output.get("text", ""))) for output in outputs]
        assert max(len(said.splitlines()) for said in text) <= 40, "as text it fits a screen too"
        return "\n".join(html), "\n".join(text)

    return run


def copy(source, target, n, skip=0):
    for photo in sorted(source.iterdir())[skip : skip + n]:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, target)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_what_a_machine_said(path):
    book = json.loads(path.read_text(encoding="utf-8"))
    for cell in book["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert set(cell["metadata"]) == set()
    assert book["metadata"]["kernelspec"]["name"] == "python3"
    assert not re.search(r"/(home|root|work|tmp|Users)/|[A-Z]:\\\\", path.read_text(encoding="utf-8"))


def test_there_are_three_and_the_page_of_examples_names_them():
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS] == [
        "can_i_trust_it.ipynb", "from_nothing.ipynb", "hot_dog_or_cheeseburger.ipynb",
    ]  # fmt: skip
    assert all(path.name in page for path in NOTEBOOKS)


def test_hot_dog_or_cheeseburger(shown, shared_data, tmp_path):
    for name in ("hot_dog", "not_hot_dog"):
        copy(shared_data / "hotdog" / "train" / name, tmp_path / "photos" / name, 14)
    html, text = shown("hot_dog_or_cheeseburger.ipynb")
    assert "28 photos right" in html
    assert html.count("data:image/webp") >= 8, "the answers, the explanation"
    assert "where it looked" in html
    assert "p_hot_dog" in html, "the data frame"
    assert "<Predictions of 4 photos>" in text
    assert (tmp_path / "burgers-onnx" / "model.onnx").is_file()


@pytest.mark.thorough  # another kernel and another model; that a notebook runs, test_hot_dog_or_cheeseburger holds
def test_can_i_trust_it(shown, shared_data, tmp_path):
    for name in ("dress", "hat", "shoes"):
        copy(shared_data / "clothing" / "train" / name, tmp_path / "photos" / name, 16)
        copy(shared_data / "clothing" / "test" / name, tmp_path / "new" / name, 5)
    copy(shared_data / "unknown" / "cups", tmp_path / "other", 6)
    html, text = shown("can_i_trust_it.ipynb")
    assert "none of these" in html
    assert "cannot be told apart on 15 photos" in text or "give the same answer to all 15 photos" in text
    assert "6 photos to label next" in html
    assert re.search(r"(\d+%, ){2}\d+% right in each of three folds", text)


@pytest.mark.thorough  # imports PyTorch in a new kernel and trains a network; training itself is tested in tests/deep
def test_from_nothing(shown, shared_data, tmp_path):
    for name in ("dress", "hat"):
        copy(shared_data / "clothing" / "train" / name, tmp_path / "photos" / name, 60)
    _, text = shown("from_nothing.ipynb")
    assert re.search(r"from nothing: \d+ of \d+ test photos right", text)
    assert re.search(r"with a start: \d+ of \d+ test photos right", text)
