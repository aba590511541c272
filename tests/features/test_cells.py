"""Within cells, the copies are found that all-pairs finds, whatever the pieces and the workers."""

import numpy as np
import pytest

from tellapart.data.grey_picture import SIDE_PX
from tellapart.features.cells import copies_in_cells
from tellapart.features.copies import find_copies

from .in_pieces import InPieces

N, D, PLANTED = 2000, 300, 150


@pytest.fixture(scope="module")
def photos():
    """Photos of 60 kinds; the last ones are copies: of equal pixels, or with features at a cosine of about 0.95."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((60, D))[rng.integers(60, size=N)] + 1.4 * rng.standard_normal((N, D)) + 2
    pictures = np.kron(rng.integers(0, 255, (N, 8, 8)), np.ones((SIDE_PX // 8, SIDE_PX // 8))).astype(np.uint8)
    hashes = np.array([f"{i:032d}" for i in range(N)], "S32")
    for copy, of in zip(range(N - PLANTED, N), rng.permutation(N - PLANTED), strict=False):
        noise = 0.5 * rng.standard_normal(D) * (copy % 3 > 0)
        values[copy], pictures[copy] = values[of] + noise, pictures[of]
        hashes[copy] = hashes[copy] if copy % 3 else hashes[of]
    return values.astype(np.float32), pictures, hashes


def as_set(pairs):
    return {(int(i), int(j)) for i, j in pairs}


@pytest.fixture(scope="module")
def found(photos):
    values, pictures, hashes = photos
    return copies_in_cells(InPieces(values, pictures, np.arange(N), 7), hashes, cell=100)


def test_what_all_pairs_finds_is_found_and_nothing_else(photos, found):
    whole = find_copies(*photos)
    near = {(p.first, p.second) for p in whole.pairs if p.kind == "near"}
    assert len(near) >= 2 * PLANTED // 3
    assert len(near & as_set(found.near)) >= 0.98 * len(near)
    assert as_set(found.near) <= near
    assert as_set(found.exact) == {(p.first, p.second) for p in whole.pairs if p.kind == "exact"}
    for i, j in [*as_set(found.near), *as_set(found.exact)]:
        assert found.groups[i] == found.groups[j]


def test_one_cell_is_all_pairs(photos):
    values, pictures, hashes = (each[-600:] for each in photos)
    whole = find_copies(values, pictures, hashes)
    found = copies_in_cells(InPieces(values, pictures, np.arange(600), 2), hashes)
    assert as_set(found.near) == {(p.first, p.second) for p in whole.pairs if p.kind == "near"}
    linked = found.groups[:, None] == found.groups
    assert (linked == (whole.groups[:, None] == whole.groups)).all()


def test_pieces_and_workers_change_nothing(photos, found):
    values, pictures, hashes = photos
    order = np.random.default_rng(2).permutation(N)
    again = copies_in_cells(InPieces(values, pictures, order, 3), hashes, cell=100, n_workers=1)
    assert (again.near == found.near).all()
    assert (again.groups == found.groups).all()


def test_of_some_photos_it_says_what_it_says_of_all(found):
    chosen = np.flatnonzero(np.arange(N) % 10 > 2)
    part = found.among(chosen)
    assert (part.groups[:, None] == part.groups).sum() == (found.groups[chosen][:, None] == found.groups[chosen]).sum()
    near = {(chosen[p.first], chosen[p.second]) for p in part.pairs if p.kind == "near"}
    assert near == {pair for pair in as_set(found.near) if set(pair) <= set(chosen.tolist())}


def test_no_photos_at_all_and_copies_of_one_photo_alone(photos):
    values, pictures, _ = (each[:5] for each in photos)
    same = np.array(["0" * 32] * 5, "S32")
    found = copies_in_cells(InPieces(values, pictures, np.arange(5), 2), same)
    assert not len(found.near)
    assert len(set(found.groups.tolist())) == 1
