"""Folders, label files and lists as people have them, and the exact words when something is wrong."""

import json
import os
import random
import tempfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tellapart.data.meaning.named_photos import scan_photos
from tellapart.data.source import Dataset, Skipped, require_trainable, scan
from tellapart.errors import InputError, PhotoError

LAYOUT = """Make one folder for each class and put its photos inside:
  photos/
    hat/   1.jpg  2.jpg
    shoe/  3.jpg  4.jpg"""


def _jpeg() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (16, 12), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


JPEG = _jpeg()


@pytest.fixture(autouse=True)
def _inside_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(*paths: str, content: bytes = JPEG) -> None:
    """Files; a path that ends in a slash is an empty folder."""
    for path in paths:
        target = Path(path)
        (target if path.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
        if not path.endswith("/"):
            target.write_bytes(content)


def refused(source: str) -> tuple[str, str]:
    with pytest.raises(InputError) as caught:
        require_trainable(scan(source))
    return caught.value.message, caught.value.hint


def rows(dataset: Dataset) -> list[tuple[str, str, str]]:
    names = [dataset.class_names[label] for label in dataset.labels]
    return list(zip(dataset.photos, names, dataset.splits.tolist(), strict=True))


def reasons(dataset: Dataset) -> dict[str, str]:
    return {skipped.photo: skipped.reason for skipped in dataset.skipped}


def test_a_folder_for_each_class() -> None:
    make("photos/shoe/2.jpg", "photos/hat/1.jpg", "photos/hat/summer/0.jpg", "photos/Hat/9.JPG")
    dataset = scan("photos")
    assert rows(dataset) == [
        ("photos/Hat/9.JPG", "Hat", ""),
        ("photos/hat/1.jpg", "hat", ""),
        ("photos/hat/summer/0.jpg", "hat", ""),
        ("photos/shoe/2.jpg", "shoe", ""),
    ]
    assert dataset.class_names == ("Hat", "hat", "shoe")
    assert dataset.labels.dtype == np.int32
    assert not dataset.given_split
    assert (dataset.n, dataset.n_found, dataset.skipped, dataset.archive) == (4, 4, (), None)
    assert dataset.read(3) == JPEG
    assert not dataset.labels.flags.writeable
    assert not dataset.splits.flags.writeable


@pytest.mark.parametrize("wrapper", ["", "set/"])
def test_train_val_and_test_folders_by_their_common_names(wrapper: str) -> None:
    base = f"photos/{wrapper}"
    make(
        f"{base}Training/hat/1.jpg",
        f"{base}VALID/hat/2.jpg",
        f"{base}test/hat/3.jpg",
        f"{base}test/shoe/4.jpg",
    )
    make(f"{base}README.md")
    dataset = scan("photos")
    assert dataset.splits.tolist() == ["train", "val", "test", "test"]
    assert dataset.class_names == ("hat", "shoe")
    assert dataset.given_split
    assert reasons(dataset) == {f"{base}README.md": "not a photo file (.md)"}


def test_a_class_may_be_called_train() -> None:
    make("vehicles/train/1.jpg", "vehicles/bus/1.jpg", "vehicles/train/night/2.jpg")
    assert scan("vehicles").class_names == ("bus", "train")


def test_one_train_folder_of_classes_is_enough() -> None:
    make("photos/train/hat/1.jpg", "photos/train/shoe/1.jpg", "photos/test1/2.jpg")
    dataset = scan("photos")
    assert (dataset.class_names, dataset.splits.tolist()) == (("hat", "shoe"), ["train", "train"])
    assert reasons(dataset) == {"photos/test1/2.jpg": "not inside a class folder"}
    assert '"photos/test1/" holds photos in no class folder: 1 photo in it is not used.' in dataset.notes


def test_a_folder_beside_train_and_test_is_skipped_aloud() -> None:
    make(
        "photos/train/hat/1.jpg",
        "photos/test/hat/2.jpg",
        "photos/extra/3.jpg",
        "photos/test/4.jpg",
        "photos/5.jpg",
    )
    dataset = scan("photos")
    assert dataset.class_names == ("hat",)
    assert reasons(dataset) == {
        "photos/5.jpg": "not inside a class folder",
        "photos/extra/3.jpg": "not inside a train, val or test folder",
        "photos/test/4.jpg": "not inside a class folder",
    }


def test_the_name_is_what_the_person_wrote(tmp_path: Path) -> None:
    make("photos/hat/1.jpg")
    assert scan("photos/").photos == ("photos/hat/1.jpg",)
    assert scan(Path("photos")).source == "photos"
    assert scan("../" + tmp_path.name + "/photos").photos == (f"../{tmp_path.name}/photos/hat/1.jpg",)
    assert scan(tmp_path / "photos").photos == (f"{tmp_path.as_posix()}/photos/hat/1.jpg",)
    os.chdir("photos")
    assert scan(".").photos == ("hat/1.jpg",)


def test_strays_are_no_photos_no_classes_and_not_counted() -> None:
    make("photos/hat/1.jpg", "photos/shoe/1.jpg")
    make("photos/.DS_Store", "photos/hat/._1.jpg", "photos/hat/Thumbs.db", "photos/hat/desktop.ini")
    make(
        "photos/.ipynb_checkpoints/1.jpg",
        "photos/__MACOSX/hat/1.jpg",
        "photos/.git/1.jpg",
        "photos/@eaDir/1.jpg",
    )
    dataset = scan("photos")
    assert (dataset.class_names, dataset.n_found) == (("hat", "shoe"), 2)


def test_what_cannot_be_a_photo_is_skipped_with_its_reason(tmp_path: Path) -> None:
    make("photos/hat/1.jpg", "photos/hat/noextension", "photos/hat/a.jfif", "photos/hat/a.cr2")
    make("photos/hat/notes.TXT", "photos/hat/clip.mp4", "photos/hat/.2.jpg.icloud", "photos/0.jpg")
    make("photos/hat/empty.jpg", content=b"")
    os.symlink("nowhere", "photos/hat/broken.jpg")
    os.mkfifo("photos/hat/pipe.jpg")
    dataset = scan("photos")
    assert dataset.n == 4
    assert dataset.n_found == 11
    assert dataset.skipped[0] == Skipped("photos/0.jpg", "not inside a class folder")
    assert reasons(dataset) == {
        "photos/0.jpg": "not inside a class folder",
        "photos/hat/.2.jpg.icloud": "still in iCloud, not on this computer",
        "photos/hat/broken.jpg": "broken link",
        "photos/hat/clip.mp4": "not a photo file (.mp4)",
        "photos/hat/empty.jpg": "empty file",
        "photos/hat/notes.TXT": "not a photo file (.txt)",
        "photos/hat/pipe.jpg": "not a regular file",
    }


def test_links_are_followed_but_not_in_circles() -> None:
    make("elsewhere/9.jpg", "photos/hat/1.jpg")
    os.symlink("../elsewhere", "photos/shoe")
    os.symlink("../../elsewhere/9.jpg", "photos/hat/9.jpg")
    os.symlink("..", "photos/hat/round")
    assert scan("photos").photos == ("photos/hat/1.jpg", "photos/hat/9.jpg", "photos/shoe/9.jpg")


def test_one_class_name_in_two_unicode_spellings() -> None:
    make("photos/caf\u00e9/1.jpg", "photos/cafe\u0301/2.jpg")
    dataset = scan("photos")
    assert dataset.class_names == ("caf\u00e9",)
    assert [dataset.read(i) for i in range(2)] == [JPEG, JPEG]


def test_names_that_are_no_text_are_shown_as_text() -> None:
    make("photos/hat/1.jpg")
    Path(os.fsdecode(b"photos/hat/\xff\n.jpg")).write_bytes(JPEG)
    dataset = scan("photos")
    assert dataset.photos[1] == "photos/hat/\ufffd\ufffd.jpg"
    assert dataset.read(1) == JPEG


def test_a_photo_that_vanishes_after_the_scan_is_a_photo_error() -> None:
    make("photos/hat/1.jpg")
    dataset = scan("photos")
    os.remove("photos/hat/1.jpg")
    with pytest.raises(PhotoError) as caught:
        dataset.read(0)
    assert caught.value.code == "missing"


def test_subset() -> None:
    make("photos/train/hat/1.jpg", "photos/train/shoe/2.jpg", "photos/test/hat/3.jpg", "photos/x.txt")
    dataset = scan("photos").subset(np.array([2, 0]))
    assert rows(dataset) == [
        ("photos/train/shoe/2.jpg", "shoe", "train"),
        ("photos/test/hat/3.jpg", "hat", "test"),
    ]
    assert dataset.read(1) == JPEG
    assert dataset.n_found == 2


def test_there_is_no_such_source() -> None:
    make("photos/hat/1.jpg", "photos/.hidden/1.jpg")
    assert refused("fotos") == ('There is no "fotos".', 'Did you mean "photos"?')
    assert refused("photos/Hta") == ('There is no "photos/Hta".', 'Did you mean "photos/hat"?')
    message, hint = refused("xyz")
    assert (message, hint) == ('There is no "xyz".', f'It was looked for in "{os.getcwd()}".')
    assert refused("no/such") == ('There is no "no/such".', 'There is no folder "no" either.')
    assert refused("a\0b")[0] == 'There is no "a\ufffdb".'
    assert refused("")[0] == 'There is no "".'


def test_a_file_of_another_kind() -> None:
    make("photos.rar", "hat.jpg")
    for name in ("photos.rar", "hat.jpg"):
        assert refused(name) == (
            f'"{name}" is not a folder, a zip, a CSV or a JSONL file.',
            "Name the folder that holds one folder of photos for each class.",
        )
    os.mkfifo("pipe.csv")
    assert refused("pipe.csv")[0] == '"pipe.csv" is neither a folder nor a file.'


def test_no_photos() -> None:
    make("photos/")
    assert refused("photos") == ('There are no photos in "photos".', LAYOUT)
    make("photos/hat/a.txt", "photos/hat/b.mp4")
    assert refused("photos") == (
        'There are no photos in "photos". For example, "photos/hat/a.txt": not a photo file (.txt).',
        LAYOUT,
    )


def test_photos_but_no_class_folders() -> None:
    make("photos/1.jpg")
    assert refused("photos") == ('"photos" has 1 photo but no class folders.', LAYOUT)
    make("split/train/1.jpg", "split/test/2.jpg")
    assert refused("split") == ('"split" has 2 photos but no class folders.', LAYOUT)


def test_too_little_to_train_on() -> None:
    make("photos/hat/1.jpg")
    message, hint = refused("photos")
    assert message == 'There is only one class in "photos": "hat".'
    assert hint == "A classifier needs at least two classes. " + LAYOUT
    make("photos/shoe/", "photos/bag/notes.txt")
    assert refused("photos")[0] == '2 classes in "photos" have no photos: "bag", "shoe".'
    make("photos/bag/1.jpg", "photos/shoe/1.jpg", "photos/shoe/2.jpg")
    assert refused("photos") == (
        '2 classes in "photos" have fewer than 2 photos: "bag", "hat".',
        "Add photos, or remove the class.",
    )
    make("photos/bag/2.jpg", "photos/hat/2.jpg")
    require_trainable(scan("photos"))


def test_test_photos_do_not_train() -> None:
    make("photos/train/hat/1.jpg", "photos/train/hat/2.jpg", "photos/test/shoe/1.jpg", "photos/test/hat/3.jpg")
    assert refused("photos")[0] == '1 class in "photos" has no training photos: "shoe".'


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "Not Sure",
            'A class cannot be called "Not Sure": a model gives this answer itself.',
            "Rename the class, or leave these photos out of training.",
        ),
        (
            "none of these ",
            'A class cannot be called "none of these ": a model gives this answer itself.',
            "Rename the class, or leave these photos out of training.",
        ),
        (
            "hat ",
            'Two classes have names that look the same: "hat" and "hat ".',
            "They differ in spaces or invisible characters only. Merge them or rename one.",
        ),
        (
            "h\u200bat",
            'Two classes have names that look the same: "hat" and "h\u200bat".',
            "They differ in spaces or invisible characters only. Merge them or rename one.",
        ),
        ("a\nb", 'The class name "a\ufffdb" cannot be shown as text.', "Rename it with plain letters."),
        (" ", 'The class name " " cannot be shown as text.', "Rename it with plain letters."),
        (
            os.fsdecode(b"caf\xe9"),
            'The class name "caf\ufffd" cannot be shown as text.',
            "Rename it with plain letters.",
        ),
    ],
)
def test_class_names_that_nobody_could_read(name: str, message: str, hint: str) -> None:
    make("photos/hat/1.jpg", f"photos/{name}/1.jpg")
    assert refused("photos") == (message, hint)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may open every folder")
