"""Ctrl-C in the middle of an import, in processes of their own."""

import subprocess
import sys

import pytest

LIBRARY = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)
except KeyboardInterrupt as error:  # what the initialisation of compiled libraries does
    raise ImportError("initialization failed") from error
whole = True
"""
PROGRAM = """
import os, signal, sys, time
from tellapart.cli.interrupts import wait_for_imports
wait_for_imports()
try:
    {interrupted}
    time.sleep(20)
except KeyboardInterrupt:
    sys.exit(130)
"""
IMPORT = "import library; print(library.whole, flush=True)"
NO_IMPORT = "os.kill(os.getpid(), signal.SIGINT)"


@pytest.mark.parametrize(("interrupted", "says"), [(IMPORT, "True\n"), (NO_IMPORT, "")])
def test_an_interrupt_waits_until_the_import_is_whole_and_no_longer(tmp_path, interrupted, says):
    (tmp_path / "library.py").write_text(LIBRARY)
    program = PROGRAM.format(interrupted=interrupted)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=15, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, says, "")
