"""Two finished models on the same labelled photos, new to both: which is better, and how sure that is."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.data_frame import DataFrame
from tellapart.data.duplicates import united
from tellapart.data.source import Dataset, scan
from tellapart.errors import InputError
from tellapart.evaluation.answering import Answered, TrainingCopies, answer_all
from tellapart.evaluation.document import inside, photo_counts, refuse_unknown_classes, test_part
from tellapart.evaluation.evaluation import as_json
from tellapart.metrics.intervals import share_interval
from tellapart.metrics.paired import SIGNIFICANT_P, Comparison, compare_answers
from tellapart.model.artifact import Artifact, load_artifact
from tellapart.model.prediction import Predictor
from tellapart.parallel import n_cores
from tellapart.text import counted, html_fold, html_table, quoted, shown, tag
from tellapart.timing import Progress, usual_progress
from tellapart.workflow.trained_copies import copies_of, training_photos

DIFFERING_SHOWN = 50  # photos, in a notebook; all are in `differing`
HOPELESS = 100_000  # photos; nobody labels more to tell two models apart that are so nearly alike

Json = dict[str, Any]


class Compared(dict[str, Any]):
    """What was found, as JSON says it, and as a screen or a notebook shows it."""

    def __repr__(self) -> str:
        scores = [f"  {m['name']}: {m['n_right']:,} of {self['n']:,} right" for m in (self["a"], self["b"])]
        return "\n".join(
            map(shown, [f"<Compared: {self['sentence']}>", *scores, *(f"  {note}" for note in self["notes"])])
        )

    def _repr_html_(self) -> str:
        n = self["n"]
        rows = [
            (m["name"], f"{m['n_right']:,} of {n:,}", f"{m['low'] * n:,.0f} to {m['high'] * n:,.0f}")
            for m in (self["a"], self["b"])
        ]
        differing = [(d["photo"], d["class_name"], d["answer_a"], d["answer_b"]) for d in self["differing"]]
        columns = ("photo", "is", self["a"]["name"], self["b"]["name"])
        parts: list[object] = [
            tag("p", tag("strong", self["sentence"])),
            html_table(("model", "right", "plausible"), rows),
        ]
        parts += [tag("p", note) for note in self["notes"]]
        if differing:
            lead = counted(len(differing), "photo answered differently", "photos answered differently")
            parts.append(html_fold(lead, html_table(columns, differing[:DIFFERING_SHOWN])))
        return tag("div", *parts)


@dataclass(frozen=True)
class _Contestant:
    """One of the two models, its classes as the folders call them, and what it said about the photos it could read."""

    name: str
    artifact: Artifact
    class_names: tuple[str, ...]
    answered: Answered
    learned: TrainingCopies

    def likeliest(self, photos: NDArray[np.int64]) -> NDArray[np.str_]:
        """The class name it finds likeliest for each of `photos`, all of which it could read."""
        names = self.class_names
        return np.array([names[i] for i in self.answered.probs[self._rows(photos)].argmax(axis=1)])

    def hashes(self, photos: NDArray[np.int64]) -> NDArray[np.str_]:
        """What names the pixels it got for each of `photos`."""
        return np.array(self.answered.pixel_hashes)[self._rows(photos)]

    def trained_on(self, photos: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of `photos` it learned from, as they are or in another form."""
        return self.learned.all[self._rows(photos)]

    def _rows(self, photos: NDArray[np.int64]) -> NDArray[np.intp]:
        return np.searchsorted(self.answered.usable, photos)


