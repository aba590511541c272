"""Photos in, upright sRGB images or plain sentences out (promises D1 to D5 of the decoder)."""

import csv
import os
import re
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms

from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.formats import header

CODES = set(re.findall(r"^    ([a-z_]+)  ", photo.__doc__, re.MULTILINE))
# Photos of 8 and 10 bits in files of 16, which INDEX has as if all 16 were used: black. Levels 106 to 285, 291 to 694,
# and 0 to 255, of which 255 is transparent, so that white shows.
BETTER_THAN_INDEX = {
    "pillow/16_bit_noise.tif": (34, 34, 34),
    "pillow/16bit.cropped.tif": (96, 96, 96),
    "pillow/16bit.r.tif": (96, 96, 96),
    "pillow/i_trns.png": (124, 124, 124),
}


def made(size=(96, 64)):
    """A photo in which no two corners look alike."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray((np.stack([x, y, (1 - x) * y], -1) * 200 + 30).astype(np.uint8))


def saved(image, kind, **options):
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def refused(data, code, **options):
    with pytest.raises(PhotoError) as caught:
        photo.decode(data, **options)
    assert caught.value.code == code
    return caught.value.message


def apart(a, b):
    """Mean absolute difference, of 255."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(float) - b).mean())


def index(shared_data, *kinds):
    folder = shared_data / "hostile"
    with open(folder / "INDEX.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    chosen = [row for row in rows if row["family"] == "image" and row["kind"] in kinds]
    assert chosen
    return [(row, folder / row["path"]) for row in chosen]


def attempt(path, **options):
    """The image or the error, and the seconds taken; any other exception fails the test."""
    start = time.perf_counter()
    try:
        result = photo.decode(photo.read(path), **options)
    except PhotoError as error:
        result = error
    return result, time.perf_counter() - start


def is_plain(error, path):
    """One sentence for a person: no path, version or library in it."""
    text = f"{error.message} {error.hint}"
    internals = r"pillow|PIL|libjpeg|libpng|libtiff|heif|turbo|simplejpeg|numpy|Traceback|0x|\d\.\d+\.\d|[\\/]"
    return (
        error.code in CODES
        and error.message.endswith(".")
        and error.message[0].isupper()
        and bool(error.hint)
        and path.stem not in text
        and not re.search(internals, error.message)
    )


def test_valid_photos_have_the_right_size_and_colours(shared_data):
    wrong = []
    for row, path in index(shared_data, "valid-must-decode"):
        image, seconds = attempt(path)
        if isinstance(image, PhotoError) or seconds > 3:
            wrong.append((row["path"], image, seconds))
            continue
        width, height = map(int, row["upright_size"].split("x"))
        mean = BETTER_THAN_INDEX.get(row["path"]) or tuple(map(int, row["mean_rgb_on_white"].split(",")))
        if image.shape != (height, width, 3) or np.abs(image.mean((0, 1)) - mean).max() > 12:
            wrong.append((row["path"], image.shape, image.mean((0, 1)).round(), mean))
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
    assert wrong == []


def test_same_photos_look_the_same(shared_data):
    groups = {}
    for row, path in index(shared_data, "valid-must-decode"):
        if group := row["same_picture_group"]:
            image, _ = attempt(path)
            small = np.asarray(Image.fromarray(image).resize((8, 8), Image.Resampling.BOX), float)
            groups.setdefault(group, []).append((row["path"], small))
    assert len(groups) >= 4
    wrong = [
        (name, np.abs(small - members[0][1]).mean())
        for members in groups.values()
        for name, small in members
        if np.abs(small - members[0][1]).mean() > 4
    ]
    assert wrong == []


def test_what_is_no_photo_is_refused_with_a_plain_sentence(shared_data):
    wrong = []
    for row, path in index(shared_data, "invalid-must-reject", "bomb-must-reject"):
        error, seconds = attempt(path)
        limit = 1 if row["kind"] == "bomb-must-reject" else 3  # 0.1 s on a quiet machine
        if not isinstance(error, PhotoError) or seconds > limit or not is_plain(error, path):
            wrong.append((row["path"], error, seconds))
    assert wrong == []


def test_odd_files_decode_or_are_refused(shared_data):
    wrong = []
    for row, path in index(shared_data, "either"):
        result, seconds = attempt(path)
        if seconds > 3 or (isinstance(result, PhotoError) and not is_plain(result, path)):
            wrong.append((row["path"], result, seconds))
    assert wrong == []
    assert isinstance(attempt(shared_data / "hostile/invalid/jpeg_sof_4000x3000_short.jpg")[0], PhotoError)


BOMB_CHILD = """
import sys
from pathlib import Path
from tellapart.data import photo
def peak_kb():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
warm, *bombs = map(Path, sys.argv[1:])
photo.decode(photo.read(warm))
before = peak_kb()
for bomb in bombs:
    try:
        photo.decode(photo.read(bomb))
        print("decoded", bomb)
    except photo.PhotoError:
        pass
print("grew", peak_kb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_bombs_take_no_memory(shared_data):
    bombs = [str(path) for _, path in index(shared_data, "bomb-must-reject")]
    warm = str(shared_data / "hostile/modes/rgba.png")
    child = subprocess.run(
        [sys.executable, "-c", BOMB_CHILD, warm, *bombs],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "decoded" not in child.stdout
    assert int(child.stdout.split()[-1]) <= 50 * 1024


def jpeg_of_size(width, height, **options):
    """A small JPEG whose header claims another size."""
    data = bytearray(saved(made(), "JPEG", **options))
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("width", "height", "options", "fits"),
    [
        (21_000, 10_000, {}, True),
        (21_000, 10_001, {}, False),
        (10_000, 5_000, {"progressive": True}, True),
        (10_000, 5_001, {"progressive": True}, False),
        (0, 64, {}, False),
    ],
)
def test_jpeg_size_limits(width, height, options, fits):
    data = jpeg_of_size(width, height, **options)
    if fits:
        assert header.read_jpeg(data)[:2] == (width, height)
    else:
        refused(data, "too_large" if width else "damaged")


@pytest.mark.parametrize(
    ("width", "height", "limit", "sentence"),
    [
        (6_100, 5_000, 30_000_000, "The photo is 6100×5000, 30.5 megapixels; at most 30 can be read in this format."),
        (9_000, 9_000, 30_000_000, "The photo is 9000×9000, 81 megapixels; at most 30 can be read in this format."),
        (
            50_000_001,
            1,
            50_000_000,
            "The photo is 50000001×1, 50.000001 megapixels; at most 50 can be read in this format.",
        ),
    ],
)
def test_a_refused_size_is_never_the_size_that_is_allowed(width, height, limit, sentence):
    with pytest.raises(PhotoError) as caught:
        header.refuse_size(width, height, limit)
    assert caught.value.message == sentence
    header.refuse_size(limit, 1, limit)


def test_a_phone_s_108_megapixels_are_decoded_scaled():
    file = BytesIO()
    made((120, 90)).convert("L").resize((12_000, 9_000)).save(file, "JPEG")
    assert photo.decode(file.getvalue(), min_side_px=448).shape == (1_125, 1_500, 3)
    data = bytearray(file.getvalue())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 7] = (9_200).to_bytes(2)
    sentence = "The photo is 12000×9200, 110.4 megapixels; at most 110 can be read in this format."
    assert refused(bytes(data), "too_large") == sentence  # at its own size
    assert refused(bytes(data), "too_large", min_side_px=5_000) == sentence


def test_what_was_read_wrongly_once_is_not_remembered():
    grey, deep = made().convert("L"), Image.fromarray(np.zeros((8, 8), np.uint16))
    inks = saved(made().convert("CMYK"), "JPEG")
    same = [saved(made(), "JPEG"), inks, saved(made(), "PNG"), saved(grey, "PNG"), saved(made(), "WEBP"), b""]
    anew = [saved(deep, "PNG"), saved(deep, "TIFF"), saved(made(), "TIFF"), saved(grey, "GIF"), without_adobe(inks)]
    assert [photo.reading_of(data) for data in same] == [""] * len(same)
    assert all(photo.reading_of(data) for data in anew)


def with_scans(count):
    data = saved(made(), "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + data[-2:]


def test_scans_are_counted_but_not_in_what_follows_the_photo():
    message = refused(with_scans(200), "too_complex")
    assert message == "It is stored in more than 100 passes, which takes too long to read."
    assert photo.decode(with_scans(0) + b"\xff\xda\0\2" * 500).shape == (64, 96, 3)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * 50_000_000,
        b"\xff\xd8" + b"\xff\xe1\0\2" * 10_000_000,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x08\x08\2\0\0\0" + bytes(4) + b"\0\0\0\0abCd    " * 4_000_000,
        b"GIF89a\x0a\0\x0a\0\0\0\0" + b"!\xfe\x01a\0" * 10_000_000,
        b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 9_999_999) + bytes(50_000_000),
    ],
    ids=["fill bytes", "JPEG segments", "PNG chunks", "GIF blocks", "TIFF tags"],
)
def test_endless_headers_end_soon(data):
    start = time.perf_counter()
    refused(data, "too_complex")
    assert time.perf_counter() - start < 1


def png(*chunks, after=b""):
    pieces = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(pieces) + after


PNG_HEAD = (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
PNG_BODY = (b"IDAT", zlib.compress(bytes(8 * 25)))
PNG_END = (b"IEND", b"")


def test_png_text_chunks_are_counted():
    text = (b"tEXt", b"a\0b")
    assert photo.decode(png(PNG_HEAD, *[text] * 50, PNG_BODY, PNG_END)).shape == (8, 8, 3)
    refused(png(PNG_HEAD, *[text] * 51, PNG_BODY, PNG_END), "too_complex")


def test_png_with_a_wrong_byte_is_refused():
    data = png(PNG_HEAD, PNG_BODY, PNG_END)
    at = data.index(b"IDAT") + 8
    refused(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], "damaged")


def test_colour_profiles_have_a_limit():
    piece = b"\xff\xe2" + struct.pack(">H", 65_535) + b"ICC_PROFILE\0\1\1" + bytes(65_519)
    data = saved(made(), "JPEG")
    refused(data[:2] + piece * 65 + data[2:], "too_complex")


def test_webp_is_refused_before_its_decoder_sees_it():
    data = bytearray(saved(made(), "WEBP", lossless=True))
    data[21:25] = struct.pack("<I", 8_999 | 8_999 << 14)
    assert refused(bytes(data), "too_large").startswith("The photo is 9000×9000, 81 megapixels; at most 30 ")


def stored_as(image, orientation):
    """The pixels that a camera writes when it calls them by this EXIF orientation."""
    ways = Image.Transpose
    back = {
        2: ways.FLIP_LEFT_RIGHT,
        3: ways.ROTATE_180,
        4: ways.FLIP_TOP_BOTTOM,
        5: ways.TRANSPOSE,
        6: ways.ROTATE_90,
        7: ways.TRANSVERSE,
        8: ways.ROTATE_270,
    }
    return image.transpose(back[orientation]) if orientation in back else image


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options", "bound"),
    [
        ("JPEG", {"quality": 95}, 2),
        ("JPEG", {"quality": 95, "progressive": True}, 2),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("TIFF", {}, 0),
        ("AVIF", {"quality": 95}, 3),
    ],
)
def test_every_orientation_comes_out_upright(kind, options, bound, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored_as(made(), orientation), kind, exif=exif, **options)
    assert apart(photo.decode(data), np.asarray(made())) <= bound
    assert apart(photo.decode_careful(data), np.asarray(made())) <= bound


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_nonsense_orientation_is_ignored(value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert photo.decode(saved(made(), "JPEG", exif=exif)).shape == (64, 96, 3)


def swapped_profile():
    """A colour profile in which red means green and green means red."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb.replace(b"rXYZ", b"----", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"----", b"gXYZ", 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_colour_profiles_are_obeyed(kind):
    red = Image.new("RGB", (32, 32), (250, 5, 5))
    image = photo.decode(saved(red, kind, icc_profile=swapped_profile()))
    assert np.abs(image.mean((0, 1)) - (5, 250, 5)).max() < 6


@pytest.mark.parametrize("icc", [ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"not one"])
def test_srgb_and_broken_profiles_change_nothing(icc):
    plain, tagged = saved(made(), "JPEG"), saved(made(), "JPEG", icc_profile=icc)
    assert np.array_equal(photo.decode(plain), photo.decode(tagged))
    assert np.array_equal(photo.decode_careful(plain), photo.decode_careful(tagged))


def test_alpha_is_laid_over_white():
    image = photo.decode(saved(Image.new("RGBA", (8, 8), (255, 0, 0, 128)), "PNG"))
    assert np.abs(image.mean((0, 1)) - (255, 127, 127)).max() <= 1
    strips = photo.decode(saved(Image.new("RGBA", (2048, 1500), (0, 0, 255, 0)), "PNG"))
    assert (strips == 255).all()


def test_sixteen_bits_are_scaled_and_not_clipped():
    ramp = np.linspace(0, 65_535, 64 * 64).astype(np.uint16).reshape(64, 64)
    for kind in ("PNG", "TIFF"):
        image = photo.decode(saved(Image.fromarray(ramp), kind))
        assert apart(image, np.repeat((ramp / 257)[..., None], 3, -1)) < 1


@pytest.mark.parametrize("full", [1, 255, 65_535])
def test_float_pixels_are_scaled_by_their_range(full):
    ramp = np.linspace(0, full, 64 * 64).astype(np.float32).reshape(64, 64)
    image = photo.decode(saved(Image.fromarray(ramp), "TIFF"))
    assert apart(image, np.repeat((ramp / full * 255)[..., None], 3, -1)) < 1


def test_float_pixels_without_a_range_are_refused():
    refused(saved(Image.fromarray(np.full((4, 4), 1e9, np.float32)), "TIFF"), "unsupported")


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_ink_becomes_light(kind):
    image = photo.decode(saved(made().convert("CMYK"), kind))
    assert apart(image, np.asarray(made())) < 3


def without_adobe(data):
    """The same JPEG without the marker by which Adobe's programs say that they store paper, not ink."""
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4]) :]


