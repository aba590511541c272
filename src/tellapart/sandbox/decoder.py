"""The process that photos are decoded in: untrusted bytes in, pixels or a refusal out, and nothing else.

Codecs are written in C and read what strangers send. Should one of them crash or be taken over, it happens here, in a
process in a jail of the kernel's: jail.py. It speaks on standard input and output:

    asked     u32 bytes, u16 input_px, u8 fit; the photo
    answered  u8 status, u32 bytes; pixels (px, px, 3) uint8, or JSON {code, message, hint}; once ready, JSON of the
              walls that its jail lacks, in words; where `fit` was WHOLE, u16 height, u16 width and pixels of that shape

All numbers are big-endian. It ends when its input does.
"""

import json
import os
import signal
import struct
import sys
from io import BytesIO
from typing import Any, BinaryIO, Final

import numpy as np
from PIL import AvifImagePlugin, Image, ImageCms

from tellapart.data import photo
from tellapart.data.preprocess import RESIZE_MODES, Preprocess, preprocess, read_pixels, read_whole
from tellapart.errors import PhotoError
from tellapart.formats import codecs, heic
from tellapart.sandbox import jail

if sys.platform != "win32":
    import resource

ASKED: Final = struct.Struct(">IHB")
ANSWERED: Final = struct.Struct(">BI")
SHAPE: Final = struct.Struct(">HH")
PIXELS, REFUSED, READY = 0, 1, 2
WHOLE: Final = len(RESIZE_MODES)  # as a fit: the whole photo in its own shape, neither side above input_px

MEMORY_BYTES: Final = 768_000_000  # more than at the start; the largest photo within our limits takes 570 MB
PHOTO_CPU_S: Final = 5  # for one photo; the slowest of ordinary ones takes 1.3 s
WARM_PX: Final = 16


def main() -> None:
    """Answer until the input ends."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # a server that drains still needs us; our input ends with it
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    jail.close_inherited()
    asked, answered = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    _one_thread_a_photo()
    _warm_up()
    _say(answered, READY, json.dumps(_lock_up()).encode())
    while header := asked.read(ASKED.size):
        n_bytes, input_px, fit = ASKED.unpack(header)
        _allow_cpu(PHOTO_CPU_S)
        _answer(answered, asked.read(n_bytes), input_px, fit)


def _answer(answered: BinaryIO, data: bytes, input_px: int, fit: Any) -> None:
    try:
        if fit == WHOLE:
            pixels = read_whole(data, input_px)
            content = SHAPE.pack(*pixels.shape[:2]) + pixels.tobytes()
        else:
            content = read_pixels(data, Preprocess(input_px, RESIZE_MODES[fit])).tobytes()
    except PhotoError as error:
        refusal = {"code": error.code, "message": error.message, "hint": error.hint}
        _say(answered, REFUSED, json.dumps(refusal).encode())
    else:
        _say(answered, PIXELS, content)


def _say(answered: BinaryIO, status: int, content: bytes) -> None:
    answered.write(ANSWERED.pack(status, len(content)) + content)
    answered.flush()


def _one_thread_a_photo() -> None:
    """There are as many of us as cores; a codec's own threads would only take memory."""
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    heic.one_thread()


def _warm_up() -> None:
    """Decode a photo of each format, so that what is loaded late is loaded before files can no longer be opened."""
    image = Image.fromarray(np.zeros((WARM_PX, WARM_PX, 3), np.uint8))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    refused = {kind for library in codecs.outdated() for kind in library.formats}
    for kind in sorted({"JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"} - refused):
        buffer = BytesIO()
        image.save(buffer, kind, **({"icc_profile": profile} if kind in ("JPEG", "PNG") else {}))
        preprocess(photo.decode_careful(buffer.getvalue()), Preprocess(WARM_PX))
        photo.decode(buffer.getvalue())


def _lock_up() -> tuple[str, ...]:
    """Walls for the rest of this process's life, also for a codec that was taken over; those missing, in words."""
    return jail.lock_up(MEMORY_BYTES)


def _allow_cpu(seconds: int) -> None:
    """From now on at most so many seconds of processor time; then the kernel ends this process."""
    if sys.platform == "win32":
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main()
