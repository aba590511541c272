"""The workers on a cluster: started where there are cores, asked again when they fell, left out when they refuse."""

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tellapart.cluster.connection import LEAVE_S, within
from tellapart.cluster.worker import Ready, Refused, Worker, versions
from tellapart.errors import InputError
from tellapart.shards.work import Begun, Job

USUAL_CORES: Final = 2  # of a worker: one compiled network serves both, and a machine of any size divides well
QUEUED: Final = 2  # shards a worker: one in work, and one so that it never waits
AGAIN_S: Final = 1.0  # before a worker that fell is asked anew
GROW_S: Final = 2.0  # between two looks at the machines


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


class Crew:
    """All workers of a run.

    Args:
        ray: the module, connected.
        job: the work.
        begun: what there is to do.
        cores: of each worker; None is USUAL_CORES, or fewer where a machine has fewer.

    Raises:
        InputError: no machine has as many cores.
    """

    def __init__(self, ray: Any, job: Job, begun: Begun, cores: int | None) -> None:
        self._ray, self._job, self._begun = ray, job, begun
        self.members: list[Member] = []
        self._refused: list[Refused] = []
        self._grown = 0.0
        machines = self._machines()
        self._cores = cores or min([USUAL_CORES, *machines])
        if self._cores > max(machines, default=0):
            most = max(machines, default=0)
            raise InputError(
                f"No machine of the cluster has {self._cores} cores for work; the largest has {most}.",
                hint=f"Use --workers {most}, or add a machine: ray start --address HEAD:6379"
                if most
                else "Add a machine: ray start --address HEAD:6379",
            )
        options = {"num_cpus": self._cores, "max_restarts": -1, "scheduling_strategy": "SPREAD"}
        self._class = ray.remote(**options, concurrency_groups={"look": 1})(Worker)

    def grow(self, most: int) -> None:
        """Start workers where there are cores for them, `most` at most; machines may have come."""
        now = time.monotonic()
        if now - self._grown < GROW_S and self._grown:
            return
        self._grown = now
        wanted = min(most, sum(n // self._cores for n in self._machines()))
        for _ in range(wanted - len(self.members) - len(self._refused)):
            self.members.append(Member(self._class.remote(self._job, self._begun, self._cores)))

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
        own = versions()
        differing = [name for name in own if own[name] != said.versions[name]]
        if differing:
            name = differing[0]
            sentence = f"{name} is {said.versions[name]} there and {own[name]} here"
            if name == "tellapart":
                error = InputError(sentence[0].upper() + sentence[1:] + ".", hint="Install the same on all machines.")
                self.leave_out(member, Refused(said.machine, error))
                return
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

    def _machines(self) -> list[int]:
        """The cores of each machine that has any for work."""
        nodes: list[Any] = within(LEAVE_S, self._ray.nodes) or []
        cores = [int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"]]
        return [n for n in cores if n >= 1]
