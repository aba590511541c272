"""Multinomial logistic regression: the loss that scikit-learn's has, by the solver that it uses.

Written out because importing scikit-learn takes as long as fitting all heads of a thousand photos; the tests hold it
against scikit-learn's own. docs/decisions/0007-the-solver.md
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

MAX_ITERATIONS = 1000  # of L-BFGS; 10 to 40 are usual
LEAST_PROGRESS = 64 * np.finfo(np.float64).eps  # of the loss in one iteration, relative; scikit-learn's


def regularisation_path(
    x: NDArray[np.float32],
    labels: NDArray[np.integer],
    weights: NDArray[np.float64],
    cs: Sequence[float],
    tolerance: float,
    *,
    max_iterations: int = MAX_ITERATIONS,
) -> Iterator[tuple[float, NDArray[np.float64], NDArray[np.float64]]]:
    """The minimum of the penalised loss for each inverse regularisation in `cs`, strongest penalty first.

    sum over photos of weight × cross-entropy + |W|² / (2 C), the offsets unpenalised. Each fit starts from the one
    before, which takes half the steps of starting from nothing.

    Args:
        x: (N, D) standardised features.
        labels: (N,) in [0, K), each of them present.
        weights: (N,) of the photos.
        cs: C, scikit-learn's inverse strength of the penalty.
        tolerance: stop where no slope of the mean loss exceeds it.
        max_iterations: of L-BFGS for each C; where it stops before the minimum, the fit is a rough one.

    Yields:
        C, the weights (K, D), and the offsets (K,).
    """
    k, d = int(labels.max()) + 1, x.shape[1]
    share = (weights / weights.sum()).astype(np.float32)
    rows = np.arange(len(x))
    start = np.zeros((k, d + 1))

    def loss(flat: NDArray[np.float64], penalty: float) -> tuple[float, NDArray[np.float64]]:
        """The mean loss and its gradient at `flat`, (K, D + 1) in a row, offsets last."""
        solution = flat.reshape(k, d + 1)
        logits = x @ solution[:, :-1].T.astype(np.float32) + solution[:, -1].astype(np.float32)
        logits -= logits.max(axis=1, keepdims=True)
        probs = np.exp(logits)
        total = probs.sum(axis=1, keepdims=True)
        cross_entropy = share @ (np.log(total[:, 0]) - logits[rows, labels])
        probs /= total
        probs[rows, labels] -= 1  # now the gradient in the logits
        probs *= share[:, None]
        gradient = np.empty_like(solution)
        gradient[:, :-1] = probs.T @ x + penalty * solution[:, :-1]
        gradient[:, -1] = probs.sum(axis=0)
        return float(cross_entropy + penalty / 2 * np.square(solution[:, :-1]).sum()), gradient.ravel()

    options: Any = {"gtol": tolerance, "ftol": LEAST_PROGRESS, "maxiter": max_iterations}
    for c in sorted(cs):
        penalty = 1 / (c * weights.sum())
        found = minimize(partial(loss, penalty=penalty), start.ravel(), method="L-BFGS-B", jac=True, options=options)
        start = found.x.reshape(k, d + 1)
        yield c, start[:, :-1], start[:, -1]
