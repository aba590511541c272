"""`hf:NAME` against a hub on this machine: a good set loads, a hostile one gets nothing, and nobody gets the token."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .hostile_sets import Child, assert_tame, card, files, jpeg, listener, parquet
from .hub_server import TOKEN, Hub, serving

PHOTO = jpeg("red").hex()[:40]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A parquet file of two photos."""
    place = tmp_path_factory.mktemp("table") / "train.parquet"
    parquet(place, ["red", "blue"])
    return place.read_bytes()


@pytest.fixture(scope="module")
def hub(table: bytes) -> Iterator[Hub]:
    photos = {f"{split}/{name}/{i}.jpg": jpeg("red") for split in ("train", "test") for name in "ab" for i in range(2)}
    listed = {f"photos/{name}.jpg": jpeg("red") for name in "ab"}
    lines = "".join(json.dumps({"file_name": f"{name}.jpg", "label": name}) + "\n" for name in "ab")
    hub = Hub(
        {
            "me/table": {"train.parquet": table, "test.parquet": table, "other.md": b"x", ".gitattributes": b"x"},
            "me/chosen": {
                "README.md": files("data/t*.parquet"),
                "data/train.parquet": table,
                "data/other.parquet": b"no",
            },
            "me/named": {"README.md": files("hf://datasets/me/named@main/train.parquet"), "train.parquet": table},
            "me/photos": {"README.md": b"# photos\n", **photos},
            "me/listed": {"photos/metadata.jsonl": lines.encode(), **listed},
            "other/private": {"README.md": b"mine", "train.parquet": table},
            "new/name": {"README.md": files("train.parquet"), "train.parquet": table},
        },
        private=frozenset({"other/private"}),
        moved={"old/name": "new/name"},
    )
    with serving(hub):
        yield hub


