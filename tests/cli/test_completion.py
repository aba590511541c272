"""What a shell is told when a person presses Tab."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("tellapart")


def told(instruction: str, words: str = "") -> str:
    given = {"_TELLAPART_COMPLETE": instruction, "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = subprocess.run([PROGRAM], env={**os.environ, **given}, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_commands_options_and_choices_are_completed():
    assert told("bash_complete", "tellapart tra").split() == ["plain,train"]
    assert told("bash_complete", "tellapart train --ep").split() == ["plain,--epochs"]
    assert told("bash_complete", "tellapart export m --to o").split() == ["plain,onnx", "plain,openvino"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])  # Bash is asked for its version first
def test_each_shell_gets_its_script(shell):
    assert "tellapart" in told(f"{shell}_source")
