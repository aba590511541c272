"""What `tellapart check` found -> one self-contained HTML page for people: no script, no request, stable bytes."""

import hashlib
import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from tellapart.checks.audit import FEW_PHOTOS, class_counts
from tellapart.checks.finding import Finding
from tellapart.checks.fixes import KINDS, USUAL, suspicious
from tellapart.data.photo import decode, stored_as
from tellapart.data.source import Dataset
from tellapart.errors import PhotoError
from tellapart.features.prepare import Prepared
from tellapart.model.thumbnail import make_thumbnail
from tellapart.report.page import UNIT_SPACE, environment
from tellapart.text import for_shell, quoted

MAX_PICTURES = 24  # photos shown of one finding; twelve pairs fill four screens of a phone
MAX_NAMED = 500  # photos named of one finding after those, folded away
MAX_PICTURE_BYTES = 2_500_000  # of all pictures as text; a page of 3 MB can still be mailed and opens at once
PICTURE_PX = 280  # the longest side; sharp enough to see a crop of 5 % on a phone
SHOWN_CLASSES = 20  # the rest is folded away
_FIXED = {kind for name in USUAL for kind in KINDS[name]}  # kinds of findings that --fix acts on by itself
UNTRAINABLE = "untrainable"  # the finding that says why training would refuse
_NOTES = {"exact": "the same photo", "near": "nearly the same photo"}
_SPLITS = ("train", "val", "test")

Json = dict[str, Any]


def check_page(prepared: Prepared, findings: Sequence[Finding]) -> bytes:
    """The findings as one HTML document; every name in it is escaped, nothing in it loads anything.

    Args:
        prepared: the photos that were looked at; those shown are read again.
        findings: gravest first; any number. Words of a finding's rows that name no photo are shown as they are.
    """
    dataset = prepared.dataset
    album = _Album(dataset)
    fixed = {photo for finding in findings if finding.kind in _FIXED for photo in finding.suspects}
    blocked = next((finding for finding in findings if finding.kind == UNTRAINABLE), None)
    template = environment().get_template("check.html.j2")
    page = template.render(
        source=dataset.source,
        headline=_headline(len(findings), blocked),
        n_found=dataset.n + len(prepared.skipped),
        n_used=dataset.n,
        n_skipped=len(prepared.skipped),
        n_suspects=len({photo for finding in findings for photo in finding.suspects}),
        n_fixed=len(fixed),
        n_labels=len(suspicious(findings) - fixed),
        n_classes=len(dataset.class_names),
        classes=_classes(dataset),
        shown_classes=SHOWN_CLASSES,
        findings=[_finding(finding, album) for finding in findings],
        movable=dataset.archive is None and os.path.isdir(dataset.source),
        packed=dataset.archive.kind if dataset.archive else "",
        name=_typed(dataset.source),
    )
    return page.encode("utf-8", "replace")  # a file name may hold bytes that are no text


def _headline(n_findings: int, blocked: Finding | None) -> tuple[str, str]:
    """The verdict, and what it rests on."""
    if blocked:
        return "Not ready to train yet", blocked.sentence
    if not n_findings:
        return "Ready to train", "Nothing was found that needs your attention."
    return "Ready to train", f"{n_findings} thing{'' if n_findings == 1 else 's'} worth mending first"


def _typed(source: str) -> str:
    """The source as it can be typed on a command line."""
    return for_shell(source)


def _classes(dataset: Dataset) -> list[Json]:
    """Classes by size, largest first, with their photos in each split where there are any."""
    counts = class_counts(dataset)
    by_split = {
        split: np.bincount(dataset.labels[dataset.splits == split], minlength=len(counts))
        for split in _SPLITS
        if (dataset.splits == split).any()
    }
    largest = max(1, int(counts.max(initial=0)))
    return [
        {
            "class_name": dataset.class_names[i],
            "n": int(counts[i]),
            "percent": f"{100 * counts[i] / largest:.2f}%",
            "few": counts[i] < FEW_PHOTOS,
            "splits": ", ".join(f"{split} {n[i]:,}" for split, n in by_split.items()),
        }
        for i in sorted(range(len(counts)), key=lambda i: (-counts[i], dataset.class_names[i]))
    ]


@dataclass(frozen=True)
class _Seen:
    """A photo as it is on disk: its picture for the page, size in pixels and in bytes, format, and the file's hash."""

    picture: str = ""
    facts: tuple[str, ...] = ()
    digest: bytes = b""


