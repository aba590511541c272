"""From photos to features: read, decode, preprocess and run, on every core at once, each photo only once.

A worker takes a chunk of photos through all steps, so decoding and inference overlap without queues between them: while
one worker decodes, another computes. Features stream into one memory-mapped array, so memory does not grow with the
number of photos.
"""

import errno
import hashlib
import math
import mmap
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data import photo
from tellapart.data.grey_picture import SIDE_PX, grey_picture
from tellapart.data.preprocess import Preprocess, ResizeMode, as_pillow, preprocess
from tellapart.data.remote.door import READERS
from tellapart.data.remote.held import lies_elsewhere
from tellapart.engine.backbone import QUALITIES, Backbone, build_graph
from tellapart.engine.device import PROCESSOR, Runner, device_in, device_key, runner_on, waiting_photos
from tellapart.errors import InputError, PhotoError
from tellapart.features.cache import PIXEL_HASH_BYTES, Embedding, FeatureCache, embedding_key
from tellapart.parallel import map_in_order, n_cores
from tellapart.timing import Progress, no_progress

STAGE = "reading photos"
CHUNK = 4  # photos a task: few, so that all cores finish together; a transaction for every four costs nothing
CHUNKS_AHEAD = 3  # chunks a worker that are submitted before their turn
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a full disk, a quota, a limit on the size of files
SPARE_WORKERS = 1  # so that no core idles while a worker waits: 5 % more photos/s than one worker a core
Shrunk = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # the pixels that the network gets, and the grey picture
_compiling = threading.Lock()
_Number = TypeVar("_Number", bound=np.generic)


class Photos(Protocol):
    """Anything with numbered photos, such as a `Dataset`."""

    @property
    def n(self) -> int:
        """How many photos there are."""

    def read(self, index: int) -> bytes:
        """The bytes of photo `index`; raises PhotoError."""


@dataclass
class Features:
    """The features of N photos, filled in as they come.

    Args:
        values: (N, D) float32, memory-mapped; rows of photos that could not be read are zero.
        pixel_hashes: (N,) of 32 hexadecimal digits; photos of equal hashes look exactly the same to the backbone.
        pictures: (N, SIDE_PX, SIDE_PX) uint8, memory-mapped: the photos small and grey.
        errors: why a photo could not be read, by its index.
        kept: whether they were made at an earlier time, since when photos may have moved.
        n_cached: how many came from the cache.
        decode_s: seconds of one core spent on reading and decoding, summed over workers.
        inference_s: the same for the backbone.
    """

    values: NDArray[np.float32]
    pixel_hashes: NDArray[np.bytes_]
    pictures: NDArray[np.uint8]
    errors: dict[int, PhotoError] = field(default_factory=dict)
    kept: bool = False
    n_cached: int = 0
    decode_s: float = 0.0
    inference_s: float = 0.0

    @property
    def usable(self) -> NDArray[np.int64]:
        """Indices of the photos that could be read, ascending."""
        return np.array([i for i in range(len(self.values)) if i not in self.errors], np.int64)


@dataclass
class _Chunk:
    """What one worker brings back."""

    indices: range
    found: dict[int, Embedding] = field(default_factory=dict)
    fresh: dict[bytes, Embedding] = field(default_factory=dict)
    reused: list[bytes] = field(default_factory=list)
    errors: dict[int, PhotoError] = field(default_factory=dict)
    decode_s: float = 0.0
    inference_s: float = 0.0


