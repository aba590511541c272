"""A page is told that a score is being made from the action on until the number of what was said then is known."""

import asyncio
from types import SimpleNamespace

import pytest

from tellapart.studio import scoring as module
from tellapart.studio.events import Events
from tellapart.studio.jobs import DONE, Job
from tellapart.studio.scoring import SCORE, Scoring

RESULT = {"accuracy": 0.9, "classes": [], "answers": []}


class Held:
    """Jobs that go on when the test says so; a child would be done before another action."""

    def __init__(self):
        self.started = []

    def start(self, do):
        self.started.append(Job(len(self.started), do, {}))
        return self.started[-1]

    def tell_first(self):
        self.started[-1].result = RESULT
        self.on_first(self.started[-1])

    def end(self):
        self.started[-1].state, self.started[-1].result = DONE, RESULT
        self.on_end(self.started[-1])


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(module, "AFTER_S", 0)


def test_a_page_is_told_of_work_as_soon_as_something_was_said(soon):
    session, jobs = SimpleNamespace(read=True, n_lines=3), Held()

    async def work():
        scoring = Scoring(session, jobs, Events())
        told = [scoring.told()["working"]]
        await asyncio.sleep(0.01)
        told.append(scoring.told()["working"])
        jobs.tell_first()
        told.append(scoring.told()["working"])
        session.n_lines += 1
        told.append(scoring.told()["working"])  # before whoever wrote the line has said so
        scoring.touched()
        await asyncio.sleep(0.01)
        told.append(scoring.told()["working"])
        jobs.end()
        told.append(scoring.told()["working"])
        await asyncio.sleep(0.01)
        jobs.tell_first()
        told.append(scoring.told()["working"])
        jobs.end()
        return [*told, scoring.told()["working"]]

    assert asyncio.run(work()) == [True, True, False, True, True, True, False, False]
    assert [job.do for job in jobs.started] == [SCORE, SCORE]
