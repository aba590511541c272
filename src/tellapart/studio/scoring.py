"""When the score is made anew: a second after the last action of whatever page, one at a time."""

import asyncio
import logging
from typing import Any, Final

from tellapart.errors import InputError
from tellapart.studio.events import Events
from tellapart.studio.jobs import DONE, FAILED, Job, Jobs
from tellapart.studio.session import Session

AFTER_S: Final = 1.0  # without an action
READ, SCORE = "read", "score"


class Scoring:
    """The score of one studio. It stands beside the pages, so that two of them do not ask for it twice.

    Args:
        session: the studio.
        jobs: where the work is done.
        events: where it is told that there is another score.
    """

    def __init__(self, session: Session, jobs: Jobs, events: Events) -> None:
        self._session = session
        self._jobs = jobs
        self._events = events
        self._timer: asyncio.TimerHandle | None = None
        self._running: Job | None = None
        self._began_at = -1  # lines of the journal when the last one was begun
        self._result: dict[str, Any] | None = None
        self._answers: dict[str, Any] = {"classes": [], "answers": []}
        self._refused: tuple[str, str] = ("", "")
        self._told_first = False  # whether the number of the one that runs is known already
        jobs.on_first, jobs.on_end = self._first, self._ended

    def touched(self) -> None:
        """Something was said of the photos, or someone wants to know the score: it is made when nothing more comes."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(AFTER_S, self._begin)

    def told(self) -> dict[str, Any]:
        """The last score, without the answers about all photos; begins one where there is none."""
        if self._result is None and not self._refused[0] and not self._busy:
            self.touched()
        score = self._result and {key: value for key, value in self._result.items() if key != "answers"}
        return {"score": score, "refused": list(self._refused), "working": self._is_coming}

    def answers(self) -> dict[str, Any]:
        """What the network says of every photo; empty before there is a score."""
        return self._answers

    def close(self) -> None:
        """No more of them."""
        if self._timer:
            self._timer.cancel()

    @property
    def _busy(self) -> bool:
        return self._timer is not None or self._running is not None

    @property
    def _is_coming(self) -> bool:
        """Whether there will be another number; the one that was told first may be of what was said before."""
        return self._busy and not (self._timer is None and self._told_first and self._is_of_now)

    @property
    def _is_of_now(self) -> bool:
        return self._session.n_lines == self._began_at

    def _begin(self) -> None:
        self._timer = None
        if self._running is None:
            if not self._session.read:
                self._running = self._jobs.start(READ)  # its end begins the score
                return
            self._began_at, self._told_first = self._session.n_lines, False
            self._running = self._jobs.start(SCORE)
            self._events.publish({"score": "working"})

    def _first(self, job: Job) -> None:
        if job is self._running:
            self._result, self._refused, self._told_first = job.result, ("", ""), True
            self._events.publish({"score": "new"})

    def _ended(self, job: Job) -> None:
        ours = job is self._running
        if ours:
            self._running, self._told_first = None, False
        if job.do == READ and job.state == DONE:
            self._read(job)
        elif ours and job.do == SCORE:
            self._take(job)
        if ours and job.do == SCORE and not self._is_of_now and self._timer is None:
            self.touched()

    def _read(self, job: Job) -> None:
        """What chance makes of the photos is written down before a page asks for their stacks."""
        try:
            self._session.drew(job.result["stacks"])
        except InputError as error:
            self._refused = error.message, error.hint or ""
            logging.getLogger(__name__).warning("%s", error.message)
            return
        self._events.publish({"n": self._session.n_lines})
        self.touched()

    def _take(self, job: Job) -> None:
        if job.state == DONE:
            self._result, self._refused = job.result, ("", "")
            self._answers = {key: job.result[key] for key in ("classes", "answers")}
        elif job.state == FAILED:
            self._result, self._refused = None, (job.message, job.hint)
            self._answers = {"classes": [], "answers": []}
        self._events.publish({"score": "new"})
