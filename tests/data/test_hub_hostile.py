"""Data sets made to reach out of themselves: what their cards, rows and files name is never opened, asked or run.

Each case is scanned in a child process that an audit hook watches (`watched.py`), with a listener that must stay silent
and a private folder that must stay closed beside it.
"""

import json
import os
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tellapart.data.card import MAX_CARD_BYTES, Pattern, read_card
from tellapart.data.hub_files import _matches
from tellapart.errors import InputError

from .hostile_sets import Cases, Child, assert_tame, card, files, jpeg, listener, parquet

datasets = pytest.importorskip("datasets")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
NOTHING = "Nothing of it was read. Copy the photos that you want into a folder."


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    child = Child(tmp_path_factory.mktemp("home"))
    yield child
    child.close()


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A person's own photos, in every form a card could name."""
    folder = tmp_path / "private"
    parquet(folder / "train.parquet", ["black", "white"])
    (folder / "photo.jpg").write_bytes(jpeg("black"))
    with zipfile.ZipFile(folder / "private.zip", "w") as packed:
        packed.write(folder / "train.parquet", "train.parquet")
    (folder / "names.txt").write_text("mine\nyours\n")
    return folder


def hostile_addresses(private: Path, port: int) -> list[str]:
    """What a card could name: each is another way out."""
    http = f"http://127.0.0.1:{port}"
    return [
        f"reference://*.parquet::{private}/ref.json", f"reference://*.parquet::{http}/ref.json",
        f"{http}/internal?drive.google.com", f"{http}/train.parquet", f"https://127.0.0.1:{port}/train.parquet",
        f"ftp://127.0.0.1:{port}/x.parquet", f"sftp://127.0.0.1:{port}/x.parquet", f"smb://127.0.0.1:{port}/x.parquet",
        f"zip://*.parquet::{private}/private.zip", f"zip://*.parquet::{http}/a.zip", "zip://*.parquet::../private/private.zip",
        f"simplecache::{http}/x.parquet", f"filecache::{private}/train.parquet", f"blockcache::file://{private}/train.parquet",
        f"file://{private}/train.parquet", f"local://{private}/train.parquet", f"FILE://{private}/train.parquet",
        f"dir://train.parquet::{private}", "memory://train.parquet", "data:,x.parquet", "git://x:main@train.parquet",
        f"s3://bucket/x.parquet?endpoint_url={http}", f"webhdfs://127.0.0.1:{port}/x.parquet",
        f"dask::{http}/x.parquet", f"jlab://x?{http}", f"arrow_hdfs://127.0.0.1:{port}/x.parquet",
        f"{private}/train.parquet", f"{private}/*.parquet", "../private/train.parquet", "../*/train.parquet",
        "x/../../private/train.parquet", "./../private/*.parquet", "~/train.parquet", "~root/train.parquet",
        "..\\private\\train.parquet", "C:/private/train.parquet", "C:train.parquet", "//127.0.0.1/share/x.parquet",
        "\\\\127.0.0.1\\share\\x.parquet", "train.parquet::../private/train.parquet", "a\0b.parquet", "/", "..",
        ".",
        "hf://datasets/other/private/train.parquet", "hf://datasets/other/private@main/train.parquet",
        "hf://datasets/me/set/../../other/private@main/train.parquet", "hf://datasets/me/set@main/../x.parquet",
        "hf://datasets/me/set@main/zip://x::/etc/x.zip", "hf://datasets/me/set2@main/train.parquet",
        "hf://buckets/other/private/train.parquet", "hf://other/private/train.parquet", "hf://spaces/other/private/x.parquet",
    ]  # fmt: skip


