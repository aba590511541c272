"""Rows come back as they were written, in any order and across files."""

import os

import numpy as np

from tellapart.features.row_files import RowFiles


def test_rows_are_read_in_any_order():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 255, (100, 3, 2)).astype(np.uint8)
    with RowFiles((3, 2), np.uint8, rows_in_file=7) as files:
        for places in np.array_split(rng.permutation(100), 6):
            files.write(places, rows[places])
        asked = rng.integers(0, 100, 250)
        assert (files.read(asked) == rows[asked]).all()
        assert files.read(asked[:0]).shape == (0, 3, 2)


def test_files_are_gone_when_they_are_closed():
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    with RowFiles((4,), np.float32, rows_in_file=1) as files:
        files.write(np.arange(5), np.ones((5, 4)))
        assert not before or len(set(os.listdir("/proc/self/fd")) - before) >= 5
    assert not before or len(set(os.listdir("/proc/self/fd")) - before) <= 1
