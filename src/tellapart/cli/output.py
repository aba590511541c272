"""Results for people and for machines: sentences, bars, JSON, CSV."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from tellapart.cli.streams import fitted, is_stdout, started
from tellapart.text import shown, shown_lines

if TYPE_CHECKING:
    from tellapart.evaluation.evaluation import Evaluation
    from tellapart.model.predictions import Prediction

OF_A_PHOTO: Final = ("photo", "answer", "class_name", "confidence", "error")  # columns that every table of answers has
TAKEN: Final = ("date", "camera")  # columns behind those of the classes, as EXIF says them
PREFIX: Final = "p_"  # of the columns of classes, where a class has the name of another column


def say(text: str = "", *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print lines for people, the only way that this program does: what would steer a terminal is made visible.

    Args:
        text: lines; names in it were made one line each by `shown`.
        err: whether it goes to standard error.
        nl: whether the line ends here.
        style: what `click.style` takes.
    """
    started()
    stream = sys.stderr if err else sys.stdout
    lines = shown_lines(text)
    click.secho(fitted(lines, stream) if nl else lines, stream, nl=nl, **style)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print JSON for machines: UTF-8 whatever the locale, but escaped what would steer a terminal.

    A file name of bytes that are no text is escaped too, so that a machine finds the file again.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    if shown_lines(text) != text:
        text = "".join(letter if shown_lines(letter) == letter else f"\\u{ord(letter):04x}" for letter in text)
    started()
    click.echo(text.encode())


def print_summary(evaluation: "Evaluation") -> None:
    """The headline in bold, then what a person must know beside it."""
    from tellapart.evaluation.document import summary

    first, *rest = summary(evaluation)
    say(first, bold=True)
    for line in rest:
        say(line)
    for sentence in evaluation.robustness.sentences if evaluation.robustness else ():
        say(sentence)
    advice = evaluation.advice or ()
    if advice:
        say("\nWhat to do next", bold=True)
    for number, item in enumerate(advice, start=1):
        say(f"{number}. {item.sentence}")


def print_prediction(prediction: "Prediction", top: int, name_width: int) -> None:
    """One photo for people, its name padded to `name_width` letters (0: left out), and a bar a class if `top` > 1."""
    name = shown(prediction.photo)
    if prediction.error is not None:
        say(f"{name}: {prediction.error}", fg="yellow", err=True)
        return
    best = list((prediction.probs or {}).items())
    answer = str(prediction.answer)
    if prediction.between:
        answer += ": " + " or ".join(prediction.between)
    if prediction.looks_like:
        answer += f" (looks more like {prediction.looks_like})"
    own = dict(best).get(str(prediction.answer))
    percent = "" if own is None else f"  {_percent(own)}"
    if own is not None and prediction.answer != prediction.class_name:
        percent += f" (must not be missed; {best[0][0]} {_percent(best[0][1])})"
    say(f"{name:<{name_width}}  " if name_width else "", nl=False)
    say(answer, nl=False, bold=True)
    say(percent)
    if top > 1:
        width = max(len(name) for name, _ in best[:top])
        for name, p in best[:top]:
            say(f"  {name:<{width}}  {'█' * round(20 * p):<20}  {p:6.1%}")


def _percent(p: float) -> str:
    return ">99%" if 0.995 <= p < 1 else f"{p:.0%}"  # nothing here is certain


def write_csv(
    path: str, predictions: list["Prediction"], class_names: tuple[str, ...], taken: list[tuple[str, str]]
) -> None:
    """One row a photo, one column a class, and of each photo what `taken` says: the day and the camera."""
    rows = []
    for p, when_and_with in zip(predictions, taken, strict=True):
        probs = [f"{(p.probs or {}).get(name, 0):.6f}" if p.error is None else "" for name in class_names]
        confidence = "" if p.confidence is None else f"{p.confidence:.6f}"
        rows.append([p.photo, p.answer or "", p.class_name or "", confidence, p.error or "", *probs, *when_and_with])
    write_table(path, [*OF_A_PHOTO, *class_columns(class_names), *TAKEN], rows)


def class_columns(class_names: Sequence[str], beside: Sequence[str] = ()) -> list[str]:
    """A column's name for each class: its own, but with `PREFIX` before all where one would stand there twice.

    Programs that read tables take the last of two equal columns, some without regard to capitals and blanks. `beside`
    are columns that the table has beside those that every table of answers has.
    """
    for prefix in ("", PREFIX):
        columns = [prefix + name for name in class_names]
        if not _repeats([*OF_A_PHOTO, *columns, *TAKEN, *beside]):
            return columns
    return [f"{PREFIX}{number}_{name}" for number, name in enumerate(class_names, start=1)]


def _repeats(columns: Sequence[str]) -> bool:
    from tellapart.data.spreadsheet import guarded

    return len({guarded(name).strip().casefold() for name in columns}) < len(columns)


def write_table(path: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file, written as a whole; printed for "-". No field that any common separator makes of it is a formula."""
    import csv
    import io
    from pathlib import Path

    from tellapart.data.spreadsheet import guarded
    from tellapart.storage.atomic import write_file

    text = io.StringIO()
    table = [[guarded(str(value)) for value in row] for row in (columns, *rows)]
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(table)
    lines = text.getvalue()
    at_terminal = sys.stdout is not None and sys.stdout.isatty() if path == "-" else Path(path).is_char_device()
    if at_terminal:  # which names must not steer
        lines = shown_lines(lines.replace("\r\n", "\n"))
    content = lines.encode("utf-8", "replace")
    if path == "-":
        print_bytes(content)
        return
    started()
    write_file(Path(path), content)


def print_bytes(content: bytes) -> None:
    """Print a whole file, as it is."""
    started()
    click.echo(content, nl=False)


def say_written(text: str, path: str | None) -> None:
    """Print a line about what was written to `path`; to standard error where that was standard output."""
    say(text, err=is_stdout(path))
