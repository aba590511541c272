"""The workers on a cluster: started where there are cores, asked again when they fell, left out when they refuse."""

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tellapart.cluster.connection import LEAVE_S, within
from tellapart.cluster.worker import Ready, Refused, Worker, versions
from tellapart.errors import InputError
from tellapart.shards.work import Begun, Job

USUAL_CORES: Final = 2  # of a worker: one compiled network serves both, and a machine of any size divides well
QUEUED: Final = 2  # shards a worker: one in work, and one so that it never waits
AGAIN_S: Final = 1.0  # before a worker that fell is asked anew
GROW_S: Final = 2.0  # between two looks at the machines
_ADD: Final = "ray start --address HEAD:6379"


@dataclass(eq=False)
class Member:
    """A worker as seen from here.

    Args:
        actor: the handle of Ray.
        is_ready: whether it takes shards.
        shards: handed to it, in order; the first is in work.
        ask_at: when to ask whether it is ready, on the monotonic clock; None while it is asked, or need not be.
        so_far: photos of the first shard that are done.
    """

    actor: Any
    is_ready: bool = False
    shards: list[int] = field(default_factory=list)
    ask_at: float | None = 0.0
    so_far: int = 0
    is_looked_at: bool = False


class Releases:
    """Those that a worker's are held against: of this machine, and of the first worker that has what this one lacks.

    Args:
        here: {package: release}.
    """

    def __init__(self, here: dict[str, str]) -> None:
        self._known = {name: (release, "here") for name, release in here.items()}

    def differing(self, said: Ready) -> dict[str, str]:
        """{package: in words, how its release on a worker differs}; what one of both lacks is no difference."""
        found = {}
        for name, release in said.versions.items():
            known, where = self._known.setdefault(name, (release, f"on {said.machine}"))
            if release != known:
                found[name] = f"{name} is {release} there and {known} {where}"
        return found


class Machine(NamedTuple):
    """What a machine of the cluster has for work.

    Args:
        cores: of its processors.
        gpus: that are whole.
    """

    cores: int
    gpus: int


class Crew:
    """All workers of a run. One that computes on a GPU has that for itself, so machines without take no part.

    Args:
        ray: the module, connected.
        job: the work.
        cores: of each worker; None is USUAL_CORES, or with GPUs the share of each, and fewer where a machine has fewer.

    Raises:
        InputError: no machine has as many cores, or a GPU if the work needs one.
    """

    def __init__(self, ray: Any, job: Job, cores: int | None) -> None:
        self._ray, self._job = ray, job
        self.members: list[Member] = []
        self._refused: list[Refused] = []
        self._releases = Releases(versions(on_gpu=job.on_gpu))
        self._grown = 0.0
        machines = self._machines()
        if job.on_gpu and not machines:
            raise InputError(
                "No machine of the cluster has a GPU for work.",
                hint=f"Add one that has: {_ADD}. Without --device, processors compute.",
            )
        self._cores = cores or self._usual_cores(machines)
        most = max((machine.cores for machine in machines), default=0)
        if self._cores > most:
            what = "No machine of the cluster with a GPU" if job.on_gpu else "No machine of the cluster"
            raise InputError(
                f"{what} has {self._cores} cores for work; the largest has {most}.",
                hint=f"Use --workers {most}, or add a machine: {_ADD}" if most else f"Add a machine: {_ADD}",
            )
        room = {"num_cpus": self._cores, "num_gpus": int(job.on_gpu)}
        how = {"max_restarts": -1, "scheduling_strategy": "SPREAD", "concurrency_groups": {"look": 1}}
        self._class = ray.remote(**room, **how)(Worker)

    def grow(self, begun: Begun, most: int) -> None:
        """Start workers for what there is to do where there is room, `most` at most; machines may have come."""
        now = time.monotonic()
        if now - self._grown < GROW_S and self._grown:
            return
        self._grown = now
        wanted = min(most, sum(map(self._room, self._machines())))
        for _ in range(wanted - len(self.members) - len(self._refused)):
            self.members.append(Member(self._class.remote(self._job, begun, self._cores)))

    def asked(self) -> Iterator[tuple[Member, Any]]:
        """Ask those whose turn it is whether they are ready: each with what will be the answer."""
        now = time.monotonic()
        for member in self.members:
            if member.ask_at is not None and member.ask_at <= now:
                member.ask_at = None
                yield member, member.actor.ready.remote()

    def free(self, queued: int) -> Iterator[Member]:
        """Workers that hold fewer than `queued` shards."""
        return (member for member in self.members if member.is_ready and len(member.shards) < queued)

    def welcome(self, member: Member, said: Ready) -> None:
        """A worker is ready; one with another release of ours is left out."""
        differing = self._releases.differing(said)
        if "tellapart" in differing:
            sentence = differing["tellapart"]
            error = InputError(sentence[0].upper() + sentence[1:] + ".", hint="Install the same on all machines.")
            self.leave_out(member, Refused(said.machine, error))
            return
        for sentence in differing.values():
            warnings.warn(f"On {said.machine}, {sentence}: shards may differ in their bytes.", stacklevel=2)
        member.is_ready = True

    def fell(self, member: Member) -> None:
        """A worker's process ended; Ray starts it again, here or elsewhere."""
        member.is_ready, member.ask_at, member.so_far, member.is_looked_at = False, time.monotonic() + AGAIN_S, 0, False
        member.shards.clear()

    def leave_out(self, member: Member, why: Refused) -> None:
        """A worker cannot go on.

        Raises:
            InputError: it was the last one.
        """
        self.members.remove(member)
        self._refused.append(why)
        self._ray.kill(member.actor)
        if not self.members:
            raise InputError(f"On {why.machine}: {why.error.message}", hint=why.error.hint)
        warnings.warn(f"{why.machine} takes no more part: {why.error.message}", stacklevel=2)

    def dismiss(self) -> None:
        """End all workers."""
        within(LEAVE_S, lambda: [self._ray.kill(member.actor) for member in self.members])

    def _usual_cores(self, machines: list[Machine]) -> int:
        """Few, so that a machine of any size divides well; but a GPU is kept busy by all the cores there are for it."""
        if self._job.on_gpu:
            return min(max(1, machine.cores // machine.gpus) for machine in machines)
        return min([USUAL_CORES, *(machine.cores for machine in machines)])

    def _room(self, machine: Machine) -> int:
        """How many workers a machine has room for."""
        workers = machine.cores // self._cores
        return min(workers, machine.gpus) if self._job.on_gpu else workers

    def _machines(self) -> list[Machine]:
        """Those that have anything for work."""
        nodes: list[Any] = within(LEAVE_S, self._ray.nodes) or []
        has = [node["Resources"] for node in nodes if node["Alive"]]
        machines = [Machine(int(own.get("CPU", 0)), int(own.get("GPU", 0))) for own in has]
        return [one for one in machines if one.cores >= 1 and (one.gpus >= 1 or not self._job.on_gpu)]
