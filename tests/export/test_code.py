"""What travels with an export: tellapart's own code, and exact versions."""

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile

import pytest

from tellapart.errors import MissingExtraError
from tellapart.export.code import FOR_ANSWERS, code_files, pins, wheel


def test_the_wheel_is_whole_and_always_the_same():
    name, content = wheel()
    assert content == wheel()[1]
    archive = zipfile.ZipFile(io.BytesIO(content))
    (record,) = [n for n in archive.namelist() if n.endswith(".dist-info/RECORD")]
    rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
    assert {row[0] for row in rows} == set(archive.namelist())
    for path, digest, size in rows:
        if path != record:
            data = archive.read(path)
            expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert (digest, int(size)) == (f"sha256={expected}", len(data))
    assert name.startswith("tellapart-")
    assert b"tellapart.cli.main:main" in archive.read(record.replace("RECORD", "entry_points.txt"))


def test_the_wheel_starts(tmp_path):
    zipfile.ZipFile(io.BytesIO(wheel()[1])).extractall(tmp_path)
    code = "import tellapart, tellapart.cli.main as m; print(tellapart.__file__); m.main(['--version'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path))


def test_weights_for_training_stay_at_home():
    files = code_files()
    assert sum(map(len, files.values())) < 3_000_000
    assert {"prediction.py", "engine/backbones/imagenet_classes.txt", "web/index.html"} <= set(files)


def test_pins_are_exact_and_follow_what_is_needed():
    found = dict(pin.split("==") for pin in pins(FOR_ANSWERS))
    assert set(FOR_ANSWERS) <= set(found)
    assert "typing-extensions" in found  # which onnx needs
    assert not {"torch", "pytest", "tellapart"} & set(found)


def test_a_version_that_is_not_here_cannot_be_fixed():
    with pytest.raises(MissingExtraError, match="no-such-package"):
        pins(["no-such-package"])
