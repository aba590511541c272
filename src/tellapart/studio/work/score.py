"""The score that a page shows: made by what `tellapart train` makes its own with, of the same label file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tellapart.classifier.trained import Trained
from tellapart.data.source import Dataset, scan
from tellapart.errors import InputError, PhotoError
from tellapart.evaluation.advice.next_steps import next_steps
from tellapart.evaluation.document import inside, summary
from tellapart.evaluation.evaluation import Evaluation, as_json
from tellapart.evaluation.learning_curve import CurveSummary
from tellapart.extras import has
from tellapart.features.extract import Features
from tellapart.features.prepare import prepare
from tellapart.recipe import LinearProbe
from tellapart.storage.atomic import write_file
from tellapart.studio.draw import LEAST_TESTED, Draw, groups_of, n_tested, splits_of
from tellapart.studio.table import NAME as TABLE
from tellapart.studio.table import label_file
from tellapart.studio.work import versions
from tellapart.studio.work.desk import READING, Desk, Seen
from tellapart.studio.work.likeness import directions, most_alike
from tellapart.studio.work.stacks import draw_on
from tellapart.text import counted
from tellapart.timing import Progress, Stopwatch
from tellapart.workflow.train import scored

MOST_STACKS: Final = 20_000  # that a page's head learns from; more take minutes, and the score hardly moves
N_WRONG: Final = 200  # wrong photos told, the surest first
N_NEAR: Final = 4  # photos that were learned from, told beside each
BLOCK: Final = 4096  # photos answered at once


@dataclass(frozen=True)
class Scored:
    """The last score, at hand for what else is asked about it."""

    trained: Trained
    evaluation: Evaluation
    ids: list[str]


def score(desk: Desk, _: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Write the label file, fit a head on it, and score that.

    The number and the photos behind it are told first; the answers about all photos, and what more there is to say,
    with the result.

    Raises:
        InputError: there are too few labels, or none that chance has chosen; says how many are missing.
    """
    seen, draw, marks = desk.seen(progress), draw_on(desk, progress), desk.state.marks
    splits = splits_of(marks, draw)
    written = label_file(desk.heap, marks, groups_of(desk.heap, draw), splits)
    write_file(desk.folder / TABLE, written.content)
    if splits and not {"test", "crossed"} & set(splits.values()):
        raise InputError(
            "All labelled photos were chosen by a strip or a suggestion, so none can test.",
            hint="Label some one at a time, in any other order.",
        )
    dataset, n_stacks = at_most(scan(str(desk.folder / TABLE)), seen, draw)
    known = _features(dataset, seen)
    prepared = prepare(dataset, desk.extractor, progress, Stopwatch(), known=known, looks=desk.looks)
    at = {os.path.abspath(photo.place): photo.id for photo in seen.photos}
    ids = [at[os.path.abspath(place)] for place in prepared.dataset.places]
    table = sha256(written.content).hexdigest()[:16]
    told: dict[str, Any] = {
        "n_lines": len(desk.state.lines),
        "own": draw.own,
        "n_tested": n_tested(marks, draw),
        "least_tested": LEAST_TESTED,
        "left": written.left,
        "thinned": n_stacks,
    }

    def first(trained: Trained, evaluation: Evaluation, probs: NDArray[np.float32]) -> None:
        version = _version(desk, table, trained, evaluation, probs, ids)
        told.update(_told(trained, evaluation, probs, ids), versions=_history(desk, version, draw))
        desk.tell_first(told)

    trained, evaluation, kept = scored(prepared, LinearProbe(READING), first=first, progress=progress)
    desk.at_hand = Scored(trained, evaluation, ids)
    answers = _answers(trained, kept.tested.probs, ids, seen)
    return {**told, "sentences": [_on_the_page(said) for said in summary(evaluation)[1:]], "answers": answers}


