"""Names in a zip that does not say how they are spelt, read as they were most probably meant.

A zip says that a name is UTF-8, or it says nothing: then it is in the code page of the machine that made it, which may
have been Japanese, Russian or German. All names of a zip are tried in each code page that makers of zips use. One that
gives words, of letters as languages write them, is believed if it is the only one; the person is told. Where two give
words, or none, and a folder is called so, which may be a class, the zip is refused.
"""

import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from tellapart.errors import InputError
from tellapart.text import quoted

UTF8_NAME: Final = 0x800  # the flag of a name that is said to be UTF-8
_UNICODE_PATH: Final = 0x7075  # the extra field in which some programs repeat a name as UTF-8
_MOST_PARTS: Final = 2_000  # different names that are looked at; more say no more
_LONGEST_RUN: Final = 2  # letters beyond ASCII in a row, in a language of Latin letters
_USUAL: Final = 0.75  # share of letters that are common ones, of a text in Chinese or Japanese
_KOREAN: Final = 6  # different letters that are Korean ones all; by chance, two in three Chinese ones are
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_WORD: Final = re.compile(r"[^\W\d_]+")
_USUAL_LATIN: Final = frozenset({"cp1252", "cp437"})
_USUAL_SIGNS: Final = frozenset("°²³©®™€£–—’")
_ONLY_LAST: Final = frozenset("ςךםןףץ")


class Names(NamedTuple):
    """The names of a zip's entries, in their order, and a sentence for the person where they had to be guessed."""

    names: list[str]
    note: str = ""


def in_code_page(info: zipfile.ZipInfo) -> bool:
    """Whether the entry's name is not plain ASCII, and not said to be UTF-8."""
    return not info.flag_bits & UTF8_NAME and not info.orig_filename.isascii()


def read_names(infos: Sequence[zipfile.ZipInfo], name: str) -> Names:
    """The names of all entries.

    Args:
        infos: entries as `zipfile` gives them.
        name: of the zip.

    Raises:
        InputError: a folder's name can be read in two ways, or in none.
    """
    names = [info.orig_filename if in_code_page(info) else info.filename for info in infos]
    raws: dict[int, bytes] = {}
    for at, info in enumerate(infos):
        if not in_code_page(info):
            continue
        raw = info.orig_filename.encode("cp437")
        if said := _said_elsewhere(info.extra, raw):
            names[at] = said
        else:
            raws[at] = raw
    if all(
        map(_utf8, raws.values())
    ):  # macOS writes UTF-8 and does not say so; of other names, a few are valid by chance
        return Names([_utf8(raws[at]) if at in raws else one for at, one in enumerate(names)])
    parts = list(dict.fromkeys(part for raw in raws.values() for part in raw.split(b"/") if not part.isascii()))
    readings = _readings(parts[:_MOST_PARTS])
    folders = [part for raw in raws.values() for part in raw.split(b"/")[:-1] if not part.isascii()]
    if len(readings) != 1:
        if folders:
            _refuse_ambiguous(folders[0], readings, name)
        return Names(names, f"Names of photos in {quoted(name)} are in a code page that it does not name.")
    page = next(iter(readings))
    try:
        names = [raws[at].decode(page) if at in raws else one for at, one in enumerate(names)]
    except UnicodeDecodeError:
        return Names(names, f"Names of photos in {quoted(name)} are in a code page that it does not name.")
    example = (folders or parts)[0].decode(page)
    return Names(
        names,
        f"{quoted(name)} does not say in which code page its names are; they were read as {_PAGES[page].title}: "
        f"{quoted(example)}.",
    )


