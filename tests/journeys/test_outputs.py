"""Where a command's results go: to two places, to standard output, to a folder with a parent; whatever the encoding."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def photo(photos):
    return sorted((photos / "drum").iterdir())[0]


@pytest.fixture
def for_all():
    """A folder that every user may look into, as those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_json_and_a_table_are_both_given(tellapart, trained, photo, tmp_path):
    said = tellapart.works("predict", trained, photo, "--json", "--csv", tmp_path / "a.csv")
    row = next(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text("utf-8"))))
    assert json.loads(said)["answer"] == row["answer"]
    asked = [["predict", trained, photo, "--csv"], ["suggest", trained, photo, "--csv"], ["check", photo.parent, "-o"]]
    for command in asked:
        assert tellapart(*command, "-", "--json").returncode == 2


@pytest.mark.parametrize("name", ["-", pytest.param("/dev/stdout", marks=pytest.mark.thorough)])
def test_a_table_or_a_page_can_be_printed_and_nothing_else_is(own_process, trained, photos, photo, tmp_path, name):
    for command in ("predict", "suggest"):
        done = own_process(command, trained, photo, "--csv", name, cwd=tmp_path)
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert [row["photo"] for row in rows] == [str(photo)]
    page = own_process("check", photos, "--quality", "fast", "-o", name, cwd=tmp_path).stdout
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert page.rstrip().lower().endswith("</html>")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "euc-jp"])
def test_bars_and_names_in_any_encoding(own_process, trained, photo, tmp_path, encoding):
    shutil.copy(photo, tmp_path / "猫.jpg")
    command = [own_process.command, "predict", str(trained), "猫.jpg", str(photo), "--top", "2"]
    env = own_process.environment(PYTHONIOENCODING=encoding)
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True)
    said = done.stdout.decode(encoding)
    assert "##" in said
    assert ("猫" if encoding == "euc-jp" else "\\u732b") in said


def test_next_steps_name_the_whole_path_quoted(tellapart, trained, tmp_path):
    for to, step in (("onnx", "runs it; my exports/m/README.md says how."),
                     ("openvino", "compile_model('my exports/m/model.xml', 'CPU')")):  # fmt: skip
        said = tellapart.works("export", trained, "--to", to, "-o", "my exports/m", "--force", cwd=tmp_path)
        assert f"my exports{os.sep}m{os.sep} is ready." in said
        assert step in said


def test_swapped_arguments(tellapart, trained, photos):
    for command in ("predict", "evaluate", "suggest"):
        tellapart.refuses(
            command, photos, trained, says=["The model comes first", f"tellapart {command} {trained} {photos}"]
        )
    tellapart.refuses("predict", trained / "model.onnx", photos, says=["is a file of the model", "Name the folder"])


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can be somebody else")
def test_a_user_with_a_number_alone_goes_without_a_cache(own_process, trained, photo, for_all):
    """With root's rights to read, since the program may lie in root's own folder."""
    shutil.copytree(trained, for_all / "model")
    shutil.copy(photo, for_all / "1.jpg")
    env = {name: value for name, value in os.environ.items() if name not in ("HOME", "TELLAPART_CACHE_DIR")}
    rights = "+dac_override,+dac_read_search"
    somebody = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", f"--inh-caps={rights}",
                f"--ambient-caps={rights}"]  # fmt: skip
    for command in (["cache"], ["predict", str(for_all / "model"), str(for_all / "1.jpg")]):
        whole = [*somebody, own_process.command, *command]
        done = subprocess.run(whole, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
