"""Workers that compute on a GPU have one for themselves. Ray deals out what it is told of, so none need be there."""

import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from tellapart.cluster.crew import Releases
from tellapart.cluster.worker import Ready
from tellapart.extras import has

from .machines import OPEN, Machine, cluster

needs_ray = pytest.mark.skipif(not has("cluster"), reason="Ray is not installed (pip install tellapart[cluster])")


# Photos on a GPU, which ONNX Runtime's processor stands for in workers alone: whoever deals out has none. Each worker
# says what Ray gave it, and has begun when all have, so that none has made all shards before another asked for a GPU.
PROGRAM = """
import os, sys, time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tellapart.cluster.handing import hand_out
from tellapart.errors import TellapartError
from tellapart.shards.embedding import EmbedJob, How
from tellapart.timing import usual_progress

@dataclass(frozen=True)
class Job(EmbedJob):
    said: Path = None
    together: int = 0

    @contextmanager
    def maker(self, begun, n_workers):
        import ray
        from tellapart.engine import device

        device.PROVIDERS["cuda"] = "CPUExecutionProvider"
        here = ray.get_runtime_context()
        (gpu,) = here.get_accelerator_ids()["GPU"]
        assert os.environ["CUDA_VISIBLE_DEVICES"] == gpu
        (self.said / here.get_actor_id()).write_text(f"{ray.util.get_node_ip_address()} {gpu} {n_workers}")
        while len(list(self.said.iterdir())) < self.together:
            time.sleep(0.1)
        with super().maker(begun, n_workers) as maker:
            yield maker

photos, output, said, address, together = sys.argv[1:]
job = Job(photos, Path(output), How("fast", shard_size=20, device="cuda"), said=Path(said), together=int(together))
try:
    print(hand_out(job, address, cores=None, progress=usual_progress).made)
except TellapartError as error:
    print(error, "|", error.hint)
"""


def test_releases_are_held_against_here_or_else_the_first_worker():
    """What is installed on one of two machines alone is no difference: who deals out needs no GPU's library."""
    releases = Releases({"numpy": "2.1"})
    assert releases.differing(Ready("a", {"numpy": "2.1", "onnxruntime": "1.20"})) == {}
    assert releases.differing(Ready("b", {"onnxruntime": "1.20"})) == {}
    assert releases.differing(Ready("c", {"numpy": "2.2", "onnxruntime": "1.21"})) == {
        "numpy": "numpy is 2.2 there and 2.1 here",
        "onnxruntime": "onnxruntime is 1.21 there and 1.20 on a",
    }


def handed_out(photos, output, said, address, together):
    command = [sys.executable, "-c", PROGRAM, photos, output, said, address, str(together)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **OPEN}, timeout=200)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@needs_ray
@pytest.mark.thorough  # three machines, and batches of 32 for a photo
def test_each_worker_has_a_gpu_and_machines_without_take_no_part(garments, tmp_path):
    """A cluster without any is told so before there is a folder; two GPUs on a machine are two workers'."""
    pytest.importorskip("onnxruntime")
    said = tmp_path / "said"
    said.mkdir()
    with cluster(2) as (head,), ExitStack() as others:
        sentence = handed_out(garments, tmp_path / "d", said, head.address, 3)
        assert sentence.startswith("No machine of the cluster has a GPU for work. | Add one that has: ray start")
        assert not (tmp_path / "d").exists()
        machines = []
        for n in (1, 2):
            machines.append(Machine(tmp_path, 1 + n, 2 * n, head.address, gpus=n))
            others.callback(machines[-1].kill)
            machines[-1].ready()
        assert handed_out(garments, tmp_path / "d", said, head.address, 3) == "5"
    got = sorted(path.read_text() for path in said.iterdir())
    first, second = (machine.ip for machine in machines)
    assert got == [f"{first} 0 2", f"{second} 0 2", f"{second} 1 2"]
