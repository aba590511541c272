"""A benchmark that needs more than this repository says what."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("named", "says"), [((), "none is named"), (("--peers", "/no/python"), "'/no/python' is none")]
)
def test_others_that_are_not_installed_are_named_before_anything_is_measured(named, says, tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / "cluster.py", tmp_path, "--only", "peers", *named]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith(f"The piece peers needs a Python that has daft, ray[data] and tellapart; {says}.")
    assert run.stderr.endswith("name its Python: --only peers --peers PYTHON\n")
