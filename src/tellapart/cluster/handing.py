"""Shards handed out to workers: two to each, the last ones twice, those of a worker that fell to another.

Whoever hands out holds the locks of the shards in work, so that a shard may be made twice within one run and not by two
runs. It keeps numbers only, so its memory does not grow with the photos.
"""

import time
import warnings
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from typing import Any, Final

from tellapart.cluster.connection import is_there, joined
from tellapart.cluster.crew import QUEUED, Crew, Member
from tellapart.cluster.worker import Ready, Refused, begin
from tellapart.errors import InputError
from tellapart.shards.claims import Claims, NoClaims, claims_at
from tellapart.shards.work import Begun, Embedded, Job
from tellapart.timing import Progress

TICK_S: Final = 0.2  # at most between two looks at what has to be done
LOOK_S: Final = 1.0  # between two looks at how far workers are
ALIVE_S: Final = 5.0  # between two calls to the head
GONE_S: Final = 20.0  # without an answer of the head; after 60 Ray would end this process
IDLE_S: Final = 30.0  # without a worker, before it is said
MOST_FALLS: Final = 4  # of workers with one shard in work, before it is held to be the cause


def hand_out(job: Job, address: str, *, cores: int | None, progress: Progress) -> Embedded:
    """Have the shards of `job` made by a cluster; returns when all are done.

    Args:
        job: what makes shards; it is sent to the workers.
        address: of the cluster, HOST:PORT or `auto`.
        cores: of each worker, which is as many threads; None is two.
        progress: called with (stage, done, total).

    Raises:
        InputError: there is no such cluster, it is lost, or none of its workers can make shards. Shards that are done
            are kept, as they are on Ctrl-C, and the same call makes the others.
        MissingExtraError: Ray is not installed.
    """
    with joined(address) as ray:
        here = ray.get_runtime_context()
        head, node = here.gcs_address, here.get_node_id()
        pinned = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
        crew = Crew(ray, job, cores)  # before photos are listed, and a folder is begun for a device that is not there
        task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=pinned)(begin)
        begun = _answer(ray, task.remote(job), head)
        made, photos = 0, 0
        if begun.waiting:
            with closing(claims_at(begun.locks)) as claims:
                handing = _Handing(ray, crew, begun, claims, partial(progress, job.stage))
                made, photos = handing.run(head)
    return Embedded(made, photos, begun.changed)


def _answer(ray: Any, task: Any, head: str) -> Begun:
    watch = _Watch(head)
    while not ray.wait([task], timeout=TICK_S)[0]:
        watch.look()
    said: Begun | Refused = ray.get(task)
    if isinstance(said, Refused):
        raise said.error
    return said


class _Watch:
    """Looks whether the head still answers."""

    def __init__(self, head: str) -> None:
        self._head = head
        self._looked = self._seen = time.monotonic()

    def look(self) -> None:
        """Returns where it answered lately; raises InputError."""
        now = time.monotonic()
        if now - self._looked < ALIVE_S:
            return
        self._looked = now
        if is_there(self._head):
            self._seen = now
        elif now - self._seen > GONE_S:
            raise InputError(
                f"The head of the cluster, {self._head}, no longer answers.",
                hint="Shards that are done are kept; when a cluster is there again, the same command goes on.",
            )


