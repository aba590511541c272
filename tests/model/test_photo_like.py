"""Whatever people hand over is one photo, many photos, or refused by its type; never a number that the system knows."""

import gzip
import io
import mmap
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.photo import MAX_FILE_BYTES
from tellapart.data.preprocess import Preprocess
from tellapart.errors import PhotoError
from tellapart.model.photo_like import content_of, each_of, is_one, pixels_of, refuse_array, take, taken


@pytest.fixture(scope="module")
def data():
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


class Upload(io.BytesIO):
    """As web frameworks hand them over: a name that is the sender's, and somebody has read it before."""

    name = "/home/them/hat.png"


class Streaming:
    """A response that comes in pieces and cannot go back."""

    def __init__(self, data):
        self.left = data

    def read(self, size=-1):
        part, self.left = self.left[: min(size, 7)], self.left[min(size, 7) :]
        return part


def test_every_kind_of_bytes_and_of_open_files_is_the_same_photo(data, tmp_path):
    path = tmp_path / "hat.png"
    path.write_bytes(data)
    with zipfile.ZipFile(tmp_path / "hats.zip", "w") as archive:
        archive.writestr("hat.png", data)
    spooled = tempfile.SpooledTemporaryFile()  # noqa: SIM115  # closed below
    spooled.write(data)
    read_before = Upload(data)
    read_before.read()
    with (
        open(path, "rb") as file,
        open(path, "rb", buffering=0) as raw,
        open(path, "r+b") as own,
        mmap.mmap(own.fileno(), 0) as mapped,
        zipfile.ZipFile(tmp_path / "hats.zip").open("hat.png") as member,
        spooled,
    ):
        kinds = [data, bytearray(data), memoryview(data), io.BytesIO(data), read_before, Upload(data), file, raw]
        kinds += [mapped, member, spooled, Streaming(data)]
        for item in kinds:
            assert is_one(item), type(item)
            assert take(item)[1] == data, type(item)
        assert (file.closed, file.tell()) == (False, 0)
        assert take(file)[0] == str(path)
        assert take(read_before)[0] == Upload.name
        assert read_before.tell() == len(data), "it stays where it stood"
    assert take(path) == take(str(path)) == (str(path), str(path))


@pytest.mark.parametrize(
    "bad", [0, 1, 255, 3.5, None, True, object(), np.int64(2), [1], {"a": 1}, print], ids=lambda bad: type(bad).__name__
)
def test_what_is_no_photo_is_refused_by_its_type_and_no_number_is_opened(bad, tmp_path):
    opened = [os.open(tmp_path / f"{i}", os.O_CREAT) for i in range(3)]
    with pytest.raises(TypeError, match=rf"^A photo must be a path, bytes, .*\. Got {type(bad).__name__}\.$"):
        take(bad)
    for descriptor in opened:
        os.close(descriptor)  # fails where somebody else has


@pytest.mark.parametrize("bad", [0, None, 3.5, object()], ids=lambda bad: type(bad).__name__)
def test_what_is_neither_a_photo_nor_some(bad):
    with pytest.raises(TypeError, match=r"^A photo must be a path, .*Got"):
        each_of(bad)


def test_a_file_opened_as_text_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    with (
        open(tmp_path / "a.txt", encoding="utf-8") as file,
        pytest.raises(TypeError, match=r"give bytes\. Got str\. Open it with: open\(path, 'rb'\)"),
    ):
        take(file)


