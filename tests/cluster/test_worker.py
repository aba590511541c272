"""A worker gives back numbers, does nothing twice, and stops when another was quicker. It needs no Ray for that."""

import os
import pickle
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.cli.answers import name_columns
from tellapart.cluster import worker
from tellapart.cluster.worker import Ready, Refused, Worker, begin
from tellapart.errors import InputError
from tellapart.features.extract import made_on
from tellapart.shards.destination import opened
from tellapart.shards.embedding import EmbedJob, How, embed
from tellapart.shards.work import Begun
from tellapart.workflow.many.answering import AnswerJob, answer

HOW = How("fast", shard_size=40)


def test_a_job_travels_and_gives_the_bytes_of_embed(garments, contents, tmp_path):
    embed(str(garments), tmp_path / "whole", HOW)
    job = pickle.loads(pickle.dumps(EmbedJob(str(garments), tmp_path / "handed", HOW)))
    begun = begin(job)
    assert sum(begun.sizes) == 90
    assert begun.waiting == (0, 1, 2)
    one = Worker(job, begun, 2)
    ready = one.ready()
    assert isinstance(ready, Ready)
    assert ready.versions == worker.versions(on_gpu=False)
    assert [one.make(shard) for shard in (2, 0, 1)] == [True] * 3
    assert one.make(1) is False
    assert one.so_far()[0] == -1
    assert contents(tmp_path / "handed") == contents(tmp_path / "whole")
    assert begin(job).waiting == ()


