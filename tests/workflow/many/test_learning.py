"""A model of more photos in shards than are learned from at once: with the limit lowered, on real photos."""

import json
import shutil

import numpy as np
import pytest

from tellapart.classifier.probe import fit_heads
from tellapart.data.source import scan
from tellapart.recipe import LinearProbe, Reading
from tellapart.shards.embedding import How, embed
from tellapart.shards.many import Part, many_photos
from tellapart.shards.reading import photos_of
from tellapart.timing import Stopwatch, no_progress
from tellapart.workflow.fit import fit_probe_on
from tellapart.workflow.many.learning import Sizes, learned_from_all, prepare_many
from tellapart.workflow.train import train

RECIPE = LinearProbe(Reading(quality="fast"))
FEW = Sizes(at_once=10, sample=18, least_of_class=2, held_out=10, tested=6)


@pytest.fixture(scope="module")
def shards(clothing_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("many") / "shards"
    embed(str(clothing_folder), folder, How(quality="fast", shard_size=9))
    return folder


def test_photos_are_all_accounted_for_and_the_folder_says_what_more_of_them_brought(shards, tmp_path, clothing_folder):
    evaluation = train(shards, tmp_path / "model", RECIPE, sizes=FEW, advice=False)
    rows, n = evaluation.rows, scan(str(clothing_folder)).n
    assert rows["n_learn"] + rows["n_held_out"] + rows["n_test"] == evaluation.n_used
    assert evaluation.n_found == evaluation.n_used + len(evaluation.skipped) == n
    assert evaluation.n_test <= rows["n_test"]
    said = json.loads((tmp_path / "model" / "evaluation.json").read_text())
    assert [one["n"] for one in said["rows"]["held_out_log_loss"]][1] < rows["n_learn"]
    assert rows["passes"], "so few photos that more help"
    hashes = (tmp_path / "model" / "trained_on.txt").read_text().split()
    assert len(hashes) <= rows["n_learned"]


def test_photos_may_be_gone_by_then(clothing_folder, tmp_path):
    photos = tmp_path / "photos"
    shutil.copytree(clothing_folder, photos)
    embed(str(photos), tmp_path / "shards", How(quality="fast", shard_size=9))
    shutil.rmtree(photos)
    evaluation = train(tmp_path / "shards", tmp_path / "model", RECIPE, sizes=FEW, advice=False)
    assert evaluation.proof.n == 0


@pytest.mark.thorough
def test_below_the_limit_nothing_is_said_and_no_byte_changes(shards, tmp_path):
    models = [tmp_path / "usual" / "model", tmp_path / "limit" / "model"]
    for model, sizes in zip(models, (Sizes(), Sizes(at_once=1000, sample=5)), strict=True):
        model.parent.mkdir()
        assert train(shards, model, RECIPE, sizes=sizes, advice=False).rows is None
    assert (models[0] / "model.onnx").read_bytes() == (models[1] / "model.onnx").read_bytes()


def test_no_scene_straddles_and_a_sample_of_all_is_the_exact_head(shards, extractor):
    photos = photos_of(shards, extractor.extractor_key)
    everything = Sizes(at_once=10, sample=10**6, held_out=8, tested=10**6)
    prepared, many = prepare_many(photos, extractor, RECIPE, everything, no_progress, Stopwatch())
    dealt = many.dealt
    assert not dealt.rest.any()
    groups, split = prepared.duplicates.groups, many.split
    assert not set(groups[split.train]) & set(groups[split.test])
    rows = many_photos(photos)
    part = Part(rows, many.labels, dealt.sample)
    read = sum((part[i][0].shape[0] for i in range(len(part))), 0)
    assert read == dealt.sample.sum() == len(split.train)
    n, labels = len(photos.dataset.class_names), prepared.dataset.labels[split.train]
    whole = photos.features()
    ours, exact = (
        fit_heads(values, labels, n, RECIPE, [0.1])[0.1]
        for values in (prepared.values[split.train], whole.values[rows.usable][dealt.sample])
    )
    assert np.array_equal(ours.weight, exact.weight)


def test_a_head_of_all_photos_leaves_what_thresholds_rest_on(shards, extractor):
    photos = photos_of(shards, extractor.extractor_key)
    prepared, many = prepare_many(photos, extractor, RECIPE, FEW, no_progress, Stopwatch())
    before = fit_probe_on(prepared, many.split, RECIPE)
    after = learned_from_all(before, many, no_progress)
    assert after.rows["n_learned"] == after.rows["n_learn"]
    fitted, n = (before.calibrated, after.calibrated), len(many.split.train)
    assert fitted[0].temperature != fitted[1].temperature
    assert np.allclose(*(one.out_of_fold_probs(n) for one in fitted), equal_nan=True)