FORMS: dict[str, Callable[[Any], bytes]] = {
    "text": files,
    "list": lambda address: files(["train.parquet", address]),
    "splits": lambda address: files([{"split": "train", "path": address}]),
    "lists in splits": lambda address: files([{"split": "train", "path": ["train.parquet", address]}]),
    "splits by name": lambda address: files({"train": ["train.parquet"], "test": address}),
    "folder": lambda address: card(configs=[{"config_name": "default", "data_dir": address}]),
    "folder with files": lambda address: card(
        configs=[{"config_name": "default", "data_dir": address, "data_files": "train.parquet"}]
    ),
    "a part that is not used": lambda address: card(
        configs=[
            {"config_name": "default", "data_files": "train.parquet"},
            {"config_name": "other", "data_files": address},
        ]
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_card_names_no_way_out(private: Path, form: str) -> None:
    for name in ("./set", "me/set"):
        for address in hostile_addresses(private, 1):
            with pytest.raises(InputError) as caught:
                read_card(FORMS[form](address), name)
            assert "names a file that is not its own" in caught.value.message, address
            assert caught.value.hint == NOTHING


def test_own_files_are_named_by_relative_patterns_or_by_this_very_name() -> None:
    own = {
        "train.parquet": Pattern("train.parquet"),
        "./data//train-*.parquet": Pattern("data/train-*.parquet"),
        "a..b/[0-9]?.parquet": Pattern("a..b/[0-9]?.parquet"),
        "hf://datasets/me/set@main/data/*.parquet": Pattern("data/*.parquet", "main"),
        "hf://datasets/me/set@refs/convert/parquet/x.parquet": Pattern("x.parquet", "refs/convert/parquet"),
    }
    for text, pattern in own.items():
        assert read_card(files(text), "me/set").splits == {"train": (pattern,)}


def test_a_local_set_that_reaches_out_touches_nothing(private: Path, child: Child) -> None:
    with listener() as (port, said):
        cases = []
        for number, address in enumerate(hostile_addresses(private, port)):
            folder = private.parent / f"set{number}"
            parquet(folder / "train.parquet", ["red", "blue"])
            (folder / "README.md").write_bytes(files(address))
            # Called from inside, as `zip://…` only led out where the working folder lay within the set.
            cases.append({"source": "hf:../" + folder.name, "folder": str(folder), "cwd": str(folder)})
        ended = child.scan(cases)
        for case, one in zip(cases, ended, strict=True):
            assert_tame(case, one)
            assert "names a file that is not its own" in one["refused"], (case, one)
        assert said == []


def test_nothing_but_the_card_of_the_readme_acts(private: Path, child: Child) -> None:
    """Other files that the library would act on are not read, and links lead nowhere."""
    outside = files(f"{private}/train.parquet")
    folders = {
        name: private.parent / name for name in ("yaml", "infos", "link", "links", "card", "script", "cards folder")
    }
    for folder in folders.values():
        parquet(folder / "train.parquet", ["red", "blue"])
    (folders["yaml"] / ".huggingface.yaml").write_bytes(outside.split(b"---\n")[1])
    (folders["infos"] / "dataset_infos.json").write_text(json.dumps({"x": {"features": "?", "builder_name": "sql"}}))
    (folders["script"] / "script.py").write_text("open('/tmp/ran', 'w')")
    (folders["link"] / "train-2.parquet").symlink_to(private / "train.parquet")
    (folders["links"] / "more").symlink_to(private)
    (folders["card"] / "README.md").symlink_to(private / "names.txt")
    (folders["cards folder"] / "README.md").mkdir()
    cases = [{"source": f"hf:{folder}", "folder": str(folder)} for folder in folders.values()]
    ended = dict(zip(folders, child.scan(cases), strict=True))
    for name, one in ended.items():
        assert_tame({"source": name}, one)
    assert all(ended[name]["classes"] == ["blue", "red"] for name in ("yaml", "infos", "links", "script"))
    assert all("not its own" in ended[name]["refused"] for name in ("link", "card", "cards folder"))


def test_rows_name_only_photos_inside(private: Path, child: Child) -> None:
    info = {"features": [{"name": "image", "dtype": "image"}, {"name": "label", "dtype": "string"}]}
    with listener() as (port, said):
        out = [f"{private}/photo.jpg", "../private/photo.jpg", f"http://127.0.0.1:{port}/x.jpg", "/dev/zero",
               f"zip://photo.jpg::{private}/private.zip", f"file://{private}/photo.jpg", "~/photo.jpg", "pipe.jpg",
               "hf://datasets/other/private@main/x.jpg", f"link/{private.name}/photo.jpg", "link.jpg"]  # fmt: skip
        rows = [{"image": path, "label": "hat"} for path in [*out, "hat/1.jpg", "./hat/../hat/1.jpg"]]
        lines, table, folder_of_photos = (private.parent / name for name in ("lines", "table", "photos"))
        for folder in (lines, table):
            (folder / "hat").mkdir(parents=True)
            (folder / "hat" / "1.jpg").write_bytes(jpeg("red"))
            (folder / "link").symlink_to(private.parent)
            (folder / "link.jpg").symlink_to(private / "photo.jpg")
            os.mkfifo(folder / "pipe.jpg")
            (folder / "README.md").write_bytes(card(configs=[{"config_name": "default", "data_files": "data.*"}],
                                                    dataset_info=info))  # fmt: skip
        (lines / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        features = datasets.Features(image=datasets.Image(), label=datasets.Value("string"))
        listed = [{**row, "image": {"path": row["image"], "bytes": None}} for row in rows]
        pq.write_table(datasets.Dataset.from_list(listed, features=features).data.table, table / "data.parquet")
        (folder_of_photos / "a").mkdir(parents=True)
        (folder_of_photos / "a" / "1.jpg").write_bytes(jpeg("red"))
        named = "".join(json.dumps({"file_name": path, "label": "hat"}) + "\n" for path in ("a/1.jpg", *out[:2]))
        (folder_of_photos / "metadata.jsonl").write_text(named)
        cases = [{"source": f"hf:{one}", "folder": str(one)} for one in (lines, table, folder_of_photos)]
        *ended, photos = child.scan(cases)
        for case, one in zip(cases, ended, strict=False):
            assert_tame(case, one)
            assert one["read"] == [jpeg("red").hex()[:40]] * 2
            assert len(one["failed"]) == len(out)
        assert_tame(cases[-1], photos)
        assert photos["refused"] == f'The data set "{folder_of_photos}" cannot be read.'
        assert said == []


def test_archives_are_not_opened(private: Path, child: Child) -> None:
    """A member's name is a stranger's too: behind `zip://` it becomes part of an address."""
    with listener() as (port, said):
        folders = {name: private.parent / name for name in ("zip", "photos and zip", "disguised", "tar", "colons")}
        for folder in folders.values():
            folder.mkdir()
        member = f"x::http://127.0.0.1:{port}/a"
        for name, place in (
            ("zip", "a.zip"),
            ("photos and zip", "a.zip"),
            ("disguised", "train.jsonl"),
            ("tar", "a.tar"),
        ):
            with zipfile.ZipFile(folders[name] / place, "w") as packed:
                packed.writestr(member + ".jpg", jpeg("red"))
                packed.writestr(member + ".jsonl", "{}")
        (folders["photos and zip"] / "1.jpg").write_bytes(jpeg("red"))
        parquet(folders["colons"] / "train.parquet", ["red"])
        chain = folders["colons"] / "zip:" / f"x::http:127.0.0.1:{port}"
        chain.mkdir(parents=True)
        (folders["colons"] / "train.parquet").rename(chain / "train.parquet")
        cases = [{"source": f"hf:{folder}", "folder": str(folder)} for folder in folders.values()]
        ended = dict(zip(folders, child.scan(cases), strict=True))
        for name, one in ended.items():
            assert_tame({"source": name}, one)
        for name in ("zip", "photos and zip", "tar"):
            assert "keeps photos in archives" in ended[name]["refused"]
        assert 'Line 1 of "train.jsonl"' in ended["disguised"]["refused"]
        assert "not its own" in ended["colons"]["refused"]
        assert said == []


def test_what_a_table_says_of_its_columns_opens_nothing(private: Path, child: Child) -> None:
    names = f"{private}/names.txt"
    types: dict[str, Any] = {
        "names of a file": {"label": {"_type": "ClassLabel", "names_file": names}},
        "a billion names": {"label": {"_type": "ClassLabel", "num_classes": 10**12}},
        "deep": {"label": json.loads('{"a":' * 200 + "1" + "}" * 200)},
        "another type": {"label": {"_type": "Path"}, "image": {"_type": "open"}},
        "video": {"image": {"_type": "Video"}, "label": {"_type": "Audio"}},
    }
    cases = []
    for name, features in types.items():
        place = private.parent / name / "train.parquet"
        parquet(place, ["red", "blue"])
        table = pq.read_table(place)
        said = json.dumps({"info": {"features": features}})
        pq.write_table(table.replace_schema_metadata({"huggingface": said}), place)
        cases.append({"source": f"hf:{place.parent}", "folder": str(place.parent)})
    for case, ended in zip(cases, child.scan(cases), strict=True):
        assert_tame(case, ended)
        assert "mine" not in ended.get("classes", [])


def test_lists_within_lists_crash_nothing(tmp_path: Path, child: Child) -> None:
    deep = ["[" * 100_000 + "]" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 100_000 + "1" + "}" * 100_000]
    for number, value in enumerate([*deep, '"' + "[" * 100_000 + '"', "{", "7", "[1, 2]"]):
        for place in ("train.jsonl", "metadata.jsonl"):
            folder = tmp_path / f"{number} {place}"
            folder.mkdir()
            (folder / "1.jpg").write_bytes(jpeg("red"))
            label = (
                value if place == "train.jsonl" and number in {4, 5} else f'{{"file_name": "1.jpg", "label": {value}}}'
            )
            (folder / place).write_text(label + "\n" + label)
            (folder / "2.jsonl").write_text("{}")
            (ended,) = child.scan([{"source": f"hf:{folder}", "folder": str(folder)}])
            assert_tame({"value": value[:100], "place": place}, ended)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"---\nlicense: caf\xe9\n---\n", "is not UTF-8 text."),
        (b"---\na: [\n---\n", "is not valid YAML."),
        (b"---\na: 'x\n---\n", "is not valid YAML."),
        (b"---\n[a]: b\n---\n", "is not valid YAML."),
        (b"---\na: 1\n--- \nb", None),
        (b"---\n- a\n---\n", "is not a list of names and values."),
        (b"---\na: &x [1]\nb: *x\n---\n", "repeats parts of itself by YAML aliases."),
        (b"---\na: " + b"[" * 100_000 + b"\n---\n", "is not valid YAML."),
        (b"---\na: " + b"[" * 30 + b"\n---\n", "has more than 20 lists within lists."),
        (b"---\n" + b"- " * 10_000 + b"a\n---\n", "has more than 20 lists within lists."),
        (b"---\n" + b"a" * (MAX_CARD_BYTES + 10) + b"\n---\n", "is larger than 1 MB."),
        (b"---\nconfigs: x\n---\n", 'must give "configs" as a list, each with a "config_name".'),
        (b"---\nconfigs: [x]\n---\n", 'must give "configs" as a list, each with a "config_name".'),
        (files([{"path": "a"}, "b"]), "names a split twice, or none."),
        (files([{"split": ["a"], "path": "a"}]), "names a split twice, or none."),
        (files({"../a": "b"}), 'names a split "../a", which cannot be one.'),
        (files({"train\n": "b"}), 'names a split "train\ufffd", which cannot be one.'),
        (files({"ALL": "b"}), 'names a split "ALL", which cannot be one.'),
        (files([["a"]]), 'must give "data_files" as paths.'),
        (files({"train": {"a": "b"}}), 'must give "data_files" as paths.'),
        (files(["a.parquet"] * 10_001), "lists more than 10,000 files."),
        (b"---\na: !!python/object/apply:os.system [x]\nb: 0x1\nc: 2026-99-99\n---\n", None),
        (b"# no card\n---\nconfigs: x\n---\n", None),
        (b"---\nconfigs: never closed\n", None),
        (b"", None),
        (b"---\n---\n", None),
        (b"---\nconfigs:\n---\n", None),
    ],
)
def test_cards_that_cannot_be_understood(content: bytes, message: str | None) -> None:
    if message is None:
        assert read_card(content, "set").splits is None
        return
    with pytest.raises(InputError) as caught:
        read_card(content, "set")
    assert caught.value.message == f'The card (README.md) of the data set "set" {message}'
    assert caught.value.hint == NOTHING