@pytest.mark.parametrize("progressive", [False, True])
def test_ink_without_adobe_s_marker_is_ink(progressive):
    ink = ImageChops.invert(made().convert("CMYK"))  # which Pillow stores inverted
    data = without_adobe(saved(ink, "JPEG", quality=95, progressive=progressive))
    for image in (photo.decode(data), photo.decode_image(Image.open(BytesIO(data)))):
        assert apart(image, np.asarray(made())) < 3


def with_frame(marker=0xC0, bits=8, colours=3):
    data = bytearray(saved(made(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4], data[at + 9] = marker, bits, colours
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (with_frame(0xC1, 12), "a JPEG of 12 bits a colour"),
        (with_frame(0xC3), "a lossless or hierarchical JPEG"),
        (with_frame(0xC3, 16), "a JPEG of 16 bits a colour"),
        (with_frame(colours=2), "a JPEG of two colours"),
    ],
)
def test_rare_jpegs_are_not_called_damaged(data, kind):
    assert refused(data, "unsupported") == f"The file is {kind}, which cannot be read."


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_animations_give_their_first_frame(kind):
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("red", "green", "blue")]
    image = photo.decode(saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert np.abs(image.mean((0, 1)) - (255, 0, 0)).max() < 8


def test_blemishes_are_forgiven_and_losses_are_not():
    data = saved(made(), "JPEG")
    assert apart(photo.decode(data[:-2] + b"\0\0\0\0\0" + data[-2:]), photo.decode(data)) == 0
    assert apart(photo.decode(data + b"a motion photo's video"), photo.decode(data)) == 0
    middle = header.read_jpeg(data).scan_at + 300
    for lost in (data[:middle], data[:middle] + b"\xff\xd9", data[:-2]):
        assert refused(lost, "truncated") == "The photo is cut off: part of it is missing."
        with pytest.raises(PhotoError):
            photo.decode_careful(lost)
    cmyk = saved(made().convert("CMYK"), "JPEG")
    refused(cmyk[: len(cmyk) - 300] + b"\xff\xd9", "truncated")


@pytest.fixture
def real_photos(shared_data):
    paths = sorted((shared_data / "clothing" / "train").glob("*/*"))
    return [path.read_bytes() for path in paths[:: len(paths) // 40][:40]]


def small(image, side=96):
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))


def test_fast_and_careful_agree_on_real_photos(real_photos):
    for data in real_photos:
        for side in (None, 100, 200):
            fast, careful = (way(data, min_side_px=side) for way in (photo.decode_fast, photo.decode_careful))
            assert apart(fast, careful) <= 0.5  # 0 with libjpeg-turbo 3 in both
            assert min(fast.shape[:2]) >= (side or 400)


@pytest.mark.parametrize(("side", "bound"), [(200, 4), (100, 10)])  # of 255; 2.6 and 8.0 measured
def test_scaling_while_decoding_resembles_scaling_afterwards(real_photos, side, bound):
    for data in real_photos:
        scaled, full = photo.decode(data, min_side_px=side), photo.decode(data)
        assert scaled.shape[0] < full.shape[0]
        assert apart(small(scaled), small(full)) <= bound


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}])
@pytest.mark.parametrize("side", [None, 0, 1, 7, 16, 33, 64, 65, 1000])
def test_fast_and_careful_agree_on_made_photos(mode, options, side):
    data = saved(made((201, 131)).convert(mode), "JPEG", **options)
    fast, careful = (way(data, min_side_px=side) for way in (photo.decode_fast, photo.decode_careful))
    assert apart(fast, careful) <= 1
    assert min(fast.shape[:2]) >= (131 if side is None else min(side, 131))


