"""Other names for a finished model and its classes, wherever people read them: no photo is read, nothing is trained."""

import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from tellapart.classifier.decision import Thresholds
from tellapart.data.meaning.class_names import check_class_names, normal
from tellapart.errors import InputError
from tellapart.evaluation.evaluation import Evaluation
from tellapart.model.artifact import (
    CARD,
    EVALUATION,
    MODEL,
    MODEL_FILES,
    REPORT,
    load_artifact,
    refuse_imagenet,
    to_json,
)
from tellapart.model.compose import with_metadata
from tellapart.model.folder_files import read_card
from tellapart.report.card import render_card
from tellapart.report.page import Made, render_page
from tellapart.storage.atomic import refuse_unwritable
from tellapart.text import LONGEST_NAME, did_you_mean, quoted, shown
from tellapart.workflow.model_folder import title_of
from tellapart.workflow.rewriting import page_of, prove_same, write_anew

_OF_CLASSES: Final = frozenset({"class_name", "class_names", "classes", "answer", "looks_like"})  # keys with a name
_COUNTS: Final = "n_train"  # where it is no number, it counts photos by class
_OF_PHOTOS: Final = frozenset({"photo", "twin", "photos", "source", "name", "sources"})  # and these hold no sentence
_QUOTES: Final = (("'", "'"), ('"', '"'), ("“", "”"))  # in which our sentences name classes
# A photo of a report, with the name under it; and how to use the model, with the line on how it was made.
_PICTURE: Final = re.compile(r'<img src="(data:image/[^"]+)"[^>]*></a>.*?<span class="name" title="([^"]*)"', re.DOTALL)
_MADE: Final = re.compile(
    r"<code>tellapart\.load\((?P<folder>.+?)\)\.predict.*?"
    r"Made on (?P<day>[^<.]+?)(?: by <code>(?P<command>[^<]*)</code>)?\. The commands",
    re.DOTALL,
)

Json = dict[str, Any]


@dataclass(frozen=True)
class Named:
    """What a model is called now.

    Args:
        title: of the model.
        class_names: (C,) in the order of its probabilities.
        kept: files whose words are not ours alone, or older than this, and that say what they said.
        n_proven: photos that the written model was asked about again.
    """

    title: str
    class_names: tuple[str, ...]
    kept: tuple[str, ...]
    n_proven: int


def name(
    model: str | os.PathLike[str],
    *,
    title: str | None = None,
    class_names: Mapping[str, str] | None = None,
    output: str | os.PathLike[str] | None = None,
) -> Named:
    """Give the model folder `model`, or its classes, other names, and write it as a whole.

    Labelled photos are still known by the names that the classes had when it was trained.

    Args:
        model: a folder that `train` wrote.
        title: what to call it; None leaves that.
        class_names: {a name of now: the new one}.
        output: another folder to write; None changes `model` itself.

    Raises:
        InputError: no such class, a name that cannot be one, or that two classes would share, or an unwritable folder.
        ArtifactError: the model cannot be trusted.
        TrainingError: the written model would answer otherwise.
    """
    refuse_imagenet(model, "Train a model with: tellapart train PHOTOS -o MODEL")
    folder = Path(model)
    target = folder if output is None else Path(output)
    artifact = load_artifact(folder)
    new = _new_names(artifact.class_names, class_names or {})
    changes = {old: fresh for old, fresh in zip(artifact.class_names, new, strict=True) if old != fresh}
    title = str(artifact.manifest["name"]) if title is None else _title(title)
    refuse_unwritable(target, force=output is None, ours=MODEL_FILES, may_force=False)
    manifest = dict(artifact.manifest) | {"name": title, "class_names": list(new)}
    manifest["thresholds"] = _renamed(manifest["thresholds"], changes)
    known_as = _known_as(manifest.pop("known_as", {}), changes)
    manifest |= {"known_as": known_as} if known_as else {}
    changed = {key: manifest[key] for key in ("name", "class_names", "thresholds")}
    graph = with_metadata(artifact.model, changed)
    n_proven = prove_same(artifact, graph, Thresholds.from_json(manifest["thresholds"]))
    evaluation = _renamed(dict(artifact.evaluation), changes)
    before, after = _typed(artifact.evaluation), _typed(evaluation)
    said = to_json(after.to_json() if after else evaluation)
    files = {**artifact.files, MODEL: graph, EVALUATION: said}
    kept = []
    if page := page_of(folder, artifact, REPORT):
        files[REPORT] = page
        redrawn = before and after and _redrawn(page.decode(), before, after, artifact.manifest, manifest)
        if redrawn:
            files[REPORT] = redrawn.encode()
        else:
            kept.append(REPORT)
    if (card := read_card(folder, CARD)) is not None:
        files[CARD] = card
        if before and after and card == render_card(before, artifact.manifest).encode():
            files[CARD] = render_card(after, manifest).encode()
        else:
            kept.append(CARD)
    write_anew(target, artifact, manifest, files)
    return Named(title, new, tuple(kept), n_proven)


