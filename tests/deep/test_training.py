"""Recipes on real photos: what comes out is a backbone and a head that answer as the network that was trained."""

from dataclasses import replace

import numpy as np
import pytest

from tellapart.classifier.temperature import fit_temperature, nll
from tellapart.deep import tail_tuning
from tellapart.deep.backbones import converted
from tellapart.deep.device import choose
from tellapart.deep.tail_tuning import joined, prepare, shares
from tellapart.deep.training import train_network
from tellapart.engine.head import Head
from tellapart.errors import InputError
from tellapart.recipe import FineTune, LinearProbe, Reading, Scratch
from tellapart.timing import no_progress
from tellapart.workflow.fit import fit

FAST = LinearProbe(Reading(quality="fast"))
TUNED = FineTune(probe=FAST, epochs=2, views=1, batch_size=16, input_px=96)
SMALL = Scratch(probe=FAST, network="tutorial-cnn", epochs=2, batch_size=16, augment=("flip",))


def accuracy(fitted, photos):
    rows = fitted.prepared.values[photos]
    return (fitted.calibrated.probs(rows).argmax(axis=1) == fitted.prepared.dataset.labels[photos]).mean()


@pytest.fixture(scope="module")
def tuned(garments):
    prepared, split = garments
    return fit(prepared, split, TUNED)


def test_a_tuned_network_has_both_kinds_of_features(tuned):
    assert tuned.prepared.backbone.n_features == tuned.prepared.values.shape[1] == 2560
    assert tuned.prepared.preprocessing.input_px == 96
    assert tuned.calibrated.head.weight.shape == (4, 2560)
    assert tuned.history["n_train"] + tuned.history["n_val"] == len(tuned.split.learned)
    assert len(tuned.history["epochs"]) == 2


def test_the_joined_head_is_no_worse_on_what_chose_it_than_what_was_learned():
    rng = np.random.default_rng(0)
    labels = (np.arange(90) % 3).astype(np.int32)
    features = [
        rng.normal(size=(90, 5)).astype(np.float32) + 0.7 * np.eye(5, dtype=np.float32)[labels] for _ in range(2)
    ]
    heads = [Head(np.eye(3, 5, dtype=np.float32) * scale, np.zeros(3, np.float32)) for scale in (0.3, 4.0)]
    said, val_logits = (head.logits(x).astype(np.float64) for head, x in zip(heads, features, strict=True))
    a, b = shares(said, val_logits, labels)
    both = joined(heads[0], a, heads[1], b).logits(np.concatenate(features, axis=1)).astype(np.float64)
    assert np.allclose(both, a * said + b * val_logits, atol=1e-5)

    def loss(logits):
        return nll(logits, labels, fit_temperature(logits, labels))

    assert loss(both) < min(loss(said), loss(val_logits))  # two independent looks: their sum knows more than either


def test_none_of_these_goes_by_the_untrained_features(tuned):
    centres = tuned.calibrated.centres
    assert centres.vectors.shape[1] == 1280 + 1000
    changed = np.array(tuned.prepared.values[:5])
    changed[:, 1280:] *= -3
    assert np.array_equal(centres.ood_scores(changed), centres.ood_scores(tuned.prepared.values[:5]))


def test_the_same_seed_gives_the_same_network(garments):
    prepared, split = garments
    one, other = (train_network(prepared, split, SMALL)[0] for _ in range(2))
    assert one.backbone.key == other.backbone.key
    assert np.array_equal(one.head.weight, other.head.weight)
    another, _ = train_network(prepared, split, replace(SMALL, probe=replace(FAST, seed=1)))
    assert another.backbone.key != one.backbone.key


def test_a_network_from_nothing_learns_its_photos(garments):
    prepared, split = garments
    recipe = replace(SMALL, epochs=40, augment=(), label_smoothing=0.0, learning_rate=3e-3)
    fitted = fit(prepared, split, recipe)
    assert fitted.history["epochs"][-1]["train_accuracy"] > 0.9
    assert accuracy(fitted, split.train) > 0.6
    assert "random, then trained here" in fitted.prepared.backbone.source


@pytest.mark.thorough
def test_a_network_of_timm_is_trained_further_from_local_weights(garments, tmp_path):
    import timm
    from safetensors.torch import save_file

    path = tmp_path / "small.safetensors"
    save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), path)
    prepared, split = garments
    recipe = FineTune(probe=FAST, network="test_resnet", weights=str(path), input_px=64, epochs=1, batch_size=16)
    fitted = fit(prepared, split, recipe)
    assert fitted.prepared.backbone.input_px == 64
    assert "small.safetensors" in fitted.prepared.backbone.source


def test_a_frozen_network_of_timm_is_a_probe_and_its_features_are_kept(garments, tmp_path):
    import timm
    from safetensors.torch import save_file

    path = tmp_path / "weights.safetensors"
    save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), path)
    prepared, split = garments
    recipe = replace(FAST, reading=Reading("fast", network="test_resnet", weights=str(path), input_px=64))
    first, again = (fit(prepared, split, recipe) for _ in range(2))
    assert first.prepared.backbone.name == "test_resnet"
    assert first.prepared.backbone.key == again.prepared.backbone.key
    assert again.prepared.features.n_cached == prepared.dataset.n
    assert first.history is None
    assert first.prepared.duplicates is prepared.duplicates


def test_without_weights_and_without_a_network_it_says_how_to_get_them(garments):
    prepared, split = garments
    with pytest.raises(InputError) as caught:
        fit(prepared, split, FineTune(probe=FAST, network="resnet18", epochs=1))
    assert "--weights" in caught.value.hint


