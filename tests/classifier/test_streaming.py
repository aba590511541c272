"""The head of many pieces is the head of all photos at once, however they are cut and whoever computes them."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tellapart.classifier import streaming
from tellapart.classifier.probe import fit_heads
from tellapart.classifier.streaming import Drawn, Some, fit_streaming, log_losses
from tellapart.classifier.temperature import calibrated, nll
from tellapart.engine.head import Head
from tellapart.recipe import LinearProbe

N_CLASSES, BALANCE, C = 5, 0.5, 0.1


@pytest.fixture(scope="module")
def drawn():
    """3,000 photos of four of five classes, unequal in number; features correlated, one of them the same for all."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 1, 2, 4], 3000, p=[0.5, 0.3, 0.15, 0.05]).astype(np.int32)
    mixing = rng.standard_normal((40, 40)) / 6
    centres = rng.standard_normal((N_CLASSES, 40))
    features = ((centres[labels] + 3 * rng.standard_normal((3000, 40))) @ mixing + 5).astype(np.float32)
    features[:, 7] = 1.25
    return features, labels


def cut(drawn, sizes):
    """The photos in pieces of these sizes."""
    ends = np.cumsum(sizes)
    return [(drawn[0][end - size : end], drawn[1][end - size : end]) for end, size in zip(ends, sizes, strict=True)]


@pytest.fixture(scope="module")
def exact(drawn):
    features, labels = drawn  # in float64: in float32 the exact solver itself ends some 1e-4 beside the optimum
    recipe = LinearProbe(tolerance=1e-7, class_balance=BALANCE)
    return fit_heads(features.astype(np.float64), labels, N_CLASSES, recipe, [C])[C]


def probs(head, drawn):
    return calibrated(head.logits(drawn[0]), 1.0)


@pytest.mark.parametrize("sizes", [[3000], [1000, 0, 37, 1963], [100] * 30], ids=["one", "uneven", "many"])
def test_it_is_the_optimum_of_the_exact_solver(drawn, exact, sizes):
    streamed = fit_streaming(cut(drawn, sizes), N_CLASSES, C, BALANCE)
    assert streamed.converged
    assert streamed.n_photos == 3000
    assert np.abs(probs(streamed.head, drawn) - probs(exact, drawn)).max() < 1e-4


def test_the_number_of_workers_changes_no_bit(drawn):
    heads = []
    for n_workers, n_threads in ((1, 1), (2, 2), (5, 2)):
        with threadpool_limits(n_threads):
            heads.append(fit_streaming(cut(drawn, [300] * 10), N_CLASSES, C, BALANCE, n_workers=n_workers).head)
    assert len({head.weight.tobytes() + head.bias.tobytes() for head in heads}) == 1


def test_a_sample_in_memory_leads_to_the_optimum_of_all_in_few_passes(drawn, exact, monkeypatch):
    monkeypatch.setattr(streaming, "SAMPLED", 600)
    streamed = fit_streaming(cut(drawn, [100] * 30), N_CLASSES, C, BALANCE)
    assert streamed.converged
    assert streamed.n_passes <= 20
    assert np.abs(probs(streamed.head, drawn) - probs(exact, drawn)).max() < 1e-4


def test_classes_that_are_told_apart_without_mistakes_take_few_passes_too(drawn):
    features, labels = drawn
    features = features + 30 * np.eye(N_CLASSES, features.shape[1], dtype=np.float32)[labels]
    exact = fit_heads(features.astype(np.float64), labels, N_CLASSES, LinearProbe(tolerance=1e-9, class_balance=0), [1])
    streamed = fit_streaming(cut((features, labels), [500] * 6), N_CLASSES, 1, 0)
    assert streamed.converged
    assert streamed.n_passes <= 20
    assert np.abs(probs(streamed.head, (features, labels)) - probs(exact[1], (features, labels))).max() < 1e-4


def test_a_sample_s_head_is_nearer_than_nothing_and_ends_at_the_same(drawn, exact):
    recipe = LinearProbe(class_balance=BALANCE)
    sample = fit_heads(drawn[0][:1500], drawn[1][:1500], N_CLASSES, recipe, [C])[C]
    pieces = cut(drawn, [500] * 6)
    cold, warm = (fit_streaming(pieces, N_CLASSES, C, BALANCE, start=start) for start in (None, sample))
    assert warm.n_passes < cold.n_passes
    assert np.abs(probs(warm.head, drawn) - probs(exact, drawn)).max() < 1e-4


def test_log_losses_are_those_of_all_photos_at_once(drawn, exact):
    pieces = cut(drawn, [1000, 0, 2000])
    none = Head(np.zeros_like(exact.weight), np.zeros_like(exact.bias))
    found = log_losses([exact, none], pieces, np.array([1.0, 2.0]))
    for head, losses in zip((exact, none), found, strict=True):
        assert losses == pytest.approx([nll(head.logits(drawn[0]), drawn[1], t) for t in (1.0, 2.0)], rel=1e-5)


def test_of_more_photos_than_are_drawn_exactly_so_many_stand_for_all():
    rng = np.random.default_rng(3)
    doubt, weights = rng.pareto(1.2, 4000), rng.random(4000)
    sums, orders = [], []
    for seed in range(60):
        rank = doubt / (1 - np.random.default_rng([7, seed]).random(4000))
        whole = Some(np.arange(4000, dtype=np.float32)[:, None], weights, doubt, rank)
        drawn = Drawn(300)
        for start in range(0, 4000, 250):
            part = whole.of(slice(start, start + 250))
            drawn.add([part.of(part.rank > drawn.least)])
        x, own = drawn.all()
        assert len(x) == 300
        sums.append(own.sum())
        orders.append((np.diff(x[:, 0]) > 0).all())
    assert np.mean(sums) == pytest.approx(weights.sum(), rel=0.05)
    assert all(orders)


def test_of_fewer_photos_each_stands_for_itself():
    some = Some(np.zeros((5, 2), np.float32), np.arange(5.0), np.ones(5), np.arange(1.0, 6))
    drawn = Drawn(9)
    drawn.add([some.of(slice(0, 2)), some.of(slice(2, 5))])
    assert drawn.all()[1].tolist() == [0, 1, 2, 3, 4]
