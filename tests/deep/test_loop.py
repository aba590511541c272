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
from tellapart.deep.loop import answers, as_rows, ask, learn, search_rate
from tellapart.deep.train_state import begin
from tellapart.errors import InputError, TrainingError

from .conftest import RECIPE, lesson_of, network_of

THIS = {"recipe": "as it is", "photos": [1, 2]}


def nothing(course):
    """Keeps no epoch."""


def trained(recipe=RECIPE, keep=nothing, course=None, network=None, lesson=None):
    network = network or network_of()
    lesson = lesson or lesson_of(recipe)
    course = course or begin(network, [list(network.parameters())], recipe, recipe.learning_rate)
    learn(course, lesson, keep)
    return course


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in {*one, *other})


def test_it_learns_and_says_how():
    course = trained(replace(RECIPE, epochs=12))
    assert [epoch.epoch for epoch in course.epochs] == list(range(1, 13))
    first, last = course.epochs[0], course.epochs[-1]
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

    def keep(course):
        write(path, course.snapshot(), training=THIS)
        if len(course.epochs) == stopped_after:
            raise Killed

    with pytest.raises(Killed):
        trained(recipe, keep, network=network_of().to(memory_format=order))
    network = network_of(seed=5).to(memory_format=order)  # other weights, so that those of the file must be taken
    course = begin(network, [list(network.parameters())], recipe, 1.0)
    course.restore(read(path, training=THIS))
    assert len(course.epochs) == stopped_after
    trained(recipe, course=course, network=network)
    assert same(weights(whole.network), weights(network))
    assert [e.val_loss for e in whole.epochs] == [e.val_loss for e in course.epochs]
    assert (whole.best_epoch, whole.best_loss) == (course.best_epoch, course.best_loss)


def test_it_ends_with_the_best_weights():
    lesson = lesson_of(replace(RECIPE, epochs=8))
    course = trained(lesson=lesson, recipe=lesson.recipe)
    assert ask(course.network, lesson, lesson.val)[0] == pytest.approx(min(e.val_loss for e in course.epochs))
    assert course.epochs[course.best_epoch - 1].val_loss == course.best_loss


def test_patience_ends_it_when_nothing_gets_better():
    recipe = replace(RECIPE, epochs=40, patience=2, learning_rate=0.5)
    lesson = lesson_of(recipe)
    rng = np.random.default_rng(1)
    course = trained(recipe, lesson=replace(lesson, labels=rng.integers(0, 3, len(lesson.labels)).astype(np.int32)))
    assert course.stopped == "the validation loss has not fallen for 2 epochs"
    assert len(course.epochs) == course.best_epoch + 2 < 40


def test_the_time_limit_is_kept_and_the_rate_falls_by_then():
    recipe = replace(RECIPE, epochs=100_000, time_limit_s=1.0)
    course = trained(recipe)
    assert course.stopped == "the time limit was reached"
    assert course.seconds < 1.5
    assert course.epochs[-1].rate < 0.1 * max(epoch.rate for epoch in course.epochs)
    assert course.epochs[0].seconds_left <= 1.0


def broken_after(lesson, n_batches):
    """The lesson with inputs that are no numbers from that batch on."""

    class Broken(Activations):
        count = 0

        def changed(self, photos):
            Broken.count += 1
            return super().changed(photos) * (math.nan if Broken.count > n_batches else 1)

    return replace(lesson, inputs=Broken(lesson.inputs.views, lesson.inputs.device))


def test_a_loss_that_is_no_number_keeps_the_best_epoch():
    lesson = lesson_of()
    course = trained(lesson=broken_after(lesson, 2 * lesson.n_batches + 1))
    assert course.stopped == "the loss was no longer a number in epoch 3"
    assert len(course.epochs) == 2
    assert all(bool(torch.isfinite(tensor.float()).all()) for tensor in course.network.state_dict().values())
    assert ask(course.network, lesson, lesson.val)[0] == pytest.approx(course.best_loss)