def test_an_unknown_network_names_the_nearest(garments):
    prepared, split = garments
    with pytest.raises(InputError, match='There is no network "resnet81"') as caught:
        fit(prepared, split, Scratch(probe=FAST, network="resnet81"))
    assert "resnet18" in caught.value.hint


def test_a_persons_own_network_is_read_anew_each_time(garments, tmp_path):
    import torch
    from safetensors.torch import save_file

    code = """
from torch import nn
class Net(nn.Module):
    input_px, mean = 32, (0.5, 0.5, {blue})
    def __init__(self, n_classes):
        super().__init__()
        self.maps, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, n_classes)
    def forward(self, x):
        return self.head(self.maps(x).relu().mean((2, 3)))
"""
    place, weights = tmp_path / "mine.py", tmp_path / "mine.safetensors"
    torch.manual_seed(0)
    net = torch.nn.ModuleDict({"maps": torch.nn.Conv2d(3, 4, 3), "head": torch.nn.Linear(4, 2)})
    save_file(net.state_dict(), weights)
    keys = []
    for blue in (0.5, 0.25):
        place.write_text(code.format(blue=blue))
        keys.append(converted(f"{place}:Net", str(weights), None).key)
    assert keys[0] != keys[1]


def test_what_answers_has_learned_from_all_photos_and_goes_by_what_it_said_before(garments, tuned):
    prepared, split = garments
    assert tuned.history["again"]["n_epochs"] == tuned.history["best_epoch"]
    assert f"on {len(split.learned)} photos" in tuned.prepared.backbone.source
    labels, before = prepared.dataset.labels[split.val], tuned.calibrated.out_of_fold.logits
    after = tuned.calibrated.head.logits(tuned.prepared.values[split.val]).astype(np.float64)
    assert before.shape == after.shape
    assert nll(after, labels, 1.0) < nll(before, labels, 1.0)
    assert tuned.calibrated.temperature == fit_temperature(before, labels)


def test_once_leaves_out_the_photos_that_choose(garments):
    prepared, split = garments
    once = fit(prepared, split, replace(TUNED, refit=False))
    assert once.history["again"] is None
    assert f"on {len(split.train)} photos" in once.prepared.backbone.source
    answered = once.calibrated.head.logits(once.prepared.values[split.val])
    assert np.allclose(answered, once.calibrated.out_of_fold.logits, atol=1e-3)


def test_a_training_stopped_in_its_second_half_goes_on_to_the_same_network(garments, tuned, tmp_path):
    prepared, split = garments
    place = tmp_path / "checkpoint"

    class Stopped(Exception):
        pass

    told = []

    def stop(epoch):
        told.append(epoch)
        if epoch.refit:
            raise Stopped

    with pytest.raises(Stopped):
        train_network(prepared, split, TUNED, checkpoint_path=place, callbacks=[stop])
    assert [(epoch.before, epoch.epoch) for epoch in told] == [(0, 1), (0, 2), (2, 1)]
    assert [epoch.refit for epoch in told] == [False, False, True]
    assert told[-1].val_loss is None
    resumed, _ = train_network(prepared, split, TUNED, checkpoint_path=place, resume=True)
    assert resumed.backbone.key == tuned.prepared.backbone.key
    assert np.array_equal(resumed.head.weight, tuned.calibrated.head.weight)


class Poisoned:
    """Inputs that are no numbers where a photo is among `poison`."""

    def __init__(self, batches, poison):
        self.batches, self.poison, self.clean = batches, poison, batches.clean

    def augmented(self, photos):
        x = self.batches.augmented(photos)
        x[np.isin(photos, self.poison)] = float("nan")
        return x


def test_a_second_time_that_breaks_down_leaves_the_first(garments, monkeypatch):
    prepared, split = garments

    def poisoned(prepared, split, *rest):
        job = prepare(prepared, split, *rest)
        return replace(job, task=replace(job.task, batches=Poisoned(job.task.batches, split.val)))

    monkeypatch.setattr(tail_tuning, "prepare", poisoned)
    learned, history = train_network(prepared, split, TUNED)
    assert history["again"] is None
    assert learned.val_logits is None
    assert f"on {len(split.train)} photos" in learned.backbone.source
    assert np.isfinite(learned.head.weight).all()


def test_another_network_is_asked_about_the_photos_that_chose_as_it_is(garments):
    prepared, split = garments
    fitted = fit(prepared, split, SMALL)
    held_out = fitted.prepared.values[split.val]
    assert np.allclose(fitted.calibrated.out_of_fold.logits, fitted.calibrated.head.logits(held_out), atol=1e-5)
    assert fitted.history["again"] is None


@pytest.mark.thorough  # a time limit ends a training in tests/deep/test_loop.py
def test_both_times_are_in_the_time_limit(garments):
    prepared, split = garments
    _, history = train_network(prepared, split, replace(TUNED, epochs=500, time_limit_s=6.0))
    assert history["stopped"] == "the time limit was reached"
    assert history["again"]["n_epochs"] >= 1
    assert history["seconds"] + history["again"]["seconds"] < 6.0 + 2.0


def test_photos_that_test_are_not_looked_at(garments):
    prepared, split = garments
    job = prepare(prepared, split, TUNED, choose(TUNED), no_progress)
    views = job.task.batches.views
    assert not views[:, split.test].any()
    assert all(views[0, split.learned].any(axis=(1, 2, 3)))
    assert all(views[1, split.learned].any(axis=(1, 2, 3)))
    apart = prepare(prepared, split, replace(TUNED, refit=False), choose(TUNED), no_progress)
    assert not apart.task.batches.views[1, split.val].any()
