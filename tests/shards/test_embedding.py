"""Whoever makes a shard, its bytes are the same; what is done is not done again, what is broken is."""

import shutil

import numpy as np
import pytest

from tellapart.engine import device
from tellapart.engine.network_proof import BOUND
from tellapart.errors import InputError, MissingExtraError
from tellapart.features.extract import _compiled
from tellapart.shards import parquet
from tellapart.shards.destination import opened
from tellapart.shards.embedding import How, Part, embed, plan
from tellapart.shards.reading import photos_of
from tellapart.shards.rows import vectors_in
from tellapart.shards.state import state_of

HOW = How(quality="fast", shard_size=9)


def test_bytes_do_not_depend_on_workers_or_parts(photos, filled, contents, tmp_path):
    embed(str(photos), tmp_path / "one", HOW, n_workers=1)
    embed(str(photos), tmp_path / "two", HOW, n_workers=2)
    made = [embed(str(photos), tmp_path / "loop", HOW, part=Part(i, 3)).made for i in (3, 1, 2)]
    assert made == [1, 2, 2]
    assert len(contents(filled)) == 5
    for name in ("one", "two", "loop"):
        assert contents(tmp_path / name) == contents(filled)
        assert [p.read_bytes() for p in sorted((tmp_path / name).glob("*/part-0.parquet"))] == [
            p.read_bytes() for p in sorted(filled.glob("*/part-0.parquet"))
        ]


def test_a_copy_of_the_photos_elsewhere_gives_the_same_bytes(photos, filled, contents, tmp_path):
    shutil.copytree(photos, tmp_path / "elsewhere" / "those")
    embed(str(tmp_path / "elsewhere" / "those"), tmp_path / "again", HOW)
    assert contents(tmp_path / "again") == contents(filled)


def test_what_is_done_is_not_done_again_and_what_is_broken_is(photos, filled, contents):
    before = contents(filled)
    times = {path.name: path.stat().st_mtime_ns for path in (filled / "features").iterdir()}
    assert embed(str(photos), filled, HOW).made == 0
    (filled / "features" / "000001.parquet").unlink()
    half = filled / "features" / "000003.parquet"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    shutil.copyfile(filled / "features" / "000000.parquet", filled / "features" / "000004.parquet")
    assert state_of(filled).not_done == (1, 3, 4)
    assert embed(str(photos), filled, HOW).made == 3
    assert contents(filled) == before
    for number in (0, 2):
        name = f"{number:06d}.parquet"
        assert (filled / "features" / name).stat().st_mtime_ns == times[name]


def test_found_is_used_and_skipped_in_all_shards(photos, filled):
    state = state_of(filled)
    assert (state.found, state.used, state.skipped, state.waiting) == (43, 40, 3, 0)
    assert sum(state.reasons.values()) == 3
    assert "empty file" in state.reasons
    (filled / "features" / "000002.parquet").unlink()
    state = state_of(filled)
    assert state.found == 43 == state.used + state.skipped + state.waiting
    assert state.waiting == 9


def test_retry_reads_only_what_was_skipped_and_gives_the_bytes_of_a_first_run(photos, filled, contents, tmp_path):
    before = contents(filled)
    whole = min(path for path in (photos / "hat").iterdir() if path.name not in ("cut.jpg", "empty.jpg"))
    assert embed(str(photos), filled, HOW, retry_failed=True).made == 1
    assert contents(filled) == before
    shutil.copyfile(whole, photos / "hat" / "cut.jpg")
    assert embed(str(photos), filled, HOW).made == 0
    assert embed(str(photos), filled, HOW, retry_failed=True).made == 1
    assert embed(str(photos), filled, HOW, retry_failed=True).made == 0
    embed(str(photos), tmp_path / "fresh", HOW)
    assert contents(filled) == contents(tmp_path / "fresh") != before
    assert state_of(filled).used == 41


def test_a_photo_that_went_after_the_list_was_made_is_listed_with_its_reason(photos, filled):
    min((photos / "dress").iterdir()).unlink()
    shutil.rmtree(filled / "features")
    assert embed(str(photos), filled, HOW).changed == 1
    state = state_of(filled)
    assert (state.found, state.used, state.skipped) == (43, 39, 4)
    assert state.reasons["The file was there when the list was made, and is no longer."] == 1


def test_other_photos_are_refused(photos, filled, tmp_path):
    other = tmp_path / "other"
    for name in ("dress", "hat"):
        (other / name).mkdir(parents=True)
        shutil.copyfile(min((photos / name).iterdir()), other / name / "1.jpg")
    (filled / "features" / "000001.parquet").unlink()
    with pytest.raises(InputError, match="holds 0 of 41 photos"):
        embed(str(other), filled, HOW)
    assert state_of(filled).not_done == (1,)


