"""What travels with an export: tellapart's own code, and exact versions."""

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from importlib.metadata import distribution

import pytest

from tellapart.errors import MissingExtraError
from tellapart.export.code import FOR_ANSWERS, FOR_THE_SERVER, code_files, pins, wheel


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
    licence = next(n for n in archive.namelist() if n.endswith(".dist-info/licenses/LICENSE"))
    assert archive.read(licence).lstrip().startswith(b"Apache License")
    assert {n.partition("licenses/")[2] for n in archive.namelist() if "/licenses/" in n} == set(
        distribution("tellapart").metadata.get_all("License-File")
    )
    assert b"tellapart.cli.main:main" in archive.read(record.replace("RECORD", "entry_points.txt"))


def test_answering_and_serving_need_only_what_is_pinned():
    """Whatever else is installed here cannot be imported, as in an image."""
    allowed = [pin.split("==")[0] for pin in pins((*FOR_ANSWERS, *FOR_THE_SERVER))]
    code = f"""
import sys
from importlib.metadata import packages_distributions
from packaging.utils import canonicalize_name as normal
allowed = {allowed!r} + ["tellapart"]
for module, names in packages_distributions().items():
    if not {{normal(name) for name in names}} & set(allowed):
        sys.modules[module] = None
import tellapart.cli.main, tellapart.cli.predict, tellapart.cli.serve, tellapart.model.prediction
import tellapart.server.predict_api.lifecycle, tellapart.sandbox.decoder
print(sys.modules["scipy"], sys.modules["sklearn"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("None None\n", "")


def test_the_wheel_starts(tmp_path):
    zipfile.ZipFile(io.BytesIO(wheel()[1])).extractall(tmp_path)
    code = "import tellapart, tellapart.cli.main as m; print(tellapart.__file__); m.main(['--version'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path))


def test_weights_for_training_stay_at_home():
    files = code_files()
    assert sum(map(len, files.values())) < 3_000_000
    assert {"model/prediction.py", "engine/backbones/imagenet_classes.txt", "web/index.html"} <= set(files)


def test_pins_are_exact_and_follow_what_is_needed():
    found = dict(pin.split("==") for pin in pins(FOR_ANSWERS))
    assert set(FOR_ANSWERS) <= set(found)
    assert "typing-extensions" in found  # which onnx needs
    assert not {"torch", "pytest", "tellapart"} & set(found)


@pytest.mark.parametrize(
    ("requirement", "follows"),
    [
        ("click", True),
        ("click ; sys_platform == 'win32'", False),
        ("click ; os_name == 'nt' or platform_system == 'Linux'", True),
        ("click ; python_version < '3.9'", False),
        ("click (>=8) ; python_full_version >= '3.9.0'", True),
        ("click ; extra == 'more'", False),
        ("click ; extra == 'more' or sys_platform == 'linux'", True),
        ("click ; (extra == 'none' and python_version > '3') or extra == 'wanted'", True),
        ("click ; extra == 'wanted' and sys_platform == 'darwin'", False),
        ("no-such-package ; sys_platform == 'linux'", False),  # not here, so there is no version to fix
    ],
)
def test_pins_follow_all_markers_as_on_linux(tmp_path, monkeypatch, requirement, follows):
    for name, needed in (("outer", "Inner[Wanted]"), ("inner", requirement)):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        extras = "".join(f"Provides-Extra: {extra}\n" for extra in ("more", "none", "wanted"))
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{extras}Requires-Dist: {needed}\n"
        (info / "METADATA").write_text(about)
    monkeypatch.syspath_prepend(tmp_path)
    assert [pin.split("==")[0] for pin in pins(["outer"])] == [*(["click"] if follows else []), "inner", "outer"]


def test_a_version_that_is_not_here_cannot_be_fixed():
    with pytest.raises(MissingExtraError, match="no-such-package"):
        pins(["no-such-package"])
