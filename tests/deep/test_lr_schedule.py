"""Rates rise and fall as they should, and the search finds known answers."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn import functional

from tellapart.deep.lr_schedule import GIVE_UP, find_rate, warmup_cosine
from tellapart.errors import InputError, TrainingError

SCHEDULES = [(1, 0.0), (2, 0.5), (10, 0.1), (100, 0.05), (997, 0.3), (50, 0.99)]


@pytest.mark.parametrize(("n_steps", "share"), SCHEDULES)
def test_factors_rise_then_fall_and_no_step_is_wasted(n_steps, share):
    factors = [warmup_cosine(step, n_steps, share) for step in range(n_steps)]
    n_rising = min(round(share * n_steps), n_steps - 1)
    assert all(0 < factor <= 1 for factor in factors)
    assert (np.diff(factors[: n_rising + 1]) > 0).all()
    assert (np.diff(factors[n_rising:]) < 0).all()
    assert factors[n_rising] == 1
    assert warmup_cosine(n_steps, n_steps, share) < factors[-1]


def test_the_rise_is_straight_and_the_fall_half_a_cosine():
    rise = [warmup_cosine(step, 100, 0.2) for step in range(21)]
    assert np.allclose(np.diff(rise), 1 / 21)
    assert warmup_cosine(60, 100, 0.2) == pytest.approx(0.5)
    assert warmup_cosine(40, 100, 0.2) + warmup_cosine(80, 100, 0.2) == pytest.approx(1)
    assert warmup_cosine(100, 100, 0.2) == pytest.approx(0)


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_a_share_out_of_range(share):
    with pytest.raises(InputError) as raised:
        warmup_cosine(0, 10, share)
    assert raised.value.message == f"warmup_share must be at least 0 and below 1. Got {share}."


@pytest.mark.parametrize(("step", "n_steps"), [(-1, 10), (11, 10), (0, 0)])
def test_a_step_out_of_range(step, n_steps):
    with pytest.raises(InputError) as raised:
        warmup_cosine(step, n_steps, 0.1)
    assert raised.value.message == f"step must be from 0 to n_steps. Got {step} of {n_steps}."


def bowl(curvature, *, noise=0.3, seed=0):
    """Descent in a bowl of known curvature with noisy slopes: steps overshoot for good above 2 / curvature."""
    random = np.random.default_rng(seed)
    x = np.full(50, 3.0)

    def step(rate):
        loss = 0.5 * curvature * float((x**2).mean())
        x[:] -= rate * curvature * (x + noise * random.normal(size=len(x)))
        return loss

    return step


@pytest.mark.parametrize("n_steps", [60, 100, 200, 400])
@pytest.mark.parametrize("curvature", [20.0, 300.0, 5000.0])
def test_the_rate_is_about_a_tenth_of_where_a_bowl_overshoots(curvature, n_steps):
    rate = find_rate(bowl(curvature), n_steps=n_steps).rate
    assert 0.7 < rate / (0.1 * 2 / curvature) < 1.7


def test_the_rate_hardly_depends_on_the_length_of_the_search_where_the_steepest_fall_does():
    short, long = (find_rate(bowl(300.0), n_steps=n_steps) for n_steps in (60, 400))
    steepest = [s.rates[np.gradient(s.smoothed, np.log(s.rates)).argmin()] for s in (short, long)]
    assert 0.6 < short.rate / long.rate < 1.7
    assert steepest[0] > 5 * steepest[1]


def test_a_loss_that_is_almost_nothing_does_not_end_the_search_by_its_noise():
    found = find_rate(bowl(5000.0, noise=0.1), n_steps=400)
    assert found.smoothed[:200].min() * GIVE_UP < found.smoothed[found.rates < 2 / 5000].max()
    assert found.rates[-1] > 2 / 5000


def test_the_rate_hardly_depends_on_noise():
    rates = [find_rate(bowl(100.0, seed=seed)).rate for seed in range(20)]
    assert max(rates) < 3 * min(rates)


def test_a_steeper_bowl_wants_a_smaller_rate_by_as_much():
    assert find_rate(bowl(1000.0)).rate == pytest.approx(find_rate(bowl(10.0)).rate / 100, rel=0.3)


def test_rates_grow_by_one_factor_and_each_is_tried_once():
    tried = []

    def step(rate):
        tried.append(rate)
        return 1 / (1 + len(tried))

    found = find_rate(step, least=1e-4, most=1e-1, n_steps=31)
    assert np.allclose(tried, 1e-4 * 10 ** (np.arange(31) / 10))
    assert np.array_equal(found.rates, tried)
    assert len(found.losses) == len(found.smoothed) == 31
    assert found.rate == pytest.approx(1e-2, rel=0.5)  # it fell to the end: a tenth of the last


def test_the_search_stops_once_the_weights_are_ruined():
    found = find_rate(bowl(1000.0))
    assert found.rates[-1] < 0.1
    assert found.smoothed[-1] > GIVE_UP * found.smoothed.min()
    assert found.rate < found.rates[-1]


@pytest.mark.parametrize("end", [math.inf, math.nan])
def test_a_loss_that_is_no_number_ends_the_search(end):
    losses = iter([*np.linspace(2, 1, 40), end, 0.0])
    found = find_rate(lambda rate: next(losses))
    assert len(found.rates) == 41
    assert found.rate == pytest.approx(0.1 * found.rates[38], rel=0.5)


def test_one_hard_batch_does_not_end_the_search_or_move_the_rate():
    clean = find_rate(bowl(100.0))
    calm, calls = bowl(100.0), []

    def step(rate):
        calls.append(rate)
        return calm(rate) + (1e4 if len(calls) == 50 else 0)

    found = find_rate(step)
    assert len(found.rates) > 51
    assert found.rate == pytest.approx(clean.rate, rel=0.2)


@pytest.mark.parametrize("losses", [lambda n: 1.0, lambda n: 1.0 + n, lambda n: math.nan])
def test_when_no_rate_lowers_the_loss(losses):
    calls = []

    def step(rate):
        calls.append(rate)
        return losses(len(calls))

    with pytest.raises(TrainingError) as raised:
        find_rate(step)
    assert raised.value.message == "No learning rate lowered the loss."
    assert raised.value.hint.startswith("Name a rate yourself.")


def test_rates_out_of_range():
    for least, most in ((0.0, 1.0), (1.0, 1.0), (1.0, 0.1)):
        with pytest.raises(InputError) as raised:
            find_rate(bowl(1.0), least=least, most=most)
        assert raised.value.message == f"The least rate must be above 0 and below the most. Got {least} and {most}."
    with pytest.raises(InputError) as raised:
        find_rate(bowl(1.0), n_steps=5)
    assert raised.value.message == "A search takes at least 14 steps. Got 5."


@pytest.fixture
def one_thread():
    """Threads that wait for each other make tiny steps tens of times slower on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_a_network_trained_at_the_rate_that_was_found_learns():
    """Handwritten digits: the rate found for each optimiser is within 1.5 points of the best of a coarse grid."""
    x, y = (torch.tensor(values) for values in load_digits(return_X_y=True))
    x = x.float() / 16

    def network():
        torch.manual_seed(0)
        body = torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.BatchNorm1d(64)
        return torch.nn.Sequential(*body, torch.nn.Linear(64, 10))

    def stepper(net, kind):
        optimiser = kind(net.parameters())

        def step(rate):
            optimiser.param_groups[0]["lr"] = rate
            chosen = torch.randint(1200, (32,))
            loss = functional.cross_entropy(net(x[chosen]), y[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return loss.item()

        return step

    def accuracy(kind, rate):
        net = network()
        step = stepper(net, kind)
        for i in range(150):
            step(rate * warmup_cosine(i, 150, 0.1))
        return (net.eval()(x[1200:]).argmax(1) == y[1200:]).float().mean().item()

    for kind in (lambda weights: torch.optim.SGD(weights, momentum=0.9), torch.optim.AdamW):
        found = find_rate(stepper(network(), kind)).rate
        grid = [accuracy(kind, rate) for rate in (1e-4, 1e-3, 1e-2, 1e-1)]
        assert accuracy(kind, found) > max(grid) - 0.015
        assert min(grid) < max(grid) - 0.05
