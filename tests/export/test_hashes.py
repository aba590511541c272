"""Hashes come from pip and the person's own index: here a folder of wheels, and pip itself."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from tellapart.export.hashes import hashed_pins

PINS = ["flat==1.0", "native==2.1"]
NEWEST, OLDER = "cp313-cp313-manylinux_2_28", "cp313-cp313-manylinux2014"


def wheel(folder: Path, name: str, version: str, tag: str) -> str:
    """Writes a wheel of nothing; its SHA-256."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/RECORD": "",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    (folder / f"{name}-{version}-{tag}.whl").write_bytes(packed.getvalue())
    return hashlib.sha256(packed.getvalue()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes for its only index; what is kept between exports is apart from other tests."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in (("CONFIG_FILE", "/dev/null"), ("NO_INDEX", "1"), ("FIND_LINKS", str(folder))):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def known(index):
    """{name: hashes of the files that an image would install}; the other files must not be among them."""
    wheel(index, "native", "2.1", f"{OLDER}_x86_64")
    wheel(index, "native", "2.1", "cp313-cp313-musllinux_1_2_x86_64")
    wheel(index, "native", "2.1", "cp313-cp313-win_amd64")
    wheel(index, "native", "2.2", f"{NEWEST}_x86_64")
    native = [wheel(index, "native", "2.1", f"{NEWEST}_{machine}") for machine in ("x86_64", "aarch64")]
    return {"flat": [wheel(index, "flat", "1.0", "py3-none-any")], "native": sorted(native)}


def test_every_pin_gets_the_hashes_of_what_the_image_would_take(known, index, tmp_path):
    said, machines = hashed_pins(PINS, "3.13")
    assert machines == ("x86_64", "aarch64")
    for pin, line in zip(PINS, said, strict=True):
        files = known[pin.split("==")[0]]
        assert line == " \\\n    ".join([pin, *(f"--hash=sha256:{one}" for one in files)])

    kept = list((tmp_path / "cache" / "hashes").iterdir())
    for file, content in zip(kept, (b"{}", b'{"flat==1.0": ["me"], "native==2.1": ["me"]}'), strict=True):
        file.write_bytes(content)
    assert hashed_pins(PINS, "3.13")[0] == said  # what is damaged is asked for again

    for file in index.iterdir():
        file.unlink()
    assert hashed_pins(PINS, "3.13")[0] == said  # what is whole needs no index
    assert hashed_pins(PINS, "3.12") == (PINS, ())  # and is for one image


def test_a_processor_without_wheels_is_left_out(known, index):
    (index / f"native-2.1-{NEWEST}_aarch64.whl").unlink()
    said, machines = hashed_pins(PINS, "3.13")
    assert machines == ("x86_64",)
    assert [line.count("--hash") for line in said] == [1, 1]
    assert hashed_pins([*PINS, "absent==1.0"], "3.13") == ([*PINS, "absent==1.0"], ())