class _Album:
    """Pictures of a dataset's photos, until the page holds as many as it should."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.index = {photo: i for i, photo in enumerate(dataset.photos)}
        self._left_bytes = MAX_PICTURE_BYTES

    def look(self, photo: str) -> _Seen:
        """The photo again; nothing of it where it cannot be read any more, or the page is full."""
        if self._left_bytes <= 0:
            return _Seen()
        try:
            data = self.dataset.read(self.index[photo])
            image = decode(data, min_side_px=PICTURE_PX)
            stored = stored_as(data, image)
        except PhotoError:  # it was readable a moment ago: the person is moving photos about
            return _Seen()
        picture = make_thumbnail(image, PICTURE_PX)
        self._left_bytes -= len(picture)
        short, long = sorted((stored.width_px, stored.height_px))
        pixels = f"{long} × {short} px"  # one order, whichever way it is stored
        size = f"{len(data) / 1e6:.1f} MB" if len(data) >= 1e6 else f"{len(data) / 1e3:.0f} kB"
        facts = tuple(fact.replace(" ", UNIT_SPACE) for fact in (pixels, size, stored.kind))
        return _Seen(picture, facts, hashlib.sha256(data).digest())

    def short(self, word: str) -> str:
        """A photo's name without the source that all names begin with."""
        return word.removeprefix(f"{self.dataset.source}/")


def _finding(finding: Finding, album: _Album) -> Json:
    """A finding for the template: rows of photos with their pictures, and rows that are only named."""
    groups: list[Json] = []
    lines: list[Json] = []
    named: list[Json] = []
    room = MAX_PICTURES
    suspects, wrong = set(finding.suspects), {photo: words for photo, *words in finding.likely_wrong}
    for row in finding.photos:
        photos = [word for word in row if word in album.index]
        if photos and len(photos) <= room:
            room -= len(photos)
            groups.append(_group(row, photos, album, suspects, wrong))
        elif photos:
            named.append(_line(row, album, suspects))
        else:
            lines.append(_line(row, album, suspects))
    more = lines[MAX_PICTURES:] + named
    return {
        "kind": finding.kind,
        "sentence": finding.sentence,
        "advice": finding.advice,
        "sure": finding.sure,
        "n_suspects": len(suspects),
        "fixed": finding.kind in _FIXED,
        "groups": groups,
        "paired": any(len(group["photos"]) > 1 for group in groups),
        "lines": lines[:MAX_PICTURES],
        "more": more[:MAX_NAMED],
        "n_more": len(more),
    }


def _line(row: Sequence[str], album: _Album, suspects: Set[str]) -> Json:
    words = [_NOTES.get(word, album.short(word)) for word in row] or [""]
    return {"name": words[0], "notes": words[1:], "suspect": row[:1] != () and row[0] in suspects}


def _group(
    row: Sequence[str],
    photos: Sequence[str],
    album: _Album,
    suspects: Set[str],
    wrong: Mapping[str, Sequence[str]],
) -> Json:
    """Photos that belong together, side by side, with what sets them apart marked, and what those look like instead."""
    seen = [album.look(photo) for photo in photos]
    facts = [(*_where(photo, album), *one.facts) for photo, one in zip(photos, seen, strict=True)]
    apart = [len(set(column)) > 1 for column in zip_longest(*facts)]
    alone, notes = len(photos) == 1, [_NOTES.get(word, word) for word in row if word not in album.index]
    same = not alone and seen[0].digest != b"" and len({one.digest for one in seen}) == 1
    if same:
        notes = ["the same file, byte for byte", *(note for note in notes if note not in _NOTES.values())]
    return {
        "notes": notes,
        "photos": [
            {
                "name": album.short(photo),
                "picture": one.picture,
                "suspect": photo in suspects,
                "notes": [
                    note for note in (notes if alone else wrong.get(photo, ())) if note != f"in {quoted(own[0])}"
                ],
                "class_name": own[0],
                "class_apart": apart[0],
                "split": own[1] if apart[1] else "",
                "facts": []
                if same or alone
                else [{"text": text, "apart": differs} for text, differs in zip(own[2:], apart[2:], strict=False)],
            }
            for photo, one, own in zip(photos, seen, facts, strict=True)
        ],
    }


def _where(photo: str, album: _Album) -> tuple[str, str]:
    """The photo's class and split."""
    dataset, index = album.dataset, album.index[photo]
    return dataset.class_names[dataset.labels[index]], str(dataset.splits[index])