def compare(
    model_a: str | os.PathLike[str],
    model_b: str | os.PathLike[str],
    source: str | os.PathLike[str] | DataFrame,
    *,
    group_by: str | None = None,
    progress: Progress = usual_progress,
) -> Compared:
    """Which of two model folders gets more photos of `source` right, and whether that could be chance.

    A photo counts as right when its likeliest class is; whether a model would have said "not sure" or "none of these"
    is not counted. Where the source has a `test` part, only that is used. Photos that either model was trained on, or
    could not read, are left out for both. Copies of one photo count as one piece of evidence.

    Args:
        model_a: a model folder.
        model_b: another one; both know all classes of the source, and may know more.
        source: labelled photos, as for `train`.
        group_by: what says which photos belong together, as for `scan`; each group counts as one piece of evidence.
        progress: called with (stage, done, total), one stage a model.

    Returns:
        Everything found, a dict ready for JSON. `sentence` says it in words, `notes` what was left out, and
        `looked_for` which copies of training photos could be looked for.

    Raises:
        InputError: no such photos, a class that one of the models does not know, or no photo that is new to both.
        ArtifactError: a model folder cannot be trusted.
    """
    names = _names(model_a, model_b)
    artifacts = [load_artifact(Path(model)) for model in (model_a, model_b)]
    dataset = scan(source, group_by=group_by)
    for name, artifact in zip(names, artifacts, strict=True):
        try:
            refuse_unknown_classes(dataset, artifact.called(dataset.class_names))
        except InputError as error:
            raise InputError(f"{quoted(name)} cannot be compared. {error.message}", hint=error.hint) from error
    dataset = test_part(dataset)
    a, b = (_ask(name, artifact, dataset, progress) for name, artifact in zip(names, artifacts, strict=True))
    return Compared(_result(a, b, dataset))


def _names(model_a: str | os.PathLike[str], model_b: str | os.PathLike[str]) -> tuple[str, str]:
    """What to call the two: their folders' names; the whole paths, or first and second, where those are the same."""
    folders = [shown(Path(os.path.abspath(model)).name) for model in (model_a, model_b)]
    if folders[0] == folders[1]:
        folders = [shown(os.fspath(model)) for model in (model_a, model_b)]
    if folders[0] == folders[1]:
        folders = [f"{folders[0]} (first)", f"{folders[1]} (second)"]
    return folders[0], folders[1]


def _ask(name: str, artifact: Artifact, dataset: Dataset, progress: Progress) -> _Contestant:
    def asking(_: str, done: int, total: int) -> None:
        progress(f"asking {name}", done, total)

    with training_photos(artifact, progress) as training:
        predictor = Predictor.from_artifact(artifact, streams=n_cores(), looks=training.looks)
        answered = answer_all(predictor, dataset, asking, looks=training.looks)
        learned = copies_of(training, answered, dataset, progress)
        return _Contestant(name, artifact, artifact.called(dataset.class_names), answered, learned)


def _result(a: _Contestant, b: _Contestant, dataset: Dataset) -> Json:
    """Everything about the photos that both could read and neither was trained on."""
    read = np.intersect1d(a.answered.usable, b.answered.usable)
    seen_a, seen_b = a.trained_on(read), b.trained_on(read)
    fresh = read[~(seen_a | seen_b)]
    if not len(fresh):
        raise InputError(
            f"No photo of {quoted(dataset.source)} is new to both {quoted(a.name)} and {quoted(b.name)}.",
            hint="Name labelled photos that neither was trained on.",
        )
    truth = np.array(dataset.class_names)[dataset.labels[fresh]]
    said_a, said_b = a.likeliest(fresh), b.likeliest(fresh)
    different, copies = np.unique(a.hashes(fresh), return_inverse=True)
    n_copies = len(fresh) - len(different)
    groups = copies if n_copies else None
    if dataset.groups is not None:
        groups = united(copies.astype(np.int32), dataset.groups.subset(fresh).numbers).astype(np.intp)
    compared = compare_answers(said_a == truth, said_b == truth, groups)
    differing = [
        {
            "photo": inside(dataset, dataset.photos[fresh[i]]),
            "class_name": str(truth[i]),
            "answer_a": str(said_a[i]),
            "answer_b": str(said_b[i]),
        }
        for i in np.flatnonzero(said_a != said_b)
    ]
    left_out = {"n": len(read) - len(fresh), "n_trained_on_a": int(seen_a.sum()), "n_trained_on_b": int(seen_b.sum())}
    skipped = {s.photo: s for s in (*dataset.skipped, *b.answered.skipped, *a.answered.skipped)}
    return {
        "a": _score(a, said_a == truth, groups),
        "b": _score(b, said_b == truth, groups),
        "n": compared.n,
        "n_only_a_right": compared.n_only_a,
        "n_only_b_right": compared.n_only_b,
        "difference": {"value": compared.difference, "low": compared.low, "high": compared.high},
        "p_value": compared.p_value,
        "photos_needed": compared.photos_needed,
        "sentence": sentence(a.name, b.name, compared, n_differing=len(differing)),
        "notes": _notes(a.name, b.name, left_out, n_copies=n_copies, n_skipped=len(skipped)),
        "looked_for": _looked_for(a, b),
        "differing": differing,
        "left_out": left_out,
        "n_copies": n_copies,
        **as_json(photo_counts(dataset.subset(read), [skipped[photo] for photo in sorted(skipped)])),
    }


