"""The photos that an exported form must answer as the model does."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data import photo
from tellapart.data.meaning.named_photos import scan_photos
from tellapart.errors import InputError, PhotoError
from tellapart.model.artifact import MODEL, Artifact
from tellapart.model.prediction import Predictor
from tellapart.model.predictions import Prediction
from tellapart.storage.photo_locations import load_locations
from tellapart.text import counted, quoted
from tellapart.timing import Progress

MOST = 200  # photos of a proof: enough that one wrong in a hundred is likely seen, and a minute in a browser
SEED = 4  # of the generated images, which must be the same on every machine
FULL_8_BIT, FULL_16_BIT = 255, 65535  # white
ROTATED = 6  # EXIF orientation of a phone held upright
# What photos differ in where decoders and resizers differ: shape, half pixels, size, format, alpha, orientation, bits
# a channel, inks.
_GENERATED = (
    ("landscape.jpg", 640, 480),
    ("odd-portrait.jpg", 481, 642),
    ("large.jpg", 2400, 1800),
    ("small.png", 90, 70),
    ("transparent.png", 400, 300),
    ("sideways.jpg", 800, 600),
    ("sixteen-bit.png", 500, 400),
    ("cmyk.jpg", 420, 360),
)


@dataclass(frozen=True)
class ProofPhoto:
    """A photo and what the model itself says about it.

    Args:
        name: as shown to the person.
        data: the content of its file.
        expected: the model's own prediction.
        ours: whether it was generated here, so that no stranger has chosen a byte of it.
    """

    name: str
    data: bytes
    expected: Prediction
    ours: bool = False


@dataclass(frozen=True)
class ProofPhotos:
    """The photos of a proof, and where they come from in words."""

    photos: tuple[ProofPhoto, ...]
    origin: str


def gather(folder: str | None, artifact: Artifact, predictor: Predictor, progress: Progress) -> ProofPhotos:
    """The person's photos in `folder`; else the test photos where they are still found, or the model's examples.

    A fixed set of generated images comes along in the last two cases. Of more than `MOST` photos, `MOST` are taken,
    evenly spread.

    Raises:
        InputError: none of the photos in `folder` can be read.
    """
    made: list[tuple[str, bytes]] = []
    if folder is not None:
        named = list(_read_all(scan_photos([folder])))
        origin = f"from {quoted(folder)}"
    elif tested := list(_read_all(load_locations(artifact.manifest["files"][MODEL], "test"))):
        named, made = tested, generated()
        origin = f"{counted(len(tested), 'test photo')} of the model and {len(_GENERATED)} generated images"
    else:
        named = list(artifact.examples.items())
        origin = f"{counted(len(named), 'example photo')} of the model and {len(_GENERATED)} generated images"
        made = generated()
    photos = []
    for done, (name, data) in enumerate((*named, *made), start=1):
        [expected] = predictor.predict([data])
        if expected.error is None:
            photos.append(ProofPhoto(name, data, expected, ours=done > len(named)))
        progress("asking the model", done, len(named) + len(made))
    if not photos:
        raise InputError(
            f"None of the photos in {quoted(str(folder))} can be read, so nothing can be proven with them.",
            hint="Name a folder of photos with --photos.",
        )
    return ProofPhotos(tuple(photos), origin)


def _read_all(paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the photos whose files can be read, at most `MOST`, evenly spread."""
    for i in np.linspace(0, len(paths) - 1, min(MOST, len(paths))).astype(int):
        try:
            yield paths[i], photo.read(paths[i])
        except PhotoError:  # said by `predict`; a proof needs photos that the model answers
            continue


def generated() -> list[tuple[str, bytes]]:
    """(name, content) of a fixed set of images."""
    random = np.random.default_rng(SEED)
    return [(f"generated {name}", _encode(name, _blobs(random, w, h))) for name, w, h in _GENERATED]


def _blobs(random: np.random.Generator, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """(H, W, 3) soft colours with a few hard edges, as photos have both."""
    coarse = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
    image = np.array(coarse.resize((width_px, height_px), Image.Resampling.BICUBIC))
    for _ in range(6):
        left, top = random.integers(0, width_px), random.integers(0, height_px)
        right, bottom = left + width_px // 4, top + height_px // 5
        image[top:bottom, left:right] = random.integers(0, 256, 3, dtype=np.uint8)
    return image


def _encode(name: str, image: NDArray[np.uint8]) -> bytes:
    made, exif = Image.fromarray(image), Image.Exif()
    if name.startswith("sixteen-bit"):  # grey, because Pillow writes no colour of 16 bits
        made = Image.fromarray(np.asarray(made.convert("L")).astype(np.uint16) * (FULL_16_BIT // FULL_8_BIT))
    if name.startswith("cmyk"):
        made = made.convert("CMYK")
    if name.startswith("sideways"):
        exif[0x0112] = ROTATED
    if name.startswith("transparent"):
        made.putalpha(Image.linear_gradient("L").resize(made.size))
    buffer = io.BytesIO()
    if name.endswith(".jpg"):
        made.save(buffer, "JPEG", quality=92, exif=exif)
    else:
        made.save(buffer, "PNG")
    return buffer.getvalue()