@pytest.mark.parametrize("zipped", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_a_job_of_answers_gives_the_bytes_of_answer(garments, model, contents, tmp_path, zipped):
    """Of all photos, also those in folders that would be no classes."""
    shutil.copytree(garments / "hat", tmp_path / "album" / "hat")
    shutil.copyfile(min((garments / "dress").iterdir()), tmp_path / "album" / "dress.jpg")
    source = shutil.make_archive(tmp_path / "album", "zip", tmp_path / "album") if zipped else str(tmp_path / "album")
    answer(str(model), source, tmp_path / "whole", list, shard_size=10)
    job = pickle.loads(pickle.dumps(AnswerJob(str(model), source, tmp_path / "handed", name_columns, 10)))
    begun = begin(job)
    one = Worker(job, begun, 2)
    assert [one.make(shard) for shard in reversed(begun.waiting)] == [True] * len(begun.sizes)
    assert contents(tmp_path / "handed") == contents(tmp_path / "whole")


def test_a_machine_that_sees_no_model_or_another_one_refuses(garments, model, tmp_path):
    own = tmp_path / "model"
    shutil.copytree(model, own)
    job = AnswerJob(str(own), str(garments), tmp_path / "d", name_columns)
    begun = begin(job)
    assert isinstance(Worker(job, begun, 1).ready(), Ready)
    shutil.rmtree(own)
    absent = Worker(job, begun, 1).ready()
    other = Worker(replace(job, model="imagenet"), begun, 1).ready()
    for said, name in ((absent, str(own)), (other, "imagenet")):
        assert isinstance(said, Refused)
        assert f"'{name}' is not there, or holds something else" in said.error.message
        assert "models under the same paths" in said.error.hint


def test_who_only_deals_out_needs_no_gpu_and_who_makes_shards_does(garments, model, tmp_path):
    jobs = (
        EmbedJob(str(garments), tmp_path / "features", replace(HOW, device="cuda")),
        AnswerJob(str(model), str(garments), tmp_path / "answers", name_columns, device="cuda"),
    )
    for job in jobs:
        assert job.on_gpu
        begun = begin(job)
        assert made_on(opened(job.output).manifest.network)[1] == "cuda"
        said = Worker(job, begun, 1).ready()
        assert isinstance(said, Refused)
        assert "ONNX Runtime" in said.error.message


def test_paths_are_those_of_where_the_job_was_made(garments, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(garments.parent)
    job = EmbedJob(garments.name, tmp_path / "d", HOW)
    relative = EmbedJob(garments.name, Path(os.path.relpath(tmp_path / "d")), HOW)
    monkeypatch.chdir(tmp_path / "elsewhere")
    begun = begin(job)
    assert begun == begin(relative)
    assert isinstance(Worker(relative, begun, 1).ready(), Ready)


def test_a_machine_that_has_photos_and_shards_elsewhere_needs_links_to_them(garments, contents, tmp_path):
    embed(str(garments), tmp_path / "whole", HOW)
    job = EmbedJob(str(garments), tmp_path / "d", HOW)
    begun = begin(job)
    away = [path.rename(tmp_path / f"mounted {path.name}") for path in (garments, tmp_path / "d")]
    for link, path in zip((garments, tmp_path / "d"), away, strict=True):
        link.symlink_to(path)
    try:
        one = Worker(job, begun, 2)
        assert [one.make(shard) for shard in begun.waiting] == [True] * 3
    finally:
        garments.unlink()
        away[0].rename(garments)
    assert contents(away[1]) == contents(tmp_path / "whole")


def test_a_machine_that_sees_other_shards_or_no_photos_refuses(garments, tmp_path):
    job = EmbedJob(str(garments), tmp_path / "d", HOW)
    begun = begin(job)
    said = Worker(job, begun._replace(mark="other"), 1).ready()
    assert isinstance(said, Refused)
    assert "holds something else" in said.error.message
    away = garments.rename(garments.with_name("away"))
    try:
        said = Worker(job, begun, 1).ready()
    finally:
        away.rename(garments)
    assert isinstance(said, Refused)
    assert str(garments) in said.error.message
    assert "NAS" in said.error.hint


def test_a_photo_that_went_has_the_reason_that_one_process_gives(garments, contents, tmp_path):
    job = EmbedJob(str(garments), tmp_path / "d", HOW)
    begun = begin(job)
    photo = garments / "hat" / "cut.jpg"
    data = photo.read_bytes()
    photo.unlink()
    try:
        one = Worker(job, begun, 2)
        assert [one.make(shard) for shard in begun.waiting] == [True] * 3
        handed = contents(tmp_path / "d")
        for path in (tmp_path / "d" / "features").iterdir():
            path.unlink()
        embed(str(garments), tmp_path / "d", HOW)
        assert contents(tmp_path / "d") == handed
    finally:
        photo.write_bytes(data)


def test_the_library_by_which_a_gpu_computes_counts_under_either_name(tmp_path, monkeypatch):
    """And only for work on a GPU; what is not installed is left out."""
    own = worker.versions(on_gpu=False)
    assert list(own) == list(worker.PACKAGES)
    (tmp_path / "onnxruntime_gpu-9.9.dist-info").mkdir()
    (tmp_path / "onnxruntime_gpu-9.9.dist-info" / "METADATA").write_text("Name: onnxruntime-gpu\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert worker.versions(on_gpu=True) == {**own, "onnxruntime": "9.9"}
    monkeypatch.setattr(worker, "GPU_PACKAGES", ("no-such-package", "nor-this-one"))
    assert worker.versions(on_gpu=True) == own


class Slow:
    """Makes a shard for as long as nobody else has."""

    def __init__(self, path):
        self._path = path

    def place(self, shard):
        return self._path

    def is_done(self, shard):
        return False

    def make(self, shard, tell):
        for n in range(10_000):
            if n == 10:
                self._path.write_text("another was quicker")
            tell(n)
            time.sleep(0.01)
        raise AssertionError

    @contextmanager
    def maker(self, begun, n_workers):
        yield self


def test_who_is_overtaken_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "LOOK_S", 0.1)
    slow = Slow(tmp_path / "shard")
    assert Worker(slow, Begun((0,), (1,), tmp_path, 0, ""), 1).make(0) is False


def test_errors_of_ours_are_answers_and_others_are_not(tmp_path):
    class Broken(Slow):
        def make(self, shard, tell):
            raise self.error

    broken = Broken(tmp_path / "shard")
    one = Worker(broken, Begun((0,), (1,), tmp_path, 0, ""), 1)
    broken.error = InputError("The disk is full.", hint="Make room.")
    said = one.make(0)
    assert (said.error.message, said.error.hint) == ("The disk is full.", "Make room.")
    broken.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        one.make(0)
