"""The list of a folder of shards brought up to date: new photos get shards of their own, vanished ones a mark.

No shard that is there is made again. A photo is its uri and its content: one with another content is a new photo, and
the row of what it was is marked. So contents are read once more and held against the etags of the rows.

Files that were no photos when they were listed, such as empty ones, are tried again with the photos that failed: of the
list, only they change.
"""

import time
from collections import defaultdict
from collections.abc import Set
from contextlib import closing
from typing import Final, NamedTuple

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
    KIND,
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

MOST_GONE: Final = 0.5  # share of the listed photos that must be there; with fewer, other photos were named
UPDATING: Final = 1 << 40  # the number of a lock that is no shard's
WAIT_S: Final = 0.2  # between two looks at whether another run has written the list


class _Entry(NamedTuple):
    """A photo in the list."""

    uri: str
    photo: str
    shard: int
    bytes: int
    etag: str | None


def brought_up(
    found: Destination, dataset: Dataset, uris: Set[str], *, update: bool = False, retry_failed: bool = False
) -> tuple[Destination, int]:
    """The folder of shards, its list written anew if that is asked, and how many photos are new or gone since.

    Args:
        found: the folder of shards.
        dataset: the photos that are there now.
        uris: of them.
        update: whether the list becomes that of these photos.
        retry_failed: whether files that were no photos when they were listed are tried again.

    Raises:
        InputError: these are other photos altogether, another run updates the list, or it cannot be written.
    """
    if update:
        bring_up_to_date(found, dataset)
        found = opened(found.path)
    elif retry_failed and _changed_since(found, uris, dataset.source):
        take_in_filled(found, dataset)
        found = opened(found.path)
    return found, _changed_since(found, uris, dataset.source)


def _changed_since(found: Destination, uris: Set[str], source: str) -> int:
    """How many photos are new or gone since the list was made; refuses photos that are others altogether."""
    listed = found.listed.there.keys()
    n_there = len(listed & uris)
    if n_there < len(listed) * MOST_GONE:
        raise InputError(
            f"'{source}' holds {n_there:,} of {len(listed):,} photos that '{found.path}' was begun for.",
            hint="Name those photos, or choose another folder with -o.",
        )
    return len(listed ^ uris)


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
    listed, root = found.listed, found.manifest.root
    uris = [uri_of(place, root) for place in dataset.places]
    rows = _rows_of(found, dataset, uris)
    added = [i for i, row in enumerate(rows) if row is None]
    known = {row for row in rows if row is not None}
    gone = np.array([uri is not None and i not in known for i, uri in enumerate(listed.uris)], np.bool_)
    left_out = [(skipped.photo, skipped.reason) for skipped in dataset.skipped]
    if not added and (gone == listed.gone).all() and left_out == _left_out(found):
        return False
    of_new = _entries_of_new(found, dataset, added)
    there = [of_new.get(i) or _entry(dataset, i, uris[i], int(listed.shards[row])) for i, row in enumerate(rows)]
    of_gone = [_listed(found, row) for row in np.flatnonzero(gone).tolist()]
    _write_list(found, dataset.subset(added), there, of_gone, left_out)
    return True


def take_in_filled(found: Destination, dataset: Dataset) -> None:
    """Give shards to those photos that were none when the list was made and could be now; the list else stays.

    Two runs that do it at once write the same.

    Args:
        found: the folder of shards.
        dataset: the photos that are there now.
    """
    if not _filled(found, dataset):
        return
    with closing(claims_at(found.path / LOCKS)) as claims:
        while True:
            with claims.claimed(UPDATING) as mine:
                if mine:
                    _take_in_filled(opened(found.path), dataset)  # as the run before has left it
                    return
            time.sleep(WAIT_S)


def _take_in_filled(found: Destination, dataset: Dataset) -> None:
    filled, listed = _filled(found, dataset), found.listed
    if not filled:
        return
    of_new = _entries_of_new(found, dataset, list(filled))
    following: defaultdict[int, list[_Entry]] = defaultdict(list)  # by the row before them in the order of the dataset
    before = -1
    for i, place in enumerate(dataset.places):
        if i in of_new:
            following[before].append(of_new[i]._replace(photo=filled[i]))  # as it is called in the list
        else:
            before = listed.there.get(uri_of(place, found.manifest.root), before)
    there = following[-1]
    for row in listed.there.values():
        there += [_listed(found, row), *following[row]]
    names = set(filled.values())
    left_out = [(photo, why) for photo, why in _left_out(found) if photo not in names]
    gone = [_listed(found, row) for row in np.flatnonzero(listed.gone).tolist()]
    _write_list(found, dataset.subset(list(of_new)), there, gone, left_out)