def test_the_fast_way_leaves_the_rest_to_the_careful_one():
    for data in (saved(made(), "PNG"), saved(made().convert("CMYK"), "JPEG")):
        assert photo.decode_fast(data) is None


def test_without_simplejpeg_pillow_gives_the_same_pixels_and_sees_what_is_cut_off(real_photos, tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    photos = [saved(made((640, 480)), "JPEG", **more) for more in ({}, {"progressive": True}, {"exif": turned})]
    photos += [*(saved(made((640, 480)).convert(mode), "JPEG") for mode in ("L", "CMYK")), *real_photos[:10]]
    for i, data in enumerate([*photos, photos[0][:-2]]):
        (tmp_path / f"{i:03}.jpg").write_bytes(data)
    script = """
import pathlib, sys
import numpy as np
sys.modules["simplejpeg"] = None  # Python's own mark for what is not there
from tellapart.data import photo
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jpg")):
    for side in (None, 100):
        try:
            np.save(f"{path}.{side}.npy", photo.decode(path.read_bytes(), min_side_px=side))
        except photo.PhotoError as error:
            print(path.name, error.code)
"""
    child = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert child.stdout.splitlines() == [f"{len(photos):03}.jpg truncated"] * 2
    for i, data in enumerate(photos):
        for side in (None, 100):
            without = np.load(tmp_path / f"{i:03}.jpg.{side}.npy")
            assert apart(photo.decode(data, min_side_px=side), without) <= 0.5  # 0 with libjpeg-turbo 3 in both


def test_threads_see_what_one_thread_sees(real_photos):
    photos = [
        *real_photos[:16],
        *(saved(made(), kind) for kind in ("PNG", "WEBP", "TIFF", "GIF", "AVIF")),
    ] * 2
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(photo.decode, photos))
    assert all(np.array_equal(a, photo.decode(data)) for a, data in zip(together, photos, strict=True))


