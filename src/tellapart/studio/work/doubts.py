"""What `check` finds, as queues of single questions: each with its photos, and what saying yes would do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tellapart.checks.finding import Finding
from tellapart.features.prepare import Prepared
from tellapart.recipe import LinearProbe
from tellapart.studio.work.desk import READING, Desk
from tellapart.studio.work.labelled import labelled
from tellapart.studio.work.likeness import directions, most_alike
from tellapart.text import quoted
from tellapart.timing import Progress
from tellapart.workflow.check import findings_in

MAX_ROWS: Final = 500  # of a queue; when they are answered, the next come
N_BESIDE: Final = 4  # nearest photos shown of each of the two classes that a label is doubted between
TITLES: Final[Mapping[str, str]] = {
    "mislabelled": "Labels",
    "label_conflict": "Same photo, two classes",
    "leak": "Test photos among training photos",
    "exact_duplicate": "Copies",
    "near_duplicate": "Near copies",
    "unusable": "Cannot be read",
    "blurred": "Blurred",
    "dark": "Dark",
    "overexposed": "Burnt out",
    "empty": "Nothing on it",
    "tiny": "Tiny",
    "odd_shape": "Odd shapes",
    "shortcut": "Shortcuts",
}
# What to do, where `check` says it of files in folders: here nothing is deleted.
ADVICE: Final[Mapping[str, str]] = {
    "label_conflict": "Say which class is right, or leave one of them out.",
    "leak": "Leave them out; training reports the score with and without them.",
    "empty": "Leave them out, unless nothing to see is what the class is about.",
}
NOTES: Final[Mapping[str, str]] = {"near": "nearly the same picture", "exact": "the same picture"}
BY_LABEL: Final = ("mislabelled", "label_conflict")  # saying yes gives a photo another class
LEFT_OUT: Final = frozenset(  # saying yes leaves it out
    {
        "leak",
        "exact_duplicate",
        "near_duplicate",
        "unusable",
        "blurred",
        "dark",
        "overexposed",
        "empty",
        "tiny",
        "odd_shape",
    }
)


def doubts(desk: Desk, _: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """All that `check` says of the labelled photos, but for what a person has called right.

    Raises:
        InputError: no photo has a label.
    """
    prepared, ids = labelled(desk, progress)
    found = findings_in(prepared, LinearProbe(READING), progress)
    known = {name: ids[i] for i, name in enumerate(prepared.dataset.photos)}
    asking = _Asking(desk, prepared, known)
    queues, notes = [], []
    for finding in found:
        rows = [row for row in asking.rows(finding) if not asking.is_right(row)]
        if rows:
            queues.append({**_said(finding), "n": len(rows), "rows": rows[:MAX_ROWS]})
        elif not finding.photos:
            notes.append(_said(finding))
    broken = [_row("unusable", [photo], why, _out([photo])) for photo, why in desk.seen(progress).unreadable.items()]
    broken = [row for row in broken if not asking.is_right(row) and not desk.state.marks[row["photos"][0]].out]
    if broken:
        said = Finding("unusable", f"{len(broken):,} of the photos cannot be read.", "They are not learned from.")
        queues.append({**_said(said), "n": len(broken), "rows": broken[:MAX_ROWS]})
    return {"queues": queues, "notes": notes, "n_photos": len(ids), "n_lines": len(desk.state.lines)}


def _said(finding: Finding) -> dict[str, Any]:
    title = TITLES.get(finding.kind, finding.kind.replace("_", " ").capitalize())
    return {
        "kind": finding.kind,
        "title": title,
        "sentence": finding.sentence,
        "advice": ADVICE.get(finding.kind, finding.advice),
        "sure": finding.sure,
    }


def _row(key: str, photos: Sequence[str], note: str, proposal: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"key": key, "photos": list(photos), "note": note, "proposal": proposal, "beside": []}


def _out(photos: Sequence[str]) -> dict[str, Any]:
    return {"do": "out", "photos": list(photos), "out": True}


class _Asking:
    """Findings as questions.

    Args:
        desk: what was said of the photos.
        prepared: N labelled photos.
        known: {name in the dataset: identity}.
    """

    def __init__(self, desk: Desk, prepared: Prepared, known: Mapping[str, str]) -> None:
        self._marks = desk.state.marks
        self._names = prepared.dataset.class_names
        self._labels = prepared.dataset.labels
        self._known = known
        self._at = {photo: i for i, photo in enumerate(known.values())}
        self._ids = list(known.values())
        self._prepared = prepared
        self._directions: NDArray[np.float32] | None = None

    def is_right(self, row: Mapping[str, Any]) -> bool:
        """Whether a person has said so."""
        return row["key"] in self._marks[row["photos"][0]].right

    def rows(self, finding: Finding) -> Iterator[dict[str, Any]]:
        """A question for each photo or pair of the finding."""
        likely = {row[0]: row for row in finding.likely_wrong}
        suspects = set(finding.suspects)
        for words in finding.photos:
            names = [word for word in words[:2] if word in self._known]
            if not names:
                continue
            photos = [self._known[name] for name in names]
            note = "; ".join(NOTES.get(word, word) for word in words if word not in self._known)
            wrong = next((likely[name] for name in names if name in likely), words)
            if finding.kind in BY_LABEL and (label := self._looks_like(wrong)):
                yield self._about_label(finding.kind, photos, note, self._known[wrong[0]], label)
                continue
            others = photos[1:]
            out = [self._known[name] for name in names if name in suspects or len(names) == 1]
            out = out if finding.kind in LEFT_OUT else []
            key = ":".join([finding.kind, *others])
            yield _row(key, photos, note, _out(out[:1]) if out else None)

    def _about_label(self, kind: str, photos: list[str], note: str, wrong: str, label: str) -> dict[str, Any]:
        own = self._names[self._labels[self._at[wrong]]]
        key = f"{kind}:{own}:{label}" if len(photos) == 1 else ":".join([kind, *photos[1:]])
        row = _row(key, photos, note, {"do": "label", "photos": [wrong], "label": label})
        return {**row, "beside": [{"label": name, "photos": self._nearest(wrong, name)} for name in (own, label)]}

    def _looks_like(self, words: Sequence[str]) -> str:
        """The class that a row of suspects names; "" where it names none."""
        said = {f"looks like {quoted(name)}": name for name in self._names}
        return next((said[word] for word in words if word in said), "")

    def _nearest(self, photo: str, name: str) -> list[str]:
        """The photos of a class that are most like one, by the direction of their centred features."""
        if self._directions is None:
            self._directions = directions(self._prepared.values, self._prepared.values.mean(axis=0))
        at = self._at[photo]
        of_class = np.flatnonzero((self._labels == self._names.index(name)) & (np.arange(len(self._labels)) != at))
        nearest = most_alike(self._directions[at], self._directions[of_class], N_BESIDE)
        return [self._ids[i] for i in of_class[nearest]]
