"""The OOD reference is what the bundled backbones make of the photos they were shown, and no photo is among them."""

import importlib.machinery
import importlib.util
import json

import numpy as np
import pytest

from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Dataset
from tellapart.engine import ood_reference as module
from tellapart.engine.backbone import QUALITIES, Bundled
from tellapart.engine.ood_reference import FOLDER, ood_reference
from tellapart.errors import ArtifactError
from tellapart.features.extract import Extractor

RECORD = json.loads((FOLDER / "photos.json").read_text("utf-8"))
N_PHOTOS = 210
FLOAT16_BYTES = 2


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The shipped files in a folder of one's own, to break."""
    for path in FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    ood_reference.cache_clear()
    yield tmp_path
    ood_reference.cache_clear()


@pytest.mark.parametrize("quality", QUALITIES)
def test_every_quality_has_seen_them(quality):
    """Fails when a backbone has changed: run `scripts/make_ood_reference ../shared/data/unknown` again."""
    backbone = QUALITIES[quality]
    known = ood_reference(backbone)
    assert known is not None, f"{quality} is {backbone.key} now; make the OOD reference again"
    assert known.features.shape == (N_PHOTOS, backbone.n_features)
    assert known.features.dtype == np.float32
    assert len(known.sources) == len(known.names) == N_PHOTOS
    assert np.isfinite(known.features).all()
    assert len(np.unique(known.features, axis=0)) == N_PHOTOS


def test_nothing_is_kept_of_backbones_that_are_gone():
    assert set(RECORD["features"]) == {backbone.key for backbone in QUALITIES.values()}


def test_a_backbone_that_has_not_seen_them_has_none():
    assert ood_reference(Bundled(("lite0",), 96)) is None


def test_there_are_three_sources_in_words():
    known = ood_reference(QUALITIES["fast"])
    assert {source: known.sources.count(source) for source in set(known.sources)} == {
        "everyday things": 150, "cups": 30, "patterns and surfaces": 30,
    }  # fmt: skip
    assert all(name == name.strip() and 0 < len(name) < 40 for name in known.names)
    assert not any("_" in name or "." in name or any(letter.isdigit() for letter in name) for name in known.names)


def test_no_photo_can_be_in_the_package():
    """Every byte is accounted for: one float16 a feature, and a short name a photo."""
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    expected = {f"{q}.f16": N_PHOTOS * backbone.n_features * FLOAT16_BYTES for q, backbone in QUALITIES.items()}
    assert {name: size for name, size in sizes.items() if name != "photos.json"} == expected
    assert sizes["photos.json"] < 100 * N_PHOTOS
    assert set(RECORD) == {"photos", "fitted_on", "features"}
    assert all(set(photo) == {"source", "name"} for photo in RECORD["photos"])


@pytest.mark.parametrize("harm", ["a flipped bit", "cut short", "another quality's"])
def test_a_damaged_file_is_refused(copied, harm):
    file = copied / "fast.f16"
    data = bytearray(file.read_bytes())
    if harm == "a flipped bit":
        data[1000] ^= 1
    elif harm == "cut short":
        data = data[:-2]
    else:
        data = bytearray((copied / "balanced.f16").read_bytes())
    file.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"fast\.f16 is damaged") as refused:
        ood_reference(QUALITIES["fast"])
    assert refused.value.hint == "Install tellapart again."
    assert ood_reference(QUALITIES["balanced"]) is not None


@pytest.fixture(scope="module")
def shown(shared_data):
    """The script's own order of the photos, and of which to look at a few."""
    path = module.FOLDER.parents[3] / "scripts" / "make_ood_reference"
    if not path.is_file():
        pytest.skip("the scripts are in the repository only")
    loader = importlib.machinery.SourceFileLoader("make_ood_reference", str(path))
    script = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(script)
    root = shared_data / "unknown"
    paths = [path for source in script.SOURCES for path in sorted((root / source).iterdir())]
    return script, paths


def test_names_and_sources_are_those_of_the_photos(shown):
    script, paths = shown
    known = ood_reference(QUALITIES["fast"])
    assert known.sources == tuple(script.SOURCES[path.parent.name] for path in paths)
    assert known.names == tuple(script.name_of(path) for path in paths)


def test_the_half_that_may_be_fitted_on_is_the_one_that_the_script_draws(shown):
    script, paths = shown
    assert np.flatnonzero(ood_reference(QUALITIES["fast"]).fitted_on).tolist() == script.may_be_fitted_on(paths)


def test_half_of_each_source_is_fitted_on_and_the_other_half_counted():
    known = ood_reference(QUALITIES["fast"])
    counted = known.counted()
    assert len(known.to_fit) == len(counted.features) == N_PHOTOS // 2
    assert {source: counted.sources.count(source) for source in set(known.sources)} == {
        source: known.sources.count(source) // 2 for source in set(known.sources)
    }
    both = np.concatenate([known.to_fit, counted.features])
    assert np.array_equal(np.unique(both, axis=0), np.unique(known.features, axis=0)), "no photo is in both or neither"
    for i, name in enumerate(counted.names):
        [row] = np.flatnonzero((known.features == counted.features[i]).all(axis=1))
        assert (known.names[row], known.sources[row]) == (name, counted.sources[i])
    assert not counted.fitted_on.any()


@pytest.mark.parametrize("quality", QUALITIES)
def test_features_are_what_the_backbone_makes_of_them(shown, quality, extractor):
    _, paths = shown
    rows = [0, 77, 149, 150, 200] if quality != "best" else [77, 200]
    backbone = QUALITIES[quality]
    reader = extractor if quality == "fast" else Extractor(backbone, Preprocess(backbone.input_px))
    made = reader.extract(Dataset.from_lists([paths[i] for i in rows], ["other"] * len(rows))).values
    kept = ood_reference(backbone).features[rows]
    assert np.abs(made).max() > 1
    # float16 keeps 11 bits; other processors add in another order
    assert np.allclose(made, kept, rtol=2**-10, atol=2e-3)
