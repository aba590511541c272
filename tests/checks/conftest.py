"""Looks of photos that nobody took."""

import numpy as np
import pytest

from tellapart.checks.image_stats import ImageStats


def _ordinary(n, seed=0):
    """Looks of n photos with nothing wrong."""
    rng = np.random.default_rng(seed)

    def near(value, spread=0.02):
        return (value + spread * rng.standard_normal(n)).astype(np.float32)

    size = np.full(n, 400, np.int64)
    return ImageStats(
        format=np.full(n, "JPEG"),
        camera=np.full(n, ""),
        day=np.full(n, ""),
        bytes=rng.integers(40_000, 90_000, n),
        width_px=size,
        height_px=size + rng.integers(0, 200, n),
        brightness=near(0.5),
        darkest=near(0.1),
        brightest=near(0.9),
        contrast=near(0.25),
        saturation=near(0.3),
        sharpness=near(0.85),
        border=np.stack([near(0.5)] * 112, axis=1),
    )


@pytest.fixture
def ordinary():
    """A function: looks of n photos with nothing wrong."""
    return _ordinary
