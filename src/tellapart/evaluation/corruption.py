"""A photo as it might have come out on a worse day: nine corruptions, five white balances, and without its middle.

All take and give an (H, W, 3) uint8 sRGB image and are made to run before `preprocess`, on an image of `working_size`.
Lengths are counted in units of 1/224 of the shorter side, because ImageNet-C, whose severities 1, 3 and 5 are used here
where it has the corruption, defines them on images of 224 pixels. So a 48-megapixel photo and its thumbnail are
corrupted alike, and two models of different input size get the same corrupted photo. Noise has a grain of one unit,
not of one pixel: the grain of pixels is gone once the photo is made small.

None of these is used in training, which changes no photo at all.

Source: Hendrycks and Dietterich, ICLR 2019 (ImageNet-C), and the code published with it. `darkness` is ours.
"""

import io
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft

WORKING_SIDE_PX = 384  # more than any bundled network takes, few enough that no corruption needs 15 ms
UNITS = 224  # of length in the shorter side: ImageNet-C's images are so large
WHITE_AT_FULL_LIGHT = 1000.0  # photons a grain that make white, before it gets dark: a small sensor indoors
READ_NOISE = 2.0  # photons: what the sensor's electronics add
DAYLIGHT_K = 5500  # the light that photos are taken to have been balanced for
MIDDLE_SHARE = 0.6  # of the area that `border_only` hides
KELVINS = (2850, 3800, 5500, 6500, 7500)  # lamps, warm white, daylight, cloudy, shade
SEVERITIES = ("mild", "medium", "strong")

_FINE = 1 << 14  # steps of linear light: the darkest then differ by less than one of 255

Pixels: TypeAlias = NDArray[np.uint8]
_Corruption: TypeAlias = Callable[[Pixels, float, np.random.Generator], Pixels]


def working_size(image: Pixels, *, at_least_px: int = 0) -> Pixels:
    """The image with its shorter side reduced to `WORKING_SIDE_PX`, or itself where it is no larger.

    Args:
        image: (H, W, 3).
        at_least_px: what the network takes, should it be more.
    """
    height_px, width_px = image.shape[:2]
    share = max(WORKING_SIDE_PX, at_least_px) / min(height_px, width_px)
    return image if share >= 1 else _resized(image, round(height_px * share), round(width_px * share))


def corrupt(image: Pixels, name: str, severity: str, *, seed: Sequence[int] = (0,)) -> Pixels:
    """The image corrupted by the corruption `name`, one of `CORRUPTIONS`.

    Args:
        image: (H, W, 3), of `working_size`; smaller ones are corrupted as far as they have pixels for it.
        name: of the corruption.
        severity: "mild", "medium" or "strong".
        seed: whole numbers; the same ones give the same noise and the same direction of shaking, at every severity.
    """
    corruption, levels = _CORRUPTIONS[name]
    rng = np.random.default_rng([*seed, CORRUPTIONS.index(name)])
    return corruption(image, levels[SEVERITIES.index(severity)], rng)


def white_balance(image: Pixels, kelvin: float) -> Pixels:
    """The image as a camera set to light of `kelvin` gives it, when the light was `DAYLIGHT_K`.

    Less than `DAYLIGHT_K` turns it blue, more turns it orange, and `DAYLIGHT_K` itself changes nothing. One gain for
    each of red, green and blue in linear light, with the brightness of white kept: an approximation, for a camera
    applies its gains before its own colours become sRGB.

    Args:
        image: (H, W, 3).
        kelvin: colour temperature of a black body, 1,667 to 25,000.

    Source: Afifi and Brown, ICCV 2019, for the five settings and why they matter; the gains are not theirs.
    """
    gains = light_colour(DAYLIGHT_K) / light_colour(kelvin)
    gains /= gains @ _LUMINANCE
    levels = _to_levels(_linear()[None, :] * gains[:, None])  # (3, 256)
    return _through(image, levels)


def light_colour(kelvin: float) -> NDArray[np.float64]:
    """(3,) linear sRGB of a black body's light, at luminance 1.

    Source: Kim et al., US patent 7024034 (2006): the cubic splines of the Planckian locus in CIE 1931 xy; IEC
    61966-2-1 for the matrix.
    """
    t = 1000 / kelvin
    if kelvin < 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if kelvin < 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin < 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    colour: NDArray[np.float64] = _RGB_OF_XYZ @ np.array([x / y, 1.0, (1 - x - y) / y])
    return colour