def test_a_folder_that_may_not_be_opened() -> None:
    make("photos/hat/1.jpg")
    os.chmod("photos/hat", 0)
    try:
        message, hint = refused("photos")
    finally:
        os.chmod("photos/hat", 0o755)
    assert message == 'The folder "photos/hat" cannot be opened: Permission denied.'
    assert hint == "Check that you may read it, or move it out of the dataset."


@pytest.mark.parametrize(
    "text",
    [
        "path,label,split\nphotos/1.jpg,hat,train\nphotos/2.jpg,shoe,test\n",
        "\ufeffsplit;Class;Image\r\nTraining;hat;photos/1.jpg\r\n\r\nTesting;shoe;photos/2.jpg\r\n",
        "photos/1.jpg\that\ttrain\nphotos/2.jpg\tshoe\ttest",
        ',filename,category,set\n0,"photos/1.jpg", hat ,train\n1,photos\\2.jpg,shoe,test\n',
    ],
)
def test_tables_as_programs_write_them(text: str) -> None:
    make("set/photos/1.jpg", "set/photos/2.jpg")
    make("set/labels.csv", content=text.encode())
    dataset = scan("set/labels.csv")
    assert rows(dataset) == [("set/photos/1.jpg", "hat", "train"), ("set/photos/2.jpg", "shoe", "test")]
    assert dataset.read(1) == JPEG