def test_one_part_of_several_must_be_the_default() -> None:
    parts: Cases = [{"config_name": name, "data_files": f"{name}.parquet"} for name in ("a", "b")]
    with pytest.raises(InputError) as caught:
        read_card(card(configs=parts), "set")
    assert (
        caught.value.message
        == 'The data set "set" has several parts, and its card says of none that it is the default.'
    )
    assert caught.value.hint == "It has: a, b. Name one, like hf:set:a."
    chosen = read_card(card(configs=[parts[0], {**parts[1], "default": True}]), "set")
    assert chosen.splits == {"train": (Pattern("b.parquet"),)}


def test_what_a_card_says_of_columns_is_used(child: Child, tmp_path: Path) -> None:
    """A table that was not written by the library tells only numbers; its card knows their names."""
    rows = [{"photo": jpeg(colour), "kind": number} for number, colour in enumerate(["red", "blue", "red"])]
    (tmp_path / "set" / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "set" / "data" / "train-00000-of-00001.parquet")
    label = {"name": "kind", "dtype": {"class_label": {"names": {"0": "no", "1": "yes", "2": "01"}}}}
    said = card(dataset_info={"features": [{"name": "photo", "dtype": "image"}, label]})
    (tmp_path / "set" / "README.md").write_bytes(said.replace(b'"no"', b"no"))  # a word that YAML takes for false
    (ended,) = child.scan([{"source": f"hf:{tmp_path}/set", "folder": str(tmp_path / "set")}])
    assert_tame({}, ended)
    assert ended["classes"] == ["01", "no", "yes"]
    assert ended["read"] == [jpeg(colour).hex()[:40] for colour in ("red", "blue", "red")]