def border_only(image: Pixels) -> Pixels:
    """The image with the middle `MIDDLE_SHARE` of its area painted in the mean colour of what is left around it.

    A side of fewer than three pixels has no middle, and the image stays as it is.
    """
    height_px, width_px = image.shape[:2]
    hidden = [min(round(side * math.sqrt(MIDDLE_SHARE)), side - 2) for side in (height_px, width_px)]
    if min(hidden) < 1:
        return image.copy()
    top, left = (height_px - hidden[0]) // 2, (width_px - hidden[1]) // 2
    middle = (slice(top, top + hidden[0]), slice(left, left + hidden[1]))
    around = image.sum(axis=(0, 1), dtype=np.int64) - image[middle].sum(axis=(0, 1), dtype=np.int64)
    painted = image.copy()
    painted[middle] = np.rint(around / (height_px * width_px - hidden[0] * hidden[1]))
    return painted


def _gaussian_noise(image: Pixels, deviation: float, rng: np.random.Generator) -> Pixels:
    noise = rng.standard_normal((*_grid(image), 3), np.float32)
    return _rounded(image + _spread(noise, image) * np.float32(255 * deviation))


def _shot_noise(image: Pixels, photons: float, rng: np.random.Generator) -> Pixels:
    """The chance of light itself, were so few photons a grain white; as in ImageNet-C, not in linear light."""
    expected = _resized(image, *_grid(image)) * np.float32(photons / 255)
    noise = rng.poisson(expected) - expected
    return _rounded(image + _spread(noise, image) * np.float32(255 / photons))


