"""The page of `check`: what it says and shows, that names stay text, and that nothing is loaded from anywhere."""

import base64
import io
import itertools
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.checks.finding import Finding
from tellapart.data.duplicates import Duplicates
from tellapart.data.preprocess import Preprocess
from tellapart.data.source import Skipped, scan
from tellapart.engine.backbone import QUALITIES
from tellapart.features.extract import Features
from tellapart.features.prepare import Prepared
from tellapart.report.check_page import MAX_NAMED, MAX_PICTURES, check_page

from .conftest import Outline

FAST = QUALITIES["fast"]

HOSTILE = [
    "<script>alert(1)<",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}<",
    "javascript:alert(1)|`x`",
    "หมวก สีฟ้า",
]
S = "\N{NO-BREAK SPACE}"


def photo(path, seed, size=(60, 40), kind="JPEG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1] // 20, size[0] // 20, 3), np.uint8)
    Image.fromarray(pixels).resize(size).save(path, kind)


def folder_of(tmp_path, names=("hat", "shoe"), splits=("",), n=3):
    folder = tmp_path / "photos"
    for seed, (split, name, i) in enumerate(itertools.product(splits, names, range(n))):
        photo(folder / split / name / f"{i}.jpg", seed)
    return folder


def prepared_from(dataset, skipped=()):
    """As `prepare` gives it; the page asks nothing of features and copies."""
    n = dataset.n
    none = Duplicates((), np.arange(n, dtype=np.int32), np.arange(n, dtype=np.int32))
    values, hashes = np.zeros((n, 1), np.float32), np.zeros(n, "S32")
    features = Features(values, hashes, np.zeros((n, 64, 64), np.uint8))
    return Prepared(dataset, values, hashes, none, tuple(skipped), features, FAST, Preprocess(224))


class _Outline(Outline):
    """The outline of a page of `check`, with its pictures."""

    APART = frozenset({"td", "th", "span", "b", "dt", "dd", "p", "li"})

    def __init__(self, page):
        super().__init__(page.decode("utf-8"))

    @property
    def pictures(self):
        return [value for tag, key, value in self.attributes if (tag, key) == ("img", "src")]


def text_of(page):
    return " ".join(_Outline(page).text.replace(S, " ").split())


def everything(dataset):
    """Findings of every shape, about the photos of `dataset`."""
    p, source = dataset.photos, dataset.source
    return [
        Finding("label_conflict", "1 pair under different names.", "Look at it.", ((p[0], p[-1], "near"),),
                sure="Nearly certain.", suspects=(p[-1],), likely_wrong=((p[-1], 'in "shoe"', "looks like hat"),)),
        Finding("unusable", "2 files cannot be used.", "Convert them.",
                ((f"{source}/notes.txt", "not a photo file (.txt)"), (f"{source}/hat/e.jpg", "empty file")),
                suspects=(f"{source}/hat/e.jpg",)),
        Finding("mislabelled", "1 photo is probably mislabelled.", "Move it.", ((p[1], "looks like shoe", "97 %"),),
                suspects=(p[1], p[-1])),
        Finding("imbalance", "Half of them are hats.", "Add shoes."),
    ]  # fmt: skip


def test_page_says_what_was_found_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path)
    dataset = scan("photos")
    skipped = [Skipped("photos/notes.txt", "not a photo file (.txt)"), Skipped("photos/hat/e.jpg", "empty file")]
    page = check_page(prepared_from(dataset, skipped), everything(dataset))
    text = text_of(page)
    for sentence in (
        "Ready to train 4 things worth mending first",
        "6 photos in 2 classes, every one opened and compared with the others. 2 of 8 files cannot be used.",
        "hat 3 few",
        "How sure Nearly certain. What to do Look at it. Suspects 1 file, which --fix leaves where it is.",
        "nearly the same photo",
        "hat hat/0.jpg",
        "shoe looks like hat shoe/2.jpg",
        "notes.txt – not a photo file (.txt)",
        "hat/e.jpg – empty file suspect",
        "hat looks like shoe 97 % hat/1.jpg",
        "What to do Add shoes.",
        "Suspects 1 file, which --fix would move out.",
        "This moves the 1 file marked suspect out of the way that is a copy, a leak or cannot be used",
        "tellapart check photos --fix",
        "2 photos stay, because their labels are only suspected: move each to the right folder",
        "tellapart check photos --fix --only labels",
        "Nothing is deleted.",
        "tellapart check photos --undo",
        "tellapart train photos -o my-model",
    ):
        assert sentence in text, sentence
    assert len(_Outline(page).pictures) == 3
    assert page.count(b'class="badge">suspect') == 1 + 1 + 1 + 1  # three files, and where the mark is explained
    assert "photos/hat" not in text