def test_a_loss_that_never_was_a_number_is_an_error():
    with pytest.raises(TrainingError) as caught:
        trained(lesson=broken_after(lesson_of(), 0))
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
    course = begin(network, [list(network[i].parameters()) for i in (0, 1, 5)], recipe, 1.0)
    shares = {id(p): group["share"] for group in course.optimiser.param_groups for p in group["params"]}
    assert [shares[id(network[i].weight)] for i in (0, 1, 5)] == [0.25, 0.5, 1.0]
    learn(course, lesson_of(recipe), nothing)
    rates = [group["lr"] / group["share"] for group in course.optimiser.param_groups]
    assert rates == pytest.approx([rates[0]] * 3)


def test_the_mean_of_the_weights_follows_them():
    network = network_of()
    course = begin(network, [list(network.parameters())], RECIPE, 1.0)
    with torch.no_grad():
        network[5].bias.fill_(1.0)
    for step in range(200):
        course.take_in(step)
    assert torch.allclose(course.average[5].bias, network[5].bias, atol=1e-6)
    alone = begin(network_of(), [list(network.parameters())], replace(RECIPE, average=0), 1.0)
    with torch.no_grad():
        alone.network[5].bias.fill_(3.0)
    alone.take_in(7)
    assert torch.equal(alone.average[5].bias, alone.network[5].bias)


def test_the_mean_takes_in_batch_statistics_and_leaves_whole_numbers_alone():
    network = network_of()
    course = begin(network, [list(network.parameters())], RECIPE, 1.0)
    network[1].num_batches_tracked.fill_(7)
    before = {name: value.clone() for name, value in course.average.state_dict().items()}
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.rand_like(value))
    course.take_in(5)
    share = 1 - min(1 - 1 / RECIPE.average, 5 / 15)
    for name, value in course.average.state_dict().items():
        whole = not value.is_floating_point()
        assert torch.equal(value, before[name] if whole else before[name].lerp(network.state_dict()[name], share))


def test_one_output_is_a_sigmoid_of_two_classes():
    column = torch.tensor([[-1.0], [2.0]])
    assert torch.allclose(as_rows(column).softmax(1)[:, 1:], torch.sigmoid(column))
    recipe = replace(RECIPE, epochs=12)
    course = trained(recipe, network=network_of(1), lesson=lesson_of(recipe, n_classes=2))
    assert course.epochs[-1].val_accuracy > 0.8


def test_without_validation_photos_the_training_loss_decides():
    lesson = replace(lesson_of(), val=np.zeros(0, np.int64))
    course = trained(lesson=lesson)
    assert course.epochs[-1].val_loss is None
    assert course.best_loss == min(epoch.train_loss for epoch in course.epochs)


def test_a_class_counts_by_its_weight():
    lesson = lesson_of(replace(RECIPE, epochs=6, label_smoothing=0.0))
    heavy = replace(lesson, class_weights=np.array([6.0, 1.0, 1.0]))
    shares = [
        (answers(trained(lesson=one, recipe=one.recipe).network, one, one.val).argmax(1) == 0).mean()
        for one in (lesson, heavy)
    ]
    assert shares[1] > shares[0]


def test_fewer_photos_than_a_batch_are_one_batch():
    lesson = lesson_of(replace(RECIPE, batch_size=500))
    assert lesson.n_batches == 1
    assert len(trained(recipe=lesson.recipe, lesson=lesson).epochs) == RECIPE.epochs


def test_the_rate_that_is_found_learns_and_leaves_the_network_alone():
    network, lesson = network_of(), lesson_of(replace(RECIPE, epochs=10))
    before = weights(network)
    rate = search_rate(network, [list(network.parameters())], lesson)
    assert same(before, weights(network))
    assert 1e-4 < rate < 0.3
    course = begin(network, [list(network.parameters())], lesson.recipe, rate)
    learn(course, lesson, nothing)
    assert course.epochs[-1].val_accuracy > 0.8


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
    lesson = lesson_of(replace(RECIPE, augment=("mixup",)))
    assert lesson.augment == Augment(("mixup",), 5, 3)
    assert trained(recipe=lesson.recipe, lesson=lesson).epochs
