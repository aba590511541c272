"""One evaluation -> one self-contained HTML page for people: no script, no request, same input same bytes."""

import functools
import html
import itertools
import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import jinja2
from markupsafe import Markup

from tellapart.data.split import FEW_TEST_PHOTOS
from tellapart.evaluation.costs import Costs
from tellapart.evaluation.coverage import Coverage
from tellapart.evaluation.evaluation import Evaluation, Proof, headline, headline_with_leaks
from tellapart.evaluation.scores import Calibration, ClassScores, Confusion
from tellapart.metrics.calibration import ReliabilityBin
from tellapart.report import sections
from tellapart.report.plots import reliability_plot
from tellapart.report.training import learning

TEMPLATES = Path(__file__).parent / "templates"
NUMBERED_MATRIX_CLASSES = 20  # a larger matrix of numbers is no longer readable on a laptop
PHONE_PX = 340  # what a narrow phone shows of a table
LISTED = 10  # rows shown of a list before the rest is folded away
SHOWN_WRONG = 12  # photos shown before the rest is folded away: six rows on a phone
UNIT_SPACE = "\N{NO-BREAK SPACE}"
SHOWN_OF_ADVICE = 6  # photos shown of one sentence of advice before the rest is folded away: one row on a laptop
_AS_IT_IS = ("n_test", "accuracy", "baseline", "n_found", "n_used", "split", "imbalance", "leaks")
_TWIN_KINDS = {"exact": "the same file", "near": "nearly the same photo"}
_ALWAYS = {
    "twin_kinds": _TWIN_KINDS,
    "listed": LISTED,
    "shown_wrong": SHOWN_WRONG,
    "shown_of_advice": SHOWN_OF_ADVICE,
    "named_others": sections.NAMED_OTHERS,
}
_MODEL_FACTS = {
    "quality": "Quality",
    "backbone": "Backbone",
    "input_px": "Looks at photos of",
    "file_mb": "Size of model.onnx",
    "precision": "Precision",
    "tellapart": "Made with tellapart",
}

Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """How a model was made, as its page says.

    Args:
        day: such as 29 November 2026.
        folder: name of the model folder.
        command: as a person would type it again; empty where it was made from Python.
    """

    day: str
    folder: str
    command: str = ""


def render_page(
    evaluation: Evaluation, thumbnails: Mapping[str, str], *, title: str, model_name: str, made: Made | None = None
) -> str:
    """The report as one HTML document; every name in it is escaped, nothing in it loads anything.

    Args:
        evaluation: of the model, with whatever was asked about.
        thumbnails: photo name -> data URI of an image, of those that `sections.shown_photos` names; a photo without
            one, or with any other address, is shown by its name.
        title: what was learned to be told apart.
        model_name: name of the model folder.
        made: how; None where the page is not of a model's making.
    """
    template = environment().get_template("report.html.j2")
    pictures = {photo: uri for photo, uri in thumbnails.items() if uri.startswith("data:image/")}
    tested = sections.tested(evaluation)
    kinds = _kinds_of_mistake(evaluation)
    page = template.render(
        title=title,
        model_name=model_name,
        made=made,
        numbers=itertools.count(1),
        kinds=kinds,
        tested=tested,
        crossed=evaluation.crossed,
        **_ALWAYS,
        few_photos=evaluation.n_test < FEW_TEST_PHOTOS,
        headline=headline(evaluation),
        headline_with_leaks=headline_with_leaks(evaluation),
        evaluation=evaluation,
        pictures=pictures,
        advice=sections.advice(evaluation),
        doubtful=sections.doubtful(evaluation),
        classes=_weakest_first(evaluation.per_class),
        matrix=_matrix(evaluation.confusion, kinds),
        wrong=evaluation.most_wrong,
        plot=reliability_plot(evaluation.calibration.bins),
        spoken_bin=_spoken_bin(evaluation.calibration.bins),
        leaning=_leaning(evaluation.calibration),
        silence=sections.silence(evaluation),
        unknown=sections.unknown(evaluation),
        costs=sections.costs(evaluation.costs),
        growth=sections.growth(evaluation),
        learning=learning(evaluation),
        corrupted=sections.corrupted(evaluation),
        model_facts=_model_facts(evaluation.model or {}, evaluation.proof, tested),
        warnings=evaluation.warnings or (),
        n_wrong=evaluation.n_test - evaluation.accuracy.n_right,
        calibration=evaluation.calibration,
        pairs=evaluation.confused_pairs,
        **{name: getattr(evaluation, name) for name in _AS_IT_IS},
        skipped=evaluation.skipped or (),
        duplicates=evaluation.duplicates or (),
        timings_s=evaluation.timings_s or {},
    )
    return page.encode("utf-8", "replace").decode()  # a file name may hold bytes that are no text


def with_thresholds(page: str, coverage: Coverage, costs: Costs, *, n_test: int, crossed: bool) -> str:
    """A page that `render_page` made, with its sections that go by thresholds made anew.

    Names in a page are escaped, so nothing but a section begins as one does.
    """
    tested = sections.tested_photos(crossed=crossed)
    facts = {
        "unknown": sections.coverage(coverage, n_test, tested["many"]),
        "costs": sections.costs(costs),
        "tested": tested,
        "pictures": {},
        **_ALWAYS,
    }
    for name in ("unknown", "costs"):
        section = environment().get_template(f"sections/{name}.j2").render(facts).strip()
        begins = page.find(f'<section aria-labelledby="{name}">')
        ends = page.find("</section>", begins)
        if begins >= 0 <= ends:
            page = page[:begins] + section + page[ends + len("</section>") :]
    return page


