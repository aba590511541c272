"""The journal on a disk: cut, damaged, full, held, and of another version."""

import errno
import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tellapart.errors import InputError
from tellapart.studio.actions import line_for
from tellapart.studio.journal import NAME, Follower, open_journal
from tellapart.studio.state import FOUND, Line, Mark, Side, state_of

PHOTOS = ("a", "b", "c")


def begin(journal):
    journal.add(Line(FOUND, Side(), Side(dict.fromkeys(PHOTOS, Mark()))))


def do(journal, **asked):
    line = line_for(journal.state, asked)
    if line is not None:
        journal.add(line)


def label(journal, *names):
    for n, name in enumerate(names):
        do(journal, do="label", photos=[PHOTOS[n % 3]], label=name)


def test_all_that_was_added_is_there_when_it_is_opened_again(tmp_path):
    with open_journal(tmp_path / "s") as journal:
        begin(journal)
        label(journal, "hat", "sh\u00f6e", "\U0001f3a9")
        do(journal, do="undo")
        seed, marks = journal.seed, dict(journal.state.marks)
    with open_journal(tmp_path / "s") as journal:
        assert (journal.seed, journal.state.marks) == (seed, marks)
        do(journal, do="redo")  # also after a restart
        assert journal.state.marks["c"] == Mark("\U0001f3a9")
        for _ in range(5):
            do(journal, do="undo")
        assert set(journal.state.marks.values()) == {Mark()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The bytes of a journal, and the state after each of its lines."""
    folder = tmp_path_factory.mktemp("journal")
    with open_journal(folder) as journal:
        begin(journal)
        label(journal, "hat", "mug", "hat")
        do(journal, do="class_rename", name="hat", to="cap")
        do(journal, do="undo")
        do(journal, do="out", photos=list(PHOTOS), out=True)
    content = (folder / NAME).read_bytes()
    lines = [Line.from_json(json.loads(text)) for text in content.splitlines()[1:]]
    return content, [state_of(lines[:n]) for n in range(len(lines) + 1)]


def test_another_process_reads_along(tmp_path, written):
    content, states = written
    path = tmp_path / NAME
    with pytest.raises(InputError, match="cannot be read"):
        Follower(path).catch_up()
    path.write_bytes(b"")
    follower = Follower(path)
    for n_bytes in range(0, len(content), 7):
        path.write_bytes(content[:n_bytes])  # as it grows, cut in the middle of a line
        follower.catch_up()
        assert follower.state.marks == states[max(content[:n_bytes].count(b"\n") - 1, 0)].marks
    path.write_bytes(content + b"{}\n")
    with pytest.raises(InputError, match="cannot be understood"):
        follower.catch_up()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_at_any_byte_loses_the_last_line_at_most(written, tmp_path_factory, data):
    content, states = written
    at = data.draw(st.integers(0, len(content)))
    folder = tmp_path_factory.mktemp("cut")
    (folder / NAME).write_bytes(content[:at])
    whole = max(content[:at].count(b"\n") - 1, 0)
    with open_journal(folder) as journal:
        assert (journal.state.classes, journal.state.marks) == (states[whole].classes, states[whole].marks)
        if not whole:
            begin(journal)
        label(journal, "after")
    with open_journal(folder) as journal:  # what was added behind the cut is whole
        assert journal.state.marks["a"].label == "after"


def test_zeros_that_a_power_cut_left_are_dropped(written, tmp_path):
    content, states = written
    (tmp_path / NAME).write_bytes(content + b"\0" * 50 + b"\n")
    with open_journal(tmp_path) as journal:
        assert journal.state.marks == states[-1].marks
    assert (tmp_path / NAME).read_bytes() == content


@pytest.mark.parametrize(
    "spoiled", [b"{}", b"garbage", b'{"do":"undo","of":9,"before":{"photos":{}},"after":{"photos":{}}}']
)
def test_a_line_in_the_middle_is_refused_and_named(written, tmp_path, spoiled):
    lines = written[0].splitlines()
    lines[3] = spoiled
    content = b"\n".join(lines) + b"\n"
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(InputError, match=r"Line 4 of .* cannot be understood\."), open_journal(tmp_path):
        pass
    assert (tmp_path / NAME).read_bytes() == content


def test_a_newer_one_is_refused(tmp_path):
    content = b'{"journal":"tellapart studio","version":2,"seed":"0"}\n'
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(InputError, match=r"was written by a newer tellapart\.") as refused, open_journal(tmp_path):
        pass
    assert "pip install --upgrade" in refused.value.hint
    assert (tmp_path / NAME).read_bytes() == content


@pytest.mark.parametrize(
    "content", [b"a,b\n", b"[]\n", b'{"journal":"x","version":1}\n', b'{"journal":"tellapart studio","version":"1"}\n']
)
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(InputError, match=r"Line 1 of .* cannot be understood\."), open_journal(tmp_path):
        pass
    assert (tmp_path / NAME).read_bytes() == content


def test_a_second_studio_is_refused_and_the_third_is_not(tmp_path):
    with open_journal(tmp_path):
        with pytest.raises(InputError, match=r"Another studio has .* open\."), open_journal(tmp_path):
            pass
        code = "import sys; from pathlib import Path; from tellapart.studio.journal import open_journal\n"
        code += "with open_journal(Path(sys.argv[1])): pass"
        other = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
        assert "Another studio has" in other.stderr
    with open_journal(tmp_path):
        pass


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_said_and_nothing_has_changed(tmp_path, monkeypatch):
    """The file grows up to a limit of the process, as a disk that is full would let it."""
    code = """
import resource, signal, sys
from pathlib import Path
from tellapart.studio.journal import NAME, Follower, open_journal
from tellapart.studio.state import FOUND, Line, Mark, Side
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
with open_journal(folder) as journal:
    journal.add(Line(FOUND, Side(), Side({"a": Mark()})))
    size = (folder / NAME).stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, resource.RLIM_INFINITY))
    try:
        journal.add(Line("none", Side({"a": Mark()}), Side({"a": Mark(none=True)})))
    except ValueError as error:
        print(error)
    assert journal.state.marks["a"] == Mark()
    assert (folder / NAME).stat().st_size == size
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.add(Line("none", Side({"a": Mark()}), Side({"a": Mark(none=True)})))
"""
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("It could not be saved: ")
    with open_journal(tmp_path) as journal:
        assert journal.state.marks["a"] == Mark(none=True)


def test_a_line_is_on_the_disk_before_it_holds(tmp_path, monkeypatch):
    seen = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (seen.append((tmp_path / NAME).read_bytes()), real(handle)))
    with open_journal(tmp_path) as journal:
        begin(journal)
        seen.clear()
        label(journal, "hat")
        assert seen[0] == (tmp_path / NAME).read_bytes()


def test_a_disk_that_fails_to_flush_takes_the_line_back(tmp_path, monkeypatch):
    def fails(_):
        raise OSError(errno.EIO, "Input/output error")

    with open_journal(tmp_path) as journal:
        begin(journal)
        before = (tmp_path / NAME).read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fails)
            with pytest.raises(InputError, match="could not be saved"):
                label(journal, "hat")
        assert (tmp_path / NAME).read_bytes() == before
        assert journal.state.marks["a"] == Mark()
