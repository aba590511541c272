"""Answers in shards are those of a plain predict, whoever makes which shard."""

import shutil

import numpy as np
import pytest

from tellapart.engine import device
from tellapart.engine.network_proof import BOUND
from tellapart.errors import InputError, MissingExtraError
from tellapart.model.prediction import load
from tellapart.shards import parquet
from tellapart.shards.destination import opened
from tellapart.shards.embedding import How, Part, embed
from tellapart.shards.state import state_of
from tellapart.workflow.many.answering import answer


@pytest.fixture
def album(clothing_folder, tmp_path):
    """Photos in folders that are no classes of the model, a file that is cut off, and one that is no photo."""
    folder = tmp_path / "album"
    (folder / "2024").mkdir(parents=True)
    photos = sorted((clothing_folder / "hat").iterdir())[:8] + sorted((clothing_folder / "dress").iterdir())[:8]
    for i, photo in enumerate(photos):
        shutil.copyfile(photo, folder / ("2024" if i % 2 else ".") / f"{i}.jpg")
    (folder / "cut.jpg").write_bytes(photos[0].read_bytes()[:4000])
    (folder / "notes.txt").write_text("no photo")
    return folder


def shards(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "answers").iterdir())}


def test_answers_are_those_of_predict_by_any_parts(model, album, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done = answer(str(model), str(album), whole, list, shard_size=5)
    assert (done.made, done.photos, done.changed) == (4, 17, 0)
    for i in (2, 1):
        answer(str(model), str(album), parts, list, shard_size=5, part=Part(i, 2), n_workers=3)
    assert shards(parts) == shards(whole)
    predictor = load(model)
    said = {one.photo: one for one in predictor.predict_many(str(path) for path in album.rglob("*.jpg"))}
    rows = [row for i in range(4) for row in parquet.load(opened(whole).place(i)).to_pylist()]
    assert len(rows) == len(said) == 17
    for row in rows:
        one = said[str(album / row["uri"])]
        for name in ("answer", "class_name", "error"):
            assert row[name] == getattr(one, name)
        assert row["photo"] == f"{album}/{row['uri']}"
        probs = [row[name] for name in predictor.class_names]
        assert probs == ([None] * len(probs) if one.error else [one.probs[name] for name in predictor.class_names])
        assert row["confidence"] == one.confidence
    state = state_of(whole)
    assert (state.found, state.used, state.skipped, state.done) == (18, 16, 2, 4)
    assert list(rows[0])[:6] == ["uri", "photo", "answer", "class_name", "confidence", "error"]
    assert list(rows[0])[-3:] == ["date", "camera", "code"]


def test_what_failed_is_read_once_more_and_a_lost_shard_made_again(model, album, tmp_path):
    dest = tmp_path / "dest"
    answer(str(model), str(album), dest, list, shard_size=5)
    before = shards(dest)
    shutil.copyfile(album / "0.jpg", album / "cut.jpg")
    (dest / "answers" / "000002.parquet").unlink()
    assert answer(str(model), str(album), dest, list).made == 1
    assert answer(str(model), str(album), dest, list, retry_failed=True).made <= 1
    assert state_of(dest).used == 17
    after = shards(dest)
    assert sum(before[name] != after[name] for name in before) == 1


def test_a_file_that_was_empty_is_asked_about_with_what_failed(model, album, tmp_path):
    (album / "empty.jpg").touch()
    answer(str(model), str(album), tmp_path / "dest", list)
    shutil.copyfile(album / "0.jpg", album / "empty.jpg")
    answer(str(model), str(album), tmp_path / "dest", list, retry_failed=True)
    assert state_of(tmp_path / "dest").used == 17
    (row,) = parquet.load(opened(tmp_path / "dest").place(1)).to_pylist()
    assert row["photo"] == f"{album}/empty.jpg"


def test_other_models_and_features_are_refused(model, album, tmp_path):
    dest = tmp_path / "dest"
    answer(str(model), str(album), dest, list)
    with pytest.raises(InputError, match="another model"):
        answer("imagenet", str(album), dest, list)
    with pytest.raises(InputError, match="holds answers"):
        embed(str(album), dest, How("fast"))
    with pytest.raises(InputError, match="lies within"):
        answer(str(model), str(album), album / "dest", list)
    embed(str(album), tmp_path / "features", How("fast"))
    with pytest.raises(InputError, match="holds features"):
        answer(str(model), str(album), tmp_path / "features", list)
    assert np.isfinite(parquet.load(opened(dest).place(0))["confidence"].drop_null().to_numpy()).all()


def test_without_a_gpu_no_answer_is_made(model, album, tmp_path):
    with pytest.raises((InputError, MissingExtraError), match="ONNX Runtime"):
        answer(str(model), str(album), tmp_path / "none", list, device="cuda")
    assert not (tmp_path / "none").exists()


@pytest.mark.thorough  # a batch of 32 for one photo
def test_answers_on_another_device_are_those_of_the_processor_within_the_bound(model, album, tmp_path, monkeypatch):
    """ONNX Runtime's processor stands for a GPU, in batches."""
    pytest.importorskip("onnxruntime")
    answer(str(model), str(album), tmp_path / "cpu", list)
    monkeypatch.setitem(device.PROVIDERS, "cuda", "CPUExecutionProvider")
    for n_workers, name in ((None, "batches"), (3, "few")):
        answer(str(model), str(album), tmp_path / name, list, device="cuda", n_workers=n_workers)
    assert shards(tmp_path / "few") == shards(tmp_path / "batches")  # whoever shares a batch
    ours, theirs = (parquet.load(opened(tmp_path / name).place(0)).to_pydict() for name in ("cpu", "batches"))
    for name, column in ours.items():
        if name not in ("confidence", *load(model).class_names):
            assert column == theirs[name]
            continue
        assert [value is None for value in column] == [value is None for value in theirs[name]]
        pairs = [(a, b) for a, b in zip(column, theirs[name], strict=True) if a is not None]
        assert max(abs(a - b) for a, b in pairs) <= BOUND
    for name, own, asked in (("cpu", "cpu", "cuda"), ("batches", "cuda", "cpu")):
        with pytest.raises(InputError, match="another device") as caught:
            answer(str(model), str(album), tmp_path / name, list, device=asked)
        assert f"--device {own}" in caught.value.hint