SEEDS = [
    saved(made(), "JPEG"),
    saved(made(), "JPEG", progressive=True, icc_profile=swapped_profile()),
    saved(made().convert("CMYK"), "JPEG"),
    saved(made(), "PNG"),
    saved(made().convert("P"), "PNG", transparency=3),
    saved(made(), "GIF"),
    saved(made(), "BMP"),
    saved(made(), "TIFF"),
    saved(made(), "TIFF", compression="tiff_lzw"),
    saved(made(), "WEBP"),
    saved(made(), "WEBP", lossless=True),
    saved(made(), "AVIF"),
]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    seed=st.sampled_from(SEEDS),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), max_size=6),
    early=st.booleans(),
    side=st.sampled_from([None, 20]),
)
def test_broken_bytes_give_an_image_or_a_photo_error(seed, cut, flips, early, side):
    data = bytearray(seed if flips else seed[: int(cut * len(seed))])
    for where, change in flips:  # half of them within the header
        data[int(where * (min(len(data), 200) if early else len(data)))] ^= change
    try:
        result = photo.decode(bytes(data), min_side_px=side)
    except PhotoError as error:
        result = error
    if isinstance(result, PhotoError):
        assert result.code in CODES
        assert is_plain(result, Path("no name"))
    else:
        assert result.dtype == np.uint8
        assert result.ndim == 3
        assert result.shape[2] == 3