def test_page_without_findings(tmp_path):
    dataset = scan(folder_of(tmp_path))
    text = text_of(check_page(prepared_from(dataset), []))
    assert "Ready to train Nothing was found that needs your attention." in text
    assert "Train: " in text
    for absent in ("suspect", "--fix", "cannot be used", "How sure"):
        assert absent not in text


def test_page_of_photos_that_cannot_be_trained_on(tmp_path):
    dataset = scan(folder_of(tmp_path, names=("hat",)))
    blocked = Finding("untrainable", 'There is only one class: "hat".', "Make folders:\n  hat/\n  shoe/")
    text = text_of(check_page(prepared_from(dataset), [blocked]))
    assert 'Not ready to train yet There is only one class: "hat".' in text
    assert "3 photos in 1 class," in text


def test_pairs_are_marked_where_they_differ(tmp_path):
    folder = tmp_path / "photos"
    for split, name in itertools.product(("train", "test"), ("hat", "shoe")):
        photo(folder / split / name / "1.jpg", 1)
    photo(folder / "test" / "shoe" / "2.png", 1, size=(120, 80), kind="PNG")
    dataset = scan(folder)
    at = {name.removeprefix(f"{folder}/"): name for name in dataset.photos}

    def marked(*names):
        page = check_page(prepared_from(dataset), [Finding("x", "S.", "A.", (tuple(at[name] for name in names),))])
        body = page.decode().replace("&nbsp;", S).partition("<main>")[2]
        marks = re.findall(r'class="apart">(?:<b>)?([^<]+)', body)
        return [mark.replace(S, " ") for mark in marks if mark != "few"], text_of(page)

    marks, text = marked("train/hat/1.jpg", "test/hat/1.jpg")
    assert marks == ["in train", "in test"]
    assert "the same file, byte for byte" in text
    marks, _ = marked("train/hat/1.jpg", "train/shoe/1.jpg")
    assert marks == ["hat", "shoe"]
    marks, text = marked("test/shoe/1.jpg", "test/shoe/2.png")
    assert [mark for mark in marks if "kB" not in mark] == ["60 × 40 px", "JPEG", "120 × 80 px", "PNG"]
    assert "byte for byte" not in text


@pytest.mark.parametrize(("n_rows", "n_words"), [(12, 2), (13, 2), (24, 1), (25, 1), (9, 3)])
def test_pictures_of_a_finding_are_limited_and_the_rest_is_named(tmp_path, n_rows, n_words):
    dataset = scan(folder_of(tmp_path, n=14))
    rows = tuple(itertools.islice(itertools.combinations(dataset.photos, n_words), n_rows))
    outline = _Outline(check_page(prepared_from(dataset), [Finding("x", "S.", "A.", rows)]))
    shown = min(n_rows, MAX_PICTURES // n_words)
    assert len(outline.pictures) == shown * n_words
    assert (f"{n_rows - shown} more" in outline.text) == (shown < n_rows)
    assert outline.tags.count("details") == (shown < n_rows)


def test_thousands_of_rows_stay_a_page(tmp_path):
    dataset = scan(folder_of(tmp_path))
    rows = tuple((f"{dataset.source}/hat/{i}.txt", "not a photo") for i in range(10_000))
    page = check_page(prepared_from(dataset), [Finding("unusable", "S.", "A.", rows)])
    text = text_of(page)
    assert f"{10_000 - MAX_PICTURES:,} more" in text
    assert f"And {10_000 - MAX_PICTURES - MAX_NAMED:,} more;" in text
    assert "hat/23.txt" in text
    assert len(page) < 150_000


def test_a_page_full_of_pictures_stays_small(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for i in range(8):
        path = folder / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (300, 300, 3), np.uint8)).save(path)  # noise, which no codec can shrink
    dataset = scan(folder)
    rows = tuple((name,) for name in dataset.photos)
    page = check_page(prepared_from(dataset), [Finding(str(i), "S.", "A.", rows) for i in range(20)])
    outline = _Outline(page)
    assert len(page) < 3_000_000
    assert 40 < len(outline.pictures) < 160
    assert outline.text.count("no picture") == 160 - len(outline.pictures)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(tmp_path, name):
    def page_of(name, place):
        dataset = scan(folder_of(tmp_path / place, names=(name, "shoe")))
        named = Finding(name, name, name, ((name, name),), sure=name, suspects=(name,))
        return check_page(prepared_from(dataset), [*everything(dataset), named])

    page, plain_page = page_of(name, "a"), page_of("hat", "b")
    hostile, plain = _Outline(page), _Outline(plain_page)
    assert set(hostile.tags) == set(plain.tags)
    assert "script" not in hostile.tags
    assert {(tag, key) for tag, key, _ in hostile.attributes} == {(tag, key) for tag, key, _ in plain.attributes}
    assert name in hostile.text
    assert "49<" not in page.decode()


