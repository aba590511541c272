"""Files of labels as people have them: of spreadsheets, of Label Studio, of FiftyOne; and what is none."""

import csv
import io
import json

import pytest

from tellapart.errors import InputError
from tellapart.studio.labels_in import reading
from tellapart.studio.labels_in.fiftyone import NO_CLASS
from tellapart.studio.labels_in.given import NO_FILE, NO_LABEL, SEVERAL
from tellapart.studio.labels_in.reading import read_labels

NO_CHOICE = object()


def task(image, *choices, question="choice", **annotation):
    """A task of Label Studio with an annotation for each of `choices`: a word, or a list of words."""
    results = [
        []
        if one is NO_CHOICE
        else [
            {
                "value": {"choices": [one] if isinstance(one, str) else one},
                "id": "x", "from_name": question, "to_name": "image", "type": "choices", "origin": "manual",
            }
        ]
        for one in choices
    ]  # fmt: skip
    annotations = [{"id": n, "completed_by": n, "result": result, **annotation} for n, result in enumerate(results)]
    upload = image.rpartition("/")[2]
    return {"id": 1, "annotations": annotations, "file_upload": upload, "predictions": [], "data": {"image": image}}


def pairs(value, name="labels.json"):
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return [(row.path, row.why or row.label) for row in read_labels(content, name).rows]


def test_label_studio_json():
    tasks = [
        task("/data/upload/3/3f2a9b1c-cat.jpg", "Cat"),
        task("/data/local-files/?d=set%2Fa%20b.jpg", "Dog", "Cat"),
        task("s3://bucket/deep/c.png", ["Cat", "Dog"]),
        task("https://example.com/d.webp?sig=1&x=2", NO_CHOICE),
        task("/data/upload/3/e.jpg", "Cat", was_cancelled=True),
        task("data:image/png;base64,AAAA", "Cat"),
        {**task("f.jpg"), "predictions": [{"result": task("f.jpg", "Cat")["annotations"][0]["result"]}]},
    ]
    assert pairs(tasks) == [
        ("/data/upload/3/3f2a9b1c-cat.jpg", "Cat"),
        ("set/a b.jpg", "Dog"),
        ("set/a b.jpg", "Cat"),
        ("/deep/c.png", SEVERAL),
        ("/d.webp", NO_LABEL),
        ("/data/upload/3/e.jpg", "that were skipped by who labelled"),
        ("", NO_FILE),
        ("f.jpg", NO_LABEL),
    ]
    assert [row.uploaded for row in read_labels(json.dumps(tasks).encode(), "x").rows][:3] == [True, False, False]


@pytest.mark.parametrize("form", ["json", "csv", "tsv"])
def test_label_studio_rows(form):
    """JSON-MIN, CSV and TSV: the same columns, an annotation a row; a choice of several is an object."""
    several = {"choices": ["Cat", "Dog"]}
    rows = [
        {"image": "/data/upload/3/3f2a9b1c-cat.jpg", "id": 1, "kind of": "Cat"},
        {"image": "/data/upload/3/00000000-dog.jpg", "id": 2, "kind of": several},
        {"image": "/data/upload/3/00000001-eel.jpg", "id": 3, "kind of": {"choices": ["Eel, grey"]}},
        {"image": "/data/upload/3/00000002-owl.jpg", "id": 4, "kind of": ""},
    ]
    rows = [{**row, "annotator": 1, "annotation_id": 7, "created_at": "2024", "lead_time": 1.5} for row in rows]
    content = json.dumps(rows).encode()
    if form != "json":
        text = io.StringIO()
        table = csv.writer(text, delimiter="," if form == "csv" else "\t")
        table.writerow(rows[0])
        for row in rows:
            table.writerow([json.dumps(cell) if isinstance(cell, dict) else cell for cell in row.values()])
        content = text.getvalue().encode()
    labels = read_labels(content, f"project.{form}")
    assert labels.kind == "Label Studio"
    assert [row.why or row.label for row in labels.rows] == ["Cat", SEVERAL, "Eel, grey", NO_LABEL]
    assert all(row.uploaded for row in labels.rows)


def test_several_questions_are_not_guessed_between():
    both = task("a.jpg", "Cat")
    both["annotations"][0]["result"] += task("a.jpg", "Day", question="light")["annotations"][0]["result"]
    with pytest.raises(InputError, match="several questions"):
        read_labels(json.dumps([both]).encode(), "x.json")
    rows = [{"image": "a.jpg", "animal": "Cat", "light": "Day", "annotator": 1, "annotation_id": 1}]
    with pytest.raises(InputError, match="several questions"):
        read_labels(json.dumps(rows).encode(), "x.json")
    rows = [{**rows[0], "choice": "Cat"}]  # the template's own name
    assert pairs(rows) == [("a.jpg", "Cat")]