def read_refused(path):
    with pytest.raises(PhotoError) as caught:
        photo.read(path)
    assert str(path) not in caught.value.message
    return caught.value.code, caught.value.message


def test_a_file_is_read_whole(tmp_path):
    data = saved(made(), "JPEG")
    (tmp_path / "ünï 📷.png").write_bytes(data)
    assert photo.read(tmp_path / "ünï 📷.png") == data
    assert photo.read(str(tmp_path / "ünï 📷.png")) == data


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"", "empty", "The file is empty."),
        (
            bytes(9000),
            "empty",
            "The file holds nothing but zeros, as an interrupted copy or download leaves it.",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "placeholder",
            "The file is a Git-LFS pointer, not the photo itself.",
        ),
    ],
)
def test_stand_ins_are_named(tmp_path, content, code, message):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert read_refused(path) == (code, message)
    assert refused(content, code) == message


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"%PDF-1.7", "unsupported", "The file is a PDF document, which cannot be read."),
        (b"\n<svg xmlns=''>", "unsupported", "The file is a vector drawing, which cannot be read."),
        (b"\0\0\0\x18ftypmp42" + bytes(12), "unsupported", "The file is a video, which cannot be read."),
        (b"hello", "not_a_photo", "The file is not a photo in any format that can be read."),
    ],
)
def test_other_files_are_named(content, code, message):
    assert refused(content, code) == message


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    sentence = ("not_a_file", "This is a folder, pipe or device, not a file.")
    assert read_refused(tmp_path) == sentence
    assert read_refused(tmp_path / "gone.jpg") == ("missing", "The file does not exist.")
    assert read_refused("a\0b")[0] == "unreadable"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        assert read_refused(tmp_path / "pipe.jpg") == sentence
        assert read_refused("/dev/null") == sentence


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_out_of_reach_is_refused(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    assert read_refused(path) == ("unreadable", "The file cannot be read.")


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "a.jpg"
    with open(path, "wb") as file:
        file.truncate(photo.MAX_FILE_BYTES + 1)
    assert read_refused(path) == ("too_large", "The file is 200.000001 MB; at most 200 can be read.")


@pytest.mark.parametrize("mark", [{"st_file_attributes": 0x0040_0000}, {"st_flags": 0x4000_0000}])
def test_a_cloud_drives_placeholder_is_not_fetched(mark):
    with pytest.raises(PhotoError) as caught:
        photo._refuse_file(SimpleNamespace(st_mode=0o100644, st_size=9, **mark))
    assert caught.value.code == "placeholder"


@pytest.mark.parametrize("number", [0, 1, 255, True])
def test_a_number_is_no_path(number):
    """The system would take it for a file that this process has open, and close that."""
    with pytest.raises(TypeError):
        photo.read(number)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("side_px", [60, 130, 300])
def test_a_photo_decoded_twice_is_what_two_decodings_give(kind, side_px):
    pixels = np.random.default_rng(side_px).integers(0, 256, (side_px, side_px + 9, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind)
    first, second = photo.decode_twice(file.getvalue(), 128, 64)
    assert first.tobytes() == photo.decode(file.getvalue(), min_side_px=128).tobytes()
    assert second.tobytes() == photo.decode(file.getvalue(), min_side_px=64).tobytes()
    assert (first is second) == (kind == "PNG" or side_px == 60)