def test_json_lines() -> None:
    make("1.jpg", "2.jpg")
    lines = [{"Photo": "2.jpg", "label": 7, "split": None}, {"photo": "1.jpg", "label": "hat"}]
    make("labels.jsonl", content="\n\n".join(map(json.dumps, lines)).encode())
    assert rows(scan("labels.jsonl")) == [("1.jpg", "hat", ""), ("2.jpg", "7", "")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "path,label\n1.jpg,\n", 'Line 2 of "a.csv" has no label.'),
        ("a.csv", "path,label\n\n,hat\n", 'Line 3 of "a.csv" has no path.'),
        ("a.csv", "path,label\n1.jpg\n", 'Line 2 of "a.csv" has no label.'),
        (
            "a.csv",
            "name,label\n1.jpg,hat\n",
            'Line 1 of "a.csv" must name a path column and a label column. Got "name", "label".',
        ),
        (
            "a.csv",
            'path,label\n"1.jpg,hat\n',
            'Line 2 of "a.csv" is not a valid table row: unexpected end of data.',
        ),
        ("a.csv", "", 'There are no photos in "a.csv".'),
        ("a.csv", "path,label,split\n1.jpg,hat,later\n", '"a.csv" gives line 2 the split "later".'),
        ("a.csv", "path,label,split\n1.jpg,a,test\n1.jpg,a,\n", '"a.csv" gives line 3 no split.'),
        ("a.csv", "path,label,split\n1.jpg,a,crossed\n1.jpg,a,\n", '"a.csv" gives line 3 no split.'),
        (
            "a.jsonl",
            '{"path": "1.jpg", "label": "a", "split": "Crossed"}\n{"path": "1.jpg", "label": "a", "split": "valid"}\n',
            '"a.jsonl" says crossed and val (line 2).',
        ),
        (
            "a.csv",
            "path,label\n1.jpg,hat\n./1.jpg,shoe\n",
            '"a.csv" gives "./1.jpg" two labels: "hat" (line 2) and "shoe" (line 3).',
        ),
        ("a.jsonl", '{"path": "1.jpg", "label": "hat"}\n{', 'Line 2 of "a.jsonl" is not valid JSON.'),
        ("a.jsonl", "[" * 100_000, 'Line 1 of "a.jsonl" is not valid JSON.'),
        ("a.jsonl", '["1.jpg", "hat"]', 'Line 1 of "a.jsonl" must be a JSON object.'),
        ("a.jsonl", '{"path": "1.jpg", "label": true}', 'Line 1 of "a.jsonl" has no label.'),
        (
            "a.jsonl",
            '{"path": "1.jpg", "label": "\\ud800"}',
            'The class name "\ufffd" cannot be shown as text.',
        ),
        (
            "a.csv",
            "path,label\n1.jpg,none of these\n",
            'A class cannot be called "none of these": a model gives',
        ),
    ],
)
def test_label_files_that_cannot_be_understood(name: str, text: str, message: str) -> None:
    make("1.jpg")
    make(name, content=text.encode())
    assert refused(name)[0].startswith(message)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "path,label,split\n1.jpg,hat,crossed\n2.jpg,shoe,training\n"),
        ("a.tsv", "file\tclass\tset\n1.jpg\that\tCrossed\n2.jpg\tshoe\ttrain\n"),
        (
            "a.jsonl",
            '{"path": "1.jpg", "label": "hat", "split": "crossed"}\n'
            '{"path": "2.jpg", "label": "shoe", "subset": "train"}\n',
        ),
    ],
)
def test_a_split_may_be_crossed_in_every_label_file(name: str, text: str) -> None:
    make("1.jpg")
    make("2.jpg")
    make(name, content=text.encode())
    listed = Dataset.from_lists(["1.jpg", "2.jpg"], ["hat", "shoe"], ["crossed", "train"])
    for dataset in (scan(name), listed):
        assert dataset.splits.tolist() == ["crossed", "train"]
        assert dataset.crossed
        assert dataset.tested.tolist() == [True, False]


