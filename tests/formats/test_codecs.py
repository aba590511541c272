"""A native library below its floor is refused with its formats, and nothing else is."""

import dataclasses
import json
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, features

from tellapart.cli.main import main
from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.formats import codecs

KINDS = {"JPEG": "JPEG", "PNG": "PNG", "WEBP": "WebP", "AVIF": "AVIF", "GIF": "GIF", "BMP": "BMP", "TIFF": "TIFF"}
HELD = [library for library in codecs.LIBRARIES if library.floor]


def files(shared_data):
    x, y = np.meshgrid(np.arange(48), np.arange(32))
    image = Image.fromarray((np.stack([x * 2, y * 3, x + y], -1) + 20).astype(np.uint8))
    made = {}
    for kind in KINDS:
        file = BytesIO()
        image.save(file, kind)
        made[kind] = file.getvalue()
    return made | {"HEIF": (shared_data / "hostile/libheif/colors-no-alpha.heic").read_bytes()}


def raise_floor(monkeypatch, name, floor="99"):
    table = [dataclasses.replace(each, floor=floor) if each.name == name else each for each in codecs.LIBRARIES]
    monkeypatch.setattr(codecs, "LIBRARIES", tuple(table))


def test_every_library_is_loaded_and_new_enough():
    assert set(codecs.versions()) == {library.name for library in codecs.LIBRARIES}
    assert codecs.outdated() == ()
    assert codecs.versions()["libtiff"] == features.version("libtiff")


@pytest.mark.parametrize("library", HELD, ids=lambda library: library.name)
def test_below_its_floor_its_formats_are_refused_and_no_other(monkeypatch, shared_data, library):
    raise_floor(monkeypatch, library.name)
    for kind, data in files(shared_data).items():
        for read in (photo.decode, photo.decode_careful):
            if kind not in library.formats:
                assert read(data).ndim == 3
                continue
            with pytest.raises(PhotoError) as caught:
                read(data)
            name = {**KINDS, "HEIF": "HEIC"}[kind]
            assert caught.value.code == "outdated"
            assert (
                caught.value.message
                == f"{name} photos are not read until the library for them is upgraded: it has known security holes."
            )
            version = codecs.versions()[library.name]
            assert caught.value.hint == (
                f"{library.name} is {version} and has to be 99 or later. Run: pip install --upgrade {library.package}"
            )
        if kind in library.formats and kind != "HEIF":
            with pytest.raises(PhotoError, match="is upgraded"):
                photo.decode_image(Image.open(BytesIO(data)))


@pytest.mark.parametrize(
    ("loaded", "floor", "old"),
    [
        ("1.23.0", "1.23.4", True),
        ("1.23.4", "1.23.4", False),
        ("1.23.10", "1.23.4", False),
        ("1.9", "1.23.4", True),
        ("2.19", "2.19", False),
        ("2.19.1", "2.19", False),
        ("1.5.3-0-gb546257", "1.5.3", False),
        ("4.7", "4.7.0", True),
    ],
)
def test_versions_compare_number_by_number(monkeypatch, loaded, floor, old):
    raise_floor(monkeypatch, "libheif", floor)
    monkeypatch.setattr(codecs, "versions", lambda: {"libheif": loaded})
    assert [library.name for library in codecs.outdated()] == ["libheif"] * old


WITHOUT_READERS = """
import sys
sys.modules["pi_heif"] = sys.modules["simplejpeg"] = None
from tellapart.data import photo
from tellapart.formats import codecs
assert not {"libheif", "libde265", "simplejpeg"} & set(codecs.versions())
print(photo.decode(open(sys.argv[1], "rb").read()).shape)
try:
    photo.decode(b"\\0\\0\\0\\x18ftypheic" + bytes(8))
except photo.PhotoError as error:
    print(error.code, error.message, error.hint)
"""


def test_without_their_packages_heic_is_refused_and_the_rest_read(shared_data):
    hat = next((shared_data / "clothing" / "train" / "hat").iterdir())
    command = [sys.executable, "-c", WITHOUT_READERS, str(hat)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == [
        "outdated HEIC photos are not read: the library for them is not installed, or not whole. "
        "Run: pip install --force-reinstall pi-heif-decoder"
    ]


def test_the_libraries_of_a_system_are_shown_and_not_held(monkeypatch, shared_data):
    raise_floor(monkeypatch, "libtiff")
    monkeypatch.setattr(codecs, "_brings_its_own", lambda: False)
    assert photo.decode(files(shared_data)["TIFF"]).shape == (32, 48, 3)
    said = CliRunner().invoke(main, ["info", "--versions"]).stdout
    assert f"  libtiff       {codecs.versions()['libtiff']:<12}the system's own TIFF\n" in said


def test_info_prints_the_versions_and_what_to_upgrade(monkeypatch):
    said = CliRunner().invoke(main, ["info", "--versions"]).stdout.splitlines()
    assert said[0].startswith("tellapart 0.1.0, Python ")
    assert [line.split()[0] for line in said[1:]] == [library.name for library in codecs.LIBRARIES]
    raise_floor(monkeypatch, "libavif")
    said = CliRunner().invoke(main, ["info", "--versions"]).stdout
    assert "AVIF\n    These photos are not read. Run: pip install --upgrade pillow\n" in said
    rows = json.loads(CliRunner().invoke(main, ["info", "--versions", "--json"]).stdout)["libraries"]
    assert [row["name"] for row in rows if row["outdated"]] == ["libavif"]
    assert rows[0]["version"] == codecs.versions()["libheif"]


def test_info_without_a_model_says_what_is_missing():
    result = CliRunner().invoke(main, ["info"])
    assert (result.exit_code, "Error: Missing argument 'MODEL'." in result.stderr) == (2, True)


def test_the_package_itself_asks_no_library():
    code = "import sys, tellapart.cli.main; print('tellapart.formats.codecs' in sys.modules, 'PIL' in sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.split() == ["False", "False"]