def test_page_loads_nothing(tmp_path):
    dataset = scan(folder_of(tmp_path))
    page = check_page(prepared_from(dataset), everything(dataset))
    outline = _Outline(page)
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(outline.tags)
    addresses = [value for _, key, value in outline.attributes if key in ("href", "src", "action")]
    assert all(address.startswith(("#", "data:image/webp;base64,")) for address in addresses)
    assert not [key for _, key, _ in outline.attributes if key.startswith("on")]
    assert len([v for _, k, v in outline.attributes if k == "content" and v.startswith("default-src 'none'")]) == 1
    assert b"url(" not in page
    assert b"@import" not in page


def test_page_is_accessible_in_outline(tmp_path):
    dataset = scan(folder_of(tmp_path))
    outline = _Outline(check_page(prepared_from(dataset), everything(dataset)))
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("caption") == outline.tags.count("table")
    headings = [int(tag[1]) for tag in outline.tags if tag in ("h1", "h2", "h3", "h4")]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(headings))
    ids = [value for _, key, value in outline.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    pointed = {value.lstrip("#") for _, key, value in outline.attributes if key in ("aria-labelledby", "href")}
    assert pointed <= set(ids)
    alternatives = [value for tag, key, value in outline.attributes if (tag, key) == ("img", "alt")]
    assert alternatives == ["hat/0.jpg", "shoe/2.jpg", "hat/1.jpg"]


def test_many_classes_are_folded_and_sorted_by_size(tmp_path):
    folder = tmp_path / "photos"
    for i in range(23):
        for j in range(i + 1):
            path = folder / f"k{i:02}" / f"{j}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"not looked at")
    page = check_page(prepared_from(scan(folder)), [])
    names = [text for text in re.findall(r'scope="row">([^<]+)', page.decode()) if text != "Class"]
    assert names == [f"k{i:02}" for i in reversed(range(23))]
    assert "3 smaller classes" in text_of(page)
    assert page.decode().count('<span class="apart">few</span>') == 19


def test_a_photo_that_has_gone_is_shown_by_its_name(tmp_path):
    folder = folder_of(tmp_path)
    dataset = scan(folder)
    Path(dataset.photos[1]).unlink()
    Path(dataset.photos[2]).write_bytes(b"no photo any more")
    page = check_page(prepared_from(dataset), [Finding("x", "S.", "A.", (dataset.photos[1:4],))])
    outline = _Outline(page)
    assert len(outline.pictures) == 1
    assert outline.text.count("no picture") == 2
    assert "hat/1.jpg" in text_of(page)


def test_photos_in_a_zip_or_a_list_are_shown_but_not_to_be_moved(tmp_path, monkeypatch):
    folder_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("it's a zip.zip", "w") as file:
        for path in sorted(Path("photos").rglob("*.jpg")):
            file.write(path, path.relative_to("photos"))
    Path("labels.csv").write_text("path,label\nphotos/hat/0.jpg,hat\nphotos/shoe/2.jpg,shoe\nphotos/hat/1.jpg,hat\n")
    for source, says, command in (
        ("it's a zip.zip", "unpack it and check the folder", "tellapart train 'it'\"'\"'s a zip.zip' -o"),
        ("labels.csv", "remove their lines from labels.csv", "tellapart train labels.csv -o"),
    ):
        dataset = scan(source)
        page = check_page(prepared_from(dataset), everything(dataset))
        assert says in text_of(page)
        assert command in text_of(page)
        assert "tellapart check" not in text_of(page)
        assert len(_Outline(page).pictures) == 3


def test_same_input_gives_the_same_bytes(tmp_path):
    dataset = scan(folder_of(tmp_path))
    prepared = prepared_from(dataset)
    assert check_page(prepared, everything(dataset)) == check_page(prepared, everything(dataset))


def test_names_that_are_no_text_can_be_written(tmp_path):
    dataset = scan(folder_of(tmp_path))
    odd = b"caf\xe9".decode("utf-8", "surrogateescape")
    page = check_page(replace(prepared_from(dataset)), [Finding("x", odd, odd, ((odd, odd),), sure=odd)])
    assert "caf?" in page.decode("utf-8")


def test_the_hotdog_leaks_are_shown(shared_data):
    dataset = scan(shared_data / "hotdog")
    prefix = dataset.source
    rows = [(f"{prefix}/test/hot_dog/{path.name}", f"{prefix}/train/hot_dog/{path.name}", "exact")
            for path in sorted((shared_data / "hotdog/test/hot_dog").iterdir())
            if (shared_data / "hotdog/train/hot_dog" / path.name).exists()]  # fmt: skip
    assert len(rows) > 40
    page = check_page(prepared_from(dataset), [Finding("leak", "Leaks.", "Take them out.", tuple(rows))])
    outline = _Outline(page)
    assert outline.text.count("the same file, byte for byte") == MAX_PICTURES // 2
    assert f"{len(rows) - MAX_PICTURES // 2} more" in outline.text
    with Image.open(io.BytesIO(base64.b64decode(outline.pictures[0].partition(",")[2]))) as image:
        assert max(image.size) == 280