def test_globs_match_as_globs_do_and_in_no_time() -> None:
    names = ["a.parquet", "data/a.parquet", "data/x/b.parquet", "data/train-1.jpg", "x[1].jpg"]
    expected = {
        "**": names,
        "*": ["a.parquet", "x[1].jpg"],
        "data/*": ["data/a.parquet", "data/train-1.jpg"],
        "data/**": names[1:4],
        "**/*.parquet": names[:3],
        "**/x/**": ["data/x/b.parquet"],
        "**/**/b.*": ["data/x/b.parquet"],
        "d?ta/[!a]*": ["data/train-1.jpg"],
        "x[[]1].jpg": ["x[1].jpg"],
    }
    for pattern, matched in expected.items():
        assert [name for name in names if _matches(name, pattern)] == matched, pattern
    assert not _matches("/".join("a" * 60), "/".join(["**", "a"] * 60) + "/b")
    assert not _matches("a" * 255, "*a" * 100 + "b")


PIECES: list[Any] = [
    *(
        "train.parquet",
        "*.parquet",
        "**",
        "data/",
        "",
        "..",
        "/",
        "::",
        "zip://",
        "http://127.0.0.1:{port}/",
        "file://",
    ),
    *("{private}/train.parquet", "reference://", "hf://datasets/", "hf://", "\\", "@main/", "a" * 300, "\0", "\ud7ff"),
    *("simplecache::", "default", "test", "[0-9]*", "\n", "memory://", "./", "README.md", "~", "[", "?"),
    *(None, True, 7, [], {}),
]
KEYS = ["config_name", "data_files", "data_dir", "default", "features", "drop_labels", "split", "path", "name", "dtype",
        "class_label", "names", "configs", "dataset_info", "sep", "builder_name", "storage_options", "0"]  # fmt: skip


