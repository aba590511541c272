"""OpenVINO computes, and tells nobody about it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

CODE = """
import sys
events = []
watched = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.fork", "os.posix_spawn")
sys.addaudithook(lambda event, args: events.append(event) if event in watched else None)
import tellapart.engine.network
import tellapart.export.single_file
import threading
for thread in threading.enumerate():  # whoever sends does so beside us
    if thread is not threading.current_thread():
        thread.join(10)
import os
print(events, "openvino_telemetry" in sys.modules, os.path.exists(os.path.expanduser("~/intel")))
"""


def test_importing_the_engine_sends_nothing_and_leaves_nothing(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CODE)],
        env={**environment, "HOME": str(tmp_path)},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[] False False\n"