def _new_names(names: tuple[str, ...], wanted: Mapping[str, str]) -> tuple[str, ...]:
    """(C,) the names of all classes.

    Raises:
        InputError: no such class, or a name that cannot be one.
    """
    for old in wanted:
        if old not in names:
            raise InputError(
                f"The model has no class {quoted(old)}.",
                hint=f"{did_you_mean(old, names)}It has: {', '.join(names[:20])}.",
            )
    new = tuple(normal(wanted.get(name, name).strip()) for name in names)
    check_class_names(new)
    twice = next((name for name in new if new.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"Two classes would be called {quoted(twice)}.", hint="Give each a name of its own.")
    return new


def _title(title: str) -> str:
    if not title.strip() or shown(title) != title or len(title) > LONGEST_NAME:
        raise InputError(
            f"A model cannot be called {quoted(title)}.", hint=f"Use up to {LONGEST_NAME} plain letters on one line."
        )
    return title.strip()


def _known_as(known: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """{name of now: the one that it was trained under}, of the classes where these differ."""
    moved = {changes.get(now, now): trained for now, trained in known.items()}
    moved |= {now: before for before, now in changes.items() if before not in known}
    return {now: trained for now, trained in moved.items() if now != trained}


def _renamed(value: Any, changes: Mapping[str, str], key: str = "") -> Any:
    """A JSON value with the classes called otherwise: where a name stands, and in quotation marks in a sentence.

    A class may be called as a word of ours is, such as `near`; that stays where it is no class.
    """
    if isinstance(value, dict):
        names = changes if key == _COUNTS else {}
        return {names.get(inner, inner): _renamed(part, changes, inner) for inner, part in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(part, changes, key) for part in value]
    if not isinstance(value, str) or key in _OF_PHOTOS:
        return value
    if key in _OF_CLASSES:
        return changes.get(value, value)
    quotations = {
        f"{left}{old}{right}": f"{left}{new}{right}" for old, new in changes.items() for left, right in _QUOTES
    } | {quoted(old): quoted(new) for old, new in changes.items()}
    if not quotations:
        return value
    return re.sub("|".join(map(re.escape, quotations)), lambda found: quotations[found[0]], value)


def _typed(evaluation: Mapping[str, Any]) -> Evaluation | None:
    """The evaluation as a value; None for one that an earlier tellapart wrote in another form."""
    try:
        return msgspec.convert(dict(evaluation), Evaluation)
    except (msgspec.ValidationError, TypeError):
        return None


def _redrawn(
    page: str, before: Evaluation, after: Evaluation, manifest: Mapping[str, Any], renamed: Mapping[str, Any]
) -> str | None:
    """The report with other names, its pictures those of `page`; None where `page` is not one that is drawn today."""
    pictures = {html.unescape(photo): uri for uri, photo in _PICTURE.findall(page)}
    found = _MADE.search(page)
    said = {key: html.unescape(text or "") for key, text in found.groupdict().items()} if found else None
    made = Made(**said | {"folder": json.loads(said["folder"])}) if said else None

    def drawn(evaluation: Evaluation, model: Mapping[str, Any]) -> str:
        title = title_of(evaluation.confusion.class_names, model["name"])
        untimed = replace(evaluation, timings_s=None)
        return render_page(untimed, pictures, title=title, model_name=model["name"], made=made)

    return drawn(after, renamed) if drawn(before, manifest) == page else None
