"""Training goes on as if it had never stopped, ends when it should, and never ends with nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tellapart.deep.augment import Augment
from tellapart.deep.batches import Activations
from tellapart.deep.checkpoint import read, write
from tellapart.deep.loop import as_rows, ask, predict, search_rate, train
from tellapart.deep.train_state import init_state
from tellapart.errors import InputError, TrainingError

from .conftest import RECIPE, lesson_of, network_of

THIS = {"recipe": "as it is", "photos": [1, 2]}


def nothing(state):
    """Keeps no epoch."""


def trained(recipe=RECIPE, keep=nothing, state=None, network=None, task=None):
    network = network or network_of()
    task = task or lesson_of(recipe)
    state = state or init_state(network, [list(network.parameters())], recipe, recipe.learning_rate)
    train(state, task, keep)
    return state


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in {*one, *other})


def test_it_learns_and_says_how():
    state = trained(replace(RECIPE, epochs=12))
    assert [epoch.epoch for epoch in state.epochs] == list(range(1, 13))
    first, last = state.epochs[0], state.epochs[-1]
    assert last.train_loss < first.train_loss
    assert last.val_accuracy > 0.8 > 0.5
    assert 0 < last.rate < first.rate <= RECIPE.learning_rate
    assert last.seconds_left == 0
    assert first.seconds_left > 0
    assert last.photos_per_s > 100


@pytest.mark.parametrize("stopped_after", [1, 2, 3])
@pytest.mark.parametrize("augment", [(), ("mixup", "cutmix")])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_a_stopped_training_ends_as_one_that_never_stopped(stopped_after, augment, order, tmp_path):
    class Killed(Exception):
        pass

    recipe, path = replace(RECIPE, augment=augment), tmp_path / "model.checkpoint"
    whole = trained(recipe, network=network_of().to(memory_format=order))

    def keep(state):
        write(path, state.snapshot(), training=THIS)
        if len(state.epochs) == stopped_after:
            raise Killed

    with pytest.raises(Killed):
        trained(recipe, keep, network=network_of().to(memory_format=order))
    network = network_of(seed=5).to(memory_format=order)  # other weights, so that those of the file must be taken
    state = init_state(network, [list(network.parameters())], recipe, 1.0)
    state.restore(read(path, training=THIS))
    assert len(state.epochs) == stopped_after
    trained(recipe, state=state, network=network)
    assert same(weights(whole.network), weights(network))
    assert [e.val_loss for e in whole.epochs] == [e.val_loss for e in state.epochs]
    assert (whole.best_epoch, whole.best_loss) == (state.best_epoch, state.best_loss)


def test_it_ends_with_the_best_weights():
    task = lesson_of(replace(RECIPE, epochs=8))
    state = trained(task=task, recipe=task.recipe)
    assert ask(state.network, task, task.val)[0] == pytest.approx(min(e.val_loss for e in state.epochs))
    assert state.epochs[state.best_epoch - 1].val_loss == state.best_loss


def test_patience_ends_it_when_nothing_gets_better():
    recipe = replace(RECIPE, epochs=40, patience=2, learning_rate=0.5)
    task = lesson_of(recipe)
    rng = np.random.default_rng(1)
    state = trained(recipe, task=replace(task, labels=rng.integers(0, 3, len(task.labels)).astype(np.int32)))
    assert state.stopped == "the validation loss has not fallen for 2 epochs"
    assert len(state.epochs) == state.best_epoch + 2 < 40


def test_the_time_limit_is_kept_and_the_rate_falls_by_then():
    recipe = replace(RECIPE, epochs=100_000, time_limit_s=1.0)
    state = trained(recipe)
    assert state.stopped == "the time limit was reached"
    assert state.seconds < 1.5
    assert state.epochs[-1].rate < 0.1 * max(epoch.rate for epoch in state.epochs)
    assert state.epochs[0].seconds_left <= 1.0


def broken_after(task, n_batches):
    """The lesson with inputs that are no numbers from that batch on."""

    class Broken(Activations):
        count = 0

        def augmented(self, photos):
            Broken.count += 1
            return super().augmented(photos) * (math.nan if Broken.count > n_batches else 1)

    return replace(task, batches=Broken(task.batches.views, task.batches.device))


def test_a_loss_that_is_no_number_keeps_the_best_epoch():
    task = lesson_of()
    state = trained(task=broken_after(task, 2 * task.n_batches + 1))
    assert state.stopped == "the loss was no longer a number in epoch 3"
    assert len(state.epochs) == 2
    assert all(bool(torch.isfinite(tensor.float()).all()) for tensor in state.network.state_dict().values())
    assert ask(state.network, task, task.val)[0] == pytest.approx(state.best_loss)


def test_a_loss_that_never_was_a_number_is_an_error():
    with pytest.raises(TrainingError) as caught:
        trained(task=broken_after(lesson_of(), 0))
    assert caught.value.message == "The loss was not a number in the first epoch."
    assert caught.value.hint == "Try a lower rate: --learning-rate 3e-04."


class Greedy(nn.Module):
    """Asks for more memory than any machine has."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return torch.empty(2**46, device=x.device) + self.weight


def test_too_little_memory_suggests_fewer_photos():
    network = Greedy()
    with pytest.raises(TrainingError) as caught:
        trained(network=network)
    assert caught.value.message == "There is not enough memory for 16 photos at a time."
    assert caught.value.hint == "Try fewer: --batch-size 8."


