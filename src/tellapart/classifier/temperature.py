"""One number that makes probabilities mean what they say."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

MIN_PHOTOS = 50  # below this the fit is noisier than the mistake it mends
BOUNDS = (0.05, 20.0)  # small sets give under-confident heads, so temperatures below 1 must be reachable


def nll(logits: NDArray[np.float64], labels: NDArray[np.int32], temperature: float) -> float:
    """Mean negative log-likelihood, in nats, of `labels` (N,) under `logits` (N, C) at this temperature."""
    log_probs = log_softmax(logits / temperature, axis=1)
    return float(-log_probs[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """The temperature of least negative log-likelihood; 1 with too few photos to tell.

    Args:
        logits: (N, C), out-of-fold only: a head is surer of photos that it has trained on.
        labels: (N,) in [0, C).

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    if len(labels) < MIN_PHOTOS:
        return 1.0
    low, high = np.log(BOUNDS)
    best = minimize_scalar(
        lambda log_t: nll(logits, labels, float(np.exp(log_t))), bounds=(low, high), method="bounded"
    )
    return float(np.exp(best.x))


def calibrated(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """(N, C) probabilities of `logits` (N, C) at this temperature."""
    return np.asarray(softmax(np.asarray(logits, np.float64) / temperature, axis=1))