def test_a_label_file_that_is_not_utf8() -> None:
    make("a.csv", content="path,label\ncafé.jpg,hat".encode("latin-1"))
    assert refused("a.csv") == ('"a.csv" is not UTF-8 text.', "Save it again as UTF-8.")


def test_a_label_file_that_names_missing_photos() -> None:
    make("set/1.jpg", "set/folder/")
    names = ["1.jpg", "2.jpg", "folder", "a\0b", *(f"{i}.jpg" for i in range(5, 1_500))]
    make("set/labels.jsonl", content="\n".join(json.dumps({"path": n, "label": "hat"}) for n in names).encode())
    assert refused("set/labels.jsonl") == (
        '"set/labels.jsonl" names 1,498 photos that cannot be found: '
        '"2.jpg" (line 2), "folder" (line 3), "a\ufffdb" (line 4) and 1,495 more.',
        'Paths are looked up in "set". Mend the paths, or remove these lines.',
    )


def test_a_label_file_names_no_photos_of_yours_among_its_own(tmp_path: Path) -> None:
    make("set/1.jpg", "set/more/2.jpg", "mine.jpg", "set2/1.jpg")
    make("set/labels.jsonl")
    hint = "Put it above its photos. Only a label file with absolute paths alone may name photos anywhere."
    for way in (
        "../mine.jpg",
        "more/../../mine.jpg",
        "../set2/1.jpg",
        f"{tmp_path}/mine.jpg",
        "../gone.jpg",
        "..\\mine.jpg",
    ):
        lines = [{"path": path, "label": "hat"} for path in ("1.jpg", way)]
        make("set/labels.jsonl", content="\n".join(map(json.dumps, lines)).encode())
        make("set/labels.csv", content=f"path,label\n1.jpg,hat\n{way},hat\n".encode())
        shown = way.replace("\\", "/")
        for name in ("set/labels.jsonl", "set/labels.csv"):
            line = 2 if name.endswith("jsonl") else 3
            assert refused(name) == (f'"{name}" names a photo outside its folder: "{shown}" (line {line}).', hint)
    own = ["1.jpg", "more/../1.jpg", f"{tmp_path}/set/more/2.jpg"]  # inside, however it is written
    make("set/labels.csv", content="\n".join(["path,label", *(f"{path},hat" for path in own)]).encode())
    assert scan("set/labels.csv").n == 2
    anywhere = [f"{tmp_path}/mine.jpg", f"{tmp_path}/set/1.jpg"]
    make("set/labels.csv", content="\n".join(["path,label", *(f"{path},hat" for path in anywhere)]).encode())
    assert scan("set/labels.csv").n == 2


