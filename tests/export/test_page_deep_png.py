"""The page's own script gives the browser a PNG of 16 bits with the brightness that Python sees in it."""

import base64
import json
import shutil
import struct
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.data import photo

from ..formats.png_files import GREY, KINDS, deep, png

SCRIPT = Path(tellapart.__file__).parent / "web" / "deep-png.js"
RUN = """
import { readFileSync } from "node:fs";
const { withAllLevels } = await import(process.argv[1]);
const done = [];
for (const file of JSON.parse(readFileSync(0))) {
  const blob = await withAllLevels(new Blob([Buffer.from(file, "base64")]));
  done.push(Buffer.from(await blob.arrayBuffer()).toString("base64"));
}
console.log(JSON.stringify(done));
"""


def by_pillow(values):
    """As Pillow writes it: rows filtered in every way."""
    file = BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def files():
    yield from (png(deep(kind, step), kind) for kind in KINDS for step in (1, 4, 16, 64, 257))
    yield from (png(deep(kind, 4, 1023), kind, interlaced=True) for kind in KINDS)
    yield from (png(deep(kind, 3), kind, (b"sBIT", bytes([12] * 4)[: 1 if kind in (0, 4) else 3])) for kind in KINDS)
    noise = np.random.default_rng(0).integers(0, 900, (40, 33)).astype(np.uint16)
    yield from (by_pillow(values) for values in (noise, GREY[..., 0].astype(np.uint16) * 4))
    yield png(deep(0, 1), 0, (b"tRNS", struct.pack(">H", int(GREY[5, 5, 0]))))
    yield png(deep(2, 4), 2, (b"tRNS", struct.pack(">3H", *deep(2, 4)[9, 9].tolist())))


def asked(*photos):
    if (node := shutil.which("node")) is None:
        pytest.skip("the page's script needs node to be run without a browser")
    command = [node, "--input-type=module", "--eval", RUN, SCRIPT.as_uri()]
    told = json.dumps([base64.b64encode(data).decode() for data in photos])
    ran = subprocess.run(command, input=told, capture_output=True, text=True, check=True, timeout=60)
    return [base64.b64decode(file) for file in json.loads(ran.stdout)]


def test_the_browser_is_given_what_python_sees():
    photos = list(files())
    for data, given in zip(photos, asked(*photos), strict=True):
        assert np.abs(photo.decode(data).astype(int) - photo.decode(given)).max() <= 1
        assert given == data or given[24] == 8


def test_what_browsers_show_rightly_is_left_alone():
    eight, full = png(GREY, 0), png(deep(2, 257), 2)
    broken = png(deep(2, 4), 2, kept=0.5)
    assert asked(eight, full, broken, b"", b"no photo") == [eight, full, broken, b"", b"no photo"]


def test_profile_and_orientation_stay_in_the_file():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = BytesIO()
    Image.fromarray(GREY[..., 0].astype(np.uint16) * 4).save(file, "PNG", exif=exif, icc_profile=b"a profile")
    (given,) = asked(file.getvalue())
    image = Image.open(BytesIO(given))
    assert image.getexif()[0x0112] == 6
    assert image.info["icc_profile"] == b"a profile"
