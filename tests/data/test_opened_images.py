"""An image of Pillow is answered as its file is, without saving it and without readers of other formats."""

import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, ImageOps, PsdImagePlugin

from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.formats import header

MODES = ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "F"]
MODES += ["I;16", "I;16L", "I;16B"]
KINDS = ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "TIFF LZW", "MPO"]
OPTIONS = {"WEBP": {"lossless": True}, "TIFF LZW": {"compression": "tiff_lzw"}, "AVIF": {"quality": 90}}


def picture(size=(96, 64)):
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    rgb = np.stack([x, y, (1 - x) * y], -1) * 200 + 30
    return Image.fromarray(np.dstack([rgb, (1 - y) * 255]).astype(np.uint8), "RGBA")


def in_mode(mode):
    """The picture in any of Pillow's modes, transparent where the mode can be."""
    whole = picture()
    grey = np.asarray(whole.convert("L"))
    if mode in ("I", "F"):
        return Image.fromarray(grey.astype(np.int32) * 257 if mode == "I" else grey.astype(np.float32))
    if mode.startswith("I;16"):
        kind = ">u2" if mode.endswith("B") else "<u2"
        return Image.frombytes(mode, whole.size, (grey.astype(kind) * 257).astype(kind).tobytes())
    if mode == "La":
        return whole.convert("LA").convert("La")
    if mode == "PA":
        return whole.convert("RGB").quantize(32).convert("PA")
    if mode == "P":
        image = whole.convert("RGB").quantize(32)
        image.info["transparency"] = 3
        return image
    if mode == "LAB":
        lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        return ImageCms.applyTransform(whole.convert("RGB"), lab)
    return whole.convert(mode) if mode in ("RGBA", "RGBa", "LA") else whole.convert("RGB").convert(mode)


def file_in(mode, kind, **more):
    """The picture saved in a mode and format; None where Pillow cannot."""
    file = BytesIO()
    try:
        in_mode(mode).save(file, kind.split()[0], **OPTIONS.get(kind, {}), **more)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return file.getvalue()


def result(read, *given, **options):
    """The pixels, or the reason against them."""
    try:
        return read(*given, **options)
    except PhotoError as error:
        return error.code, error.message, error.hint