def _defocus_blur(image: Pixels, radius: float, rng: np.random.Generator) -> Pixels:
    """Every point becomes a disc. Made at one pixel a unit: of what is finer, no disc leaves anything."""
    small = _resized(image, *_grid(image)).astype(np.float32)
    radius_px = radius * min(small.shape[:2]) / UNITS
    reach = math.ceil(radius_px)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius_px + 0.5 - np.hypot(y, x), 0, 1)  # with a smooth rim
    padded = np.pad(small, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric").transpose(2, 0, 1)
    shape = [fft.next_fast_len(side, real=True) for side in padded.shape[1:]]
    spectrum = fft.rfft2(padded, shape) * fft.rfft2((disc / disc.sum()).astype(np.float32), shape)
    blurred = fft.irfft2(spectrum, shape).transpose(1, 2, 0)
    kept = tuple(slice(2 * reach, 2 * reach + side) for side in small.shape[:2])
    return _resized(_rounded(blurred[kept]), *image.shape[:2])


def _motion_blur(image: Pixels, length: float, rng: np.random.Generator) -> Pixels:
    """Every point becomes a straight line in a direction drawn by lot.

    The line is put together by halves: the mean of two images that lie L/2 apart, then of two that lie L/4 apart, and
    so on down to a pixel. That is log2(L) additions instead of L.
    """
    angle = rng.uniform(0, math.pi)
    length_px = length * min(image.shape[:2]) / UNITS
    steps = []
    while length_px > 1:
        length_px /= 2
        steps.append((round(length_px * math.sin(angle)), round(length_px * math.cos(angle))))
    down, across = sum(s[0] for s in steps), sum(s[1] for s in steps)
    pads = [(abs(d) // 2, abs(d) - abs(d) // 2) for d in (down, across)]
    blurred = np.pad(image, (*pads, (0, 0)), mode="symmetric").astype(np.float32)
    for dy, dx in steps:
        height, width = blurred.shape[0] - abs(dy), blurred.shape[1] - abs(dx)
        first = blurred[max(-dy, 0) :, max(-dx, 0) :][:height, :width]
        blurred = first + blurred[max(dy, 0) :, max(dx, 0) :][:height, :width]
    return _rounded(blurred * np.float32(0.5 ** len(steps)))


def _overexposure(image: Pixels, added: float, rng: np.random.Generator) -> Pixels:
    """The value of HSV raised, hue and saturation kept: ImageNet-C's brightness."""
    value = np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
    levels = np.arange(256, dtype=np.float32)
    raised = np.minimum(levels + np.float32(255 * added), 255)
    gain = raised / np.maximum(levels, 1)
    brighter = image * gain.take(value)[..., None]
    brighter[value == 0] = raised[0]  # black has no hue to keep
    return _rounded(brighter)


def _darkness(image: Pixels, stops: float, rng: np.random.Generator) -> Pixels:
    """Low light as a phone sees it when it does not make up for it: 2^-stops of the light, and the noise of so little.

    Noise is the chance of photons, `WHITE_AT_FULL_LIGHT` of them a grain before the light fails, and the sensor's own;
    their sum is taken for normal. No denoising: phones differ in it.
    """
    dimmed = _linear() * np.float32(2.0**-stops)
    small = _resized(image, *_grid(image))
    deviation = np.sqrt(dimmed * np.float32(WHITE_AT_FULL_LIGHT) + np.float32(READ_NOISE**2))
    noise = rng.standard_normal(small.shape, np.float32) * deviation.take(small)
    light = dimmed.take(image) + _spread(noise, image) * np.float32(1 / WHITE_AT_FULL_LIGHT)
    dark: Pixels = _levels_of_light().take(np.clip(light * (_FINE - 1), 0, _FINE - 1).astype(np.int32))
    return dark


def _low_contrast(image: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """Each colour drawn towards its mean over the photo, as haze or a dirty lens does."""
    means = image.mean(axis=(0, 1))
    levels = means[:, None] + share * (np.arange(256) - means[:, None])
    return _through(image, _rounded(levels))


def _pixelation(image: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """A small photo enlarged into squares; at 1 there would be one square a unit."""
    height, width = (max(1, round(side * share)) for side in _grid(image))
    small = Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
    return np.asarray(small.resize(image.shape[1::-1], Image.Resampling.NEAREST))


def _jpeg_compression(image: Pixels, quality: float, rng: np.random.Generator) -> Pixels:
    """Saved as JPEG and read again. Its squares are 8 pixels of the image as it comes, so a small one suffers more."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(quality))
    with Image.open(file) as saved:
        return np.asarray(saved)


_CORRUPTIONS: dict[str, tuple[_Corruption, tuple[float, float, float]]] = {
    "gaussian noise": (_gaussian_noise, (0.08, 0.18, 0.38)),  # standard deviation; white is 1
    "shot noise": (_shot_noise, (60, 12, 3)),  # photons of white
    "defocus blur": (_defocus_blur, (3, 6, 10)),  # units: radius of the disc
    # units: length of the line. ImageNet-C's is half a Gaussian of 3, 8 and 15; this is as wide (2.09 of it).
    "motion blur": (_motion_blur, (6.3, 16.7, 31.3)),
    "overexposure": (_overexposure, (0.1, 0.3, 0.5)),  # added to the value; white is 1
    "darkness": (_darkness, (1.5, 3, 4.5)),  # stops: halvings of the light. Ours
    "low contrast": (_low_contrast, (0.4, 0.2, 0.05)),  # share of the contrast that is left
    "pixelation": (_pixelation, (0.6, 0.4, 0.25)),  # squares a unit
    "JPEG compression": (_jpeg_compression, (25, 15, 7)),  # quality
}
CORRUPTIONS = tuple(_CORRUPTIONS)

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear sRGB
_RGB_OF_XYZ = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])


def _grid(image: Pixels) -> tuple[int, int]:
    """(rows, columns) of the image at one pixel a unit, never more than it has."""
    shrink = max(1.0, min(image.shape[:2]) / UNITS)
    return max(1, round(image.shape[0] / shrink)), max(1, round(image.shape[1] / shrink))


def _resized(image: Pixels, height_px: int, width_px: int) -> Pixels:
    if image.shape[:2] == (height_px, width_px):
        return image
    return np.asarray(Image.fromarray(image).resize((width_px, height_px), Image.Resampling.BILINEAR))


def _spread(noise: NDArray[np.floating], image: Pixels) -> NDArray[np.float32]:
    """(H, W, 3) noise for the image from one value a grain."""
    noise = noise.astype(np.float32, copy=False)
    for axis in (0, 1):
        if noise.shape[axis] != image.shape[axis]:
            noise = noise.take(np.arange(image.shape[axis]) * noise.shape[axis] // image.shape[axis], axis=axis)
    return noise


def _rounded(values: NDArray[np.floating]) -> Pixels:
    levels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def _through(image: Pixels, levels: Pixels) -> Pixels:
    """Each colour of the image sent through its row of `levels` (3, 256)."""
    return np.asarray(Image.fromarray(image).point(levels.ravel().tolist()))


@cache
def _linear() -> NDArray[np.float32]:
    """(256,) linear light in [0, 1] of sRGB levels. Source: IEC 61966-2-1."""
    v = np.arange(256) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _to_levels(light: NDArray[np.floating]) -> Pixels:
    """sRGB levels of linear light; what is brighter than white becomes white."""
    light = np.clip(light, 0, 1)
    return _rounded(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))


@cache
def _levels_of_light() -> Pixels:
    """(_FINE,) sRGB levels of evenly spaced linear light."""
    return _to_levels(np.linspace(0, 1, _FINE))