class Extractor:
    """A backbone and its preprocessing, ready to embed photos.

    Args:
        backbone: which networks make the features.
        preprocessing: how a photo becomes its pixels; its `input_px` is the backbone's.
        cache: where features are looked up and kept; None to compute all.
        device: what computes, one of `device.DEVICES`.
    """

    def __init__(
        self,
        backbone: Backbone,
        preprocessing: Preprocess,
        cache: FeatureCache | None = None,
        *,
        device: str = PROCESSOR,
    ) -> None:
        self.backbone = backbone
        self.preprocessing = preprocessing
        self.cache = cache
        self.device = device
        self.extractor_key = f"{backbone.key} {preprocessing.key}{device_key(device)}"

    @property
    def n_workers(self) -> int:
        """Threads that keep the processor's cores busy, and the device."""
        return n_cores() + self.n_waiting

    @property
    def n_waiting(self) -> int:
        """Threads that only wait for the device, so that its batches are full."""
        return waiting_photos(self.device)

    def refuse_absent_device(self) -> None:
        """Returns where its device is there and agrees; the processor is, so nothing is compiled for it.

        Raises:
            InputError: it is not, or does not.
            MissingExtraError: the library for it is not installed.
        """
        if self.device != PROCESSOR:
            compiled(self.backbone, self.device)

    def extract(self, photos: Photos, *, progress: Progress = no_progress) -> Features:
        """The features of all `photos`, in their order.

        An unreadable photo is data, not an exception: it is listed in `errors`.
        """
        n = photos.n
        values = memory_mapped((n, self.backbone.n_features), np.dtype(np.float32))
        pictures = memory_mapped((n, SIDE_PX, SIDE_PX), np.dtype(np.uint8))
        features = Features(values, np.zeros(n, f"S{2 * PIXEL_HASH_BYTES}"), pictures)
        reused: list[bytes] = []
        done = 0

        def embed(start: int) -> _Chunk:
            return self._embed_chunk(photos, range(start, min(start + CHUNK, n)))

        spare = READERS if lies_elsewhere(getattr(photos, "archive", None)) else SPARE_WORKERS
        starts, workers = range(0, n, CHUNK), self.n_workers + spare
        chunks = map_in_order(embed, starts, n_workers=workers, ahead=CHUNKS_AHEAD, name="embed")
        try:
            progress(STAGE, 0, n)
            for chunk in chunks:
                self._take(chunk, features)
                reused += chunk.reused
                done += len(chunk.indices)
                progress(STAGE, done, n)
        finally:
            chunks.close()  # whatever stopped it, no worker asks the cache after this
            if self.cache:
                self.cache.mark_used(reused)
                self.cache.trim()
        return features

    def embed(self, data: bytes) -> Embedding:
        """What is to be remembered of one photo, from the bytes of its file; nothing is looked up or kept.

        Raises:
            PhotoError: it cannot be read.
        """
        return self.embed_image(self._decode(data))

    def embed_image(self, image: NDArray[np.uint8] | Image.Image) -> Embedding:
        """The same of an image (H, W, 3) uint8 that was decoded already."""
        return self.run(*self.shrink(image))

    def shrink(self, image: NDArray[np.uint8] | Image.Image) -> Shrunk:
        """All that is needed of an image any more."""
        image = as_pillow(image)
        return preprocess(image, self.preprocessing), grey_picture(image)

    def run(self, pixels: NDArray[np.uint8], picture: NDArray[np.uint8]) -> Embedding:
        """What is to be remembered of a photo, of which this is what `shrink` gives."""
        return Embedding(compiled(self.backbone, self.device)(pixels)["features"], hash_pixels(pixels), picture)

    def _take(self, chunk: _Chunk, features: Features) -> None:
        """Put what a worker brought back into its place, and remember it."""
        for index, embedding in chunk.found.items():
            features.values[index] = embedding.features
            features.pixel_hashes[index] = embedding.pixel_hash.hex()  # raw bytes would lose trailing zeros
            if embedding.picture is not None:
                features.pictures[index] = embedding.picture
        features.errors.update(chunk.errors)
        features.n_cached += len(chunk.reused)
        features.decode_s += chunk.decode_s
        features.inference_s += chunk.inference_s
        if self.cache:
            self.cache.put(chunk.fresh, self.extractor_key)

    def _embed_chunk(self, photos: Photos, indices: range) -> _Chunk:
        chunk = _Chunk(indices)
        for index in indices:
            started = time.perf_counter()
            try:
                data = photos.read(index)
                key = embedding_key(data, self.extractor_key + photo.reading_of(data))
                known = self.cache.get(key, self.backbone.n_features) if self.cache else None
                if known is not None and known.features.any():  # zeros alone are of a disk, not of a photo
                    chunk.reused.append(key)
                    if known.picture is None:  # remembered before there were any
                        known = chunk.fresh[key] = replace(known, picture=grey_picture(self._decode(data)))
                    chunk.found[index] = known
                    continue
                shrunk = self.shrink(self._decode(data))
            except PhotoError as error:
                chunk.errors[index] = error
                continue
            finally:
                decoded = time.perf_counter()
                chunk.decode_s += decoded - started
            chunk.found[index] = chunk.fresh[key] = self.run(*shrunk)
            chunk.inference_s += time.perf_counter() - decoded
        return chunk

    def _decode(self, data: bytes) -> NDArray[np.uint8]:
        return photo.decode(data, min_side_px=self.preprocessing.min_side_px)


