"""Work beside the page, in a real studio: it ends, is told of, is cancelled, and dies alone."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the child")


@pytest.fixture
def listening():
    """Opens the news of a studio: `listening(studio)` gives an iterator of them."""
    connections = []

    def go(one):
        connection = http.client.HTTPConnection(one.url.removeprefix("http://"), timeout=60)
        connections.append(connection)
        connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {one.token}"})
        answer = connection.getresponse()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.readline() == b": listening\n"
        return (json.loads(line[6:]) for line in answer if line.startswith(b"data: "))

    yield go
    for connection in connections:
        connection.close()


def test_a_job_is_told_of_until_it_is_done(photos, studio, listening):
    (photos / "broken.jpg").write_bytes((photos / "0.jpg").read_bytes()[:200])
    one = studio(photos)
    news = listening(one)
    job = one.job("read")
    states = []
    for event in news:
        if "job" in event:
            states.append((event["job"]["number"], event["job"]["state"]))
            if event["job"]["state"] in ("done", "failed"):
                break
    assert states[0] == (job["number"], "running")
    assert states[-1] == (job["number"], "done")
    result = one.ended(job)["result"]
    assert result["n_photos"] == 10
    assert [photo for photo, _ in result["unreadable"]] == [one.ids()["broken.jpg"]]
    one.do(do="class_new", name="mug")
    n = one.state()[1]["n"]  # what was found, what was drawn for the test, and the class
    assert n == 3
    assert {"n": n} in news


def test_what_cannot_be_done_is_refused(photos, studio):
    one = studio(photos)
    assert "does not know" in one.ended(one.job("dance"))["message"]
    assert one.ask("/v1/jobs", {"do": [1]})[0] == 400
    assert one.ask("/v1/job?number=77")[0] == 404
    assert one.ask("/v1/cancel", {"number": "x"})[0] == 404
    assert one.ask("/v1/jobs", {"do": "read"}, Authorization="")[0] == 401


@linux
def test_a_cancelled_job_and_a_killed_child_leave_the_studio_as_it_was(photos, studio):
    one = studio(photos)
    jobs = [one.job("read") for _ in range(3)]
    assert one.ask("/v1/cancel", {"number": jobs[1]["number"]})[2]["state"] == "cancelled"
    assert one.ended(jobs[2])["state"] == "done"
    (child,) = one.children()
    os.kill(child, signal.SIGSTOP)
    stuck = one.job("read")
    one.do(do="class_new", name="mug")  # the page goes on meanwhile
    os.kill(child, signal.SIGKILL)
    said = one.ended(stuck)
    assert (said["state"], "Nothing is lost" in said["hint"]) == ("failed", True)
    assert one.ended(one.job("read"))["state"] == "done"
    running = one.job("read")
    one.ask("/v1/cancel", {"number": running["number"]})
    assert one.ended(running)["state"] in ("cancelled", "done")
    assert "mug" in one.state()[1]["classes"]


def test_a_child_ends_where_its_last_line_was_cut(photos, studio, tmp_path):
    """As by a kill of the studio while it hands over a large heap."""
    studio(photos).stop()
    command = [sys.executable, "-m", "tellapart.studio.work", str(tmp_path / "photos.studio"), str(photos)]
    done = subprocess.run(command, input=b'{"do": "read", "heap": [["a', capture_output=True, check=False, timeout=60)
    assert done.stdout == b""


@linux
def test_nothing_outlives_the_studio(photos, studio, listening):
    for end in ("stop", "kill"):
        one = studio(photos)
        news = listening(one)
        one.ended(one.job("read"))
        (child,) = one.children()
        began = time.monotonic()
        getattr(one, end)()
        assert time.monotonic() - began < 8  # open news do not hold it up; requests under way have nine seconds
        list(news) if end == "stop" else None
        while os.path.exists(f"/proc/{child}") and time.monotonic() < began + 20:
            time.sleep(0.02)
        assert not os.path.exists(f"/proc/{child}")
