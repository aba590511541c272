"""An update adds what is new, marks what is gone, and makes no shard that is there again."""

import shutil
from contextlib import closing

import numpy as np
import pytest

from tellapart.data.source import scan
from tellapart.errors import InputError
from tellapart.shards.claims import Claims
from tellapart.shards.destination import opened
from tellapart.shards.embedding import How, Part, embed
from tellapart.shards.reading import photos_of
from tellapart.shards.state import state_of
from tellapart.shards.updating import UPDATING, bring_up_to_date

HOW = How(quality="fast", shard_size=9)


def test_after_any_change_the_shards_are_those_photos(photos, filled, extractor, contents):
    """New, changed, gone and renamed photos at once; then back to what it was."""
    before = contents(filled)
    names = sorted(path.name for path in (photos / "hat").glob("*.jpg"))[2:]
    first, second, third, fourth = (photos / "hat" / name for name in names[:4])
    was = {path: path.read_bytes() for path in (first, second, third)}
    first.unlink()
    second.write_bytes(third.read_bytes())
    third.rename(photos / "dress" / "moved.jpg")
    (photos / "cap").mkdir()
    shutil.copyfile(fourth, photos / "cap" / "new.jpg")
    assert embed(str(photos), filled, HOW).changed == 4
    done = embed(str(photos), filled, HOW, update=True)
    assert (done.made, done.photos, done.changed) == (1, 3, 0)
    assert {name: data for name, data in contents(filled).items() if name in before} == before
    _is_of(filled, photos, extractor)
    state = state_of(filled)
    assert state.gone == 3
    assert state.found == state.used + state.skipped == scan(str(photos)).n_found
    for path, data in was.items():
        path.write_bytes(data)
    (photos / "dress" / "moved.jpg").unlink()
    assert embed(str(photos), filled, HOW, update=True).made == 0
    _is_of(filled, photos, extractor)
    assert state_of(filled).gone == 2


def _is_of(filled, photos, extractor):
    stored, dataset = photos_of(filled, extractor.extractor_key), scan(str(photos))
    for name in ("class_names", "photos", "places", "skipped"):
        assert getattr(stored.dataset, name) == getattr(dataset, name), name
    assert (stored.dataset.labels == dataset.labels).all()
    found, wanted = stored.features(), extractor.extract(dataset)
    assert found.values.tobytes() == wanted.values.tobytes()
    assert found.errors.keys() == wanted.errors.keys()


@pytest.mark.parametrize("called", ["photos", "."])
def test_a_file_that_was_empty_when_it_was_listed_is_read_with_what_failed(
    photos, filled, extractor, contents, monkeypatch, called
):
    """Nothing else of the list changes, though a photo is new and one is gone; the shards are those photos again."""
    before = contents(filled)
    whole, gone = sorted((photos / "hat").iterdir())[:2]
    shutil.copyfile(whole, photos / "hat" / "empty.jpg")
    shutil.copyfile(whole, photos / "hat" / "cut.jpg")
    shutil.copyfile(whole, photos / "hat" / "new.jpg")
    away = gone.rename(photos.parent / gone.name)
    monkeypatch.chdir(photos if called == "." else photos.parent)
    assert embed(called, filled, HOW).made == 0
    done = embed(called, filled, HOW, retry_failed=True)
    assert (done.made, done.photos, done.changed) == (2, 10, 2)
    assert sum(contents(filled).get(name) != data for name, data in before.items()) == 1  # the one that is cut off
    state = state_of(filled)
    assert (state.found, state.used, state.skipped, state.gone) == (43, 42, 1, 0)
    assert embed(called, filled, HOW, retry_failed=True).made == 0
    (photos / "hat" / "new.jpg").unlink()
    away.rename(gone)
    _is_of(filled, photos, extractor)


def test_of_several_runs_that_read_what_was_empty_each_makes_its_part(photos, filled, contents, tmp_path):
    for i in range(12):
        (photos / "dress" / f"{i}.png").touch()
    whole = min((photos / "hat").iterdir())
    embed(str(photos), filled, HOW, update=True)
    for i in range(12):
        shutil.copyfile(whole, photos / "dress" / f"{i}.png")
    shutil.copytree(filled, tmp_path / "parts")
    assert embed(str(photos), filled, HOW, retry_failed=True).made == 3
    made = [embed(str(photos), tmp_path / "parts", HOW, part=Part(i, 2), retry_failed=True).made for i in (1, 2)]
    assert sum(made) == 3
    assert contents(tmp_path / "parts") == contents(filled)


def test_nothing_is_written_where_nothing_changed(photos, filled):
    files = {path: path.stat().st_mtime_ns for path in filled.rglob("*.parquet")}
    assert not bring_up_to_date(opened(filled), scan(str(photos)))
    assert {path: path.stat().st_mtime_ns for path in filled.rglob("*.parquet")} == files


def test_a_run_stopped_between_labels_and_list_is_made_good(photos, filled, extractor):
    shutil.copyfile(
        min((photos / "hat").glob("1*.jpg"), default=min((photos / "hat").iterdir())), photos / "hat" / "n.jpg"
    )
    listed = (filled / "list" / "part-0.parquet").read_bytes()
    embed(str(photos), filled, HOW, update=True)
    (filled / "list" / "part-0.parquet").write_bytes(listed)
    with pytest.raises(InputError, match="in no shard") as raised:
        photos_of(filled, extractor.extractor_key)
    assert "--update" in raised.value.hint
    assert embed(str(photos), filled, HOW, update=True).made == 0
    _is_of(filled, photos, extractor)


def test_labels_that_somebody_wrote_stay(photos, filled, extractor):
    from tellapart.shards import parquet

    path = filled / "labels" / "part-0.parquet"
    table = parquet.load(path)
    labels = np.array(["cap"] * table.num_rows)
    table = table.set_column(1, "label", parquet.arrow().array(labels))
    parquet.save(path, table, {}, [])
    shutil.copyfile(max((photos / "dress").glob("*.jpg")), photos / "dress" / "new.jpg")
    embed(str(photos), filled, HOW, update=True)
    dataset = photos_of(filled, extractor.extractor_key).dataset
    assert dataset.class_names == ("cap", "dress")
    assert np.bincount(dataset.labels).tolist() == [41, 1]


def test_two_updates_at_once_are_refused(photos, filled):
    """A second file of locks in this process would let go of the first one's, so a child holds them."""
    import subprocess
    import sys

    program = (
        "import sys; from pathlib import Path; from tellapart.shards.claims import Claims\n"
        f"with Claims(Path(sys.argv[1])).claimed({UPDATING}) as mine: print(mine, flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(filled / ".claims")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"True\n"
    with pytest.raises(InputError, match="Another run"):
        bring_up_to_date(opened(filled), scan(str(photos)))
    holder.communicate()
    with closing(Claims(filled / ".claims")) as claims, claims.claimed(UPDATING) as mine:
        assert mine