def same(a, b):
    return np.array_equal(a, b) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a == b


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turn", [1, 6])
def test_an_opened_image_is_read_as_its_file_is(kind, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    more = {"exif": exif} if kind not in ("GIF", "BMP") else {}
    files = [data for mode in MODES if (data := file_in(mode, kind, **more)) is not None]
    assert len(files) >= 4
    for data in files:
        for side in (None, 16):
            by_file = result(photo.decode, data, min_side_px=side)
            assert same(by_file, result(photo.decode_image, Image.open(BytesIO(data)), min_side_px=side))
        loaded = Image.open(BytesIO(data))
        loaded.load()
        assert same(result(photo.decode_careful, data), result(photo.decode_image, loaded))
        assert same(result(photo.decode_careful, data), result(photo.decode_image, loaded.copy()))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_memory_shows_the_picture(mode):
    white = Image.new("RGBA", (96, 64), "white")
    white.alpha_composite(picture())
    image = photo.decode_image(in_mode(mode)).astype(float)
    assert image.shape == (64, 96, 3)
    transparent = mode in ("LA", "La", "RGBA", "RGBa")
    wanted = np.asarray((white if transparent else picture()).convert("RGB"), float)
    if mode in ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B"):
        wanted = np.repeat(wanted @ [[0.299], [0.587], [0.114]], 3, 2)
    if mode in ("1", "P"):  # two colours, and one of 32 that is clear
        assert abs(image.mean() - wanted.mean()) < 8
    else:
        assert np.abs(image - wanted).mean() < (10 if mode == "PA" else 6 if mode == "HSV" else 2)


def profile_that_swaps():
    """Red and blue change places, as no sRGB does."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    at = {bytes(profile[i : i + 4]): i for i in range(132, 132 + 12 * int.from_bytes(profile[128:132]), 12)}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_a_colour_profile_counts_for_an_image_as_for_its_file(kind):
    data = file_in("RGB", kind, icc_profile=profile_that_swaps())
    wanted = photo.decode(data)
    assert np.abs(wanted.astype(int) - photo.decode(file_in("RGB", kind))).max() > 50
    assert np.array_equal(wanted, photo.decode_image(Image.open(BytesIO(data))))
    loaded = Image.open(BytesIO(data))
    loaded.load()
    assert np.abs(wanted.astype(int) - photo.decode_image(loaded)).mean() < 1


def test_every_hostile_file_gets_the_same_answer_opened(shared_data):
    differ, opened = [], 0
    for path in sorted((shared_data / "hostile").rglob("*")):
        if not path.is_file() or path.stat().st_size > 300_000:
            continue
        data = path.read_bytes()
        try:
            image = Image.open(BytesIO(data))
        except Exception:  # noqa: BLE001  # what Pillow does not open is never given to us
            continue
        opened += 1
        if not same(result(photo.decode, data), result(photo.decode_image, image)):
            differ.append(path.name)
    assert opened > 200
    assert differ == []


@pytest.mark.parametrize(
    ("kind", "frames"), [("GIF", 3), ("PNG", 3), ("WEBP", 3), ("TIFF", 3), ("AVIF", 3), ("MPO", 3)]
)
def test_a_later_frame_is_the_one_that_pillow_stands_at(kind, frames):
    pictures = [picture().convert("RGB").rotate(90 * i) for i in range(frames)]
    file = BytesIO()
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:], **OPTIONS.get(kind, {}))
    for frame in range(frames):
        image = Image.open(BytesIO(file.getvalue()))
        image.seek(frame)
        got = photo.decode_image(image).astype(float)
        apart = [np.abs(got - np.asarray(each, float)).mean() for each in pictures]
        assert np.argmin(apart) == frame


def test_what_was_drawn_on_an_image_is_seen_and_its_file_is_not():
    for kind in ("PNG", "GIF", "TIFF", "JPEG", "WEBP", "AVIF"):
        image = Image.open(BytesIO(file_in("RGB", kind)))
        image.paste(0, (0, 0, *image.size))
        assert len(np.unique(photo.decode_image(image).reshape(-1, 3), axis=0)) == 1, kind


def test_an_image_turned_by_pillow_is_not_turned_again():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = file_in("RGB", "PNG", exif=exif)
    turned = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    assert np.array_equal(photo.decode_image(turned), photo.decode(data))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_image_is_refused_as_its_file_is(kind):
    data = file_in("RGB", kind)
    cut = data[: len(data) * 2 // 3]
    wanted = result(photo.decode, cut)
    try:
        image = Image.open(BytesIO(cut))
    except OSError:
        pytest.skip("Pillow does not open it")
    assert isinstance(wanted, tuple) or kind == "GIF"
    assert same(wanted, result(photo.decode_image, image))
    image = Image.open(BytesIO(cut))
    try:
        image.load()
    except (OSError, SyntaxError):  # and it holds half a picture now
        assert same(wanted, result(photo.decode_image, image))


def test_images_over_the_limits_are_refused_opened_or_loaded():
    wide = BytesIO()
    Image.new("1", (10_000, 5_001)).save(wide, "PNG")
    message = "The photo is 10000×5001, 50.01 megapixels; at most 50 can be read in this format."
    for image in (Image.open(wide), Image.new("P", (10_000, 5_001))):
        assert result(photo.decode_image, image)[:2] == ("too_large", message)
    assert result(photo.decode_image, Image.new("L", (11_001, 10_000)))[0] == "too_large"
    assert photo.decode_image(Image.new("L", (7_100, 7_100))).shape == (7_100, 7_100, 3)
    small = Image.new("RGB", (8, 8))
    small.info["icc_profile"] = b"x" * (header.MAX_ICC_BYTES + 1)
    assert result(photo.decode_image, small)[0] == "too_complex"


def test_a_closed_image_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "photo.png").write_bytes(file_in("RGB", "PNG"))
    with Image.open(tmp_path / "photo.png") as closed:
        pass
    own = open(tmp_path / "photo.png", "rb")  # noqa: SIM115  # closed on purpose while Pillow holds it
    lent = Image.open(own)
    own.close()
    for image in (closed, lent):
        assert result(photo.decode_image, image) == (
            "unreadable",
            "The image was closed before it was read.",
            "Give it while its file is open.",
        )


PSD = b"8BPS\0\1" + bytes(6) + b"\0\3" + bytes([0, 0, 0, 4, 0, 0, 0, 4, 0, 8, 0, 3]) + bytes(12) + b"\0\0" + bytes(48)
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n%%EOF\n"
PPM = b"P6 4 4 255\n" + bytes(48)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (PSD, "The file is a Photoshop document, which cannot be read."),
        (EPS, "The file is a PostScript document, which cannot be read."),
        (PPM, "The file is a PGM or PPM picture, which cannot be read."),
    ],
)
def test_readers_of_other_formats_never_load(monkeypatch, data, sentence):
    def load(self, *_args, **_options):
        raise AssertionError(f"{type(self).__name__} was loaded")

    for image in (Image.open(BytesIO(data)), Image.open(BytesIO(data))):
        monkeypatch.setattr(type(image), "load", load)
        assert result(photo.decode_image, image)[1] == sentence


def test_what_another_reader_has_loaded_is_pixels():
    image = Image.open(BytesIO(PSD))
    assert isinstance(image, PsdImagePlugin.PsdImageFile)
    image.load()
    assert photo.decode_image(image).shape == (4, 4, 3)


def test_a_reader_that_is_not_ours_loads_no_file_of_our_formats():
    class Stranger(ImageFile.ImageFile):
        format = "STRANGER"

        def _open(self):
            self._size, self._mode, self.tile = (8, 8), "RGB", []

        def load(self):
            raise AssertionError("loaded")

        def tell(self):
            return 5

    data = file_in("RGB", "PNG")
    assert np.array_equal(photo.decode_image(Stranger(BytesIO(data))), photo.decode(data))


NO_ENCODER = """
import sys
from io import BytesIO
from PIL import Image
from tellapart.data import photo
files = [open(name, "rb").read() for name in sys.argv[1:]]
encoder = Image._getencoder
def only_raw(mode, name, *rest):  # with which numpy is given the pixels
    assert name == "raw", name
    return encoder(mode, name, *rest)
Image._getencoder, Image.Image.save = only_raw, None
for data in files:
    image = Image.open(BytesIO(data))
    print(photo.decode_image(image).shape)
    image.load()
    print(photo.decode_image(image).shape)
"""


def test_no_encoder_of_pillow_is_ever_asked_for(tmp_path):
    names = []
    for mode, kind in [("CMYK", "TIFF LZW"), ("CMYK", "JPEG"), ("P", "PNG"), ("I", "TIFF"), ("RGBA", "WEBP")]:
        names.append(tmp_path / f"{mode} {kind}")
        names[-1].write_bytes(file_in(mode, kind))
    child = subprocess.run([sys.executable, "-c", NO_ENCODER, *names], capture_output=True, text=True, check=True)
    assert child.stdout.split("\n")[:-1] == ["(64, 96, 3)"] * 2 * len(names)


def test_threads_may_be_given_the_same_unread_image(tmp_path):
    data = file_in("RGB", "PNG")
    (tmp_path / "photo.png").write_bytes(data)
    image, wanted, wrong = Image.open(tmp_path / "photo.png"), photo.decode(data), []

    def ask():
        for _ in range(20):
            if not np.array_equal(photo.decode_image(image), wanted):
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert Path(image.filename) == tmp_path / "photo.png"
    image.load()
