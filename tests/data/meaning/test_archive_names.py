"""Names of zips from machines of other countries and years."""

import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest

from tellapart.data.source import scan
from tellapart.errors import InputError


def packed(path: Path, folders: list[str], encoding: str, *, extra: bool = False, photo: str = "1") -> str:
    """A zip of two photos in each of the folders and two in "dress", whose names are in this encoding, unsaid."""
    stand_ins: dict[bytes, bytes] = {}
    with zipfile.ZipFile(path, "w") as file:
        for folder in [*folders, "dress"]:
            for n in (1, 2):
                raw = f"{folder}/{photo}{n}.jpg".encode(encoding)
                stand_in = (chr(65 + len(stand_ins)) + "~" * (len(raw) - 1)).encode()
                stand_ins[stand_in] = raw
                info = zipfile.ZipInfo(stand_in.decode())
                if extra:
                    name = b"\x01" + struct.pack("<I", zlib.crc32(raw)) + f"{folder}/{n}.jpg".encode()
                    info.extra = struct.pack("<HH", 0x7075, len(name)) + name
                file.writestr(info, b"photo")
    content = path.read_bytes()
    for stand_in, raw in stand_ins.items():
        content = content.replace(stand_in, raw)
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    ("folders", "encoding"),
    [
        (["焼肉"], "cp932"),
        (["ソファ", "Tシャツ", "能"], "cp932"),  # the last byte of ソ and of 能 is a backslash
        (["帽子"], "gbk"),
        (["裙子", "裤子"], "gbk"),
        (["帽子", "猫"], "gbk"),  # whose two bytes for 猫 are "è" in UTF-8
        (["帽子"], "big5"),
        (["고양이", "강아지"], "cp949"),
        (["шапка"], "cp1251"),
        (["Платье", "Шапка"], "cp1251"),
        (["шапка"], "cp866"),
        (["hüte"], "cp437"),
        (["hüte"], "cp1252"),
        (["hüte"], "latin-1"),
        (["crème", "más"], "latin-1"),
        (["straße"], "cp437"),
        (["coração"], "cp850"),
        (["καπέλο"], "cp1253"),
        (["żółw"], "cp852"),
        (["20°C", "30°C"], "cp1252"),  # signs that are no letters, and would swallow one as Chinese
        (["hüte", "猫"], "utf-8"),
    ],
)
def test_names_that_are_words_in_one_code_page_alone(tmp_path: Path, folders: list[str], encoding: str) -> None:
    dataset = scan(packed(tmp_path / "a.zip", folders, encoding))
    assert set(dataset.class_names) == {*folders, "dress"}
    assert dataset.read(0) == b"photo"
    said = [note for note in dataset.notes if "does not say in which code page" in note]
    assert len(said) == (encoding != "utf-8")
    assert all(f'"{folders[0]}"' in note for note in said)


@pytest.mark.parametrize(
    ("folders", "encoding"),
    [(["猫", "狗"], "gbk"), (["모자"], "cp949"), (["şapka"], "cp1254"), (["żółw"], "cp1250"), (["hat«"], "cp437")],
)
def test_names_that_are_words_in_several_or_none_are_refused(tmp_path: Path, folders: list[str], encoding: str) -> None:
    with pytest.raises(InputError, match="does not say in which code page its names are") as caught:
        scan(packed(tmp_path / "a.zip", folders, encoding))
    assert caught.value.hint.startswith("Unpack it yourself and name the folder")


def test_names_of_photos_alone_make_no_class(tmp_path: Path) -> None:
    dataset = scan(packed(tmp_path / "a.zip", ["hat"], "gbk", photo="狗"))
    assert dataset.class_names == ("dress", "hat")
    assert "in a code page that it does not name" in dataset.notes[0]


def test_a_name_that_is_repeated_as_utf8(tmp_path: Path) -> None:
    dataset = scan(packed(tmp_path / "a.zip", ["猫", "狗"], "gbk", extra=True))
    assert (dataset.class_names, dataset.notes) == (("dress", "狗", "猫"), ())


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_a_way_out_is_one_in_any_code_page(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match="points to a place outside the zip"):
        scan(packed(tmp_path / "a.zip", ["../焼肉"], encoding))


def test_one_class_in_two_unicode_forms(tmp_path: Path) -> None:
    both = [unicodedata.normalize(form, "hüte") for form in ("NFC", "NFD")]
    assert scan(packed(tmp_path / "a.zip", both, "utf-8")).class_names == ("dress", "hüte")