def _filled(found: Destination, dataset: Dataset) -> dict[int, str]:
    """{number in the dataset: name in the list} of photos that were none when the list was made."""
    names = {_below(found.manifest.source, photo): photo for photo, _ in _left_out(found)}
    own = [_below(dataset.source, photo) for photo in dataset.photos]
    root, there = found.manifest.root, found.listed.there
    tried = [i for i, photo in enumerate(own) if photo in names and uri_of(dataset.places[i], root) not in there]
    return {i: names[own[i]] for i in tried}


def _below(source: str, photo: str) -> str:
    """What a photo is called however the source is, such as by a path from elsewhere."""
    return photo.removeprefix(source).removeprefix("/")


def _left_out(found: Destination) -> list[tuple[str, str]]:
    """What is no photo by the list, and why."""
    listed = found.listed
    return [(photo, why) for photo, why in zip(listed.photos, listed.reasons, strict=True) if why is not None]


def _entries_of_new(found: Destination, dataset: Dataset, added: list[int]) -> dict[int, _Entry]:
    """{number in the dataset: entry} of photos that are in no shard yet, in shards of their own."""
    own, uris = found.manifest, [uri_of(dataset.places[i], found.manifest.root) for i in added]
    shards = own.n_shards + dealt(uris, own.shard_size, in_order=lies_in_order(dataset.archive))
    new = zip(added, uris, shards.tolist(), strict=True)
    return {i: _entry(dataset, i, uri, shard) for i, uri, shard in new}


def _entry(dataset: Dataset, index: int, uri: str, shard: int) -> _Entry:
    place = dataset.places[index]
    return _Entry(uri, dataset.photos[index], shard, size_of(dataset, place), etag_in(dataset.archive, place))


def _listed(found: Destination, row: int) -> _Entry:
    listed = found.listed
    return _Entry(
        listed.uris[row], listed.photos[row], int(listed.shards[row]), int(listed.bytes[row]), listed.etags[row]
    )


def _write_list(
    found: Destination, added: Dataset, there: list[_Entry], gone: list[_Entry], left_out: list[tuple[str, str]]
) -> None:
    """Write labels of what was added, and the list: photos that are there in the order of the dataset, then the others.

    Args:
        found: the folder of shards.
        added: photos that no shard holds yet.
        there: those of the list that are there, `added` among them.
        gone: those that are not.
        left_out: what is no photo, and why.
    """
    own, pa, n_out = found.manifest, parquet.arrow(), len(left_out)
    if own.kind == KIND:
        _add_labels(found, added)
    entries, none = [*there, *gone], [None] * n_out
    table = pa.table(
        {
            "uri": pa.array([*(one.uri for one in entries), *none], pa.string()),
            "photo": pa.array([*(one.photo for one in entries), *(photo for photo, _ in left_out)], pa.string()),
            "shard": pa.array([one.shard for one in entries] + [-1] * n_out, pa.int32()),
            "bytes": pa.array([one.bytes for one in entries] + [-1] * n_out, pa.int64()),
            "etag": pa.array([*(one.etag for one in entries), *none], pa.string()),
            "skipped": pa.array([None] * len(entries) + [reason for _, reason in left_out], pa.string()),
            "gone": pa.array([False] * len(there) + [True] * len(gone) + [False] * n_out, pa.bool_()),
        }
    )
    said = {
        "format": FORMAT,
        "n_photos": len(entries),
        "n_left_out": n_out,
        "updates": [*own.updates, *([added.n] if added.n else [])],
    }
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


def _add_labels(found: Destination, added: Dataset) -> None:
    """Write labels of those photos that have none yet, in a table of their own; tables that are there stay.

    They are written before the list, by a name that follows from it, so that a run that was stopped does it again.
    """
    root, own = found.manifest.root, found.path / LABELS / f"update-{len(found.manifest.updates) + 1}.parquet"
    known: set[str] = set()
    for path in (found.path / LABELS).glob("*.parquet"):
        if path != own:
            known |= set(parquet.load(path, ["uri"])["uri"].to_pylist())
    new = [i for i, place in enumerate(added.places) if uri_of(place, root) not in known]
    if new:
        table, said, repeating = table_of_labels(added.subset(new), root)
        parquet.save(own, table, {**said, "empty_classes": [], "notes": []}, repeating)