def _score(model: _Contestant, right: NDArray[np.bool_], groups: NDArray[np.intp] | None) -> Json:
    low, high = share_interval(right, groups)
    facts = {"name": model.name, "model": model.artifact.manifest["model"]}
    return {**facts, "n_right": int(right.sum()), "value": float(right.mean()), "low": low, "high": high}


def sentence(name_a: str, name_b: str, compared: Comparison, *, n_differing: int) -> str:
    """What the comparison found, in words.

    Args:
        name_a: what to call A.
        name_b: what to call B.
        compared: what was found; at least one photo.
        n_differing: photos that the two answer differently, rightly or wrongly.
    """
    photos = counted(compared.n, "photo")
    lead = abs(compared.n_only_b - compared.n_only_a)
    ahead = name_b if compared.n_only_b > compared.n_only_a else name_a
    if compared.p_value < SIGNIFICANT_P:
        return f"{ahead} is better: {lead:,} more right of {compared.n:,} ({_p_text(compared.p_value)})."
    if n_differing == 0:
        return f"{name_a} and {name_b} give the same answer to {'all ' if compared.n > 1 else ''}{photos}."
    equal = f"{name_a} and {name_b} cannot be told apart on {photos}"
    if compared.photos_needed is None:
        return f"{equal}: both have {compared.n_a_right:,} right. They differ on {counted(n_differing, 'photo')}."
    found = f"{equal}: {ahead} has {lead:,} more right ({_p_text(compared.p_value)})."
    if compared.photos_needed > HOPELESS:
        return f"{found} Not even {HOPELESS:,} more test photos would be likely to tell."
    about = _rounded(compared.photos_needed)
    return f"{found} About {counted(about, 'more test photo')} would probably tell."


def _p_text(p_value: float) -> str:
    if p_value < 0.001:
        return "p < 0.001"
    text = f"{p_value:.2g}"
    if p_value < SIGNIFICANT_P and text == f"{SIGNIFICANT_P:.2g}":  # rounding must not contradict the verdict
        return f"p < {SIGNIFICANT_P}"
    return f"p = {text}"


def _rounded(number: int) -> int:
    """The number rounded up to what a rough estimate is good for: two digits, and tens from 10 on."""
    step = int(10 ** max(len(str(number)) - 2, 1 if number >= 10 else 0))
    return math.ceil(number / step) * step


def _notes(name_a: str, name_b: str, left_out: Json, *, n_copies: int, n_skipped: int) -> list[str]:
    """What else a reader of the sentence must know."""
    notes = []
    if left_out["n"]:
        by_model = f"{name_a}: {left_out['n_trained_on_a']:,}, {name_b}: {left_out['n_trained_on_b']:,}"
        notes.append(f"Left out: {counted(left_out['n'], 'photo')} that a model was trained on ({by_model}).")
    if n_copies:
        kind = counted(n_copies, "photo that is a copy of another", "photos that are copies of others")
        notes.append(f"Counted as one with what it repeats: {kind}.")
    if n_skipped:
        notes.append(f"{counted(n_skipped, 'file')} could not be used.")
    return notes


def _looked_for(a: _Contestant, b: _Contestant) -> list[str]:
    """Which copies of training photos could be looked for, once where it is the same for both."""
    said = [model.learned.looked_for for model in (a, b)]
    if said[0] == said[1]:
        return said[:1]
    return [f"{model.name}: {sentence}" for model, sentence in zip((a, b), said, strict=True)]
