"""The list of addresses that a person gives: one a line, or a table with columns url, label and licence."""

from typing import Final, NamedTuple

from tellapart.data.meaning.table_text import cells_of, read_text
from tellapart.data.spreadsheet import unguarded
from tellapart.errors import InputError
from tellapart.text import quoted

URL_COLUMNS: Final = ("url", "address", "image_url", "link")
LABEL_COLUMNS: Final = ("label", "class", "category")
LICENCE_COLUMNS: Final = ("licence", "license")


class Wanted(NamedTuple):
    """One address, the class that its photo is of, and the licence that the person knows of; "" for none."""

    url: str
    label: str = ""
    licence: str = ""


def read_wanted(path: str) -> list[Wanted]:
    """The addresses of a list, in its order, each once: the first time it is named counts.

    Raises:
        InputError: the file cannot be read, is no table, or holds no address.
    """
    text = read_text(path, path)
    first = text.lstrip().partition("\n")[0].strip()
    named = "://" not in first and not first.startswith("#")
    found = _rows(text, path) if named else _lines(text)
    if not found:
        raise InputError(f"{quoted(path)} holds no address.", hint="Write one address a line, such as https://….")
    once: dict[str, Wanted] = {}
    for wanted in found:
        once.setdefault(wanted.url, wanted)
    return list(once.values())


def _lines(text: str) -> list[Wanted]:
    lines = (line.strip() for line in text.splitlines())
    return [Wanted(line) for line in lines if line and not line.startswith("#")]


def _rows(text: str, name: str) -> list[Wanted]:
    rows = cells_of(text, name)
    head = [cell.lower() for _, cells in (next(rows, (0, [])),) for cell in cells]
    columns = [_column(head, names) for names in (URL_COLUMNS, LABEL_COLUMNS, LICENCE_COLUMNS)]
    if columns[0] < 0:
        raise InputError(
            f"{quoted(name)} begins neither with an address nor with the names of columns, one of which is url.",
            hint="Write one address a line, or a table with the columns url, label and licence.",
        )
    found = []
    for _, cells in rows:
        url, label, licence = (unguarded(cells[at]) if 0 <= at < len(cells) else "" for at in columns)
        if url:
            found.append(Wanted(url, label, " ".join(licence.split())))
    return found


def _column(head: list[str], names: tuple[str, ...]) -> int:
    return next((head.index(name) for name in names if name in head), -1)
