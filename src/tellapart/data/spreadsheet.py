"""Texts that a spreadsheet shows and does not run, at whatever it splits a table.

Source: OWASP, "CSV Injection": signs that begin a formula, their full-width forms, and separators within a cell.
"""

import re
from typing import Final

_FORMULA: Final = "=+\\-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋"  # also full-width, small and raised: some take them for the same
_SEPARATORS: Final = ",;\t|\r\n\v\f\x1c-\x1e\x85\u2028\u2029"  # a spreadsheet may split at any, whatever it was told
_DROPPED: Final = '\x20"\\0\xa0\u200b-\u200f\u2060\ufeff'  # may be dropped from a field before it is looked at
_RUNS: Final = f"[{_DROPPED}]*[{_FORMULA}]|[\t\r]"
_OPEN: Final = f"[{_DROPPED}]*\\Z"  # behind a last separator a field begins that goes on into the next cell
_UNGUARDED: Final = re.compile(f"^(?={_RUNS}|\n)|([{_SEPARATORS}])(?={_RUNS}|{_OPEN})")
_GUARDED: Final = re.compile(f"^'(?={_RUNS}|\n)|([{_SEPARATORS}])'(?={_RUNS}|{_OPEN})")


def guarded(text: str) -> str:
    """The text with an apostrophe before each formula in it, which spreadsheets then show and do not run.

    Quoting alone does not help: to a spreadsheet that splits at semicolons, what a comma quotes is no quotation.
    """
    return _UNGUARDED.sub(lambda found: f"{found[1] or ''}'", text)


def unguarded(text: str) -> str:
    """The text that `guarded` was given, unless that had such apostrophes itself."""
    return _GUARDED.sub(lambda found: found[1] or "", text)
