"""A real cluster of two machines gives the bytes of one process; a second run does nothing again."""

import json
import os
import subprocess
import sys

import pytest

from tellapart.cli.answers import name_columns
from tellapart.extras import has
from tellapart.shards.embedding import How, Part, embed
from tellapart.workflow.many.answering import answer

from .machines import OPEN, cluster

OPEN_HERE = {**os.environ, **OPEN}

pytestmark = pytest.mark.skipif(not has("cluster"), reason="Ray is not installed (pip install tellapart[cluster])")


def started(head, *command):
    command = [sys.executable, "-m", "tellapart", *command, "--shard-size", "20", "--json", "--ray", head.address]
    return subprocess.Popen(head.inside(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=OPEN_HERE)


def made(run):
    """How many shards a command made."""
    out, err = run.communicate()
    assert (run.returncode, err) == (0, b"")
    return json.loads(out)["made"]


def test_two_machines_give_the_bytes_of_one_process(garments, model, contents, tmp_path):
    """Features, and answers of which one process made a shard before."""
    how = How("fast", shard_size=20)
    embed(str(garments), tmp_path / "one", how, n_workers=2)
    for i in (2, 1):
        embed(str(garments), tmp_path / "loop", how, part=Part(i, 2))
    for name, part in (("answered", Part()), ("asked", Part(3, 5))):
        answer(str(model), str(garments), tmp_path / name, name_columns, shard_size=20, part=part, n_workers=2)
    embedding = ("embed", garments, "-o", tmp_path / "ray", "--quality", "fast")
    with cluster(1, 1) as (head, _):
        assert made(started(head, *embedding)) == 5
        again, asking = started(head, *embedding), started(head, "predict", model, garments, "-o", tmp_path / "asked")
        assert (made(again), made(asking)) == (0, 4)
    assert contents(tmp_path / "ray") == contents(tmp_path / "one") == contents(tmp_path / "loop")
    assert contents(tmp_path / "asked") == contents(tmp_path / "answered")