def test_a_disk_that_goes_during_a_run_stops_it_and_what_is_done_stays(photos, tmp_path):
    how, away = How("fast", shard_size=20), photos.with_name("away")

    def unplug(stage, done, total):
        if done == 20 and photos.exists():  # the first of two whole shards is written
            photos.rename(away)

    with pytest.raises(InputError, match="still there"):
        embed(str(photos), tmp_path / "d", how, n_workers=1, progress=unplug)
    done = state_of(tmp_path / "d").done
    assert done >= 1
    away.rename(photos)
    assert embed(str(photos), tmp_path / "d", how).made == 3 - done
    embed(str(photos), tmp_path / "whole", how)
    assert state_of(tmp_path / "d").used == state_of(tmp_path / "whole").used == 40


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (How("balanced"), "another network"),
        (How("fast", "squash"), "another network"),
        (How("fast", precision="float16"), "another precision"),
        (How("fast", shard_size=10), "another size"),
    ],
)
def test_another_network_precision_or_size_is_refused(photos, filled, contents, how, says):
    before = contents(filled)
    with pytest.raises(InputError, match=says) as raised:
        embed(str(photos), filled, how)
    assert "--" in raised.value.hint
    assert contents(filled) == before


def test_the_size_of_a_folder_need_not_be_said_again(photos, filled):
    assert embed(str(photos), filled, How("fast")).made == 0


@pytest.fixture
def stand_in(monkeypatch):
    """ONNX Runtime's processor in the place of a GPU: batches, another library, and everything else as for a GPU."""
    pytest.importorskip("onnxruntime")
    monkeypatch.setitem(device.PROVIDERS, "cuda", "CPUExecutionProvider")
    _compiled.cache_clear()
    yield
    _compiled.cache_clear()


@pytest.mark.thorough  # a batch of 32 for one photo, twice
def test_another_device_gives_the_same_features_within_the_bound_under_a_name_of_its_own(
    photos, filled, contents, tmp_path, stand_in
):
    on_device = How("fast", shard_size=9, device="cuda")
    for n_workers, name in ((None, "batches"), (3, "few")):
        embed(str(photos), tmp_path / name, on_device, n_workers=n_workers)
    assert contents(tmp_path / "few") == contents(tmp_path / "batches")  # whoever shares a batch
    for number in range(5):
        ours, theirs = (parquet.load(opened(path).place(number)) for path in (filled, tmp_path / "batches"))
        assert ours.drop(["features"]).equals(theirs.drop(["features"]))
        a, b = vectors_in(ours["features"]), vectors_in(theirs["features"])
        assert np.abs(a - b).max() <= BOUND * np.abs(a).max()
    assert opened(filled).manifest.network != opened(tmp_path / "batches").manifest.network
    with pytest.raises(InputError, match="another network") as caught:
        embed(str(photos), tmp_path / "batches", HOW)
    assert "--device cuda" in caught.value.hint
    with pytest.raises(InputError, match="another network") as caught:
        embed(str(photos), filled, on_device)
    assert "--device cpu" in caught.value.hint
    assert photos_of(tmp_path / "batches", opened(filled).manifest.network).destination.manifest.n_photos == 41


def test_without_a_gpu_nothing_is_made(photos, tmp_path):
    with pytest.raises((InputError, MissingExtraError), match="ONNX Runtime"):
        embed(str(photos), tmp_path / "none", How("fast", device="cuda"))
    assert not (tmp_path / "none").exists()


def test_float16_is_half_as_precise_and_about_half_the_size(photos, filled, tmp_path):
    embed(str(photos), tmp_path / "half", How("fast", precision="float16", shard_size=9))
    for number in range(5):
        whole, half = (parquet.load(opened(path).place(number)) for path in (filled, tmp_path / "half"))
        for a, b in zip(whole["features"].to_pylist(), half["features"].to_pylist(), strict=True):
            assert (a is None) == (b is None)
            assert a is None or (np.array(a, np.float16) == np.array(b, np.float16)).all()


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_a_part_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="written like 3/64"):
        Part.parse(text)


def test_parts_divide_all_shards():
    assert Part.parse("2/3") == Part(2, 3)
    for n in (1, 2, 3, 7):
        owners = [[part for part in range(1, n + 1) if Part(part, n).has(shard)] for shard in range(20)]
        assert all(len(owner) == 1 for owner in owners)


def test_a_folder_within_the_photos_is_refused(photos):
    with pytest.raises(InputError, match="lies within the photos"):
        embed(str(photos), photos / "shards", HOW)


def test_a_plan_counts_and_writes_nothing(photos, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    planned = plan(str(photos), HOW)
    assert (planned.photos, planned.shards, planned.tried) == (41, 5, 41)
    assert planned.bytes == sum(p.stat().st_size for p in photos.rglob("*.jpg"))
    assert planned.hours == pytest.approx(41 / planned.rate / 3600)
    assert sorted(tmp_path.rglob("*")) == before
