"""One evaluation -> the model card, README.md of the model folder, with the front matter model hubs read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from tellapart.evaluation.evaluation import Evaluation, headline_with_leaks
from tellapart.report import sections
from tellapart.report.page import percent
from tellapart.report.training import recipe_line
from tellapart.text import as_markdown

TEMPLATES = Path(__file__).parent / "templates"
_SHOWN_CLASSES = 100  # a longer table helps nobody; evaluation.json has them all


class _Ready(str):
    """Text that is already safe where it goes, so that `finalize` leaves it alone."""

    __slots__ = ()


def render_card(evaluation: Evaluation, manifest: Mapping[str, Any]) -> str:
    """The model card as Markdown; names are escaped, the licence is left for its owner to choose.

    Args:
        evaluation: of the model.
        manifest: of the model folder; `name` is used where present.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701  this is Markdown: `finalize` escapes every expression instead
        finalize=_markdown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": percent, "yaml": _yaml}
    card = environment.get_template("README.md.j2").render(
        evaluation=evaluation,
        headline_with_leaks=headline_with_leaks(evaluation),
        name=str(manifest.get("name") or "An image classifier"),
        class_names=evaluation.confusion.class_names,
        shown=evaluation.per_class[:_SHOWN_CLASSES],
        shown_classes=_SHOWN_CLASSES,
        tested=sections.tested(evaluation),
        crossed=evaluation.crossed,
        unknown=sections.unknown(evaluation),
        corrupted=evaluation.robustness,
        recipe=recipe_line(evaluation.training, (manifest.get("recipe") or {}).get("kind")),
        model=evaluation.model or {},
        **{name: getattr(evaluation, name) for name in ("accuracy", "baseline", "n_test", "macro_f1", "calibration")},
        **{name: getattr(evaluation, name) for name in ("leaks", "split")},
    )
    return card.encode("utf-8", "replace").decode()  # a file name may hold bytes that are no text


def _markdown(value: object) -> str:
    """Text that Markdown and the HTML inside it show as it is, on one line."""
    if isinstance(value, _Ready):
        return value
    return as_markdown(value)


def _yaml(value: object) -> _Ready:
    """A quoted YAML scalar on one line: JSON strings are YAML, once without control characters."""
    return _Ready(json.dumps("".join(c if c.isprintable() else " " for c in str(value)), ensure_ascii=False))