class _Handing:
    """One run."""

    def __init__(
        self, ray: Any, crew: Crew, begun: Begun, claims: Claims | NoClaims, show: Callable[[int, int], None]
    ) -> None:
        self._ray, self._crew, self._begun, self._claims, self._tell = ray, crew, begun, claims, show
        self._waiting = deque(begun.waiting)
        self._left = set(begun.waiting)
        self._held: dict[int, ExitStack] = {}  # the locks of shards in work
        self._asked: dict[Any, tuple[Member, str, int]] = {}  # what was asked: of whom, what, and for which shard
        self._falls: Counter[int] = Counter()
        self._made = self._photos = self._shown = 0
        self._looked = self._worked = time.monotonic()

    def run(self, head: str) -> tuple[int, int]:
        """How many shards were made, and the photos in them, when all are done."""
        watch = _Watch(head)
        try:
            self._show()
            while self._left:
                self._crew.grow(self._begun, len(self._left))
                for member, answer in self._crew.asked():
                    self._asked[answer] = member, "ready", -1
                self._hand()
                self._look()
                watch.look()
                if not self._asked:
                    time.sleep(TICK_S)
                    continue
                for answer in self._ray.wait(list(self._asked), timeout=TICK_S)[0]:
                    self._take(answer)
        finally:
            self._crew.dismiss()
            for lock in self._held.values():
                lock.close()
        return self._made, self._photos

    def _hand(self) -> None:
        """A shard to each worker that has none, then a second one to each."""
        for queued in range(1, QUEUED + 1):
            for member in self._crew.free(queued):
                shard = self._next(member)
                if shard is not None:
                    member.shards.append(shard)
                    self._asked[member.actor.make.remote(shard)] = member, "make", shard

    def _next(self, member: Member) -> int | None:
        """A shard that waits; where none does, one that another worker has not finished, to a worker without work."""
        for _ in range(len(self._waiting)):
            shard = self._waiting.popleft()
            if self._is_ours(shard):
                return shard
            self._waiting.append(shard)  # another run makes it
        if member.shards:
            return None
        taken = Counter(shard for other in self._crew.members for shard in other.shards)
        started = {other.shards[0] for other in self._crew.members if other.shards}
        once = [shard for shard, n in taken.items() if n == 1 and shard in self._left]
        return min(once, key=lambda shard: (shard in started, shard), default=None)

    def _is_ours(self, shard: int) -> bool:
        if shard not in self._held:
            with ExitStack() as lock:
                if not lock.enter_context(self._claims.claimed(shard)):
                    return False
                self._held[shard] = lock.pop_all()
        return True

    def _take(self, answer: Any) -> None:
        """What a worker answered, or that it fell."""
        if answer not in self._asked:  # it fell meanwhile
            return
        member, what, shard = self._asked.pop(answer)
        exceptions = self._ray.exceptions
        try:
            said = self._ray.get(answer)
        except exceptions.ActorUnavailableError:
            self._fell(member)
            return
        except exceptions.ActorDiedError as error:
            self._forget(member)
            why = InputError(_last_line(error), hint="Install the same tellapart, with the same extras, everywhere.")
            self._crew.leave_out(member, Refused("one machine", why))
            return
        except (exceptions.RayActorError, exceptions.NodeDiedError, exceptions.OutOfMemoryError):
            self._fell(member)
            return
        if isinstance(said, Refused):
            self._forget(member)
            self._crew.leave_out(member, said)
        elif isinstance(said, Ready):
            self._crew.welcome(member, said)
        elif what == "make":
            self._done(member, shard, by_us=said)
        else:
            member.is_looked_at = False
            member.so_far = said[1] if member.shards and said[0] == member.shards[0] else 0

    def _done(self, member: Member, shard: int, *, by_us: bool) -> None:
        member.shards.remove(shard)
        member.so_far, self._worked = 0, time.monotonic()
        if by_us and shard in self._left:
            self._made, self._photos = self._made + 1, self._photos + self._begun.sizes[shard]
        self._left.discard(shard)
        if shard in self._held:
            self._held.pop(shard).close()
        self._show()

    def _fell(self, member: Member) -> None:
        """Its shards go to others; a shard with which every worker falls is said."""
        if member.shards:
            first = member.shards[0]
            self._falls[first] += 1
            if self._falls[first] >= MOST_FALLS and first in self._left:
                raise InputError(
                    f"{MOST_FALLS} workers ended while they made shard {first}.",
                    hint="Is there memory for it? `ray status` and its logs may say. Shards that are done are kept.",
                )
        self._forget(member)
        self._crew.fell(member)

    def _forget(self, member: Member) -> None:
        """What was asked of a worker will not be answered."""
        self._asked = {answer: asked for answer, asked in self._asked.items() if asked[0] is not member}
        elsewhere = {shard for other in self._crew.members if other is not member for shard in other.shards}
        again = [shard for shard in member.shards if shard in self._left and shard not in elsewhere]
        self._waiting.extendleft(reversed(again))

    def _look(self) -> None:
        """Ask how far workers are, and show it."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        for member in self._crew.members:
            if member.is_ready and member.shards and not member.is_looked_at:
                member.is_looked_at = True
                self._asked[member.actor.so_far.options(concurrency_group="look").remote()] = member, "look", -1
        if any(member.is_ready for member in self._crew.members):
            self._worked = now
        elif now - self._worked > IDLE_S:
            self._worked = now + 10 * IDLE_S
            warnings.warn(
                "No worker has begun yet: other work may have all that the cluster has room for.", stacklevel=2
            )
        self._show()

    def _show(self) -> None:
        sizes = self._begun.sizes
        total = sum(sizes[shard] for shard in self._begun.waiting)
        far: dict[int, int] = {}
        for member in self._crew.members:
            if member.shards and member.shards[0] in self._left:
                far[member.shards[0]] = max(far.get(member.shards[0], 0), member.so_far)
        done = total - sum(sizes[shard] for shard in self._left) + sum(far.values())
        self._shown = max(self._shown, done)
        self._tell(self._shown, total)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"A worker could not begin: {lines[-1]}" if lines else "A worker could not begin."
