"""Photos made of smooth noise of every size: each is unlike any other, and any place in it unlike the rest."""

import numpy as np
from PIL import Image

PHOTO_PX = 320


def photo(seed):
    """(PHOTO_PX, PHOTO_PX, 3) uint8, grey."""
    rng = np.random.default_rng(seed)
    image = np.zeros((PHOTO_PX, PHOTO_PX))
    for side in (4, 8, 16, 32, 64):
        layer = Image.fromarray(rng.normal(size=(side, side)).astype(np.float32))
        image += np.asarray(layer.resize((PHOTO_PX, PHOTO_PX), Image.Resampling.BICUBIC))
    image = (image - image.min()) / (image.max() - image.min())
    return np.repeat((30 + 190 * image).astype(np.uint8)[..., None], 3, axis=2)