def random_card(chance: random.Random, fill: dict[str, str]) -> bytes:
    """A card of hostile pieces in shapes that are nearly right."""

    def text() -> str:
        pieces = [piece for piece in chance.choices(PIECES, k=chance.randint(1, 4)) if isinstance(piece, str)]
        return "".join(pieces).replace("{port}", fill["port"]).replace("{private}", fill["private"])

    def value(depth: int) -> Any:
        kind = chance.randrange(7 if depth else 4)
        if kind < 3:
            return text()
        if kind == 3:
            return chance.choice(PIECES)
        if kind == 4:
            return [value(depth - 1) for _ in range(chance.randint(0, 3))]
        return {chance.choice(KEYS): value(depth - 1) for _ in range(chance.randint(0, 3))}

    shapes: list[Any] = [
        text,
        lambda: [text(), text()],
        lambda: [{"split": chance.choice(["train", "test", text()]), "path": text()}],
        lambda: {"train": text(), "test": [text()]},
        lambda: value(3),
    ]
    config = {"config_name": "default", "data_files": chance.choice(shapes)()}
    if chance.random() < 0.3:
        config["data_dir"] = text()
    said: Any = {"configs": [config]}
    if chance.random() < 0.3:
        said["configs"].append(value(2))
    if chance.random() < 0.4:
        said["dataset_info"] = {
            "features": [{"name": "image", "dtype": value(2)}, {"name": "label", "dtype": value(3)}]
        }
    if chance.random() < 0.1:
        said = value(4)
    content = b"---\n" + json.dumps(said, ensure_ascii=chance.random() < 0.5).encode("utf-8", "replace") + b"\n---\n"
    if chance.random() < 0.2:
        at = chance.randrange(len(content))
        content = content[:at] + chance.randbytes(chance.randint(0, 4)) + content[at + 1 :]
    return content


