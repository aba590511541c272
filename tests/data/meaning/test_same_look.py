"""A name in one Unicode form that stands for a file in the other."""

import unicodedata
from pathlib import Path

import pytest

from tellapart.data.meaning.same_look import same_look
from tellapart.data.source import scan


def form(kind: str, text: str) -> str:
    return unicodedata.normalize(kind, text)  # type: ignore[arg-type]


@pytest.mark.parametrize(("disk", "written"), [("NFD", "NFC"), ("NFC", "NFD")])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_table_names_photos_by_their_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: str, written: str, absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["hüte/größe é/한국.jpg", "b.jpg"]
    for name in names:
        place = tmp_path / form(disk, name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"photo")
    lead = f"{tmp_path}/" if absolute else ""
    rows = [f"{lead}{form(written, name)},{label}\n" for name, label in zip(names, "ab", strict=True)]
    Path("labels.csv").write_text("path,label\n" + "".join(rows), encoding="utf-8")
    dataset = scan("labels.csv")
    assert sorted(dataset.read(i) for i in range(2)) == [b"photo"] * 2
    assert dataset.class_names == ("a", "b")


def test_two_files_that_look_alike_are_not_guessed_between(tmp_path: Path) -> None:
    for kind in ("NFC", "NFD"):
        (tmp_path / form(kind, "é.jpg")).write_bytes(kind.encode())
    assert len(list(tmp_path.iterdir())) == 2
    assert same_look("é.jpg", str(tmp_path)) == ""
    assert same_look("ü.jpg", str(tmp_path)) == same_look("é/x.jpg", str(tmp_path / "none")) == ""