def test_other_faults_of_a_network_are_not_taken_for_memory():
    with pytest.raises(RuntimeError, match="channels"):
        trained(network=nn.Sequential(nn.Conv2d(3, 3, 1)))


def test_earlier_stages_learn_slower():
    network = network_of()
    recipe = replace(RECIPE, layer_decay=0.5, epochs=1)
    state = init_state(network, [list(network[i].parameters()) for i in (0, 1, 5)], recipe, 1.0)
    shares = {id(p): group["share"] for group in state.optimiser.param_groups for p in group["params"]}
    assert [shares[id(network[i].weight)] for i in (0, 1, 5)] == [0.25, 0.5, 1.0]
    train(state, lesson_of(recipe), nothing)
    rates = [group["lr"] / group["share"] for group in state.optimiser.param_groups]
    assert rates == pytest.approx([rates[0]] * 3)


def test_the_mean_of_the_weights_follows_them():
    network = network_of()
    state = init_state(network, [list(network.parameters())], RECIPE, 1.0)
    with torch.no_grad():
        network[5].bias.fill_(1.0)
    for step in range(200):
        state.update_ema(step)
    assert torch.allclose(state.ema[5].bias, network[5].bias, atol=1e-6)
    alone = init_state(network_of(), [list(network.parameters())], replace(RECIPE, ema_steps=0), 1.0)
    with torch.no_grad():
        alone.network[5].bias.fill_(3.0)
    alone.update_ema(7)
    assert torch.equal(alone.ema[5].bias, alone.network[5].bias)


def test_the_mean_takes_in_batch_statistics_and_leaves_whole_numbers_alone():
    network = network_of()
    state = init_state(network, [list(network.parameters())], RECIPE, 1.0)
    network[1].num_batches_tracked.fill_(7)
    before = {name: value.clone() for name, value in state.ema.state_dict().items()}
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.rand_like(value))
    state.update_ema(5)
    share = 1 - min(1 - 1 / RECIPE.ema_steps, 5 / 15)
    for name, value in state.ema.state_dict().items():
        whole = not value.is_floating_point()
        assert torch.equal(value, before[name] if whole else before[name].lerp(network.state_dict()[name], share))


def test_one_output_is_a_sigmoid_of_two_classes():
    column = torch.tensor([[-1.0], [2.0]])
    assert torch.allclose(as_rows(column).softmax(1)[:, 1:], torch.sigmoid(column))
    recipe = replace(RECIPE, epochs=12)
    state = trained(recipe, network=network_of(1), task=lesson_of(recipe, n_classes=2))
    assert state.epochs[-1].val_accuracy > 0.8


def test_without_validation_photos_the_training_loss_decides():
    task = replace(lesson_of(), val=np.zeros(0, np.int64))
    state = trained(task=task)
    assert state.epochs[-1].val_loss is None
    assert state.best_loss == min(epoch.train_loss for epoch in state.epochs)


def test_a_class_counts_by_its_weight():
    task = lesson_of(replace(RECIPE, epochs=6, label_smoothing=0.0))
    heavy = replace(task, class_weights=np.array([6.0, 1.0, 1.0]))
    shares = [
        (predict(trained(task=one, recipe=one.recipe).network, one, one.val).argmax(1) == 0).mean()
        for one in (task, heavy)
    ]
    assert shares[1] > shares[0]


def test_fewer_photos_than_a_batch_are_one_batch():
    task = lesson_of(replace(RECIPE, batch_size=500))
    assert task.n_batches == 1
    assert len(trained(recipe=task.recipe, task=task).epochs) == RECIPE.epochs


def test_the_rate_that_is_found_learns_and_leaves_the_network_alone():
    network, task = network_of(), lesson_of(replace(RECIPE, epochs=10))
    before = weights(network)
    rate = search_rate(network, [list(network.parameters())], task)
    assert same(before, weights(network))
    assert 1e-4 < rate < 0.3
    state = init_state(network, [list(network.parameters())], task.recipe, rate)
    train(state, task, nothing)
    assert state.epochs[-1].val_accuracy > 0.8


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "missing"])
def test_a_damaged_checkpoint_is_an_error_that_says_so(damage, tmp_path):
    path = tmp_path / "model.checkpoint"
    write(path, trained().snapshot(), training=THIS)
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        data[20] ^= 0xFF
        path.write_bytes({"cut": data[: len(data) // 2], "flipped": data, "empty": b"", "text": b"{}" * 40}[damage])
    with pytest.raises(InputError) as caught:
        read(path, training=THIS)
    assert ("is not there" if damage == "missing" else "is damaged") in caught.value.message
    assert "Leave out --resume" in caught.value.hint


def test_a_checkpoint_of_another_training_says_what_differs(tmp_path):
    path = tmp_path / "model.checkpoint"
    write(path, trained().snapshot(), training=THIS)
    with pytest.raises(InputError, match="is of another training; what differs: photos"):
        read(path, training={**THIS, "photos": [3]})


def test_mixing_is_the_augmentations_own():
    task = lesson_of(replace(RECIPE, augment=("mixup",)))
    assert task.augment == Augment(("mixup",), 5, 3)
    assert trained(recipe=task.recipe, task=task).epochs
