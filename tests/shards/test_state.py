"""`state_of` names the kinds of processor that made shards, where they are several."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tellapart.shards import parquet
from tellapart.shards.destination import opened
from tellapart.shards.embedding import How, embed
from tellapart.shards.rows import vectors_in
from tellapart.shards.state import state_of


@pytest.mark.slow
def test_two_kinds_of_processor_are_named_and_differ_by_millionths(photos, filled, tmp_path):
    """The older kind is made by the engine's own switch, in a process of its own."""
    older = tmp_path / "older"
    program = "import sys; from pathlib import Path; from tellapart.shards.embedding import *; "
    program += "embed(sys.argv[1], Path(sys.argv[2]), "
    program += "How('fast', shard_size=9), part=Part(1, 2))"
    env = {**os.environ, "ONEDNN_MAX_CPU_ISA": "SSE41"}
    subprocess.run([sys.executable, "-c", program, str(photos), str(older)], env=env, check=True)
    embed(str(photos), older, How("fast", shard_size=9))
    kinds = state_of(older).processors
    if len(kinds) == 1:
        pytest.skip("this processor has nothing that the switch could take away")
    assert sorted(kinds.values()) == [2, 3]
    assert state_of(filled).processors.keys() < kinds.keys()
    for shard in range(5):
        a, b = (vectors_in(parquet.load(opened(path).place(shard))["features"]) for path in (filled, older))
        largest = np.abs(a).max(axis=1, keepdims=True)
        assert (np.abs(a - b) <= 1e-5 * largest).all()


def test_json_has_all_of_it(filled):
    said = state_of(filled).to_json()
    assert said["found"] == said["used"] + said["skipped"] + said["waiting"] == 43
    assert said["done"] == said["n_shards"] == 5
    assert said["not_done"] == []
    assert len(said["processors"]) == 1