@pytest.mark.parametrize("header", ["path,label\n", ""])
def test_a_label_file_names_no_photo_elsewhere(header: str) -> None:
    make("set/1.jpg")
    for way in ("//host/share/1.jpg", "\\\\host\\share\\1.jpg", "\\/host/1.jpg"):
        make("set/labels.csv", content=f"{header}{way},hat\n".encode())
        assert refused("set/labels.csv") == (
            f'Line {2 if header else 1} of "set/labels.csv" names a photo on another machine: "{way}".',
            "Copy the photos to this one.",
        )
    make("set/labels.csv", content=b"path,label\n~/1.jpg,hat\n")
    assert refused("set/labels.csv")[0] == '"set/labels.csv" names 1 photo that cannot be found: "~/1.jpg" (line 2).'
    for way in ("file:///etc/passwd", "zip://1.jpg::a.zip", "memory://1.jpg", "s3://h/a.zip::zip://1.jpg"):
        make("set/labels.csv", content=f"path,label\n{way},hat\n".encode())
        assert refused("set/labels.csv")[0] == f'"{way}" is no address that photos are read from.'
    make("set/labels.csv", content=b"path,label\nhttps://h/1.jpg,hat\n1.jpg,hat\n")
    assert refused("set/labels.csv") == (
        '"set/labels.csv" names addresses, and a file of this machine: "1.jpg" (line 3).',
        "Make two tables of it: one of addresses, one of paths.",
    )


