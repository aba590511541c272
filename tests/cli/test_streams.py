"""Whatever standard output is: code pages without our letters, a full disk, a reader that has gone, a terminal."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest

from tellapart.cli import streams
from tellapart.cli.streams import broken, is_stdout

PROGRAM = """
import click
from tellapart.cli.options import Commands
from tellapart.cli.output import print_json, say

@click.group(cls=Commands)
def main(): pass

@main.command(help="Blurred, noisy, … photos of “猫”")
def talk():
    import warnings
    say("█ “é” · 猫 … → ×\\x1b[31m\\u202e", nl=False)
    say()
    say("and to the other", err=True)
    warnings.warn("Of \\x1b]52;c;aGk=\\x07 this")

@main.command()
def numbers():
    print_json({"name": "猫"})

main()
"""


def run(*args, encoding="", **options):
    environment = {**os.environ, "PYTHONIOENCODING": encoding} if encoding else None
    command = [sys.executable, "-c", PROGRAM, *args]
    return subprocess.run(command, env=environment, check=False, **{"capture_output": True, **options})


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "euc-jp", "cp932", "koi8-r", "utf-8"])
@pytest.mark.parametrize("args", [["talk"], ["talk", "--help"], ["--help"], ["tlk"], ["talk", "猫"]])
def test_any_letter_can_be_printed_in_any_encoding(encoding, args):
    done = run(*args, encoding=encoding)
    said = done.stdout.decode(encoding) + done.stderr.decode(encoding)
    assert "Traceback" not in said
    assert done.returncode == (0 if (args[0] == "talk" and args[-1] != "猫") or args == ["--help"] else 2)
    if args == ["talk"]:
        assert ("猫" in said) is (encoding in ("euc-jp", "cp932", "utf-8"))
        assert ("\\u732b" in said) is (encoding not in ("euc-jp", "cp932", "utf-8"))
        assert ("#" in said) is (encoding in ("ascii", "latin-1", "cp1252", "euc-jp", "cp932"))
        assert "\x1b" not in said
        assert "\u202e" not in said


def test_json_is_utf_8_whatever_the_locale():
    assert "猫" in run("numbers", encoding="latin-1").stdout.decode()


def test_a_warning_is_a_line_that_steers_no_terminal():
    assert run("talk", encoding="utf-8").stderr.decode().splitlines()[-1] == "Note: Of \ufffd]52;c;aGk=\ufffd this"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("args", [["talk"], ["numbers"], ["--help"], ["talk", "--help"]])
def test_a_full_disk_gets_a_sentence(args):
    with open("/dev/full", "wb") as full:
        done = run(*args, stdout=full, stderr=subprocess.PIPE, capture_output=False)
        assert done.returncode == 1
        assert done.stderr.decode().splitlines() == [
            "Error: Standard output cannot be written: no space left on device.",
            "Hint: Choose another place, or make room and check the folder's permissions.",
        ]
        both = run(*args, stdout=full, stderr=full, capture_output=False)
        assert both.returncode == 1


@pytest.mark.parametrize("args", [["talk"], ["numbers"], ["--help"], ["talk", "--help"]])
def test_a_reader_that_has_gone_is_no_error(args):
    reading, writing = os.pipe()
    os.close(reading)
    done = run(*args, stdout=writing, stderr=subprocess.PIPE, capture_output=False)
    os.close(writing)
    assert done.returncode == 0
    assert b"rror" not in done.stderr


def test_no_standard_output_at_all():
    done = subprocess.run(f"exec {sys.executable} -m tellapart --version >&-", shell=True, check=False)
    assert done.returncode == 0


def test_the_program_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "tellapart", "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"tellapart \d+\.\d+\.\d+\S*\n", done.stdout)


def test_lines_are_broken_between_words_and_tables_and_commands_stay_whole():
    sentence = "  This is a sentence that is somewhat longer than what there is room for."
    assert broken(sentence, 40) == "  This is a sentence that is somewhat\n  longer than what there is room for."
    table = "name        right      wrong        share of all that was asked"
    assert broken(table, 40) == table
    assert broken("To put all back: tellapart check 'my long folder of photos' --undo", 40) == (
        "To put all back:\n  tellapart check 'my long folder of photos' --undo"
    )
    assert broken("猫 " * 30, 40) == "\n".join(["猫 " * 12 + "猫"] * 2 + ["猫 " * 3 + "猫"]) or all(
        len(line) <= 40 for line in broken("猫 " * 30, 40).split("\n")
    )
    assert broken("x" * 50, 40) == "x" * 50


def test_the_first_thing_a_terminal_shows_goes_before_the_next(monkeypatch):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        streams.starting()
        assert os.read(ours, 100).decode() == streams.STARTING
        streams.started()
        assert os.read(ours, 100).decode() == "\r" + " " * len(streams.STARTING) + "\r"
        streams.started()
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        streams.starting()
        assert sys.stderr.getvalue() == ""
    os.close(ours)


def test_names_of_standard_output():
    assert all(map(is_stdout, ("-", "/dev/stdout", "/dev/fd/1")))
    assert not any(map(is_stdout, (None, "", "a.csv", "./-")))
