"""One number that makes probabilities mean what they say."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

PRIOR_SD = 0.25  # of the logarithm of the temperature, about 0; of 0.25 to 1, measured by few_photos in benchmarks
BOUNDS = (0.05, 20.0)  # small sets give under-confident heads, so temperatures below 1 must be reachable


def nll(logits: NDArray[np.float64], labels: NDArray[np.int32], temperature: float) -> float:
    """Mean negative log-likelihood, in nats, of `labels` (N,) under `logits` (N, C) at this temperature."""
    log_probs = log_softmax(logits / temperature, axis=1)
    return float(-log_probs[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """The likeliest temperature, of which a prior says that it is about 1: the fewer the photos, the nearer.

    Without the prior a few photos that happen to be all right, or a few that are all wrong, lead to either bound.

    Args:
        logits: (N, C), out-of-fold only: a head is surer of photos that it has trained on.
        labels: (N,) in [0, C).

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    if not len(labels):
        return 1.0

    def surprise(log_t: float) -> float:
        return nll(logits, labels, float(np.exp(log_t))) + (log_t / PRIOR_SD) ** 2 / (2 * len(labels))

    low, high = np.log(BOUNDS)
    return float(np.exp(minimize_scalar(surprise, bounds=(low, high), method="bounded").x))


def calibrated(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """(N, C) probabilities of `logits` (N, C) at this temperature."""
    return np.asarray(softmax(np.asarray(logits, np.float64) / temperature, axis=1))
