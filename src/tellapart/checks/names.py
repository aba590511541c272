"""Class names that may mean one and the same class."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from tellapart.checks.finding import Finding
from tellapart.data.meaning.class_names import same_numbers
from tellapart.text import counted, quoted, some

MIN_LETTERS = 6  # below it, one letter makes another word: plane and planet
MIN_LETTERS_FOR_VOWELS = 8  # above it, words that differ in one vowel are rarely two
VOWELS = frozenset("aeiouy")


def name_findings(class_names: tuple[str, ...]) -> list[Finding]:
    """The finding about class names that clash, if any."""
    pairs = clashing_names(class_names)
    if not pairs:
        return []
    listed = some([f"{quoted(first)} and {quoted(second)}" for first, second in pairs])
    return [
        Finding(
            "name_clash",
            f"{counted(len(pairs), 'pair')} of class names may mean the same class: {listed}.",
            "If they do, move the photos into one folder; if not, rename one so that nobody mixes them up.",
            sure="Only the names were compared; the photos may well differ.",
        )
    ]


def clashing_names(class_names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pairs of names that differ by case, accents, spaces, plural or a slip of the finger; in the order given.

    Names with different numbers or single letters in them never clash: class1 and class2 are two classes. One number
    written in two ways does: 1 and 1.0.
    """
    plain = [_plain(name) for name in class_names]
    pairs = {
        (i, j)
        for i, j in _close(plain)
        if plain[i] == plain[j] or (_marks(class_names[i]) == _marks(class_names[j]) and slip(plain[i], plain[j]))
    }
    numbers = {(class_names.index(first), class_names.index(second)) for first, second in same_numbers(class_names)}
    pairs |= {(min(pair), max(pair)) for pair in numbers}
    return [(class_names[i], class_names[j]) for i, j in sorted(pairs)]


def _words(name: str) -> list[str]:
    letters = unicodedata.normalize("NFKD", name.casefold())
    return re.findall(r"[^\W_]+", "".join(c for c in letters if not unicodedata.combining(c)))


def _marks(name: str) -> list[str]:
    """The numbers in the name, and the letters that stand alone."""
    return re.findall(r"\d+|\b[^\W\d]\b", " ".join(_words(name)))


def _plain(name: str) -> str:
    """The name in small letters, without accents, spaces, signs and an English plural's ending."""
    words = _words(name)
    return "".join(words[:-1]) + _singular(words[-1]) if words else name


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and re.search(r"(s|x|z|ch|sh)es$", word):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _close(plain: list[str]) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i < j, that are equal, or become so when each loses one letter at most; without comparing all."""
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(plain):
        shortened = {name[:at] + name[at + 1 :] for at in range(len(name))} if len(name) >= MIN_LETTERS - 1 else set()
        for key in {name, *shortened}:
            holders[key].append(index)
    for members in holders.values():
        yield from combinations(members, 2)


def slip(first: str, second: str) -> bool:
    """Whether one long word is the other with a letter lost, two neighbours swapped, or another vowel in it.

    A letter added in front makes a contrary (typical, atypical), and another consonant another word (jacket, racket).
    """
    shorter, longer = sorted((first, second), key=len)
    if len(shorter) < MIN_LETTERS:
        return False
    if len(longer) == len(shorter) + 1:
        return any(longer[:at] + longer[at + 1 :] == shorter for at in range(1, len(longer)))
    if len(longer) != len(shorter):
        return False
    differ = [(at, *both) for at, both in enumerate(zip(first, second, strict=True)) if both[0] != both[1]]
    if len(differ) == 1:
        return len(first) >= MIN_LETTERS_FOR_VOWELS and set(differ[0][1:]) <= VOWELS
    if len(differ) != 2:
        return False
    (at, a, b), (then, c, d) = differ
    return then == at + 1 and (a, b) == (d, c)