def test_a_photo_listed_twice_or_empty_is_skipped_aloud() -> None:
    make("1.jpg")
    make("2.jpg", content=b"")
    make("a.csv", content=b"path,label\n1.jpg,hat\n1.jpg,hat\n2.jpg,hat\n")
    dataset = scan("a.csv")
    assert [skipped.reason for skipped in dataset.skipped] == ["listed already on line 2", "empty file"]
    assert dataset.n_found == 3


def test_lists_keep_their_order_and_length() -> None:
    make("b.jpg", "a.jpg")
    make("c.jpg", content=b"")
    dataset = Dataset.from_lists(["b.jpg", Path("c.jpg"), "a.jpg", "b.jpg"], ["x", 7, "x", "y"])
    assert dataset.photos == ("b.jpg", "c.jpg", "a.jpg", "b.jpg")
    assert dataset.class_names == ("7", "x", "y")
    assert dataset.labels.tolist() == [1, 0, 1, 2]
    assert dataset.n_found == 4
    split = Dataset.from_lists(np.array(["a.jpg", "b.jpg"]), np.array([0, 1]), ["Training", "valid"])
    assert split.splits.tolist() == ["train", "val"]


def test_lists_that_do_not_fit() -> None:
    with pytest.raises(InputError, match=r"Got 1 photos, 2 labels and 1 splits\.$"):
        Dataset.from_lists(["a.jpg"], ["x", "y"])
    with pytest.raises(InputError, match=r'^The list names 1 photo that cannot be found: "a.jpg" \(item 0\)\.$'):
        Dataset.from_lists(["a.jpg"], ["x"])


def test_photos_to_predict() -> None:
    make("a/2.jpg", "a/deep/1.jpg", "a/notes.txt", "a/.DS_Store", "b.jpg", "[1].jpg", "b.txt")
    assert scan_photos(["b.jpg", "a", "b.jpg"]) == ("b.jpg", "a/2.jpg", "a/deep/1.jpg")
    assert scan_photos(["*.jpg"]) == ("[1].jpg", "b.jpg")
    assert scan_photos(["[1].jpg", "b.txt"]) == ("[1].jpg", "b.txt")
    assert scan_photos(["**/1.*"]) == ("a/deep/1.jpg",)
    assert scan_photos([]) == ()


def test_photos_to_predict_that_are_not_there() -> None:
    make("hat.jpg", "empty/")
    for arg, message, hint in [
        ("hut.jpg", 'There is no photo "hut.jpg".', 'Did you mean "hat.jpg"?'),
        ("*.png", 'No photo matches "*.png".', "* stands for any letters, ** for any folders."),
        ("empty", 'There are no photos in the folder "empty".', "Name a folder that holds photos, at any depth."),
    ]:
        with pytest.raises(InputError) as caught:
            scan_photos(["hat.jpg", arg])
        assert (caught.value.message, caught.value.hint) == (message, hint)


