"""HEIC as phones write it is read; what attacks are made of never reaches a decoder."""

import asyncio
import contextlib
import json
import struct
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data import photo
from tellapart.data.preprocess import Preprocess, preprocess
from tellapart.errors import PhotoError
from tellapart.formats import coded_size, heic, heif_limits
from tellapart.sandbox.decoder_pool import DecoderPool

from . import heic_photos as made
from .heic_photos import DEPTH, FORBIDDEN, GAIN_MAP, Item, box, ispe

FOREIGN = "The photo is stored in a way that no phone or camera stores photos."
DAMAGED = "The photo is damaged and cannot be read."
CUT = "The photo is cut off: part of it is missing."
COMPLEX = "It has more parts than a photo does."


def picture(width, height):
    """What scripts/make_heic coded."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.stack([x, y, (1 - x) * y], -1) * 200 + 30


def apart(image, expected):
    assert image.shape == expected.shape
    return float(np.abs(image - expected).mean())


def refusal(data):
    with pytest.raises(PhotoError) as caught:
        photo.decode(data)
    return caught.value


def test_the_library_in_memory_is_one_without_known_holes():
    versions = [tuple(map(int, said.split("."))) for said in (heic.libheif_version(), heic.libde265_version())]
    assert versions[0] >= (1, 23, 4)
    assert versions[1] >= (1, 1, 3)


def test_without_the_package_the_rest_can_be_read():
    code = (
        "import sys; sys.modules['pi_heif'] = None  # as after pip uninstall\n"
        "from tellapart.data import photo\nfrom tellapart.formats import heic\n"
        "assert heic.libheif_version() is heic.libde265_version() is None; heic.one_thread()\n"
        "print(photo.decode(sys.stdin.buffer.read()).shape)"
    )
    asked = subprocess.run([sys.executable, "-c", code], input=avif(), capture_output=True, check=True)
    assert asked.stdout.decode().strip() == "(64, 96, 3)"


@pytest.mark.parametrize("urn", [DEPTH, GAIN_MAP])
def test_a_photo_with_a_map_is_read_without_it(urn):
    assert apart(photo.decode(made.mapped(urn).bytes()), picture(64, 48)) < 3


@pytest.mark.parametrize("quarter_turns", range(4))
def test_a_phone_photo_comes_out_whole_and_upright(quarter_turns):
    image = photo.decode(made.phone(quarter_turns).bytes())
    assert apart(image, np.rot90(picture(900, 700), quarter_turns)) < 1


def test_the_child_of_the_server_reads_it_after_its_doors_are_closed():
    photos = [made.phone(1).bytes(), made.clear().bytes()]
    preprocessing = Preprocess(64)

    async def ask():
        pool = DecoderPool(1)
        pool.start()
        try:
            return [await pool.decode(data, preprocessing) for data in photos]
        finally:
            await pool.close()

    for got, data in zip(asyncio.run(ask()), photos, strict=True):
        assert np.array_equal(got, preprocess(photo.decode(data, min_side_px=preprocessing.min_side_px), preprocessing))


def test_transparency_is_laid_on_white():
    grey = picture(96, 64) @ (0.299, 0.587, 0.114)
    alpha = grey[..., None] / 255
    assert apart(photo.decode(made.clear().bytes()), picture(96, 64) * alpha + 255 * (1 - alpha)) < 4


def test_transparency_with_a_thumbnail_is_laid_on_white(shared_data):
    data = (shared_data / "hostile/libheif/colors-with-alpha-thumbnail.heic").read_bytes()
    with Image.open(BytesIO(data)) as image:
        layer = np.asarray(image, float)
    alpha = layer[..., 3:] / 255
    assert alpha.min() < 0.9
    assert apart(photo.decode(data), layer[..., :3] * alpha + 255 * (1 - alpha)) < 1


def video():
    """An MP4 as phones append it, with a `meta` and a picture of its own."""
    inner = made.plain().bytes()
    return box(b"ftyp", b"isom" + bytes(4)) + box(b"moov", inner) + inner[32:]


APPENDED = {
    "a video": video(),
    "a video in a box": box(b"mpvd", video()),
    "a maker's notes": box(b"sefd", b"unci" * 20),
    "moov": box(b"moov", bytes(40)),
    "no box": b"SEFH" + bytes(3),
    "zeros": bytes(64),
}


@pytest.mark.parametrize("name", APPENDED)
def test_what_phones_append_is_not_shown_to_the_decoder(name):
    whole = made.phone().bytes()
    data = whole + APPENDED[name]
    assert np.array_equal(photo.decode(data), photo.decode(whole))
    seen = heif_limits.checked(data, "HEIF")
    assert seen[: len(whole)] == whole
    assert set(seen[len(whole) :]) <= {*b"free", *range(200)}
    assert not any(kind in seen[len(whole) :] for kind in (b"moov", b"unci", b"meta", b"hvc1"))


def test_long_boxes_and_open_ended_ones_are_read():
    data = made.plain().bytes()
    at = data.rindex(b"mdat") - 4
    endless = data[:at] + struct.pack(">I4s", 0, b"mdat") + data[at + 8 :]
    assert apart(photo.decode(endless), picture(64, 48)) < 3
    meta = data.index(b"meta") - 4
    idat = made.plain().changing(1, in_idat=True).bytes()
    assert apart(photo.decode(idat), picture(64, 48)) < 3
    long = data[:at] + struct.pack(">I4sQ", 1, b"mdat", 16 + len(data) - at - 8) + data[at + 8 :]
    place = long.index(struct.pack(">II", at + 8, len(data) - at - 8), meta)
    moved = long[:place] + struct.pack(">I", at + 16) + long[place + 4 :]
    assert apart(photo.decode(moved), picture(64, 48)) < 3


SMALL, TILE, GREY = made.pictures("small.heic")[0], made.pictures("tiles.heic")[0], made.map_of(DEPTH)


def with_property(kind, content):
    return made.plain().changing(1, properties=(*SMALL.properties, (kind, content)))


def with_size(width, height):
    kept = tuple(p for p in SMALL.properties if p[0] != b"ispe")
    return made.plain().changing(1, properties=(*kept, ispe(width, height)))


def looped():
    tile = made.Heic({1: TILE, 2: made.grid(1, 1, 512, 512)}, ((b"dimg", 2, (1,)),), primary=2)
    return replace(tile, links=(*tile.links, (b"auxl", 2, (1,))))


def thousand_alphas():
    """Tiles that each would be decoded with a map of 40 megapixels."""
    big = replace(TILE, properties=(TILE.properties[0], ispe(8000, 5000)))
    tiles = dict.fromkeys(range(1, 9), TILE)
    links = ((b"dimg", 20, tuple(tiles)), (b"auxl", 30, tuple(tiles)))
    return made.Heic({**tiles, 20: made.grid(2, 4, 2048, 1024), 30: big}, links, primary=20)


def many_tiles(rows, columns):
    content = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, 64 * columns, 48 * rows)
    whole = Item(b"grid", content, (ispe(64 * columns, 48 * rows),), in_idat=True)
    return made.Heic({1: SMALL, 2: whole}, ((b"dimg", 2, (1,) * (rows * columns)),), primary=2)


def chain(n):
    """Pictures, each the map of the one before."""
    return made.Heic(dict.fromkeys(range(1, n + 1), GREY), tuple((b"auxl", k + 1, (k,)) for k in range(1, n)))


PHONE = made.phone()
GRID = PHONE.items[10].content
REFUSED = {
    "a part without an end": (replace(made.plain(), meta=(struct.pack(">I4s", 0, b"free"),)), "damaged", DAMAGED),
    **{f"{k.decode()}, the photo": (made.plain().changing(1, kind=k), "unsupported", FOREIGN) for k in FORBIDDEN},
    **{f"{k.decode()}, hidden": (PHONE.adding(50, Item(k, b"x")), "unsupported", FOREIGN) for k in FORBIDDEN},
    **{f"{k.decode()}, a map": (made.mapped().changing(2, kind=k), "unsupported", FOREIGN) for k in FORBIDDEN},
    "iden of a grid": (PHONE.adding(50, Item(b"iden"), (b"dimg", 50, (10,))), "unsupported", FOREIGN),
    "another codec": (made.plain().changing(1, kind=b"av01"), "unsupported", FOREIGN),
    "uncompressed": (with_property(b"uncC", bytes(20)), "unsupported", FOREIGN),
    "an unknown property": (with_property(b"tilC", bytes(8)), "unsupported", FOREIGN),
    "an unknown part": (replace(made.plain(), meta=(box(b"ipro", b""),)), "unsupported", FOREIGN),
    "a part twice": (replace(made.plain(), meta=(box(b"pitm", b"\0\2", 0),)), "damaged", DAMAGED),
    "compressed text": (
        PHONE.changing(15, named=b"\0application/rdf+xml\0deflate\0"),
        "unsupported",
        FOREIGN,
    ),
    "text that is none": (PHONE.changing(15, named=b"\0\xff\xfe\0"), "damaged", DAMAGED),
    "a name that is none": (PHONE.changing(1, named=b"\xff\0"), "damaged", DAMAGED),
    "a link to itself": (replace(made.mapped(), links=((b"auxl", 2, (2,)),)), "damaged", DAMAGED),
    "a grid of itself": (replace(PHONE, links=((b"dimg", 10, (10, 2, 3, 4)),)), "unsupported", FOREIGN),
    "maps of each other": (
        replace(made.mapped(), links=((b"auxl", 2, (1,)), (b"auxl", 1, (2,)))),
        "damaged",
        DAMAGED,
    ),
    "a map of its own tile": (looped(), "damaged", DAMAGED),
    "maps of maps": (chain(9), "damaged", DAMAGED),
    "a link to nothing": (replace(made.mapped(), links=((b"auxl", 2, (9,)),)), "damaged", DAMAGED),
    "a link from nothing": (replace(made.mapped(), links=((b"auxl", 9, (1,)),)), "damaged", DAMAGED),
    "a map of EXIF": (replace(PHONE, links=(*PHONE.links[:3], (b"auxl", 12, (14,)))), "unsupported", FOREIGN),
    "EXIF as a map": (replace(PHONE, links=(*PHONE.links[:3], (b"auxl", 14, (10,)))), "unsupported", FOREIGN),
    "a link twice": (replace(made.mapped(), links=((b"auxl", 2, (1,)),) * 2), "damaged", DAMAGED),
    "a target twice": (replace(made.mapped(), links=((b"auxl", 2, (1, 1)),)), "damaged", DAMAGED),
    "a strange link": (replace(made.mapped(), links=((b"base", 2, (1,)),)), "unsupported", FOREIGN),
    "10,000 tiles": (many_tiles(100, 100), "damaged", DAMAGED),
    "too few tiles": (replace(PHONE, links=((b"dimg", 10, (1, 2, 3)), *PHONE.links[1:])), "damaged", DAMAGED),
    "a grid smaller than its tiles": (PHONE.changing(10, **vars(made.grid(2, 2, 500, 400))), "damaged", DAMAGED),
    "a grid larger than its tiles": (PHONE.changing(10, **vars(made.grid(2, 2, 1100, 700))), "damaged", DAMAGED),
    "a grid that says two sizes": (PHONE.changing(10, content=GRID[:4] + b"\1\0\1\0"), "damaged", DAMAGED),
    "half a grid": (PHONE.changing(10, content=GRID[:5]), "damaged", DAMAGED),
    "maps without end": (thousand_alphas(), "too_complex", COMPLEX),
    "too many items": (
        made.Heic({**made.plain().items, **{n: Item(b"Exif", b"x") for n in range(2, 1100)}}),
        "too_complex",
        COMPLEX,
    ),
    "no size": (made.plain().changing(1, properties=SMALL.properties[:1]), "damaged", DAMAGED),
    "two sizes": (with_property(*ispe(32, 32)), "damaged", DAMAGED),
    "an empty cut": (
        with_property(b"clap", struct.pack(">8I", 0, 1, 9, 1, 0, 1, 0, 1)),
        "damaged",
        DAMAGED,
    ),
    "a cut by zero": (with_property(b"clap", struct.pack(">8I", 9, 0, 9, 1, 0, 1, 0, 1)), "damaged", DAMAGED),
    "a cut outside": (with_property(b"clap", struct.pack(">8I", 9, 1, 9, 1, 500, 1, 0, 1)), "damaged", DAMAGED),
    "bytes past the end": (replace(made.plain(), extents={1: ((600, 9000),)}), "truncated", CUT),
    "no bytes": (replace(made.plain(), extents={1: ((100, 0),)}), "damaged", DAMAGED),
    "40 pieces": (replace(made.plain(), extents={1: ((600, 1),) * 40}), "too_complex", COMPLEX),
    "bytes used again and again": (replace(made.plain(), extents={1: ((0, 580),) * 30}), "damaged", DAMAGED),
    "no photo named": (replace(made.plain(), primary=0), "damaged", DAMAGED),
    "EXIF named as the photo": (replace(PHONE, primary=14), "damaged", DAMAGED),
    "no pixels": (with_size(0, 48), "damaged", DAMAGED),
    "too many pixels": (
        with_size(10_000, 6_000),
        "too_large",
        "The photo is 10000×6000, 60 megapixels; at most 50 can be read in this format.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_phone_writes_is_refused_before_a_decoder_sees_it(name):
    spec, code, message = REFUSED[name]
    data = spec.bytes()
    with pytest.raises(PhotoError) as caught:
        heif_limits.checked(data, "HEIF")
    assert (caught.value.code, caught.value.message) == (code, message)
    assert refusal(data).message == message


def test_a_sequence_alone_is_refused():
    data = box(b"ftyp", b"hevc" + bytes(4) + b"msf1hevc") + box(b"moov", bytes(40)) + box(b"mdat", bytes(40))
    assert refusal(data).message == "The file is a video or a burst, which cannot be read."
    assert refusal(data).code == "unsupported"


def test_a_photo_in_the_short_form_is_refused():
    data = box(b"ftyp", b"mif3" + bytes(4) + b"heic") + box(b"mini", bytes(40))
    assert refusal(data).message == FOREIGN


def parameters(width, height):
    """An H.265 parameter set up to its size, bit by bit."""

    def golomb(number):
        return f"{number + 1:b}".zfill(2 * (number + 1).bit_length() - 1)

    bits = "0000" + "000" + "1" + "0" * 96 + golomb(0) + golomb(1) + golomb(width) + golomb(height) + "1"
    body = bytes(int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8))
    return b"\x42\x01" + body.replace(b"\0\0\0", b"\0\0\3\0").replace(b"\0\0\1", b"\0\0\3\1")


LARGE = "The photo is 9000×8000, 72 megapixels; at most 50 can be read in this format."


def test_a_picture_larger_than_its_boxes_say_is_refused():
    unit = parameters(9000, 8000)
    configuration = bytes(22) + b"\1\x21" + struct.pack(">HH", 1, len(unit)) + unit
    assert coded_size.hevc_sizes(configuration) == [(9000, 8000)]
    kept = tuple(p for p in SMALL.properties if p[0] != b"hvcC")
    assert refusal(made.plain().changing(1, properties=(*kept, (b"hvcC", configuration))).bytes()).message == LARGE
    inside = struct.pack(">I", len(unit)) + unit + SMALL.content
    assert refusal(made.plain().changing(1, content=inside).bytes()).message == LARGE


def test_looking_at_a_file_takes_no_time():
    """Files that have the most of everything that may be counted."""
    unit = parameters(64, 48)
    many = bytes(22) + b"\1\x21" + struct.pack(">H", 16) + (struct.pack(">H", len(unit)) + unit) * 16
    photo_ = made.plain()
    for n in range(2, 1000):
        units = struct.pack(">I", 0) * 999
        photo_ = replace(photo_, items={**photo_.items, n: replace(SMALL, content=units)})
    crowded = photo_.changing(1, properties=(*SMALL.properties, *((b"hvcC", many + bytes([n])) for n in range(250))))
    for data in (photo_.bytes(), crowded.bytes(), chain(900).bytes(), made.plain().bytes() + bytes(50_000_000)):
        start = time.process_time()
        with contextlib.suppress(PhotoError):
            heif_limits.checked(data, "HEIF")
        assert time.process_time() - start < 2


def test_sizes_are_read_as_encoders_write_them():  # in whole blocks
    for item, size in ((SMALL, (64, 64)), (TILE, (512, 512))):
        assert coded_size.hevc_sizes(dict(item.properties)[b"hvcC"]) == [size]


def avif(**options):
    buffer = BytesIO()
    Image.fromarray(picture(96, 64).astype(np.uint8)).save(buffer, "AVIF", **options)
    return buffer.getvalue()


def test_avif_goes_through_the_same_gate():
    data = avif()
    at = data.index(b"av01")
    for kind in (*FORBIDDEN, b"hvc1", b"sato"):
        assert refusal(data[:at] + kind + data[at + 4 :]).message == FOREIGN
    size = data.index(b"ispe") + 8
    large = data[:size] + struct.pack(">II", 9000, 8000) + data[size + 8 :]
    assert refusal(large).message == LARGE
    assert np.array_equal(photo.decode(data + box(b"mpvd", b"x")), photo.decode(data))


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4", "4:0:0"])
def test_av1_says_its_own_size(subsampling):
    data = avif(subsampling=subsampling)
    coded = data[data.index(b"mdat") + 4 :]
    assert coded_size.av1_sizes(coded) == [(96, 64)]
    frames = avif(save_all=True, append_images=[Image.new("RGB", (96, 64))])
    assert set(coded_size.av1_sizes(frames[frames.rindex(b"mdat") + 4 :])) == {(96, 64)}


def test_an_animation_of_another_codec_is_refused():
    data = avif(save_all=True, append_images=[Image.new("RGB", (96, 64))])
    assert photo.decode(data).shape == (64, 96, 3)
    at = data.index(b"av01", data.index(b"stsd"))
    assert refusal(data[:at] + b"uncv" + data[at + 4 :]).message == FOREIGN
    assert refusal(data[: at + 28] + struct.pack(">HH", 9000, 8000) + data[at + 32 :]).message == LARGE


def test_parts_of_an_animation_do_not_nest_without_end():
    data = made.avif(frames=2)
    assert photo.decode(data).shape == (64, 96, 3)
    at = data.index(b"moov") - 4
    end = at + int.from_bytes(data[at : at + 4])
    deep = b""
    for kind in (b"mdia", b"trak") * 2000:
        deep = box(kind, deep)
    assert refusal(data[:at] + box(b"moov", deep) + data[end:]).message == FOREIGN
    notes = box(b"meta", box(b"iinf", b"\0\1" + box(b"infe", b"\0\1\0\0unci\0", 2), 0), 0)
    assert refusal(data[:at] + box(b"moov", box(b"trak", notes)) + data[end:]).message == FOREIGN


@pytest.mark.skipif(sys.platform == "win32", reason="the child's limits are POSIX")
def test_no_mutation_crashes_and_nothing_rare_reaches_the_library(fuzz_cases):
    """Each case gives pixels or a refusal; the child counts what the library was shown."""
    n = fuzz_cases(500)
    child = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("heic_child.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    said, shown, rare = Counter(), 0, []
    with child:
        for seed in range(n):
            data = made.mutated(seed)
            child.stdin.write(struct.pack(">I", len(data)) + data)
            child.stdin.flush()
            line = child.stdout.readline()
            assert line, f"case {seed} ended the child: {child.wait()}"
            answer = json.loads(line)
            said[answer["said"]] += 1
            shown += answer["seen"] is not None
            rare += [seed] * bool(answer["forbidden"])
        child.stdin.close()
    assert rare == []
    assert sum(said.values()) == n
    assert said["pixels"] > n / 20  # so that the library was tried
    assert said["unsupported"] + said["damaged"] > n / 4
    assert shown < n / 2
    print(dict(said), "shown to the library:", shown)
