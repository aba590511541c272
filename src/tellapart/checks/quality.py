"""Photos that are hard to learn from, whatever they show: blurred, dark, burnt out, empty, tiny, of an odd shape.

A photo is named only if it is poor by a fixed measure *and* stands out from its own set, so that a set of night shots
or of microscope images is not called dark or blurred as a whole.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tellapart.checks.finding import Finding
from tellapart.checks.image_stats import ImageStats
from tellapart.data.source import Dataset
from tellapart.text import counted

STANDS_OUT = 3.0  # robust standard deviations from the set's median
LEAST_SPREAD = 0.04  # the robust standard deviation of a set of like photos is taken for no less

BLURRED = 0.6  # sharpness; of 300 real photos 1 in 100 is below 0.67, of copies blurred over 1 % of their side 96
DARK = 0.4  # luma that 98 of 100 pixels are below
BURNT_OUT = 0.5  # luma that 199 of 200 pixels are above; white paper alone does not make a photo burnt out
EMPTY = 0.03  # contrast, as a fraction of the brightest part; ordinary photos begin at 0.05
DIMMEST = 0.1  # luma of the brightest part that this counts for: below it there is mostly noise
TINY_PX = 64  # shorter side; the backbones were made for 240 and more
SMALL_PX = 128  # shorter side of a photo that is far smaller than the others
FAR_SMALLER = 0.25  # of the set's median shorter side
ODD_RATIO = 3.0  # longer side over shorter side: a middle square then shows a third of the photo or less
FAR_LONGER = 1.5  # times the ratio that 9 of 10 photos of the set stay below


def quality_findings(dataset: Dataset, stats: ImageStats) -> list[Finding]:
    """What stands out among the looks of the photos of `dataset`, each finding's worst photos first."""
    return [
        *_empty(dataset, stats),
        *_blurred(dataset, stats),
        *_dark(dataset, stats),
        *_burnt_out(dataset, stats),
        *_tiny(dataset, stats),
        *_odd_shapes(dataset, stats),
    ]


def outlyingness(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) how many robust standard deviations each of `values` (N,) lies above their median; NaN stays NaN.

    Source: the median absolute deviation times 1.4826, Hampel, J. Am. Stat. Assoc. 69 (1974).
    """
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return np.full(len(values), np.nan)
    middle = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - middle)))
    return np.asarray((values - middle) / max(spread, LEAST_SPREAD), np.float64)


def _worst_first(poor: NDArray[np.bool_], badness: NDArray[np.floating]) -> NDArray[np.int64]:
    found = np.flatnonzero(poor)
    return found[np.argsort(-badness[found], kind="stable")]


def _are(n: int) -> str:
    """Such as `3 photos are`."""
    return f"{counted(n, 'photo')} {'is' if n == 1 else 'are'}"


def _empty(dataset: Dataset, stats: ImageStats) -> Iterator[Finding]:
    found = _worst_first(_is_empty(stats), -stats.contrast)
    if len(found):
        photos = [dataset.photos[i] for i in found]
        yield Finding(
            "empty",
            f"{_are(len(found))} of nearly one colour, with nothing to see.",
            "Delete them, unless nothing to see is what the class is about.",
            tuple((photo, f"contrast {stats.contrast[i]:.3f}") for photo, i in zip(photos, found, strict=True)),
            sure=f"Their colours vary by less than {EMPTY:.0%} of the brightest part; those of photos by 5 % and more.",
            suspects=tuple(photos),
        )


def _is_empty(stats: ImageStats) -> NDArray[np.bool_]:
    return stats.contrast < EMPTY * np.maximum(stats.brightest, DIMMEST)


def _blurred(dataset: Dataset, stats: ImageStats) -> Iterator[Finding]:
    standing_out = outlyingness(stats.sharpness) < -STANDS_OUT
    found = _worst_first((stats.sharpness < BLURRED) & standing_out & ~_is_empty(stats), -stats.sharpness)
    if len(found):
        yield Finding(
            "blurred",
            f"{_are(len(found))} blurred, and much more so than the others.",
            "Replace them by sharper ones, unless the photos to be answered later will be as blurred.",
            tuple((dataset.photos[i], f"sharpness {stats.sharpness[i]:.2f}") for i in found),
            sure="A photo that shows little but soft shades may be meant here too; look before you delete.",
        )


def _dark(dataset: Dataset, stats: ImageStats) -> Iterator[Finding]:
    standing_out = outlyingness(stats.brightest) < -STANDS_OUT
    found = _worst_first((stats.brightest < DARK) & standing_out & ~_is_empty(stats), -stats.brightest)
    if len(found):
        yield Finding(
            "dark",
            f"{_are(len(found))} very dark: even the brightest parts are.",
            "Brighten or replace them, unless the photos to be answered later will be as dark.",
            tuple((dataset.photos[i], f"brightness {stats.brightness[i]:.2f}") for i in found),
            sure=f"98 of 100 of their pixels are below {DARK:.0%} of full brightness.",
        )


def _burnt_out(dataset: Dataset, stats: ImageStats) -> Iterator[Finding]:
    standing_out = outlyingness(stats.darkest) > STANDS_OUT
    found = _worst_first((stats.darkest > BURNT_OUT) & standing_out & ~_is_empty(stats), stats.darkest)
    if len(found):
        yield Finding(
            "overexposed",
            f"{_are(len(found))} washed out: even the darkest parts are bright.",
            "Replace them, unless the photos to be answered later will be as bright.",
            tuple((dataset.photos[i], f"brightness {stats.brightness[i]:.2f}") for i in found),
            sure=f"199 of 200 of their pixels are above {BURNT_OUT:.0%} of full brightness.",
        )


def _tiny(dataset: Dataset, stats: ImageStats) -> Iterator[Finding]:
    short = np.minimum(stats.width_px, stats.height_px)
    usual = float(np.median(short)) if len(short) else 0.0
    found = _worst_first((short < TINY_PX) | ((short < SMALL_PX) & (short < FAR_SMALLER * usual)), -short)
    if len(found):
        most = len(found) > len(short) / 2
        yield Finding(
            "tiny",
            f"{_are(len(found))} tiny; the smallest is {stats.width_px[found[0]]}×{stats.height_px[found[0]]} pixels.",
            f"{'If larger ones exist, use' if most else 'Use'} photos of at least 250 pixels a side; "
            "details that a photo does not hold cannot be learned.",
            tuple((dataset.photos[i], f"{stats.width_px[i]}×{stats.height_px[i]}") for i in found),
            sure="Certain: the sizes are in the files.",
        )


def _odd_shapes(dataset: Dataset, stats: ImageStats) -> Iterator[Finding]:
    long, short = np.maximum(stats.width_px, stats.height_px), np.minimum(stats.width_px, stats.height_px)
    ratio = long / np.maximum(short, 1)
    usual = float(np.quantile(ratio, 0.9)) if len(ratio) else 1.0
    found = _worst_first((ratio > ODD_RATIO) & (ratio > FAR_LONGER * usual), ratio)
    if len(found):
        yield Finding(
            "odd_shape",
            f"{_are(len(found))} more than {ODD_RATIO:.0f} times as long as wide.",
            "Cut them to the part that matters; only their middle square is looked at.",
            tuple((dataset.photos[i], f"{stats.width_px[i]}×{stats.height_px[i]}") for i in found),
            sure="Certain: the sizes are in the files.",
        )