_names = st.sampled_from(["hat", "Shoe", "train", "test", "café", "1.jpg", "2.JPG", "x", "a.txt", "é.png", "val"])
_trees = st.lists(st.lists(_names, min_size=1, max_size=4), min_size=1, max_size=12)


def _build(folder: str, tree: list[list[str]]) -> int:
    """Makes what can be made of the tree; the number of files."""
    for parts in tree:
        path = Path(folder, *parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(JPEG)
        except OSError:  # one name cannot be both a file and a folder
            continue
    return sum(path.is_file() for path in Path(folder).rglob("*"))


@settings(max_examples=150, deadline=None)
@given(tree=_trees, seed=st.integers(0, 9))
def test_found_is_used_plus_skipped_and_order_does_not_matter(tree: list[list[str]], seed: int) -> None:
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        n_files = _build(first, tree)
        for path in random.Random(seed).sample(sorted(Path(first).rglob("*")), k=len(list(Path(first).rglob("*")))):
            target = Path(second, path.relative_to(first))
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                target.write_bytes(path.read_bytes())
        results = []
        for folder in (first, second):
            try:
                dataset = scan(folder)
            except InputError as error:
                results.append(error.message.replace(folder, "."))
                continue
            assert dataset.n_found == n_files
            assert list(dataset.photos) == sorted(dataset.photos)
            assert set(dataset.labels.tolist()) <= set(range(len(dataset.class_names)))
            results.append(str([rows(dataset), dataset.skipped]).replace(folder, "."))
        assert results[0] == results[1]


@pytest.mark.parametrize(
    ("name", "n_photos", "n_classes", "n_test"),
    [
        ("hotdog", 740, 2, 140),
        ("clothing", 1325, 10, None),
        ("instruments", 1110, 10, 0),
        ("fruits/train_white", 680, 17, 0),
        ("fruits/test_white", None, 17, 0),
        ("fruits/train_market", None, 17, 0),
        ("fruits/test_market", 170, 17, 0),
    ],
)
def test_real_folders(shared_data: Path, name: str, n_photos: int | None, n_classes: int, n_test: int | None) -> None:
    dataset = scan(shared_data / name)
    require_trainable(dataset)
    assert dataset.skipped == ()
    assert n_photos in {None, dataset.n}
    assert len(dataset.class_names) == n_classes
    assert n_test in {None, int((dataset.splits == "test").sum())}
    assert dataset.read(0)[:2] == b"\xff\xd8"


def test_a_scan_opens_no_photo_and_is_quick() -> None:
    for label in range(10):
        folder = Path("photos", str(label))
        folder.mkdir(parents=True)
        for index in range(300):
            os.close(os.open(folder / f"{index}.jpg", os.O_CREAT | os.O_WRONLY, 0o200))
            os.truncate(folder / f"{index}.jpg", 1)
    start = time.perf_counter()
    assert scan("photos").n == 3_000
    assert time.perf_counter() - start < 1.0  # 0.03 s on two idle cores


@pytest.mark.parametrize("name", ["แบน\u200bโจ", "نمی\u200cخواهم", "क्\u200dष", "👩\u200d🚀", "שלום"], ids=ascii)
def test_words_of_every_script_are_class_names(tmp_path, name):
    """With joiners and spaces of no width, where the script needs them."""
    for class_name in (name, "other"):
        (tmp_path / class_name).mkdir()
        (tmp_path / class_name / "1.jpg").write_bytes(b"\xff\xd8\xff")
    assert set(scan(tmp_path).class_names) == {name, "other"}


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
@pytest.mark.parametrize("missing", ["nan", "NaN", "<NA>", "NaT"])
def test_rows_whose_label_is_how_programs_write_none(name: str, missing: str) -> None:
    make("1.jpg", "2.jpg", "3.jpg", "4.jpg")
    labels = {"1.jpg": "hat", "2.jpg": "shoe", "3.jpg": missing, "4.jpg": "none"}
    lines = [json.dumps({"path": photo, "label": label}) for photo, label in labels.items()]
    if name == "a.csv":
        lines = ["path,label", *(f"{photo},{label}" for photo, label in labels.items())]
    make(name, content="\n".join(lines).encode())
    dataset = scan(name)
    assert dataset.class_names == ("hat", "none", "shoe")
    assert dataset.skipped == (Skipped("3.jpg", "has no label"),)
    assert dataset.notes == ("1 photo without a label is not used.",)


def test_a_folder_that_a_program_named_for_no_label_is_a_class_with_a_word() -> None:
    make("photos/hat/1.jpg", "photos/nan/1.jpg")
    assert scan("photos").class_names == ("hat", "nan")
    assert scan("photos").notes[0].startswith('The class "nan" may stand for photos that have no label.')


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_whole_numbers_that_a_program_wrote_as_fractions(name: str) -> None:
    make("1.jpg", "2.jpg", "3.jpg")
    labels = {"1.jpg": "0", "2.jpg": "1", "3.jpg": "1.0"}
    text = "".join(f"{photo},{label}\n" for photo, label in labels.items())
    if name == "a.jsonl":
        text = "".join(f'{{"path": "{photo}", "label": {label}}}\n' for photo, label in labels.items())
    make(name, content=text.encode())
    dataset = scan(name)
    assert [row[1] for row in rows(dataset)] == ["0", "1", "1"]
    said = 'Labels of "a.csv" are whole numbers written in two ways: "1.0" is taken for "1".'
    assert dataset.notes == ((said,) if name == "a.csv" else ())


def test_one_number_in_two_folders_is_said() -> None:
    make("photos/1/1.jpg", "photos/1.0/1.jpg")
    assert scan("photos").class_names == ("1", "1.0")
    assert scan("photos").notes[0].startswith('Two classes are one number written in two ways: "1" and "1.0".')


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'path,label\n1.jpg,"[0, 2]"\n'),
        ("a.jsonl", '{"path": "1.jpg", "label": [0, 2]}'),
        ("a.jsonl", '{"path": "1.jpg", "label": "[0, 2]"}'),
    ],
)
def test_lists_of_labels_are_refused(name: str, text: str) -> None:
    make("1.jpg")
    make(name, content=text.encode())
    message, hint = refused(name)
    assert message.endswith(f'of "{name}" gives a list for a label: "[0, 2]".')
    assert hint == "A photo belongs to one class: write its name alone."


