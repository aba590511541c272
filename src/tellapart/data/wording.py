"""Names and numbers as they stand in a sentence for people."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence

N_EXAMPLES = 3  # items a sentence lists before it says "and 12 more"

_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, undecodable bytes, line separators


def shown(name: str) -> str:
    """The name as it can be printed anywhere: one line of valid Unicode without control characters."""
    if name.isascii() and name.isprintable():
        return name
    return "".join("\ufffd" if unicodedata.category(letter) in _UNPRINTABLE else letter for letter in name)


def quoted(name: str, *, longest: int = 100) -> str:
    """The name between quotation marks, cut in its middle when it is longer than `longest`."""
    text = shown(name)
    if len(text) > longest:
        text = f"{text[: longest // 2]}…{text[-longest // 2 :]}"
    return f'"{text}"'


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
