"""Which of the findings `check --fix` acts on, so that it comes to rest and never makes a test easier on suspicion.

    fix          moves the suspects of the kinds that were asked for
    taken_out_of_test   what a training says of the photos that its test lacks

Copies, leaks and files that cannot be used are certain, or measured to be nearly so. That a label looks wrong is a
suspicion, and photos under suspicion are the hard ones: on ten kinds of clothing five rounds of taking them out made
202 of 225 test photos right into 199 of 216. So labels are moved only when asked for, once, and out of no test.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tellapart.checks.audit import audit
from tellapart.checks.finding import Finding
from tellapart.checks.quarantine import quarantine, taken_out
from tellapart.checks.removal import Kept, Quarantined, plan
from tellapart.data.meaning.split_words import plain_split
from tellapart.data.source import Dataset
from tellapart.data.split import tested_part
from tellapart.features.prepare import Prepared, part_of
from tellapart.storage.moves import Record
from tellapart.text import counted
from tellapart.timing import Progress, no_progress

# What a person asks for -> kinds of findings.
KINDS: Mapping[str, tuple[str, ...]] = {
    "copies": ("exact_duplicate", "near_duplicate"),
    "leaks": ("leak",),
    "labels": ("label_conflict", "mislabelled"),
    "unusable": ("unusable",),
}
USUAL = ("copies", "leaks", "unusable")
SUSPICION = "mislabelled"
OF_TEST = "it is a test photo, and without those that look wrong a test is easier than it should be"
# What `taken_out_of_test` calls what was moved, by the first word of its reason: one and many.
_TAKEN = {
    "leak": ("photo that is also a training photo", "photos that are also training photos"),
    "exact": ("copy", "copies"),
    "near": ("copy", "copies"),
    "label": ("photo with two names", "photos with two names"),
    SUSPICION: ("photo whose label looked wrong", "photos whose label looked wrong"),
}


def fix(
    prepared: Prepared,
    findings: Sequence[Finding],
    kinds: Collection[str] = USUAL,
    *,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> Quarantined:
    """What was moved out of the photos' folder, and what stays and why.

    Args:
        prepared: the readable photos.
        findings: about them, gravest first.
        kinds: which to act on, of `KINDS`.
        dry_run: only say what would be moved.
        progress: called with (stage, done, total).

    Raises:
        InputError: as for `quarantine`.
    """
    findings, stay = _wanted(prepared.dataset, findings, kinds)
    findings = _until_rest(prepared, findings, kinds)
    done = plan(prepared.dataset, findings) if dry_run else quarantine(prepared.dataset, findings, progress=progress)
    gone = {move.photo for move in done.moves}
    return replace(done, kept=(*done.kept, *(kept for kept in stay if kept.photo not in gone)))


def suspicious(findings: Sequence[Finding]) -> set[str]:
    """The photos whose label looks wrong, or contradicts that of the same photo in another class."""
    return {photo for finding in findings if finding.kind in KINDS["labels"] for photo in finding.suspects}


def _wanted(dataset: Dataset, findings: Sequence[Finding], kinds: Collection[str]) -> tuple[list[Finding], list[Kept]]:
    """The findings of these kinds with the suspects that may go, and why the others stay."""
    wanted = {kind for name in kinds for kind in KINDS[name]}
    tests = {dataset.photos[i] for i in np.flatnonzero(dataset.tested)}
    judged = _judged(dataset) if SUSPICION in wanted else ""
    chosen: list[Finding] = []
    stay: dict[str, str] = {}
    for finding in (one for one in findings if one.kind in wanted):
        why: dict[str, str] = {}
        if finding.kind in KINDS["labels"]:
            again = judged if finding.kind == SUSPICION else ""
            why = {photo: OF_TEST if photo in tests else again for photo in finding.suspects}
        stay |= {photo: reason for photo, reason in why.items() if reason}
        chosen.append(replace(finding, suspects=tuple(photo for photo in finding.suspects if not why.get(photo))))
    return chosen, [Kept(photo, reason) for photo, reason in stay.items()]


def _judged(dataset: Dataset) -> str:
    """Why no more photos go on suspicion: some have gone already; empty where none has."""
    before = [record for record in taken_out(dataset.source) if _kind(record) == SUSPICION]
    if not before:
        return ""
    n = counted(len(before), "photo was", "photos were")
    return f"{n} moved for a label that looked wrong already, and without them others begin to look so; look at it"


def _until_rest(prepared: Prepared, findings: list[Finding], kinds: Collection[str]) -> list[Finding]:
    """The findings, with what is found among the photos that would be left, until nothing more would go.

    How alike two photos are is judged beside the others, so that without the copies a pair may become one.
    """
    dataset = prepared.dataset
    named = {photo for finding in findings for photo in finding.suspects}
    while True:
        gone = {move.photo for move in plan(dataset, findings).moves}
        left = np.flatnonzero([photo not in gone for photo in dataset.photos])
        if len(left) == dataset.n:
            return findings
        rest = part_of(prepared, left)
        more, _ = _wanted(rest.dataset, audit(rest.dataset, (), rest.duplicates), kinds)
        new = [found for found in more if not named.issuperset(found.suspects)]
        if not new:
            return findings
        findings = [*findings, *new]
        named |= {photo for found in new for photo in found.suspects}


def taken_out_of_test(dataset: Dataset) -> str:
    """What `check --fix` took out of the photos that these are tested on, as a sentence; empty where it took nothing.

    With test folders those of them; without, all: some of them would have been test photos.
    """
    records = [record for record in taken_out(dataset.source) if _kind(record) in _TAKEN]
    where = "this folder, so the test has none of them"
    if dataset.given_split:
        tested = tested_part(dataset.splits)
        records = [record for record in records if tested in _splits(record)]
        where = "the test"
    if not records:
        return ""
    kinds = Counter(_TAKEN[_kind(record)] for record in records)
    listed = ", ".join(counted(n, *words) for words, n in kinds.most_common())
    easier = " Those that look wrong are the hard ones, so the score is too good." if _TAKEN[SUSPICION] in kinds else ""
    return f"“tellapart check --fix” has taken out of {where}: {listed}.{easier}"


def _kind(record: Record) -> str:
    """The first word of the gravest reason."""
    return record.why[0].partition(":")[0].partition(" ")[0] if record.why else ""


def _splits(record: Record) -> set[str]:
    """The splits that the folders around a photo may mean: below a source with a wrapper it is the second."""
    return {plain_split(part) for part in record.home.split("/")[:2]}
