"""A shard is one process's; the lock goes with the process."""

import subprocess
import sys
from contextlib import closing

import pytest

from tellapart.errors import InputError
from tellapart.shards.claims import Claims

HOLDER = """
import sys, time
from pathlib import Path
from tellapart.shards.claims import Claims
claims = Claims(Path(sys.argv[1]))
with claims.claimed(3) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_another_process_has_one_shard_until_it_is_killed(tmp_path):
    path = tmp_path / "locks"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"True\n"
    with closing(Claims(path)) as claims:
        with claims.claimed(3) as mine:
            assert not mine
        with claims.claimed(4) as mine:
            assert mine
        holder.kill()
        holder.communicate()
        with claims.claimed(3) as mine:
            assert mine
    with closing(Claims(path)) as claims, claims.claimed(3) as mine:
        assert mine


def test_a_folder_that_is_none_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be written to"):
        Claims(tmp_path / "absent" / "locks")
