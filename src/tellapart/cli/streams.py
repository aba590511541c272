"""Standard output and error, whatever they are: a terminal, a file in an old code page, a full disk, a closed pipe.

prepare        lets any letter be printed
starting       fills the silence before the first line or bar
failed         what to say when an output could not be written
fitted         lines broken between words for a terminal
is_stdout      whether a path means standard output
"""

import codecs
import errno
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from contextlib import suppress
from typing import Any, Final, TextIO

import click

# What a code page without it gets instead; all other letters become escapes such as \xe9, which tell names apart.
PLAIN: Final = {
    "█": "#", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "…": "...", "·": "-", "–": "-", "—": "-", "→": "->",
    "×": "x", "≤": "<=", "≥": ">=", "±": "+-", "½": "1/2", "²": "2", "−": "-", "─": "-", "├": "|", "└": "`", "│": "|",
    "\xa0": " ", "\ufffd": "?",
}  # fmt: skip
STARTING: Final = "Starting …"
NARROWEST: Final = 40  # columns; a narrower terminal breaks lines itself
WIDEST: Final = 100  # columns that are comfortable to read
CLOSED: Final = frozenset({errno.EPIPE, errno.ESHUTDOWN} | ({errno.EINVAL} if os.name == "nt" else set()))
_TABLE: Final = re.compile(r"\S {2,}\S")  # columns; breaking them would mix them up
_COMMAND: Final = re.compile(r"(?<=: )(?:tellapart|pip|docker|python|npm)\b.*")  # to be copied whole

_waiting: list[TextIO] = []  # where STARTING stands and has to go


def _spelt(error: UnicodeError) -> tuple[str | bytes, int]:
    """What the handler of errors puts in place of letters that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = error.object[error.start : error.end]
    return "".join(PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in written), error.end


def _only_ascii(name: str) -> codecs.CodecInfo | None:
    """ASCII under a name of ours: click takes plain "ascii" for a mistake and would write UTF-8 into it."""
    if name != "tellapart_ascii":
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode, plain.decode, plain.streamreader, plain.streamwriter,
        plain.incrementalencoder, plain.incrementaldecoder, name=name,
    )  # fmt: skip


codecs.register_error("tellapart", _spelt)
codecs.register(_only_ascii)


def prepare() -> None:
    """Let standard output and error take any letter: what their encoding lacks is spelt, and nothing fails."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, LookupError, ValueError):  # none, a notebook's own, or closed
            only_ascii = codecs.lookup(stream.encoding).name == "ascii"
            changed: dict[str, Any] = {"encoding": "tellapart_ascii"} if only_ascii else {}
            stream.reconfigure(errors="tellapart", **changed)  # type: ignore[union-attr]


def starting() -> None:
    """Tell a person at a terminal that something is going on, until something else is said."""
    if _is_terminal(sys.stderr) and not _waiting:
        _waiting.append(sys.stderr)
        sys.stderr.write(STARTING)
        sys.stderr.flush()


def started() -> None:
    """Take back what `starting` said; to be called before anything is printed."""
    while _waiting:
        stream = _waiting.pop()
        with suppress(OSError, ValueError):
            stream.write("\r" + " " * len(STARTING) + "\r")
            stream.flush()


def _is_terminal(stream: TextIO | None) -> bool:
    with suppress(AttributeError, ValueError):
        return stream is not None and stream.isatty()
    return False


def failed(error: OSError) -> str | None:
    """A sentence where `error` is one of standard output or error, empty if its reader has gone; None for others.

    What could not be written is given up, so that the end of the program does not try again.
    """
    stream = _refused(error)
    if stream is None and not isinstance(error, BrokenPipeError):
        return None
    _give_up(stream or sys.stdout)
    if error.errno in CLOSED:
        return ""
    reason = (error.strerror or "the system refused").lower()
    return f"Standard {'error' if stream is sys.stderr else 'output'} cannot be written: {reason}."


def _refused(error: OSError) -> TextIO | None:
    """Which of our streams click was writing to; asked again, they would not tell, for what they held is lost."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code is not click.echo.__code__:
        return None
    file = trace.tb_frame.f_locals.get("file")
    return sys.stderr if file is not None and file in (sys.stderr, sys.stderr.buffer) else sys.stdout


def _give_up(stream: TextIO) -> None:
    with suppress(AttributeError, OSError, ValueError):  # a stream of a test or a notebook has no number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def fitted(text: str, stream: TextIO | None) -> str:
    """The lines, broken between words where `stream` is a terminal that they are too wide for."""
    if not _is_terminal(stream):
        return text
    columns = shutil.get_terminal_size().columns
    return "\n".join(broken(line, min(columns, WIDEST)) for line in text.split("\n")) if columns >= NARROWEST else text


def broken(line: str, columns: int) -> str:
    """A line as several of at most `columns`, indented as it is; tables stay, and a command to copy stays whole."""
    if _width(line) <= columns or _TABLE.search(line):
        return line
    blank = line[: len(line) - len(line.lstrip())]
    command = _COMMAND.search(line)
    sentence = line[: command.start()] if command else line
    lines = textwrap.wrap(
        sentence.strip(), columns, initial_indent=blank, subsequent_indent=blank,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    if command and lines and _width(f"{lines[-1]} {command[0]}") <= columns:
        lines[-1] += f" {command[0]}"
    elif command:
        lines.append(f"{blank}  {command[0]}")
    return "\n".join(lines)


def _width(text: str) -> int:
    """Columns of a terminal that `text` takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def is_stdout(path: str | None) -> bool:
    """Whether a path that a person gave means this program's own output."""
    return path in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