def test_no_random_card_reaches_out_or_ends_in_a_trace(
    private: Path, child: Child, fuzz_cases: Callable[[int], int]
) -> None:
    chance = random.Random(12)
    with listener() as (port, said):
        cases = []
        for number in range(fuzz_cases(150)):
            folder = private.parent / f"fuzz{number}"
            parquet(folder / "train.parquet", ["red"]) if number == 0 else folder.mkdir()
            if number:
                os.link(private.parent / "fuzz0" / "train.parquet", folder / "train.parquet")
            if chance.random() < 0.2:
                rows = [
                    {"file_name": chance.choice(PIECES), "image": chance.choice(PIECES), "label": "x"} for _ in "ab"
                ]
                (folder / chance.choice(["train.jsonl", "metadata.jsonl"])).write_text("\n".join(map(json.dumps, rows)))
                (folder / "1.jpg").write_bytes(jpeg("red"))
            content = random_card(chance, {"port": str(port), "private": str(private)})
            (folder / "README.md").write_bytes(content)
            cases.append({"source": f"hf:{folder}", "folder": str(folder), "cwd": str(folder), "card": repr(content)})
        ended = child.scan(cases)
        for case, one in zip(cases, ended, strict=True):
            assert_tame(case, one)
        assert said == []
        assert sum("read" in one for one in ended) > len(cases) // 50
        assert sum("refused" in one for one in ended) > len(cases) // 2
