"""Nothing is sent to anybody: not by us, and not by what comes with us.

OpenVINO's package reports every import to its makers unless told not to, from a child process. So commands run here
with an audit hook, which forked children keep; it writes down whoever wants to speak to the network, and stops them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WATCHED = """
import json, multiprocessing, os, sys

def watch(event, arguments, log=os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        os.write(log, (json.dumps([event, repr(arguments)]) + "\\n").encode())
        raise PermissionError("no network here")

sys.addaudithook(watch)
if os.name == "posix":
    multiprocessing.set_start_method("fork")  # not the default everywhere, and the only child that keeps the hook
exec(sys.argv.pop(1))
"""
COMMAND = "sys.argv[0] = 'tellapart'; from tellapart.cli.main import main; main()"
CI = ("CI", "TF_BUILD", "JENKINS_URL")  # where they are set, OpenVINO sends nothing, and nothing would be tested


@pytest.fixture
def watched(tellapart: Any, tmp_path: Path) -> Any:
    """Runs code, watched, for a person who has never used OpenVINO; what it asked the network for."""
    home, log = tmp_path / "home", tmp_path / "asked"

    def run(code: str, *arguments: object) -> list[str]:
        home.mkdir(exist_ok=True)
        log.unlink(missing_ok=True)
        places = {"HOME": str(home), "LOCALAPPDATA": str(home)}
        environment = {name: value for name, value in tellapart.environment(**places).items() if name not in CI}
        command = [sys.executable, "-c", WATCHED, str(log), code, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in log.read_text().splitlines()]

    run.home = home  # type: ignore[attr-defined]
    return run


def test_the_watch_sees_what_openvino_sends_by_itself(watched: Any) -> None:
    assert any("google-analytics" in arguments for _, arguments in watched("import openvino"))
    assert os.listdir(watched.home)  # an identity


def test_no_command_sends_anything(watched: Any, trained: Path, photos: Path, tmp_path: Path) -> None:
    for command in (
        ("train", photos, "-o", tmp_path / "model", "--quality", "fast"),
        ("predict", trained, photos / "drum" / "0005.jpg"),
        ("export", trained, "--to", "openvino", "-o", tmp_path / "openvino"),
    ):
        assert watched(COMMAND, *command) == []
    assert os.listdir(watched.home) == []


@pytest.mark.parametrize("first", ["tellapart", "tellapart.export.graphs", "tellapart.sandbox.decoder"])
def test_openvino_stays_silent_whatever_of_ours_is_imported_first(watched: Any, first: str) -> None:
    code = f"import {first}, openvino; openvino.convert_model; assert 'openvino_telemetry.main' not in sys.modules"
    assert watched(code) == []
    assert os.listdir(watched.home) == []
