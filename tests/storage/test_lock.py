"""A file that one process may hold: also one that was killed lets go."""

import signal
import subprocess
import sys

import pytest

from tellapart.storage.lock import HeldError, held

HOLD = """
import sys, time
from pathlib import Path
from tellapart.storage.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_held_is_free(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout.readline() == "held\n"
        with pytest.raises(HeldError), held(tmp_path / "lock"):
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
    for _ in range(2):
        with held(tmp_path / "lock"):
            pass


def test_a_place_that_cannot_be_is_the_system_s_error(tmp_path):
    with pytest.raises(FileNotFoundError), held(tmp_path / "not there" / "lock"):
        pass
