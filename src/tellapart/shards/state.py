"""Where a folder of shards stands: what is done, by which kinds of processor, and what was skipped for which reason."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tellapart.data.remote.place import Place
from tellapart.shards import parquet
from tellapart.shards.destination import LIST, Destination, all_done, opened

Json = dict[str, Any]


@dataclass(frozen=True)
class State:
    """Of a folder of shards. Every file found is used, skipped or waiting.

    Args:
        network: what made the features.
        precision: of the features.
        n_shards: when all are done.
        done: how many are.
        not_done: the numbers of those that are not there, or not whole.
        found: files.
        used: photos with features.
        skipped: files without, for a reason.
        waiting: photos of shards that are not done.
        gone: photos that an update found no longer, or with another content; they are none of the files found.
        reasons: {why a file was skipped: how many were}, the commonest first.
        processors: {kind of processor: how many shards it made}.
    """

    network: str
    precision: str
    n_shards: int
    done: int
    not_done: tuple[int, ...]
    found: int
    used: int
    skipped: int
    waiting: int
    gone: int
    reasons: dict[str, int]
    processors: dict[str, int]

    def to_json(self) -> Json:
        """For machines."""
        return {**vars(self), "not_done": list(self.not_done)}


def state_of(path: Place) -> State:
    """Where the folder of shards at `path` stands.

    Raises:
        InputError: there is none, or its list is damaged.
    """
    destination = opened(path)
    own, listed = destination.manifest, destination.listed
    gone_in = Counter(listed.shards[listed.gone].tolist())
    left_out = parquet.load(destination.path / LIST, ["skipped"])["skipped"].drop_null()
    reasons = Counter(left_out.to_pylist())
    processors: Counter[str] = Counter()
    used, skipped, not_done = 0, sum(reasons.values()), []
    for shard, said in enumerate(all_done(destination, range(own.n_shards))):
        if said is None:
            not_done.append(shard)
            continue
        processors[said["processor"]] += 1
        used, skipped = used + said["used"], skipped + said["skipped"]
        if said["skipped"] or gone_in[shard]:
            why = _reasons(destination, shard)
            used, skipped = used - said["used"] + why[None], skipped - said["skipped"] + why.total() - why[None]
            reasons.update({reason: n for reason, n in why.items() if reason is not None})
    n_gone = int(listed.gone.sum())
    found = own.n_photos + own.n_left_out - n_gone
    return State(
        network=own.network,
        precision=own.precision,
        n_shards=own.n_shards,
        done=own.n_shards - len(not_done),
        not_done=tuple(not_done),
        found=found,
        used=used,
        skipped=skipped,
        waiting=sum(destination.sizes[shard] - gone_in[shard] for shard in not_done),
        gone=n_gone,
        reasons=dict(reasons.most_common()),
        processors=dict(processors.most_common()),
    )


def _reasons(destination: Destination, shard: int) -> "Counter[str | None]":
    """{why photos of a shard that are not gone were skipped, None where they were not: how many}."""
    listed = destination.listed
    table = parquet.load(destination.place(shard), ["uri", destination.reasons])
    at = [listed.there.get(uri, -1) for uri in table["uri"].to_pylist()]
    reasons = zip(at, table[destination.reasons].to_pylist(), strict=True)
    return Counter(why for place, why in reasons if place >= 0 and listed.shards[place] == shard)
