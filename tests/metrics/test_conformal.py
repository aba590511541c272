"""The band of the promise against published values, other people's distributions and simulated models."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tellapart.classifier.decision import DOUBT_SHARE, FAR_SHARE, fit_thresholds
from tellapart.metrics.conformal import guarantee, observed_in_band
from tellapart.model.manifest_form import GUARANTEE

GATES = (FAR_SHARE, DOUBT_SHARE)


@pytest.mark.parametrize(
    ("n", "low", "high"),
    [(50, 89, 99.5), (100, 90, 98), (200, 92, 98), (500, 93, 97), (1000, 94, 96)],
)
def test_band_of_one_gate_as_published(n, low, high):
    got = guarantee(n, 0.05)
    assert 100 * got.low == pytest.approx(low, abs=0.51)
    assert 100 * got.high == pytest.approx(high, abs=0.51)


@given(st.integers(1, 5000), st.floats(0.001, 0.3))
def test_band_of_one_gate_is_a_central_beta(n, share):
    got = guarantee(n, share)
    rank = int(share * (n + 1) + 1e-9)
    if rank == 0:
        assert got is None
    else:
        law = stats.beta(n + 1 - rank, rank)
        assert (got.low, got.high) == pytest.approx(law.interval(0.95))
        assert got.kept == pytest.approx(law.mean())
        assert got.kept >= 1 - share - 1e-9


@pytest.mark.parametrize(("share", "least"), [(0.05, 19), (0.02, 49), (0.01, 99), (0.29, 3)])
def test_too_few_photos_promise_nothing(share, least):
    assert guarantee(least - 1, share) is None
    assert guarantee(least, share) is not None
    assert guarantee(0, share) is None
    assert guarantee(least) is None


def test_ranks_are_those_of_the_thresholds():
    for n in range(3000):
        got = guarantee(n, *GATES)
        far, doubt = int(FAR_SHARE * (n + 1)), int(DOUBT_SHARE * (n + 1))
        limits = fit_thresholds(np.zeros(n), np.zeros(n)) if n < 100 else None
        assert (got is None) == (far + doubt == 0)
        assert limits is None or (got is None) == (limits.ood_score is None and limits.confidence is None)
        if got:
            assert (got.n_refused, got.n_refused_least) == (far + doubt, max(far, doubt))


@given(st.integers(99, 5000))  # both gates are there
def test_two_gates_promise_no_more_than_they_can_and_no_less_than_one(n):
    both = guarantee(n, *GATES)
    alone = [guarantee(n, share) for share in GATES]
    assert both.low <= min(one.low for one in alone)
    assert both.high == min(one.high for one in alone)
    assert both.low < both.kept < both.high


def _nested(rng, n):
    """Every far photo is also a doubtful one."""
    u = rng.random(n)
    return u, 1 - u


def _apart(rng, n):
    """No photo fails both."""
    u = rng.random(n)
    return u, u


def _independent(rng, n):
    return rng.random(n), rng.random(n)


KEPT = {  # the true share within both thresholds, exactly
    _nested: lambda far, doubt: min(far, 1 - doubt),
    _apart: lambda far, doubt: far - doubt,
    _independent: lambda far, doubt: far * (1 - doubt),
}


def _limits(ood_scores, confidences):
    """Both thresholds, of scores in [0, 1]; one that there are too few photos for refuses nobody."""
    limits = fit_thresholds(ood_scores, confidences)
    far, doubt = limits.ood_score, limits.confidence
    return 1.0 if far is None else far, 0.0 if doubt is None else doubt


@pytest.mark.parametrize("draw", KEPT)
@pytest.mark.parametrize("n", [60, 200, 1000])
def test_the_band_of_two_gates_holds_whatever_they_share(draw, n):
    """Measured over n of 33 to 1000: each end missed by 0 to 0.033 of 1,500 models, 0.025 expected at the most."""
    rng, guaranteed, n_models = np.random.default_rng(0), guarantee(n, *GATES), 2000
    kept, held = [], []
    for _ in range(n_models):
        far, doubt = _limits(*draw(rng, n))
        kept.append(KEPT[draw](far, doubt))
        ood_scores, confidences = draw(rng, 150)
        n_answered = int(((ood_scores <= far) & (confidences >= doubt)).sum())
        held.append(observed_in_band(n_answered, 150, guaranteed).holds)
    error = 4 * np.sqrt(0.025 / n_models)
    assert np.mean(np.array(kept) < guaranteed.low) <= 0.025 + error
    assert np.mean(np.array(kept) > guaranteed.high) <= 0.025 + error
    assert np.mean(kept) >= guaranteed.kept - 0.001
    assert np.mean(held) >= 0.95 - error


def test_the_ends_of_the_band_are_no_wider_than_they_must_be():
    """Gates that never agree reach the low end, gates that always do reach the high one."""
    rng, n = np.random.default_rng(1), 200
    guaranteed = guarantee(n, *GATES)
    apart, nested = ([KEPT[draw](*_limits(*draw(rng, n))) for _ in range(2000)] for draw in (_apart, _nested))
    assert np.quantile(apart, 0.025) == pytest.approx(guaranteed.low, abs=0.005)
    assert np.quantile(nested, 0.975) == pytest.approx(guaranteed.high, abs=0.005)


@given(st.integers(20, 400), st.integers(0, 300))
def test_observed_band_is_a_central_beta_binomial(n, n_test):
    guaranteed = guarantee(n, 0.05)
    got = observed_in_band(0, n_test, guaranteed)
    law = stats.betabinom(n_test, n + 1 - guaranteed.n_refused, guaranteed.n_refused)
    assert law.cdf(got.low - 1) < 0.025 <= law.cdf(got.low) + 1e-9
    assert law.cdf(got.high) + 1e-9 >= 0.975
    assert got.high == 0 or law.cdf(got.high - 1) < 0.975 + 1e-9


def test_observed_band_is_wider_than_the_promise_and_nears_it():
    guaranteed = guarantee(200, *GATES)
    few, many = observed_in_band(48, 50, guaranteed), observed_in_band(95_000, 100_000, guaranteed)
    assert few.low / 50 < guaranteed.low - 0.02
    assert many.low / 100_000 == pytest.approx(guaranteed.low, abs=0.001)
    assert many.high / 100_000 == pytest.approx(guaranteed.high, abs=0.001)


def test_the_verdict_is_whether_the_count_is_inside():
    guaranteed = guarantee(200, *GATES)
    band = observed_in_band(0, 100, guaranteed)
    verdicts = [observed_in_band(k, 100, guaranteed).holds for k in range(101)]
    assert verdicts == [band.low <= k <= band.high for k in range(101)]
    assert not verdicts[80]
    assert verdicts[95]
    assert not observed_in_band(1000, 1000, guaranteed).holds
    assert observed_in_band(0, 0, guaranteed).holds


def test_a_model_folder_keeps_all_of_it():
    assert set(guarantee(100, *GATES).to_json()) == GUARANTEE


def test_scenes_are_counted_in_place_of_photos():
    """108 scenes promise what 108 photos would, however many photos they have."""
    photos, scenes = guarantee(108, *GATES), guarantee(261, *GATES, n_scenes=108)
    assert (scenes.kept, scenes.low, scenes.high) == (photos.kept, photos.low, photos.high)
    assert (scenes.n, scenes.n_scenes, scenes.n_ranked) == (261, 108, 108)
    assert scenes.high - scenes.low > guarantee(261, *GATES).high - guarantee(261, *GATES).low
    assert set(scenes.to_json()) == GUARANTEE | {"n_scenes"}
    assert guarantee(400, *GATES, n_scenes=20) is None
    torn = guarantee(200, *GATES, n_more=10, n_scenes=100)
    assert torn.n_refused == guarantee(100, *GATES, n_more=5).n_refused, "10 of 200 photos weigh 5 of 100 scenes"


def test_a_test_of_few_scenes_is_chance_more_often():
    guaranteed = guarantee(261, *GATES, n_scenes=108)
    few, many = observed_in_band(240, 300, guaranteed, 40), observed_in_band(240, 300, guaranteed)
    of_40 = observed_in_band(0, 40, guaranteed)
    assert few.low == of_40.low * 300 // 40
    assert few.low < many.low
    assert few.high == 300
    assert observed_in_band(300, 300, guaranteed, 300) == observed_in_band(300, 300, guaranteed)