def test_paths_of_a_table_say_the_split() -> None:
    make("Training_Set/hat/1.jpg", "holdout/shoe/1.jpg")
    make("a.csv", content=b"path,label\nTraining_Set/hat/1.jpg,hat\nholdout/shoe/1.jpg,shoe\n")
    dataset = scan("a.csv")
    assert dataset.splits.tolist() == ["train", "test"]
    assert dataset.notes == ('The split is that of the folders "Training_Set", "holdout": 1 train, 1 test.',)


def test_a_missing_group_or_split_that_a_program_wrote_out_is_none() -> None:
    make("1.jpg", "2.jpg", "3.jpg", "4.jpg")
    make("a.csv", content=b"path,label,group,split\n1.jpg,a,nan,nan\n2.jpg,b,NaN,\n3.jpg,a,x,<NA>\n4.jpg,b,x,NaT\n")
    dataset = scan("a.csv")
    assert not dataset.given_split
    assert dataset.groups is not None
    assert dataset.groups.names == ("", "", "x", "x")


def test_folders_that_are_called_like_their_classes_say_no_split() -> None:
    make("train/1.jpg", "test/2.jpg")
    make("a.csv", content=b"path,label\ntrain/1.jpg,Train\ntest/2.jpg,Test\n")
    assert not scan("a.csv").given_split


def test_lists_without_a_label() -> None:
    make("a.jpg")
    for label in (None, float("nan"), np.datetime64("NaT")):
        with pytest.raises(InputError, match=r"^Item 0 of the list has no label"):
            Dataset.from_lists(["a.jpg"], [label])


def test_a_photo_that_is_gone_later_is_named() -> None:
    make("photos/hat/1.jpg", "photos/shoe/1.jpg")
    dataset = scan("photos")
    Path("photos/hat/1.jpg").unlink()
    with pytest.raises(PhotoError) as caught, dataset.naming(0):
        dataset.read(0)
    assert caught.value.message == '"photos/hat/1.jpg" can no longer be read: The file does not exist.'
    assert (caught.value.code, bool(caught.value.hint)) == ("missing", True)
