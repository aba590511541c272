"""Folders of the hub and tables, as sources; stores of S3 are tried in tests/journeys/test_storage.py."""

import hashlib
import io
import json

import pytest
from PIL import Image

from tellapart.data.remote import door
from tellapart.data.source import scan
from tellapart.errors import InputError

from ..hub_server import Hub, serving

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'tellapart[shards]'")


def jpeg(shade):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_a_folder_of_the_hub_is_a_source(monkeypatch):
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: pip install 'tellapart[cloud]'")
    files = {f"photos/{name}/{i}.jpg": jpeg(10 * i) for name in ("dress", "hat") for i in range(3)}
    with serving(Hub({"me/set": {**files, "README.md": b"", "photos/notes.txt": b"x"}})) as hub:
        filesystem = pytest.importorskip("huggingface_hub").HfFileSystem(endpoint=hub.url, skip_instance_cache=True)
        monkeypatch.setattr(door, "_opened", lambda scheme: filesystem)
        dataset = scan("hf://datasets/me/set/photos")
        assert dataset.class_names == ("dress", "hat")
        assert [dataset.read(i) for i in range(dataset.n)] == [
            files[f"photos/{n}/{i}.jpg"] for n in ("dress", "hat") for i in range(3)
        ]
        assert [skipped.reason for skipped in dataset.skipped] == ["not a photo file (.txt)"]
        assert dataset.archive.etags[dataset.places[0]] == hashlib.sha1(files["photos/dress/0.jpg"]).hexdigest()
        with pytest.raises(InputError, match="cannot be listed: there is nothing at this address"):
            scan("hf://datasets/me/none/photos")


ROWS = [
    {"uri": "https://h.org/1.jpg?X-Amz-Signature=abc", "label": "hat", "split": "train", "patient": "a", "vector": [1]},
    {"uri": "https://h.org/2.jpg", "label": "hat", "split": "test", "patient": None, "vector": [2]},
    {"uri": "s3://bucket/3.jpg", "label": "shoe", "split": "train", "patient": "a", "vector": None},
]


def test_parquet_csv_and_json_lines_of_addresses_are_one_dataset(tmp_path, monkeypatch):
    from pyarrow import parquet

    monkeypatch.chdir(tmp_path)
    parquet.write_table(pa.Table.from_pylist(ROWS), "list.parquet")
    lines = [f"{row['uri']},{row['label']},{row['split']},{row['patient'] or ''}" for row in ROWS]
    (tmp_path / "list.csv").write_text("\n".join(["url,class,split,patient", *lines]))
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    sets = [scan(f"list.{kind}", group_by="patient") for kind in ("parquet", "csv", "jsonl")]
    for dataset in sets:
        assert dataset.photos == dataset.places == ("https://h.org/1.jpg", "https://h.org/2.jpg", "s3://bucket/3.jpg")
        assert (dataset.labels.tolist(), dataset.splits.tolist()) == ([0, 0, 1], ["train", "test", "train"])
        assert dataset.groups.names == ("a", "", "a")
        assert dict(dataset.archive.whole) == {"https://h.org/1.jpg": ROWS[0]["uri"]}
        assert "Signature" not in repr(dataset)


def test_a_table_that_is_none_or_names_what_it_must_not_is_refused(tmp_path, monkeypatch):
    from pyarrow import parquet

    monkeypatch.chdir(tmp_path)
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    parquet.write_table(pa.Table.from_pylist(ROWS), "whole.parquet")
    half = (tmp_path / "whole.parquet").read_bytes()[:-50]
    for name, content in (("half.parquet", half), ("text.parquet", b"uri,label\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="is damaged, or no parquet file"):
            scan(name)
    parquet.write_table(pa.Table.from_pylist([{"picture": "x", "label": "hat"}]), "odd.parquet")
    with pytest.raises(InputError, match="must have a column of paths and one of labels"):
        scan("odd.parquet")
    parquet.write_table(
        pa.Table.from_pylist([*ROWS, {"uri": "1.jpg", "label": "hat", "split": "train"}]), "mixed.parquet"
    )
    with pytest.raises(InputError, match="names addresses, and a file of this machine"):
        scan("mixed.parquet")
    tables = {
        "https://h.org/l.csv": b"uri,label\ns3://mine/1.jpg,hat\n",
        "s3://b/d/l.csv": b"uri,label\n/etc/x.jpg,hat\n",
    }
    monkeypatch.setattr("tellapart.data.remote.tables.read_file", lambda source, most, allow_private: tables[source])
    with pytest.raises(InputError, match="is from the web and names a photo in a store"):
        scan("https://h.org/l.csv")
    with pytest.raises(InputError, match="names a file that is not beside it"):
        scan("s3://b/d/l.csv")
    tables["s3://b/d/l.csv"] = b"uri,label\nhat/1.jpg,hat\nhat/2.jpg,shoe\n"
    assert scan("s3://b/d/l.csv").places == ("s3://b/d/hat/1.jpg", "s3://b/d/hat/2.jpg")
