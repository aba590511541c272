"""Names and numbers as they stand in a sentence for people, and as a notebook shows them."""

import difflib
import html
import os
import re
import shlex
import subprocess
import unicodedata
from collections.abc import Iterable, Sequence

N_EXAMPLES = 3  # items a sentence lists before it says "and 12 more"

LONGEST_NAME = 500  # letters of a name of a class or a model: titles of products are labels, too

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, undecodable bytes, line separators
# What turns the direction of the text around it, so that a name reads as another: marks, embeddings, overrides and
# isolates, and the deprecated ones behind them. Joiners (U+200C, U+200D) and the space of no width (U+200B) stay: words
# of Persian, Hindi, Khmer and Thai, and emoji, are spelt with them.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e") | frozenset(map(chr, range(0x2066, 0x2070)))
_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~!$])")
_ADDRESS = re.compile(r"(?i)(?<=[a-z]):(?=//)|(?<=\bwww)\.|(?<=\bmailto):")
# What sentences name of the command line, and what is called for it from Python.
_IN_PYTHON = tuple(
    (re.compile(words), meant)
    for words, meant in (
        (r"“tellapart threshold (\w+) --answer ([\d.]+)”", r"tellapart.threshold(\1, answer=\2)"),
        (r"“tellapart check”", "tellapart.check(photos)"),
        (r"“(?:tellapart )?train --group-by”", "tellapart.train(…, group_by=…)"),
        (r"without --recipe (?:scratch|finetune)", "without a recipe"),
        (r"Add --recipe finetune", "Train with recipe=tellapart.FineTune()"),
        (r"--quality (\w+)", r'quality="\1"'),
    )
)


def shown(name: str) -> str:
    """The name as it can be printed anywhere: one line of valid Unicode without control characters."""
    if name.isascii() and name.isprintable():
        return name
    return "".join("\ufffd" if _is_control(letter) else letter for letter in name)


def shown_lines(text: str) -> str:
    """Several lines, each as `shown` gives it."""
    return "\n".join(map(shown, text.split("\n")))


def _is_control(letter: str) -> bool:
    return letter in _TURNING or unicodedata.category(letter) in _UNPRINTABLE


def as_markdown(value: object) -> str:
    """Text that Markdown and the HTML inside it show as it is, on one line; no part of it is a link."""
    text = " ".join(shown(" ".join(str(value).split())).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _MARKDOWN.sub(r"\\\1", text)
    return _ADDRESS.sub(lambda found: f"&#{ord(found[0])};", text)


def in_python(sentence: str) -> str:
    """A sentence that names commands and options of ours, with what is called in Python instead."""
    for words, meant in _IN_PYTHON:
        sentence = words.sub(meant, sentence)
    return sentence


def quoted(name: str, *, longest: int = 100) -> str:
    """The name between quotation marks, cut in its middle when it is longer than `longest`."""
    return f'"{shortened(shown(name), longest=longest)}"'


def shortened(name: str, *, longest: int = 100) -> str:
    """The name, cut in its middle when it is longer than `longest`."""
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[-longest // 2 :]}"


def for_shell(word: str) -> str:
    """A path or another word as it can be pasted into the shell in use, as one word that is no option."""
    name = shown(word)
    if name.startswith("-"):
        name = f"./{name}"
    if os.name != "nt":
        return shlex.quote(name)
    if re.fullmatch(r"[\w.:\\/~-]+", name):
        return name
    # PowerShell adds the person's own folder of modules to those of the system; it alone takes single quotation marks.
    if len(os.environ.get("PSMODULEPATH", "").split(os.pathsep)) >= 3:
        return "'" + name.replace("'", "''") + "'"
    return subprocess.list2cmdline([name]) if " " in name else f'"{name}"'


def some(items: Sequence[str]) -> str:
    """The first items, and how many more there are."""
    rest = len(items) - N_EXAMPLES
    return ", ".join(items[:N_EXAMPLES]) + (f" and {rest:,} more" if rest > 0 else "")


def counted(number: int, one: str, many: str = "") -> str:
    """The number with its noun: 1 photo, 2,000 photos."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'Did you mean "flip"? ', with its space, for a name close to a known one; empty for others."""
    close = difflib.get_close_matches(name.casefold(), known, n=1)
    return f"Did you mean {quoted(close[0])}? " if close else ""


class Html(str):
    """Text that is HTML already; what is not is escaped by `tag`."""

    __slots__ = ()


def as_html(value: object) -> Html:
    """A name or sentence that HTML shows as it is."""
    return value if isinstance(value, Html) else Html(html.escape(shown_lines(str(value))))


def tag(name: str, *inner: object, **attributes: str) -> Html:
    """An element with what is inside, escaped where it is no HTML yet; `style="…"` and the like are escaped too."""
    given = "".join(f' {key}="{as_html(value)}"' for key, value in attributes.items() if value)
    opened = f"<{name}{given}>"
    return Html(opened if name == "img" else f"{opened}{''.join(map(as_html, inner))}</{name}>")


def html_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """A table for a notebook: text to the left, numbers to the right, readable on a light page and on a dark one."""
    head = tag("tr", *(tag("th", column, style="text-align:left") for column in columns))
    body = (
        tag("tr", *(tag("td", cell, style=f"text-align:{'right' if _is_number(cell) else 'left'}") for cell in row))
        for row in rows
    )
    return tag("table", tag("thead", head), tag("tbody", *body))


def html_photo(picture: str, *words: object, name: str = "") -> Html:
    """A photo with words and its name under it, to stand beside others; `picture` is its data's address, or empty.

    A name too long for its line ends in dots, and is whole where the pointer rests on it.
    """
    seen = tag("img", src=picture, alt="", style="height:110px;display:block") if picture else Html()
    lines = [tag("div", line, style="overflow-wrap:anywhere") for line in words]
    if name:
        lines.append(tag("div", name, title=name, style="overflow:hidden;white-space:nowrap;text-overflow:ellipsis"))
    return tag("figure", seen, *lines, style="display:inline-block;vertical-align:top;margin:4px;max-width:160px")


def html_fold(summary: str, *inner: object) -> Html:
    """What opens at a click."""
    return tag("details", tag("summary", summary), *inner)


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) or (isinstance(cell, str) and cell[:1].isdigit() and cell.endswith("%"))