def at_most(dataset: Dataset, seen: Seen, draw: Draw) -> tuple[Dataset, int]:
    """The photos of MOST_STACKS stacks, as many of each class as its share, all that are for the test among them.

    The second is how many stacks there are where some were left, else 0.
    """
    at = {os.path.abspath(photo.place): photo.id for photo in seen.photos}
    ids = [at.get(os.path.abspath(place), "") for place in dataset.places]
    stacks = np.array([draw.stacks.get(photo, place) for photo, place in zip(ids, dataset.places, strict=True)])
    names, first, of = np.unique(stacks, return_index=True, return_inverse=True)
    if len(names) <= MOST_STACKS:
        return dataset, 0
    labels, tested = dataset.labels[first], dataset.splits[first] == "test"
    chance = np.random.default_rng(0).permutation(len(names))
    chosen = tested.copy()
    room = max(0, MOST_STACKS - int(tested.sum())) / max(1, int((~tested).sum()))
    for label in np.unique(labels):
        own = chance[(labels[chance] == label) & ~tested[chance]]
        chosen[own[: max(2, round(room * len(own)))]] = True
    return dataset.subset(np.flatnonzero(chosen[of])), len(names)


def _features(dataset: Dataset, seen: Seen) -> Features:
    """What is known of the photos of the label file, in its order; those that could not be read have an error."""
    at = {os.path.abspath(photo.place): row for row, photo in enumerate(seen.photos)}
    rows = [at.get(os.path.abspath(place)) for place in dataset.places]
    if None not in rows:
        chosen = np.array(rows, np.int64)
        return Features(seen.values[chosen], seen.pixel_hashes[chosen], seen.pictures[chosen])
    chosen = np.array([row or 0 for row in rows], np.int64)
    errors = {i: PhotoError("it cannot be read", code="unreadable") for i, row in enumerate(rows) if row is None}
    return Features(seen.values[chosen], seen.pixel_hashes[chosen], seen.pictures[chosen], errors)


def _told(trained: Trained, evaluation: Evaluation, probs: NDArray[np.float32], ids: list[str]) -> dict[str, Any]:
    test = trained.split.test
    said = probs.argmax(axis=1) if len(test) else np.zeros(0, np.intp)
    labels = trained.prepared.dataset.labels[test]
    sure = probs[np.arange(len(test)), said]
    wrong = np.flatnonzero(said != labels)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:N_WRONG]
    near = _nearest(trained, test[wrong])
    return {
        "kind": trained.split.kind,
        "headline": evaluation.headline,
        "sentences": [_on_the_page(sentence) for sentence in summary(evaluation)[1:]],
        "accuracy": as_json(evaluation.accuracy),
        "n_test": evaluation.n_test,
        "n_train": len(trained.split.learned),
        "classes": list(evaluation.confusion.class_names),
        "per_class": as_json(evaluation.per_class),
        "tested": [
            [ids[photo], int(label), int(answer), round(float(p), 4)]
            for photo, label, answer, p in zip(test.tolist(), labels, said, sure, strict=True)
        ],
        "wrong": [
            {
                "photo": ids[test[i]],
                "answer": int(said[i]),
                "sure": round(float(sure[i]), 4),
                "near": [ids[j] for j in js],
            }
            for i, js in zip(wrong.tolist(), near, strict=True)
        ],
    }


def _nearest(trained: Trained, photos: NDArray[np.int64]) -> list[list[int]]:
    """The photos that were learned from and are most like each of `photos`, by the direction of centred features."""
    values, learned = trained.prepared.values, trained.split.learned
    mean = values[learned].mean(axis=0)
    ours, theirs = (directions(values[rows], mean) for rows in (photos, learned))
    near: list[list[int]] = []
    for photo, own in zip(photos.tolist(), ours, strict=True):
        order = learned[most_alike(own, theirs, N_NEAR + 1)]
        near.append([other for other in order.tolist() if other != photo][:N_NEAR])
    return near


def _answers(trained: Trained, tested: NDArray[np.float32], ids: list[str], seen: Seen) -> list[list[Any]]:
    """[photo, the number of its answer, how sure] of every photo; of labelled ones by heads that had not seen them."""
    head, row, learned = trained.calibrated, seen.row, trained.split.learned
    answers, sure = np.zeros(len(seen.photos), np.int64), np.zeros(len(seen.photos))
    for start in range(0, len(seen.photos), BLOCK):
        probs = head.probs(np.asarray(seen.values[start : start + BLOCK]))
        answers[start : start + BLOCK], sure[start : start + BLOCK] = probs.argmax(axis=1), probs.max(axis=1)
    unseen = head.out_of_fold_probs(len(learned))
    known = np.flatnonzero(~np.isnan(unseen).any(axis=1))
    for photos, said in ((learned[known], unseen[known]), (trained.split.test, tested.astype(np.float64))):
        if len(photos):
            rows = [row[ids[photo]] for photo in photos.tolist()]
            answers[rows], sure[rows] = said.argmax(axis=1), said.max(axis=1)
    triples = zip(seen.photos, answers.tolist(), sure.tolist(), strict=True)
    return [[photo.id, answer, round(p, 3)] for photo, answer, p in triples]