@pytest.fixture(scope="module")
def child(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    child = Child(tmp_path_factory.mktemp("home"), HF_ENDPOINT=hub.url, HF_TOKEN=TOKEN)
    yield child
    child.close()


def leave_out_the_hub(ended: dict[str, list[str]], hub: Hub) -> None:
    """Forgets what was asked of the hub; what remains was asked of others."""
    port = hub.url.rpartition(":")[2]
    ended["seen"] = [said for said in ended["seen"] if not (said.startswith("socket.") and port in said)]


def test_good_sets_load(child: Child, hub: Hub) -> None:
    expected = {
        "me/table": (4, ["blue", "red"]),
        "me/chosen": (2, ["blue", "red"]),
        "me/named": (2, ["blue", "red"]),
        "me/photos": (8, ["a", "b"]),
        "me/listed": (2, ["a", "b"]),
        "old/name": (2, ["blue", "red"]),
        "other/private": (2, ["blue", "red"]),  # whose name the person said
    }
    for name, (number, classes) in expected.items():
        (ended,) = child.scan([{"source": f"hf:{name}", "folder": str(child.home)}])
        leave_out_the_hub(ended, hub)
        assert_tame({"source": name}, ended)
        assert (len(ended.get("read", [])), ended.get("classes")) == (number, classes), ended
        assert ended["failed"] == []
    asked = [path for path, _ in hub.asked]
    assert not any("data/other.parquet" in path or "other.md" in path for path in asked)  # only what is needed
    (ended,) = child.scan([{"source": "hf:me/nothing", "folder": str(child.home)}])
    leave_out_the_hub(ended, hub)
    assert_tame({}, ended)
    assert ended["refused"] == 'The data set "me/nothing" cannot be read.'
    assert ended["hint"] == "Is the name right, and the network up? A local folder is named like hf:./folder."


def test_a_hostile_set_gets_nothing_and_nobody_gets_the_token(child: Child, hub: Hub, table: bytes) -> None:
    private = child.home / "private"
    parquet(private / "train.parquet", ["black"])
    with listener() as (port, said):
        out = [
            f"http://127.0.0.1:{port}/x?drive.google.com", f"ftp://127.0.0.1:{port}/x.parquet",
            f"http://127.0.0.1:{port}/train.parquet", f"zip://*.parquet::http://127.0.0.1:{port}/a.zip",
            f"reference://*.parquet::{private}/ref.json", f"{private}/train.parquet", "../other/private/train.parquet",
            "hf://datasets/other/private@main/train.parquet", "hf://datasets/other/private/train.parquet",
            f"{hub.url}/datasets/other/private/resolve/main/train.parquet", "hf://datasets/me/table@main/train.parquet",
            "hf://datasets/me/hostile@main/../../other/private@main/train.parquet",
        ]  # fmt: skip
        hub.asked.clear()
        for number, address in enumerate(out):
            name = f"me/hostile{number}"
            hub.sets[name] = {"README.md": files(address), "train.parquet": table}
            (ended,) = child.scan([{"source": f"hf:{name}", "folder": str(child.home / "none")}])
            leave_out_the_hub(ended, hub)
            assert_tame({"card": address}, ended)
            assert "names a file that is not its own" in ended["refused"]
        assert not any("other/private" in path or "me/table" in path or ".parquet" in path for path, _ in hub.asked)
        # Rows that name files elsewhere, of a set that is otherwise good.
        lines = "".join(json.dumps({"image": path, "label": "a"}) + "\n" for path in out)
        info = {"features": [{"name": "image", "dtype": "image"}]}
        hub.sets["me/rows"] = {"README.md": card(dataset_info=info), "train.jsonl": lines.encode()}
        (ended,) = child.scan([{"source": "hf:me/rows", "folder": str(child.home / "none")}])
        leave_out_the_hub(ended, hub)
        assert_tame({"source": "me/rows"}, ended)
        assert (ended["read"], len(ended["failed"])) == ([], len(out))
        assert not any("other/private" in path for path, _ in hub.asked)
        assert said == []


def test_names_of_files_that_lead_out_are_not_fetched(child: Child, hub: Hub, table: bytes) -> None:
    hub.sets["me/names"] = {
        f"{name}/train.parquet": table for name in ("..", "a/../..", "a::b", "/etc", "a\\..\\b", "")
    }
    (ended,) = child.scan([{"source": "hf:me/names", "folder": str(child.home / "none")}])
    leave_out_the_hub(ended, hub)
    assert_tame({}, ended)
    assert "none of its files holds photos" in ended["refused"]


def test_what_was_checked_is_what_is_loaded(child: Child, hub: Hub, table: bytes) -> None:
    """The set changes between the question for its card and those for its files."""
    hub.sets["me/race"] = {"README.md": files("train.parquet"), "train.parquet": table}
    checked = hub.revision("me/race")
    hub.later["me/race"] = {"README.md": files("/etc/passwd"), "train.parquet": b"changed"}
    hub.asked.clear()
    (ended,) = child.scan([{"source": "hf:me/race", "folder": str(child.home / "none")}])
    leave_out_the_hub(ended, hub)
    assert_tame({}, ended)
    asked = [path for path, _ in hub.asked if "README.md" not in path]
    assert asked
    assert all(checked in path for path in asked)  # every question names the revision of the card that was read


def test_what_was_had_once_is_read_without_a_network(child: Child, hub: Hub, table: bytes, tmp_path: Path) -> None:
    hub.sets["me/twice"] = {"README.md": b"# photos", "train.parquet": table, "test.parquet": table}
    child.scan([{"source": "hf:me/twice", "folder": str(child.home)}])
    port = hub.url.rpartition(":")[2]
    alone = Child(tmp_path / "alone", HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="1", HF_HOME=str(child.home / "hf"))
    for name in ("me/twice", "me/never"):
        (ended,) = alone.scan([{"source": f"hf:{name}", "folder": str(child.home)}])
        assert not any(port in said for said in ended["seen"])
        assert ("read" in ended) == (name == "me/twice"), ended
    (shard,) = (child.home / "hf" / "hub" / "datasets--me--twice").rglob("snapshots/*/test.parquet")
    shard.unlink()  # as where an earlier run was interrupted
    (ended,) = alone.scan([{"source": "hf:me/twice", "folder": str(child.home)}])
    assert ended["refused"] == 'The data set "me/twice" cannot be read.'
    alone.close()
