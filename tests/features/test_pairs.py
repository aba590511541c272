"""Of the pairs that may be alike, those are, of which features or a look say so; however the photos lie in pieces."""

import numpy as np
import pytest

from tellapart.data.duplicates import NEAR_DUPLICATE, SAME_GROUP
from tellapart.data.grey_picture import SIDE_PX
from tellapart.features.pairs import Pairs, judged
from tellapart.timing import no_progress

from .in_pieces import InPieces

N, D = 90, 40


@pytest.fixture(scope="module")
def photos():
    """Every third photo is near the one before by features, and the next one has its picture and other features."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((N, D)).astype(np.float32)
    pictures = np.kron(rng.integers(0, 255, (N, 8, 8)), np.ones((SIDE_PX // 8, SIDE_PX // 8))).astype(np.uint8)
    values[1::3] = values[::3] + 0.2 * values[1::3]
    values[2::3] = values[::3] + 0.75 * values[2::3]
    pictures[2::3] = pictures[::3]
    return values, pictures


def found(photos, pairs, cosines, order, size=7, n_workers=2):
    values, pictures = photos
    members = np.random.default_rng(3).permutation(N)
    place = np.argsort(members)
    rows = InPieces(values, pictures, order, -(-N // size))
    at = np.sort(place[np.array(pairs)], axis=1)
    order = np.lexsort((at[:, 1], at[:, 0]))
    may_be = Pairs(at[order], np.array(cosines, np.float32)[order])
    alike, near = judged(rows, values.mean(axis=0), members, may_be, n_workers, no_progress)
    return tuple({tuple(sorted(pair)) for pair in members[some].tolist()} for some in (alike, near))


def test_features_and_looking_say_who_is_alike(photos):
    firsts = range(0, N, 3)
    pairs = [(i, i + k) for i in firsts for k in (1, 2)]
    alike, near = found(photos, pairs, [0.9, 0.8] * len(firsts), np.arange(N))
    centred = photos[0] - photos[0].mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cosine = {pair: float(unit[pair[0]] @ unit[pair[1]]) for pair in pairs}
    looked = {(i, i + 2) for i in firsts}
    assert near == looked | {pair for pair in pairs if cosine[pair] >= NEAR_DUPLICATE}
    assert alike == looked | {pair for pair in pairs if cosine[pair] >= SAME_GROUP}
    assert any(cosine[pair] < SAME_GROUP for pair in looked)


def test_pieces_and_workers_change_nothing(photos):
    pairs = [(i, i + k) for i in range(0, N, 3) for k in (1, 2)]
    ways = [(np.arange(N), 7, 2), (np.random.default_rng(1).permutation(N), 40, 1), (np.arange(N)[::-1], N, 3)]
    assert len({str(found(photos, pairs, [0.9, 0.8] * (N // 3), *way)) for way in ways}) == 1


def test_only_the_nearest_of_either_are_looked_at(photos):
    values, pictures = photos
    leaves = range(3, 13)
    same = pictures.copy()
    same[leaves] = same[0]  # whoever is looked at is a copy
    star = [(0, i) for i in leaves]
    chain = [(i, j) for i in leaves for j in (60, 61, 62)]  # each has three that are nearer to it than the first
    _, near = found((values, same), star + chain, [*np.linspace(0.76, 0.71, len(star)), *[0.765] * 30], np.arange(N))
    assert near == {(0, 3), (0, 4), (0, 5)}


def test_without_pairs_nobody_is_alike(photos):
    values, pictures = photos
    none = Pairs(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))
    rows = InPieces(values, pictures, np.arange(N), 13)
    assert [len(some) for some in judged(rows, values.mean(axis=0), np.arange(N), none, None, no_progress)] == [0, 0]