def _version(
    desk: Desk, table: str, trained: Trained, evaluation: Evaluation, probs: NDArray[np.float32], ids: list[str]
) -> list[versions.Version]:
    """All versions; this one is the last, and kept unless it is the one before again."""
    known = desk.versions
    if known and known[-1].table == table:
        return known
    names, test = evaluation.confusion.class_names, trained.split.test
    labels, said = trained.prepared.dataset.labels[test], probs.argmax(axis=1)
    one = versions.Version(
        number=known[-1].number + 1 if known else 1,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        n_lines=len(desk.state.lines),
        table=table,
        kind=trained.split.kind,
        n_test=evaluation.n_test,
        n_right=evaluation.accuracy.n_right,
        low=evaluation.accuracy.low or 0.0,
        high=1.0 if evaluation.accuracy.high is None else evaluation.accuracy.high,
        n_labelled=trained.prepared.dataset.n,
        answers={
            ids[photo]: (names[label], names[answer])
            for photo, label, answer in zip(test.tolist(), labels.tolist(), said.tolist(), strict=True)
        },
    )
    try:
        versions.keep(desk.folder, one)
    except OSError as error:
        raise InputError(
            "The score cannot be kept: there is no room on the disk, or its folder may not be written to.",
            hint="Make room, then label on.",
        ) from error
    known.append(one)
    return known


def _history(desk: Desk, known: list[versions.Version], draw: Draw) -> dict[str, Any]:
    """The last versions, what changed since the one before, and whether labels of test photos changed since."""
    marks, rows = desk.state.marks, [one.told() for one in known[-versions.SHOWN :]]
    said, relabelled = "", 0
    for row, one in zip(rows[-2:], known[-2:], strict=True):
        if n := versions.n_relabelled(one, marks):
            relabelled = max(relabelled, n)
            row["n_right"], row["n_test"] = versions.n_right_now(one, marks)
            row["again"] = True
    if len(known) > 1:
        said = versions.compared(known[-2], known[-1], marks, draw.stacks)[1]
    again = ""
    if relabelled:
        again = f"{counted(relabelled, 'test photo')} got another label since: the last two versions are scored again."
    return {"rows": rows[::-1], "compared": said, "again": again}


def advice(desk: Desk, _: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """What to do next, and whether there are photos enough, by the score that was made last.

    Raises:
        InputError: there is none yet.
    """
    last = desk.at_hand
    if not isinstance(last, Scored):
        raise InputError("There is no score yet.", hint="Label some photos first.")
    prepared = last.trained.prepared
    found = next_steps(last.trained, last.evaluation, progress, can_fine_tune=has("deep"), bundled=prepared)
    names = zip(prepared.dataset.photos, last.ids, strict=True)
    known = {inside(prepared.dataset, name): photo for name, photo in names}
    curve = found.learning_curve
    return {
        "steps": [
            {"sentence": _on_the_page(one.sentence), "photos": [known[name] for name in one.photos if name in known]}
            for one in found.advice or ()
        ],
        "enough": _enough(None if curve is None else curve.overall),
        "of_class": [] if curve is None else [_enough(one) if one else "" for one in curve.per_class],
    }


def _enough(curve: CurveSummary | None) -> str:
    """Whether more photos would help, in a sentence."""
    if curve is None:
        return "There are too few labelled photos to say whether more would help."
    if curve.gain_of_doubling is None:
        return "More photos like these may well change nothing."
    low, high = (round(100 * end) for end in (curve.gain_of_doubling.low, curve.gain_of_doubling.high))
    about = round(100 * curve.gain_of_doubling.value)
    return f"Twice as many would set about {about} more of 100 right ({low} to {high})."


def _on_the_page(sentence: str) -> str:
    """A sentence of `train`, where it sends to a command that is a screen here."""
    return sentence.replace("“tellapart check”", "The screen Doubts")
