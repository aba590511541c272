"""The list of a folder of shards brought up to date: new photos get shards of their own, vanished ones a mark.

No shard that is there is made again. A photo is its uri and its content: one with another content is a new photo, and
the row of what it was is marked. So contents are read once more and held against the etags of the rows.
"""

from collections import defaultdict
from contextlib import closing
from typing import Any, Final

import numpy as np

from tellapart.data.remote.door import READERS
from tellapart.data.remote.held import etag_in, lies_elsewhere, lies_in_order
from tellapart.data.source import Dataset
from tellapart.errors import InputError, PhotoError
from tellapart.parallel import map_in_order
from tellapart.shards import parquet
from tellapart.shards.claims import claims_at
from tellapart.shards.destination import (
    FORMAT,
    LABELS,
    LIST,
    LOCKS,
    Destination,
    dealt,
    opened,
    size_of,
    table_of_labels,
    uri_of,
)
from tellapart.shards.rows import etag_of

UPDATING: Final = 1 << 40  # the number of a lock that is no shard's


def bring_up_to_date(found: Destination, dataset: Dataset) -> bool:
    """Whether the list was written anew, for photos are new, changed, gone or back.

    Args:
        found: the folder of shards.
        dataset: the photos that are there now.

    Raises:
        InputError: another run does it now, or the folder cannot be written.
    """
    with closing(claims_at(found.path / LOCKS)) as claims, claims.claimed(UPDATING) as mine:
        if not mine:
            raise InputError(
                f"Another run is bringing '{found.path}' up to date.", hint="Wait for it, then run this again."
            )
        return _bring_up_to_date(opened(found.path), dataset)  # as the run before has left it


def _bring_up_to_date(found: Destination, dataset: Dataset) -> bool:
    own, listed, root = found.manifest, found.listed, found.manifest.root
    uris = [uri_of(place, root) for place in dataset.places]
    rows = _rows_of(found, dataset, uris)
    added = [i for i, row in enumerate(rows) if row is None]
    there = {row for row in rows if row is not None}
    gone = np.array([uri is not None and i not in there for i, uri in enumerate(listed.uris)], np.bool_)
    left_out = [(skipped.photo, skipped.reason) for skipped in dataset.skipped]
    before = [(photo, why) for photo, why in zip(listed.photos, listed.reasons, strict=True) if why is not None]
    if not added and (gone == listed.gone).all() and left_out == before:
        return False
    shards = own.n_shards + dealt([uris[i] for i in added], own.shard_size, in_order=lies_in_order(dataset.archive))
    of_new = dict(zip(added, shards.tolist(), strict=True))
    of_gone = np.flatnonzero(gone).tolist()
    known = [*(row for row in rows if row is not None), *of_gone]
    columns: dict[str, list[Any]] = {
        "uri": [*uris, *(listed.uris[i] for i in of_gone)],
        "photo": [*dataset.photos, *(listed.photos[i] for i in of_gone)],
        "shard": [of_new[i] if row is None else int(listed.shards[row]) for i, row in enumerate(rows)],
        "bytes": [size_of(dataset, place) for place in dataset.places],
        "etag": [etag_in(dataset.archive, place) for place in dataset.places],
    }
    columns["shard"] += [int(listed.shards[i]) for i in of_gone]
    columns["bytes"] += [int(listed.bytes[i]) for i in of_gone]
    columns["etag"] += [listed.etags[i] for i in of_gone]
    _add_labels(found, dataset.subset(added), root)
    said = {
        "format": FORMAT,
        "n_photos": len(known) + len(added),
        "n_left_out": len(left_out),
        "updates": [*own.updates, *([len(added)] if added else [])],
    }
    _write_list(found, columns, left_out, len(dataset.places), said)
    return True


def _write_list(
    found: Destination,
    columns: dict[str, list[Any]],
    left_out: list[tuple[str, str]],
    n_there: int,
    said: dict[str, Any],
) -> None:
    """Write the list: photos that are there in the order of the dataset, those that are gone, and what is no photo."""
    pa, n, n_out = parquet.arrow(), len(columns["uri"]), len(left_out)
    table = pa.table(
        {
            "uri": pa.array(columns["uri"] + [None] * n_out, pa.string()),
            "photo": pa.array(columns["photo"] + [photo for photo, _ in left_out], pa.string()),
            "shard": pa.array(columns["shard"] + [-1] * n_out, pa.int32()),
            "bytes": pa.array(columns["bytes"] + [-1] * n_out, pa.int64()),
            "etag": pa.array(columns["etag"] + [None] * n_out, pa.string()),
            "skipped": pa.array([None] * n + [reason for _, reason in left_out], pa.string()),
            "gone": pa.array([False] * n_there + [True] * (n - n_there) + [False] * n_out, pa.bool_()),
        }
    )
    parquet.save(found.path / LIST, table, said, ["skipped"])


def _rows_of(found: Destination, dataset: Dataset, uris: list[str]) -> list[int | None]:
    """Of each photo that is there its row in the list, where it has the content that it had; None for what is new."""
    listed = found.listed
    of_uri: defaultdict[str, list[int]] = defaultdict(list)
    for row, uri in enumerate(listed.uris):
        if uri is not None:
            of_uri[uri].append(row)
    etags = _etags(found)

    def row_of(index: int) -> int | None:
        rows = of_uri.get(uris[index])
        if not rows:
            return None
        now = listed.there.get(uris[index], rows[-1])
        if any(row not in etags for row in rows):  # its shard is not done: it will hold what is there then
            return now
        kept = etag_in(dataset.archive, dataset.places[index])
        if kept is not None and kept == listed.etags[now]:  # a store says so itself
            return now
        try:
            etag = etag_of(dataset.read(index))
        except PhotoError:  # as skipped as before
            return now
        return next((row for row in (now, *reversed(rows)) if etags[row] == etag), None)

    n_workers = READERS if lies_elsewhere(dataset.archive) else None
    return list(map_in_order(row_of, range(dataset.n), n_workers=n_workers, name="update"))


def _etags(found: Destination) -> dict[int, str | None]:
    """{row in the list: hash of the content, None for what could not be read}, of shards that are done."""
    listed = found.listed
    rows: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for row, (uri, shard) in enumerate(zip(listed.uris, listed.shards.tolist(), strict=True)):
        if uri is not None:
            rows[shard][uri] = row
    etags: dict[int, str | None] = {}
    for shard, of_uri in rows.items():
        if found.done(shard) is not None:
            table = parquet.load(found.place(shard), ["uri", "etag"])
            known = zip(table["uri"].to_pylist(), table["etag"].to_pylist(), strict=True)
            etags |= {of_uri[uri]: etag for uri, etag in known}
    return etags


def _add_labels(found: Destination, added: Dataset, root: str) -> None:
    """Write labels of those photos that have none yet, in a table of their own; tables that are there stay.

    They are written before the list, by a name that follows from it, so that a run that was stopped does it again.
    """
    own = found.path / LABELS / f"update-{len(found.manifest.updates) + 1}.parquet"
    known: set[str] = set()
    for path in (found.path / LABELS).glob("*.parquet"):
        if path != own:
            known |= set(parquet.load(path, ["uri"])["uri"].to_pylist())
    new = [i for i, place in enumerate(added.places) if uri_of(place, root) not in known]
    if new:
        table, said, repeating = table_of_labels(added.subset(new), root)
        parquet.save(own, table, {**said, "empty_classes": [], "notes": []}, repeating)
