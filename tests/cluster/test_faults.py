"""Workers, machines, the driver and the head end in the middle of a shard: the bytes are those of one process.

Three machines, each with a network, an address and a temporary folder of its own where root allows.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

import pytest

from tellapart.cli.answers import name_columns
from tellapart.extras import has
from tellapart.shards.embedding import How, embed
from tellapart.workflow.many.answering import answer

from .machines import OPEN, below, cluster, may_have_namespaces, title, waited_for

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not has("cluster"), reason="Ray is not installed (pip install tellapart[cluster])"),
]
N_SHARDS = 10


@pytest.fixture(scope="module")
def many(shared_data, tmp_path_factory):
    """500 photos of garments: ten shards of some seconds each."""
    folder = tmp_path_factory.mktemp("many") / "photos"
    paths = sorted((shared_data / "clothing" / "train").glob("*/*"))[::2][:500]
    for path in paths:
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.parent.name / path.name)
    return folder


@pytest.fixture(scope="module")
def whole(many):
    """All their shards, by one process with two threads."""
    target = many.parent / "whole"
    embed(str(many), target, How("fast", shard_size=50), n_workers=2)
    return target


@pytest.fixture(scope="module")
def answered(many):
    """What the bundled network says of them."""
    target = many.parent / "answered"
    answer("imagenet", str(many), target, name_columns, shard_size=50, n_workers=2)
    return target


@pytest.fixture
def machines():
    with cluster(1, 1, 1, namespaces=may_have_namespaces()) as machines:
        yield machines


EMBED = ("embed", "--quality", "fast")
PREDICT = ("predict", "imagenet")


def started(head, many, target, words=EMBED):
    command = [sys.executable, "-m", "tellapart", *words, many, "-o", target]
    command += ["--shard-size", "50", "--ray", head.address]
    run = subprocess.Popen(
        head.inside(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **OPEN}
    )
    run.driver = lambda: next(
        (pid for pid in below(run.pid) if f"tellapart {words[0]}" in title(pid) and "ip netns" not in title(pid)), None
    )
    return run


def done(target):
    folder = target / ("features" if (target / "features").is_dir() else "answers")
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")} if folder.is_dir() else {}


def going(run, target):
    """The process of the driver, when the first shard is done."""
    waited_for(lambda: done(target) or run.poll() is not None, why="no shard")
    assert run.poll() is None, run.communicate()
    return run.driver()


def test_a_worker_and_a_machine_that_end_cost_time_only(machines, many, whole, contents, tmp_path):
    head, second, third = machines
    run = started(head, many, tmp_path / "d")
    going(run, tmp_path / "d")
    os.kill(waited_for(second.making, why="no worker on the second machine"), signal.SIGKILL)
    waited_for(third.making, why="no worker on the third machine")
    third.kill()
    said = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert contents(tmp_path / "d") == contents(whole)


def test_answers_survive_a_worker_that_ends_and_ctrl_c(machines, many, answered, contents, tmp_path):
    head, second, _ = machines
    run = started(head, many, tmp_path / "d", PREDICT)
    driver = going(run, tmp_path / "d")
    os.kill(waited_for(second.making, why="no worker on the second machine"), signal.SIGKILL)
    os.kill(driver, signal.SIGINT)
    _, errors = run.communicate(timeout=100)
    assert run.returncode == 130
    assert errors.decode() == "Stopped. Shards that are done are kept; the same command makes the others.\n"
    left = done(tmp_path / "d")
    assert 1 <= len(left) < N_SHARDS
    again = started(head, many, tmp_path / "d", PREDICT)
    waited_for(second.making, why="no worker on the second machine")
    os.kill(second.making(), signal.SIGKILL)
    said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert f"{N_SHARDS - len(left)} shards of".encode() in said[0]
    assert done(tmp_path / "d").items() >= left.items()
    assert contents(tmp_path / "d") == contents(answered)


def test_a_worker_that_hangs_does_not_hold_up_the_end(machines, many, whole, contents, tmp_path):
    """Its two shards are started elsewhere; nothing else could end this run."""
    head, second, _ = machines
    run = started(head, many, tmp_path / "d")
    going(run, tmp_path / "d")
    os.kill(waited_for(second.making, why="no worker on the second machine"), signal.SIGSTOP)
    said = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert contents(tmp_path / "d") == contents(whole)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_driver_that_ends_leaves_what_the_next_goes_on_with(machines, many, whole, contents, tmp_path, how):
    head = machines[0]
    run = started(head, many, tmp_path / "d")
    os.kill(going(run, tmp_path / "d"), how)
    _, errors = run.communicate(timeout=100)
    if how == signal.SIGINT:
        assert run.returncode == 130
        assert errors.decode() == "Stopped. Shards that are done are kept; the same command makes the others.\n"
    waited_for(lambda: not any(machine.making() for machine in machines), why="workers outlive their driver")
    left = done(tmp_path / "d")
    assert 1 <= len(left) < N_SHARDS
    again = started(head, many, tmp_path / "d")
    said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert f"{N_SHARDS - len(left)} shards of".encode() in said[0]
    assert done(tmp_path / "d").items() >= left.items()
    assert contents(tmp_path / "d") == contents(whole)


def test_a_lost_head_ends_the_run_with_a_sentence(machines, many, whole, contents, tmp_path):
    run = started(machines[0], many, tmp_path / "d")
    going(run, tmp_path / "d")
    for machine in machines:  # so that no shard is made meanwhile
        with contextlib.suppress(OSError, TypeError):
            os.kill(machine.making(), signal.SIGSTOP)
    machines[0].kill_head()
    _, errors = run.communicate(timeout=200)
    assert run.returncode == 2, errors
    assert b"no longer answers" in errors
    assert b"Traceback" not in errors
    embed(str(many), tmp_path / "d", How("fast", shard_size=50))
    assert contents(tmp_path / "d") == contents(whole)