def test_a_closed_file_and_one_that_is_too_large_are_errors_of_that_photo(data, tmp_path):
    closed = io.BytesIO(data)
    closed.close()
    assert take(closed)[1].code == "unreadable"
    packed = io.BytesIO(gzip.compress(data)[:-9])
    with gzip.open(packed) as cut_off:
        assert take(cut_off)[1].code == "unreadable"

    class Endless:
        def read(self, size):
            return bytes(min(size, 50_000_000))

    assert take(Endless())[1].code == "too_large"
    with open(tmp_path / "large", "w+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)
        assert take(file)[1].code == "too_large"


def test_many_come_as_lists_generators_arrays_and_columns():
    pandas = pytest.importorskip("pandas")
    paths = ["a.jpg", "b.jpg", "c.jpg"]
    many = [
        paths,
        tuple(paths),
        (path for path in paths),
        map(Path, paths),
        np.array(paths),
        np.array(paths, object),
        np.array(paths)[:, None],
        pandas.Series(paths),
        pandas.DataFrame({"path": paths})["path"],
        pandas.Index(paths),
        dict.fromkeys(paths).keys(),
    ]
    for photos in many:
        assert not is_one(photos)
        assert [name for name, _ in taken(each_of(photos))] == paths
    images = np.zeros((3, 4, 5, 3), np.uint8)
    assert [item.shape for _, item in taken(each_of(images))] == [(4, 5, 3)] * 3
    assert is_one(images[0])
    assert list(each_of("a.jpg")) == ["a.jpg"], "a text is no list of letters"
    for bad in (pandas.DataFrame({"path": paths}), dict.fromkeys(paths)):
        with pytest.raises(TypeError, match=r"one by one, not as \w+\. Give its column of paths\.$"):
            each_of(bad)
    with pytest.raises(TypeError, match=r"paths must be one row, or one column\. Got \(1, 2\)\."):
        each_of(np.array([["a", "b"]]))


def test_an_array_is_copied_as_the_next_frame_goes_into_the_same(data):
    frame = np.zeros((8, 8, 3), np.uint8)

    def frames():
        for value in range(5):
            frame[:] = value
            yield frame

    assert [int(item.max()) for _, item in list(taken(frames()))] == [0, 1, 2, 3, 4]
    buffer = bytearray(data)
    _, item = take(buffer)
    buffer[:4] = b"gone"
    assert item == data


@pytest.mark.parametrize(
    ("image", "got", "hint"),
    [
        (np.zeros((5, 6), np.uint8), "(5, 6) uint8 with values from 0 to 0", "Grey"),
        (np.zeros((5, 6, 4), np.uint8), "(5, 6, 4) uint8 with values from 0 to 0", "Grey, or with transparency"),
        (np.full((5, 6, 3), 0.5), "(5, 6, 3) float64 with values from 0.5 to 0.5", "(255 * image)"),
        (np.full((5, 6, 3), 200.0), "(5, 6, 3) float64 with values from 200 to 200", ""),
        (np.zeros((3, 50, 60), np.uint8), "(3, 50, 60) uint8 with values from 0 to 0", "image.transpose(1, 2, 0)"),
        (np.zeros((5, 6, 3), np.uint16), "(5, 6, 3) uint16 with values from 0 to 0", ""),
        (np.zeros((0, 5, 3), np.uint8), "(0, 5, 3) uint8", ""),
        (np.zeros((5, 6, 3), bool), "(5, 6, 3) bool", ""),
        (np.array([1, 2, 3]), "(3,) int64 with values from 1 to 3", ""),
    ],
)
def test_an_array_is_refused_with_its_shape_type_and_range(image, got, hint):
    with pytest.raises(PhotoError) as caught:
        refuse_array(image)
    wanted = f"An image array must be (H, W, 3) uint8, RGB from 0 to 255. Got {got}."
    assert (caught.value.message, caught.value.code) == (wanted, "unsupported")
    assert hint in caught.value.hint
    assert bool(hint) == bool(caught.value.hint)


def test_bytes_that_are_a_path_say_so(tmp_path):
    (tmp_path / "hat.jpg").write_bytes(b"x")
    with pytest.raises(PhotoError, match="These bytes are a path"):
        content_of(os.fsencode(tmp_path / "hat.jpg"))
    assert content_of(b"not/there.jpg") == b"not/there.jpg"


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "LA", "I;16", "P"])
def test_an_image_is_read_as_its_file_is(mode):
    grey = Image.fromarray(np.arange(2400, dtype=np.uint8).reshape(40, 60) // 10)
    image = grey.convert("L").convert("I").convert("I;16") if mode == "I;16" else grey.convert(mode)
    file = io.BytesIO()
    image.save(file, "TIFF" if mode in ("CMYK", "I;16") else "PNG" if mode != "RGB" else "JPEG")
    asked = Preprocess(32)
    assert np.array_equal(pixels_of(Image.open(file), asked), pixels_of(file.getvalue(), asked))