def _said_elsewhere(extra: bytes, raw: bytes) -> str:
    """The name in the extra field that repeats it as UTF-8, if it is that of this name; else ""."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        field = extra[at + 4 : at + 4 + size]
        if kind == _UNICODE_PATH and len(field) > 5 and struct.unpack_from("<I", field, 1)[0] == zlib.crc32(raw):
            return _utf8(field[5:])
        at += 4 + size
    return ""


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _refuse_ambiguous(part: bytes, readings: Iterable[str], name: str) -> None:
    ways = [f"{quoted(part.decode(page, 'replace'))} ({_PAGES[page].title})" for page in readings]
    called = (
        f"a folder may be called {' or '.join(ways)}" if ways else f"{quoted(part.decode('cp437'))} is a word in none"
    )
    raise InputError(
        f"The zip {quoted(name)} does not say in which code page its names are: {called}.",
        hint="Unpack it yourself and name the folder, or make it again with a program that writes UTF-8.",
    )


def _readings(parts: Sequence[bytes]) -> dict[str, list[str]]:
    """{code page: the parts as it reads them} where these are words; one page of those that read them alike.

    Pages for other languages of Latin letters are asked only where the usual ones give no words: they differ from
    these in few letters, and nearly any name is words in them too.
    """
    found: dict[str, list[str]] = {}
    for title, page in _PAGES.items():  # the usual ones come first
        if not (page.rare and _USUAL_LATIN & set(found)):
            read = _read(parts, title, page)
            if read is not None and read not in found.values():
                found[title] = read
    letters = {letter for part in found.get("euc_kr", ()) for letter in part if not letter.isascii()}
    if len(letters) >= _KOREAN:
        found = {title: read for title, read in found.items() if title not in ("gb2312", "big5")}
    alone = all(len(run) == 1 for part in parts for run in _HIGH.findall(part))
    if alone and found and all(_PAGES[title].signs for title in found):  # 20°C: no letter, and none is swallowed
        read = [part.decode("cp1252", "replace") for part in parts]
        if _USUAL_SIGNS.issuperset(letter for text in read for letter in text if not letter.isascii()):
            return {"cp1252": read}
    if alone and _USUAL_LATIN & set(found):  # letters that stand alone among others: no signs, which would swallow one
        found = {title: read for title, read in found.items() if not _PAGES[title].signs}
    return found


def _read(parts: Sequence[bytes], title: str, page: "_Page") -> list[str] | None:
    try:
        read = [part.decode(title) for part in parts]
    except UnicodeDecodeError:
        return None
    return read if page.fits(parts, read) else None


def _rare(parts: Sequence[bytes], read: Sequence[str]) -> bool:
    """As `_latin`, of languages that have more letters beyond ASCII."""
    return _latin(parts, read, longest=_LONGEST_RUN + 1)


def _latin(parts: Sequence[bytes], read: Sequence[str], longest: int = _LONGEST_RUN) -> bool:
    """Whether few letters are beyond ASCII, and none of them is a capital within a word."""
    runs = (run for part in parts for run in _HIGH.findall(part))
    few = all(len(run) <= longest for run in runs)
    return few and all(_is_of(text, "LATIN") and _cased(text) and not _NO_LATIN.search(text) for text in read)


# Letters of Icelandic alone, a German sharp s behind anything but a vowel, and a vowel with an accent behind itself.
_NO_LATIN: Final = re.compile("[þðÞÐ]|(?<![aeiouyäöü])ß|aá|eé|ií|oó|uú|áa|éea|íi|óo|úu", re.IGNORECASE)


def _alphabet(script: str) -> Callable[[Sequence[bytes], Sequence[str]], bool]:
    """Whether each word is of the script's letters alone, spelt as its language spells words."""

    def fits(_: Sequence[bytes], read: Sequence[str]) -> bool:
        return all(
            _is_of(text, script) and _cased(text) and not _MIXED.search(text) and all(map(_is_word, _words(text)))
            for text in read
        )

    def _words(text: str) -> Iterator[str]:
        return (word for word in _WORD.findall(text) if not word.isascii())

    def _is_word(word: str) -> bool:
        accents = sum(len(unicodedata.normalize("NFD", letter)) > 1 for letter in word)
        pure = all(unicodedata.name(letter, "").startswith(script) for letter in word)
        spelt = not _ONLY_LAST.intersection(word[:-1]) and (script != "GREEK" or accents <= 1)
        return pure and spelt and not _CONSONANTS.search(word.casefold())

    return fits


# Letters of two scripts side by side, a vowel sign of Thai at the start, or two in a row.
_MIXED: Final = re.compile(
    "[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]|(?:^|[\x00-\x7f])[\u0e31\u0e34-\u0e3a\u0e45\u0e47-\u0e4e]"
    "|[\u0e31\u0e33-\u0e3a]{2}"
)
# More consonants in a row than Greek or Russian words have.
_CONSONANTS: Final = re.compile("[βγδζθκλμνξπρστφχψ]{4}|[бвгджзклмнпрстфхцчшщ]{5}")


