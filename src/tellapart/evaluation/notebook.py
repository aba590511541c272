"""An evaluation on a screen of text, and as a notebook shows it: the score, the classes, what is confused, mistakes."""

from collections.abc import Mapping, Sequence
from textwrap import fill

from tellapart.evaluation.scores import ClassScores, ConfusedPair, Confusion, WrongPhoto
from tellapart.text import Html, counted, html_fold, html_photo, html_table, in_python, shown, tag

LINES = 6  # of each list, as text: with the headline they fit a screen of 24
SHOWN_CLASSES = 12  # before the rest is folded away
SHOWN_MATRIX = 12  # classes whose matrix of numbers is still read at a glance
SHOWN_WRONG = 12  # photos
SHOWN_ADVICE = 2  # sentences
WIDTH = 110  # letters of a line of text


def as_text(
    headline: str,
    per_class: Sequence[ClassScores],
    pairs: Sequence[ConfusedPair],
    advice: Sequence[str],
) -> str:
    """At most a screen: the headline, the weakest classes, the commonest confusions, what to do next."""
    lines = [f"<Evaluation: {headline}>"]
    weakest = _weakest_first(per_class)
    lines += [f"  {name}: {_of(one)}" for one in weakest[:LINES] for name in [one.class_name]]
    if len(weakest) > LINES:
        lines.append(f"  … and {counted(len(weakest) - LINES, 'class', 'classes')} told apart better")
    lines += [f"  {pair.n} of {pair.class_name} taken for {pair.answer}" for pair in pairs[:LINES]]
    lines += [f"  {number}. {in_python(sentence)}" for number, sentence in enumerate(advice[:SHOWN_ADVICE], start=1)]
    wrapped = [fill(shown(line), WIDTH, subsequent_indent="     ") for line in [*lines, "  Everything: to_json()"]]
    return "\n".join(wrapped)


def as_html(
    headline: str,
    per_class: Sequence[ClassScores],
    confusion: Confusion,
    most_wrong: Sequence[WrongPhoto],
    pictures: Mapping[str, str],
    advice: Sequence[str],
) -> Html:
    """The same for a notebook, with the matrix and the worst photos.

    Args:
        headline: the score in a sentence.
        per_class: (C,) scores.
        confusion: of the same classes.
        most_wrong: the surest mistakes first.
        pictures: {photo: data URI} of those that there is a picture of.
        advice: sentences, the most useful first.
    """
    rows = [(one.class_name, one.n_test, _of(one), _range(one)) for one in _weakest_first(per_class)]
    columns = ("class", "photos", "right", "plausible")
    parts = [tag("p", tag("strong", headline)), html_table(columns, rows[:SHOWN_CLASSES])]
    if rows[SHOWN_CLASSES:]:
        more = counted(len(rows) - SHOWN_CLASSES, "more class", "more classes")
        parts.append(html_fold(more, html_table(columns, rows[SHOWN_CLASSES:])))
    if len(confusion.class_names) <= SHOWN_MATRIX:
        named = zip(confusion.class_names, confusion.matrix, strict=True)
        matrix = html_table(("is … \\ got …", *confusion.class_names), [(name, *row) for name, row in named])
        parts.append(html_fold("Every answer, counted", matrix))
    if most_wrong:
        wrong = [_mistake(one, pictures.get(one.photo, "")) for one in most_wrong[:SHOWN_WRONG]]
        parts += [tag("p", "Surest mistakes"), tag("div", *wrong)]
    if advice:
        parts += [tag("p", "What to do next"), tag("ol", *(tag("li", in_python(sentence)) for sentence in advice))]
    return tag("div", *parts)


def _mistake(one: WrongPhoto, picture: str) -> Html:
    name = one.photo.rpartition("/")[2]
    return html_photo(picture, tag("strong", f"{one.answer}, {one.confidence:.0%}"), f"is {one.class_name}", name=name)


def _weakest_first(per_class: Sequence[ClassScores]) -> list[ClassScores]:
    return sorted(per_class, key=lambda one: (one.recall.value is None, one.recall.value or 0.0))


def _of(one: ClassScores) -> str:
    if one.recall.value is None:
        return "no test photo"
    return f"{round(one.recall.value * one.n_test):,} of {one.n_test:,} right"


def _range(one: ClassScores) -> str:
    low, high = one.recall.low, one.recall.high
    return "" if low is None or high is None else f"{round(low * one.n_test):,} to {round(high * one.n_test):,}"