def percent(share: float | None) -> str:
    """A share in [0, 1] for people: whole percent, and neither 0 % nor 100 % unless it is exactly that."""
    if share is None:
        return "–"
    whole = round(share * 100)
    if whole == 100 and share < 1:
        return f"over{UNIT_SPACE}99{UNIT_SPACE}%"
    if whole == 0 and share > 0:
        return f"under{UNIT_SPACE}1{UNIT_SPACE}%"
    return f"{whole}{UNIT_SPACE}%"


def points(share: float) -> str:
    """A small share in [0, 1] in percentage points with one decimal."""
    return f"{share * 100:.1f}"


def rounded(share: float, base: int) -> int:
    """A share in [0, 1] as so many of `base`, at least 0 and at most all."""
    return min(base, max(0, round(base * share)))


def pieces(name: str) -> list[str]:
    """The name of a file cut where a line may end: after a folder, a hyphen or an underscore, before its last part."""
    return [piece for piece in re.split(r"(?<=[/_-])|(?=\.\w+$)", name) if piece]


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 9.95:
        return f"{seconds:.1f}{UNIT_SPACE}s"
    if seconds < 59.5:
        return f"{seconds:.0f}{UNIT_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}{UNIT_SPACE}min {rest}{UNIT_SPACE}s"


@functools.cache
def environment() -> jinja2.Environment:
    """What every page is made with: names escaped, nothing undefined, the filters for numbers and names."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "points": points, "duration": duration}
    environment.filters |= {
        "css": _css_percent,
        "pieces": pieces,
        "of": rounded,
        "next": next,
        "headings": _headings,
        "shell": shlex.quote,
        "python": _python,
    }
    return environment


def _python(text: str) -> Markup:
    """A text as a Python program writes it, in the letters that it has."""
    return Markup(html.escape(json.dumps(text, ensure_ascii=False), quote=False))  # noqa: S704  # escaped here


def _headings(body: str) -> list[tuple[str, str]]:
    """(id, words) of the page's sections, in their order; the words are ours and hold no mark-up."""
    return re.findall(r'<h2 id="([a-z]+)">([^<&]+)</h2>', body)


def _css_percent(share: float) -> str:
    """A share as a CSS length; the only kind of value that reaches a style attribute."""
    return f"{100 * min(1.0, max(0.0, float(share))):.2f}%"


def _weakest_first(per_class: Sequence[ClassScores]) -> list[ClassScores]:
    """Classes by recall, lowest first; those without test photos last."""
    return sorted(per_class, key=lambda c: (c.recall.value is None, c.recall.value or 0.0))


def _kinds_of_mistake(evaluation: Evaluation) -> dict[tuple[str, str], str]:
    """{(class, answer): the id by which a cell of the matrix shows its photos} of the photos that the page lists."""
    place = {name: i for i, name in enumerate(evaluation.confusion.class_names)}
    pairs = dict.fromkeys((wrong.class_name, wrong.answer) for wrong in evaluation.most_wrong)
    return {pair: f"kind-{place[pair[0]]}-{place[pair[1]]}" for pair in pairs}


def _matrix(confusion: Confusion, kinds: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Rows of cells with the share of their row, which is what their shade shows, and the id of their photos.

    A matrix too large for numbers has only the cells that are not empty: of a thousand classes there are a million.
    """
    names = confusion.class_names
    numbered = len(names) <= NUMBERED_MATRIX_CLASSES
    rows = [
        {
            "class_name": name,
            "n": sum(row),
            "cells": [
                {
                    "n": n,
                    "share": n / max(1, sum(row)),
                    "right": i == j,
                    "column": j,
                    "kind": kinds.get((name, names[j])),
                }
                for j, n in enumerate(row)
                if n or numbered
            ],
        }
        for i, (name, row) in enumerate(zip(names, confusion.matrix, strict=True))
    ]
    width_px = min(160, 7 * max(map(len, names))) + 45 * len(names)  # of the longest name and of cells, roughly
    return {"class_names": names, "rows": rows, "numbered": numbered, "wide": width_px > PHONE_PX}


def _spoken_bin(bins: Sequence[ReliabilityBin]) -> ReliabilityBin | None:
    """The bin to say aloud: the one nearest to 90 % confidence, where people begin to rely on an answer."""
    return min(bins, key=lambda b: abs(b.confidence - 0.9), default=None)


def _leaning(calibration: Calibration) -> str:
    """'chance', or how confidences are off by more than chance explains: 'high', 'low' or 'mixed'."""
    bins, off, by_chance = calibration.bins, calibration.ece, calibration.ece_perfect_p95
    if off is None or by_chance is None or off <= by_chance:
        return "chance"
    gap = sum(b.n * (b.confidence - b.share_right) for b in bins) / sum(b.n for b in bins)
    if abs(gap) < off / 2:  # some bins too high, others too low
        return "mixed"
    return "high" if gap > 0 else "low"


def _model_facts(model: Json, proof: Proof | None, tested: Mapping[str, str]) -> list[tuple[str, str]]:
    units = {"input_px": " px", "file_mb": " MB"}
    facts = []
    for key, label in _MODEL_FACTS.items():
        if model.get(key) is not None:
            value = f"{model[key]:.1f}" if key == "file_mb" else str(model[key])
            value = f"{value} × {value}" if key == "input_px" else value
            facts.append((label, value + units.get(key, "").replace(" ", UNIT_SPACE)))
    if proof:
        largest = math.ceil(proof.largest_difference * 1e6) / 1e6
        photos = f"{proof.n} {tested['one' if proof.n == 1 else 'many']}" if proof.n else "a drawn picture"
        facts.append(("Written file asked again", f"{photos}, no probability off by more than {largest:.6f}"))
    return facts
