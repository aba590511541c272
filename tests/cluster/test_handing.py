"""A real cluster of two machines gives the bytes of one process; a second run does nothing again."""

import json
import os
import subprocess
import sys

import pytest

from tellapart.extras import has
from tellapart.shards.embedding import How, Part, embed

from .machines import OPEN, cluster

OPEN_HERE = {**os.environ, **OPEN}

pytestmark = pytest.mark.skipif(not has("cluster"), reason="Ray is not installed (pip install tellapart[cluster])")


def test_two_machines_give_the_bytes_of_one_process(garments, contents, tmp_path):
    how = How("fast", shard_size=20)
    embed(str(garments), tmp_path / "one", how, n_workers=2)
    for i in (2, 1):
        embed(str(garments), tmp_path / "loop", how, part=Part(i, 2))
    with cluster(1, 1) as (head, _):
        command = [sys.executable, "-m", "tellapart", "embed", garments, "-o", tmp_path / "ray", "--quality", "fast"]
        command += ["--shard-size", "20", "--json", "--ray", head.address]
        made = []
        for _ in range(2):
            run = subprocess.run(head.inside(command), capture_output=True, text=True, check=False, env=OPEN_HERE)
            assert run.returncode == 0, run.stderr
            assert run.stderr == ""
            made.append(json.loads(run.stdout)["made"])
        assert made == [5, 0]
    assert contents(tmp_path / "ray") == contents(tmp_path / "one") == contents(tmp_path / "loop")
