"""What a training remembers; test_loop.py has whole trainings."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tellapart.classifier.trained import StopReason
from tellapart.deep.trackers import Epoch
from tellapart.deep.train_state import SLOWING, init_state

from .conftest import RECIPE


def state_of(groups=1, **recipe):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    parameters = list(network.parameters())
    stages = [parameters[:2], parameters[2:]] if groups == 2 else [parameters]
    return init_state(network, stages, replace(RECIPE, **recipe), 0.01)


def epoch(number, val_loss, train_loss=1.0):
    return Epoch(number, 9, train_loss, 0.5, val_loss, None if val_loss is None else 0.5, 1e-3, 1.0, 10.0, 5.0)


def fill(module, value):
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.fill_(value)


def test_the_best_epoch_s_weights_are_kept_whatever_comes_later():
    state = state_of()
    for number, loss in enumerate((0.9, 0.4, 0.4, 0.7), start=1):
        fill(state.ema, number)
        state.record_epoch(epoch(number, loss))
    assert (state.best_epoch, state.best_loss, len(state.epochs)) == (2, 0.4, 4)
    assert all(torch.all(state.best[name] == 2) for name, _ in state.ema.named_parameters())


def test_without_photos_that_choose_the_training_loss_does():
    state = state_of()
    for number, loss in enumerate((0.9, 0.4, 0.7), start=1):
        state.record_epoch(epoch(number, None, loss))
    assert state.best_epoch == 2


def test_a_loss_that_is_no_number_is_never_the_best():
    state = state_of()
    state.record_epoch(epoch(1, float("nan")))
    assert (state.best_epoch, state.best) == (0, {})


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (None, ""),
        (StopReason.DIVERGED, "the loss was no longer a number in epoch 4"),
        (StopReason.PATIENCE, "the validation loss has not fallen for 2 epochs"),
        (StopReason.TIME_LIMIT, "the time limit was reached"),
    ],
)
def test_why_it_stopped_is_the_end_of_a_sentence(reason, said):
    state = state_of()
    for number, loss in enumerate((0.4, 0.5, 0.6), start=1):
        state.record_epoch(epoch(number, loss))
    state.stop_reason = reason
    assert state.stopped == said


def test_the_mean_is_over_few_steps_at_first_and_over_as_many_as_asked_later():
    state = state_of(ema_steps=20)
    fill(state.ema, 0.0)
    fill(state.network, 1.0)
    state.update_ema(10)
    early = next(state.ema.parameters()).flatten()[0].item()
    assert early == pytest.approx(1 - 10 / (10 + SLOWING))
    fill(state.ema, 0.0)
    state.update_ema(10_000)
    assert next(state.ema.parameters()).flatten()[0].item() == pytest.approx(1 / 20)


def test_a_mean_over_no_steps_is_the_last_weights():
    state = state_of(ema_steps=0)
    fill(state.network, 3.0)
    state.update_ema(1)
    assert all(torch.all(tensor == 3) for tensor in state.ema.parameters())
    assert not any(tensor.requires_grad for tensor in state.ema.parameters())


def test_what_is_restored_is_what_was_kept():
    state, other = state_of(), state_of()
    loss = state.network(torch.randn(5, 3)).sum()
    loss.backward()
    state.optimiser.step()
    state.record_epoch(epoch(1, 0.5))
    state.seconds, state.rate = 7.0, 0.02
    other.restore(state.snapshot())
    assert (other.epochs, other.best_epoch, other.best_loss) == (state.epochs, 1, 0.5)
    assert (other.seconds, other.rate) == (7.0, 0.02)
    for one, two in ((state.network, other.network), (state.ema, other.ema)):
        assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    kept, taken = (s.optimiser.state_dict()["state"] for s in (state, other))
    assert kept.keys() == taken.keys()
    assert all(torch.equal(kept[key]["exp_avg"], taken[key]["exp_avg"]) for key in kept)


def test_earlier_stages_learn_slower():
    shares = [group["share"] for group in state_of(groups=2, layer_decay=0.5).optimiser.param_groups]
    assert np.allclose(shares, [1.0, 0.5])  # the last stage first