def made_on(extractor_key: str) -> tuple[str, str]:
    """The key that the same features have when the processor makes them, and the device that made these."""
    return device_in(extractor_key)


def compiled(backbone: Backbone, device: str = PROCESSOR) -> Runner:
    """The compiled `backbone`, once a process, and not before a photo needs it: often all are cached."""
    with _compiling:  # `cache` alone would let two workers compile side by side
        return _compiled(backbone, device)


def _in_forked_child() -> None:
    """A thread that compiled when this process was forked is not there to let go of the lock."""
    global _compiling  # noqa: PLW0603
    _compiling = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)


@cache
def _compiled(backbone: Backbone, device: str) -> Runner:
    return runner_on(device, build_graph(backbone).SerializeToString(), backbone.input_px, streams=n_cores())


def hash_pixels(pixels: NDArray[np.uint8]) -> bytes:
    """16 bytes that are equal for photos whose preprocessed `pixels` (px, px, 3) are."""
    return hashlib.sha256(pixels.data).digest()[:PIXEL_HASH_BYTES]


def memory_mapped(shape: tuple[int, ...], dtype: np.dtype[_Number]) -> NDArray[_Number]:
    """An array of zeros in a temporary file that vanishes with this process, however it ends.

    Its room on the disk is taken at once: where there is none, the system would end the process at some later write.

    Raises:
        InputError: the disk has too little room.
    """
    if 0 in shape:
        return np.zeros(shape, dtype)
    n_bytes = math.prod(shape) * dtype.itemsize
    try:
        with tempfile.TemporaryFile(prefix="tellapart-") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, n_bytes)
            return np.memmap(file, dtype, "w+", shape=shape)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise InputError(
            f"There is no room for temporary files of {n_bytes / 1e9:.1f} GB in {tempfile.gettempdir()}.",
            hint="Free some there, or let the environment variable TMPDIR name a folder on a larger disk.",
        ) from error


def no_longer_held(mapped: NDArray[Any]) -> None:
    """Lets go of the memory of what `memory_mapped` made; what is asked for later comes back from the file."""
    held = getattr(mapped, "_mmap", None)
    if held is not None and hasattr(mmap, "MADV_DONTNEED"):
        held.madvise(mmap.MADV_DONTNEED)


@contextmanager
def cached_extractor(backbone: Backbone, preprocessing: Preprocess) -> Iterator[Extractor]:
    """What makes features, and keeps them between runs; its cache is closed at the end."""
    with closing(FeatureCache()) as cache:
        yield Extractor(backbone, preprocessing, cache)


@contextmanager
def bundled_extractor(
    quality: str, resize_mode: ResizeMode, *, keep: bool = True, device: str = PROCESSOR
) -> Iterator[Extractor]:
    """The same with the bundled backbone of `quality`.

    Args:
        quality: which one.
        resize_mode: how a photo becomes square.
        keep: whether features are looked up and kept between runs.
        device: what computes.

    Raises:
        InputError: there is no such quality.
    """
    if quality not in QUALITIES:
        raise InputError(f"There is no quality '{quality}'.", hint=f"Choose one of: {', '.join(QUALITIES)}.")
    backbone = QUALITIES[quality]
    preprocessing = Preprocess(backbone.input_px, resize_mode)
    with closing(FeatureCache()) if keep else nullcontext() as kept:
        yield Extractor(backbone, preprocessing, kept, device=device)