def test_fiftyone():
    def sample(path, **fields):
        return {"filepath": path, "tags": ["train"], "metadata": None, "_media_type": "image", **fields}

    def one(label):
        return {"_id": {"$oid": "0"}, "_cls": "Classification", "tags": [], "label": label, "confidence": None}

    samples = [
        sample("data/1.jpg", ground_truth=one("cat"), prediction=one("dog")),
        sample("data/2.jpg", ground_truth=None, prediction=one("dog")),
        sample("data\\3.jpg", ground_truth={"_cls": "Classifications", "classifications": [one("a"), one("b")]}),
    ]
    assert pairs({"samples": samples}) == [("data/1.jpg", "cat"), ("data/2.jpg", NO_LABEL), ("data/3.jpg", SEVERAL)]
    assert pairs({"samples": [sample("1.jpg", kind=one("cat"))]}) == [("1.jpg", "cat")]
    for wrong, why in (
        ([sample("1.jpg", a=one("cat"), b=one("dog"))], "several labels"),
        ([sample("1.jpg", boxes={"_cls": "Detections", "detections": []})], "without a class"),
    ):
        with pytest.raises(InputError, match=why):
            pairs({"samples": wrong})
    labels = {"1": 0, "deep/2": "dog", "3": None, "4": 7, "5": {"label": 1, "confidence": 0.5}, "6": [0, 1], "7": True}
    got = pairs({"classes": ["cat", "dog"], "labels": labels})
    assert got[:2] + got[4:5] == [("1", "cat"), ("deep/2", "dog"), ("5", "dog")]
    assert {why for _, why in (*got[2:4], *got[5:])} == {NO_LABEL, SEVERAL, NO_CLASS}
    assert pairs({"classes": None, "labels": {"1": "cat"}}) == [("1", "cat")]


def test_tables_and_lines_as_label_files_have_them():
    assert pairs(b"path,label,split\nhat/1.jpg,hat,test\nb.jpg,,\n,hat,\n", "a.csv") == [
        ("hat/1.jpg", "hat"), ("b.jpg", NO_LABEL), ("", NO_FILE),
    ]  # fmt: skip
    assert 'not "split"' in read_labels(b"path,label,split\na.jpg,hat,test\n", "a.csv").notes[0]
    assert pairs("Photo;Class\nC:\\set\\é.jpg;'=1+1\n".encode("utf-16"), "a.csv") == [("C:/set/é.jpg", "=1+1")]
    assert pairs(b"a.jpg\that\nb.jpg\tnan\n", "a.tsv") == [("a.jpg", "hat"), ("b.jpg", NO_LABEL)]
    lines = b'{"path": "a.jpg", "label": 7.0}\n\n{"file": "b.jpg", "class": ["x"]}\n'
    assert pairs(lines, "a.jsonl") == [("a.jpg", "7"), ("b.jpg", SEVERAL)]
    assert pairs(b'{"path": "a.jpg", "label": 1234567}') == [("a.jpg", "1234567")]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"  \n", b"\xff\xd8\xff\xe0\x00\x10JFIF", b"path,label\nh\xe9.jpg,hat\n", b"name,colour\na,b\n",
        b"{", b'[{"data": {"image": "a.jpg"}, "annotations": [', b"[" * 100_000, b"[1]", b"[]", b"{}", b"null", b'"a"',
        b'{"path": "a.jpg"}', b'{"samples": []}', b'[{"annotation_id": 1, "annotator": 1}]', b"sep=;\n",
        b'a.jpg,"hat\n', b"PK\x03\x04", b"1" * 5_000, b'{"classes": [], "labels": {}}', b"[" + b"9" * 5_000 + b"]",
    ],
)  # fmt: skip
def test_what_is_no_file_of_labels_is_refused_in_a_sentence(content):
    with pytest.raises(InputError) as caught:
        read_labels(content, "labels")
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "value", [None, [], {}, 1, "x", [[]], [{}], [None], {"choices": 1}, {"choices": [{}, None, "a"]}]
)
def test_no_part_of_the_wrong_kind_brings_it_down(value):
    whole = task("a.jpg", "Cat")
    for changed in (
        [{**whole, "data": {"image": value}}], [{**whole, "annotations": [value]}],
        [{**whole, "annotations": [{"result": value}]}], [{**whole, "annotations": [{"result": [value]}]}],
        [{**whole, "annotations": [{"result": [{"type": "choices", "value": value}]}]}],
        [{"image": value, "choice": "Cat", "annotator": 1, "annotation_id": 1}],
        [{"image": "a.jpg", "choice": value, "annotator": 1, "annotation_id": 1}],
        {"samples": [{"filepath": value, "ground_truth": {"_cls": "Classification", "label": "a"}}]},
        {"samples": [{"filepath": "a.jpg", "ground_truth": value, "b": {"_cls": "Classification", "label": value}}]},
        {"classes": value, "labels": {"a": 0}}, {"classes": ["a"], "labels": {"a": value}},
        {"path": value, "label": "hat"}, {"path": "a.jpg", "label": value},
    ):  # fmt: skip
        try:
            rows = pairs(changed)
        except InputError:
            continue
        assert all(isinstance(path, str) and isinstance(word, str) for path, word in rows)


def test_more_rows_than_a_set_of_photos_has(monkeypatch):
    monkeypatch.setattr(reading, "MAX_ROWS", 2)
    with pytest.raises(InputError, match="more than 2 rows"):
        read_labels(b"path,label\n" + b"a.jpg,hat\n" * 3, "a.csv")