def _signs(*scripts: str, usual: Callable[[str], bool]) -> Callable[[Sequence[bytes], Sequence[str]], bool]:
    """Whether most letters are signs that are often used."""

    def fits(_: Sequence[bytes], read: Sequence[str]) -> bool:
        signs = [letter for text in read for letter in text if not letter.isascii()]
        letters = [sign for sign in signs if sign.isalpha()]
        known = all(
            unicodedata.name(sign, "").startswith(scripts) or unicodedata.category(sign)[0] in "PZ" for sign in signs
        )
        each = all(any(letter.isalpha() for letter in text if not letter.isascii()) for text in read)
        return known and each and sum(map(usual, letters)) >= _USUAL * len(letters)

    return fits


def _is_of(text: str, script: str) -> bool:
    """Whether everything beyond ASCII in the text is a letter of the script."""
    return all(
        letter.isascii()
        or (unicodedata.category(letter)[0] in "LM" and unicodedata.name(letter, "").startswith(script))
        for letter in text
    )


def _cased(text: str) -> bool:
    """Whether no capital beyond ASCII, and none before one, follows a small letter within a word."""
    pairs = ((a, b) for word in _WORD.findall(text) for a, b in pairwise(word))
    return not any(a.islower() and b.isupper() and not (a.isascii() and b.isascii()) for a, b in pairs)


def _level_one(codec: str, first: int, last: int) -> Callable[[str], bool]:
    """Whether a sign is kana, or one of the common signs, which a standard puts first."""

    def usual(sign: str) -> bool:
        code = int.from_bytes(sign.encode(codec), "big")
        return first <= code <= last or unicodedata.name(sign, "").startswith(("KATAKANA", "HIRAGANA"))

    return usual


class _Page(NamedTuple):
    """A code page: its title, whether it fits what it reads, whether it is `rare`, whether it has signs for words."""

    title: str
    fits: Callable[[Sequence[bytes], Sequence[str]], bool]
    rare: bool = False
    signs: bool = False


# By the name of its codec. JIS X 0208, GB 2312, Big5 and KS X 1001 put the signs that are used most first.
_PAGES: Final[Mapping[str, _Page]] = {
    "cp1252": _Page("Western European (Windows-1252)", _latin),
    "cp437": _Page("Western European (code page 437)", _latin),
    "cp1251": _Page("Cyrillic (Windows-1251)", _alphabet("CYRILLIC")),
    "cp866": _Page("Cyrillic (code page 866)", _alphabet("CYRILLIC")),
    "cp1253": _Page("Greek (Windows-1253)", _alphabet("GREEK")),
    "cp737": _Page("Greek (code page 737)", _alphabet("GREEK")),
    "cp1255": _Page("Hebrew (Windows-1255)", _alphabet("HEBREW")),
    "cp862": _Page("Hebrew (code page 862)", _alphabet("HEBREW")),
    "cp1256": _Page("Arabic (Windows-1256)", _alphabet("ARABIC")),
    "cp874": _Page("Thai (Windows-874)", _alphabet("THAI CHARACTER")),
    "cp932": _Page(
        "Japanese (Shift-JIS)",
        _signs("HIRAGANA", "KATAKANA", "CJK UNIFIED", usual=_level_one("cp932", 0x889F, 0x9872)),
        signs=True,
    ),
    "gb2312": _Page("Chinese (GBK)", _signs("CJK UNIFIED", usual=_level_one("gb2312", 0xB0A1, 0xD7F9)), signs=True),
    "big5": _Page("Chinese (Big5)", _signs("CJK UNIFIED", usual=_level_one("big5", 0xA440, 0xC67E)), signs=True),
    "euc_kr": _Page("Korean (EUC-KR)", _signs("HANGUL SYLLABLE", usual=str.isalpha), signs=True),
    "cp850": _Page("Western European (code page 850)", _rare, rare=True),
    "cp1250": _Page("Central European (Windows-1250)", _rare, rare=True),
    "cp852": _Page("Central European (code page 852)", _rare, rare=True),
    "cp1254": _Page("Turkish (Windows-1254)", _rare, rare=True),
    "cp1257": _Page("Baltic (Windows-1257)", _rare, rare=True),
}
