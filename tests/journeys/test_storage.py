"""`embed`, `status`, `train` and `predict` on storage elsewhere: a store of S3 on this machine, whole and failing."""

import io
import json
import pickle
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tellapart.cluster.worker import Worker, begin
from tellapart.data.remote import door, web
from tellapart.data.remote.place import Elsewhere
from tellapart.shards.embedding import EmbedJob, How
from tellapart.shards.reading import photos_of
from tellapart.shards.state import state_of

from .stores import KEY, NOT_THERE, SECRET, Proxy, Store, moto, proxying

pytest.importorskip("moto", reason="moto is not installed: pip install 'moto[server]'")
pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'tellapart[cloud]'")

OPTIONS = ("--quality", "fast", "--shard-size", "7")
N_PHOTOS, N_SHARDS = 24, 4


@pytest.fixture(scope="module")
def garments(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 photos of garments in two classes, one of them empty elsewhere too, and a file that is none."""
    folder = tmp_path_factory.mktemp("garments") / "photos"
    for name in ("dress", "hat"):
        (folder / name).mkdir(parents=True)
        for photo in sorted((shared_data / "clothing" / "train" / name).iterdir())[:12]:
            shutil.copyfile(photo, folder / name / photo.name)
    (folder / "hat" / "empty.jpg").touch()
    (folder / "hat" / "readme.txt").write_text("hello")
    return folder


@pytest.fixture(scope="module")
def store(garments: Path) -> Iterator[Store]:
    """A bucket with these photos."""
    with moto() as running:
        running.request("PUT", "garments")
        running.fill("garments", garments)
        yield running


@pytest.fixture(scope="module")
def whole(tellapart, garments: Path) -> Path:
    """Their shards, from the folder."""
    tellapart.works("embed", garments, "-o", garments.parent / "whole", *OPTIONS)
    return garments.parent / "whole"


@pytest.fixture
def proxy(store: Store) -> Iterator[Proxy]:
    with proxying(store) as running:
        yield running


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The driver is opened anew, for another endpoint, and patience is short."""
    monkeypatch.setattr(door, "FIRST_PAUSE_S", 0.01)
    for name in NOT_THERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    door._opened.cache_clear()
    yield
    door._opened.cache_clear()


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "features").iterdir())}


def test_a_bucket_gives_the_shards_of_the_folder(in_process, store, garments, whole):
    source, dest = "s3://garments/photos", "s3://garments/shards"
    said = in_process.json("embed", source, "-o", dest, *OPTIONS, **store.environment)
    assert (said["made"], said["found"], said["used"], said["skipped"]) == (N_SHARDS, N_PHOTOS + 2, N_PHOTOS, 2)
    assert store.content("garments", "shards/features/") == shards(whole)
    assert in_process.json("embed", source, "-o", dest, *OPTIONS, **store.environment)["made"] == 0
    state = in_process.json("status", dest, **store.environment)
    assert state == {**in_process.json("status", whole), "reasons": state["reasons"]}


@pytest.mark.thorough
def test_a_bucket_gives_the_model_of_the_folder(in_process, store, garments, whole, tmp_path):
    dest = "s3://garments/shards-to-train"
    in_process.works("embed", "s3://garments/photos", "-o", dest, *OPTIONS, **store.environment)
    for name, of in (("folder", whole), ("bucket", dest)):
        options = ("--quality", "fast", "--no-advice")
        in_process.works("train", of, "-o", tmp_path / name / "model", *options, **store.environment)
    models = {(tmp_path / name / "model" / "model.onnx").read_bytes() for name in ("folder", "bucket")}
    assert len(models) == 1
    page = (tmp_path / "bucket" / "model" / "report.html").read_text()
    assert page.count("data:image/") == (tmp_path / "folder" / "model" / "report.html").read_text().count("data:image/")


def test_faults_pass_or_are_told_and_nothing_is_lost(in_process, store, proxy, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "SILENCE_S", 0.3)
    monkeypatch.setattr(door, "PATIENCE_S", 2.0)
    names = store.names("garments", "photos/dress/")
    proxy.faults = {
        names[0]: ["503", "500"], names[1]: ["cut", "cut"], names[2]: ["silence"],
        names[3]: ["503!"], names[4]: ["cut!"], names[5]: ["403!"],
    }  # fmt: skip
    target = tmp_path / "failing"
    said = in_process.json("embed", "s3://garments/photos", "-o", target, *OPTIONS, **proxy.environment)
    assert said["found"] == N_PHOTOS + 2 == said["used"] + said["skipped"]
    assert said["skipped"] == 2 + 3, said["reasons"]
    assert said["reasons"]["The storage is out of order or busy (HTTP 503)."] == 1
    assert said["reasons"]["The storage broke off in the middle."] == 1
    assert said["reasons"]["The storage refuses to give it (HTTP 403)."] == 1
    assert sum(names[3] in line for line in proxy.asked) == door.ATTEMPTS
    assert sum(names[5] in line for line in proxy.asked) == 1
    proxy.faults = {}
    again = in_process.json("embed", "s3://garments/photos", "-o", target, *OPTIONS, "--retry-failed",
                            **proxy.environment)  # fmt: skip
    assert again["used"] == N_PHOTOS
    assert shards(target) == shards(whole)


def test_what_is_wrong_with_a_store_is_a_sentence(in_process, store, proxy, tmp_path):
    def refused(source: str, *says: str, **env: str) -> None:
        door._opened.cache_clear()
        said = in_process.refuses("embed", source, "-o", tmp_path / "new", says=says, **env)
        assert SECRET not in said
        assert not (tmp_path / "new").exists()

    refused(
        "s3://absent/photos", '"s3://absent/photos" cannot be listed: there is no such bucket.', **store.environment
    )
    refused("s3://garments/absent", "there is nothing at this address", **store.environment)
    anybody = {name: value for name, value in store.environment.items() if KEY not in value and SECRET not in value}
    refused("s3://garments/photos", "no credentials", "AWS_PROFILE", "FSSPEC_S3_ANON=true", **anybody)
    refused("s3://me:word@garments/photos", "holds a name and a password", "AWS_PROFILE", **store.environment)
    refused("ftp://garments/photos", "s3://, gs://, az://, hf://, https://", **store.environment)
    refused("https://example.org/photos", "cannot be listed", "a photo a row", **store.environment)
    for fault, words in (("403!", "refuses to give it"), ("301!", "AWS_REGION")):
        proxy.faults = {"/garments": [fault]}
        refused("s3://garments/photos", words, **proxy.environment)
    out = in_process.refuses(
        "train", tmp_path, "-o", "s3://garments/model", says=["'s3://garments/model' is an address"]
    )
    assert "written to a disk only" in out
    proxy.faults = {"garments/photos/": ["503!"]}
    door._opened.cache_clear()
    in_process.refuses("embed", "s3://garments/photos", "-o", tmp_path / "down", "--quality", "fast", "--shard-size",
                       24, says=["None of 24 photos in a row", "or busy"], **proxy.environment)  # fmt: skip
    assert in_process.json("status", tmp_path / "down")["waiting"] == N_PHOTOS
    proxy.faults = {"/features/": ["403!"]}
    door._opened.cache_clear()
    in_process.refuses("embed", "s3://garments/photos", "-o", "s3://garments/denied", *OPTIONS,
                       says=["000000.parquet", "cannot be"], **proxy.environment)  # fmt: skip


def test_a_listing_that_changed_is_told(in_process, store, garments, tmp_path):
    store.fill("garments", shutil.copytree(garments, tmp_path / "changing"))
    target, run = tmp_path / "shards", ("s3://garments/changing", "-o", tmp_path / "shards", *OPTIONS)
    in_process.works("embed", *run, "--shard", f"1/{N_SHARDS}", **store.environment)
    gone = store.names("garments", "changing/dress/")
    for name in gone:
        store.request("DELETE", f"garments/{name}")
    store.put("garments/changing/dress/new.jpg", min((garments / "hat").glob("*-*.jpg")).read_bytes())
    done = in_process("embed", *run, "--json", **store.environment)
    assert done.returncode == 0, done.stderr
    assert f"{len(gone) + 1} photos are new or gone since the list" in done.stderr
    said = json.loads(done.stdout)
    assert said["found"] == N_PHOTOS + 2 == said["used"] + said["skipped"]
    assert said["reasons"]["The file was there when the list was made, and is no longer."] > 0
    assert len(shards(target)) == N_SHARDS


def test_signed_addresses_are_kept_without_their_signatures(in_process, store, garments, tmp_path, session_cache):
    word, mark = "0f3a9signature77c1", "passwordofmine"
    host = f"127.0.0.1:{store.port}"
    rows = ["url,label"]
    for name in store.names("garments", "photos/"):
        if name.endswith(("empty.jpg", "readme.txt")):
            continue
        signed = f"X-Amz-Credential={KEY}%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature={word}"
        rows.append(f"http://me:{mark}@{host}/garments/{name}?{signed},{name.split('/')[1]}")
    table = tmp_path / "list.csv"
    table.write_text("\n".join(rows))
    refused = in_process.json("embed", table, "-o", tmp_path / "refused", *OPTIONS)
    assert refused["reasons"] == {"The address leads to a private address, which is not asked.": N_PHOTOS}
    out = in_process.works("embed", table, "-o", tmp_path / "shards", *OPTIONS, "--allow-private")
    said = in_process("train", tmp_path / "shards", "-o", tmp_path / "model", "--quality", "fast", "--no-advice",
                      "--allow-private")  # fmt: skip
    assert said.returncode == 0, said.stderr
    files = [path for folder in ("shards", "model") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    files += [path for path in in_process.cache.rglob("*") if path.is_file()]
    for secret in (word, mark, KEY, SECRET):
        assert secret not in out + said.stdout + said.stderr
        assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_a_machine_of_a_cluster_fetches_for_itself(store, proxy, whole, tmp_path, monkeypatch):
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    word, how = "0f3a9signature77c1", How("fast", shard_size=7)
    names = [name for name in store.names("garments", "photos/") if name.endswith(".jpg") and "empty" not in name]
    signed = f"X-Amz-Credential={KEY}%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature={word}"
    rows = [f"http://127.0.0.1:{proxy.port}/garments/{name}?{signed},{name.split('/')[1]}" for name in names]
    (tmp_path / "list.csv").write_text("\n".join(["url,label", *rows]))
    table = EmbedJob(str(tmp_path / "list.csv"), Path(tmp_path / "named"), how, allow_private=True)
    for job in (EmbedJob("s3://garments/photos", Elsewhere("s3://garments/handed"), how), table):
        sent = pickle.loads(pickle.dumps(job))
        begun = begin(sent)
        worker = Worker(sent, begun, 2)
        assert len(begun.waiting) == N_SHARDS
        assert [worker.make(shard) for shard in begun.waiting] == [True] * N_SHARDS
        assert worker.make(0) is False
    assert store.content("garments", "handed/features/") == shards(whole)
    assert state_of(tmp_path / "named").used == N_PHOTOS == len(proxy.asked)
    assert all(word in line for line in proxy.asked)


def packed(folder: Path, target: Path) -> None:
    """A tar as WebDataset has it: each photo with its class beside it, as text or as JSON."""
    with tarfile.open(target, "w") as tar:
        for n, photo in enumerate(sorted(path for path in folder.rglob("*.jpg") if path.stat().st_size)):
            said = (
                {"cls": photo.parent.name.encode()}
                if n % 2
                else {"json": json.dumps({"label": photo.parent.name}).encode()}
            )
            for ending, content in {"jpg": photo.read_bytes(), **said}.items():
                info = tarfile.TarInfo(f"{n:06d}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def test_tars_are_read_by_ranges_and_a_run_of_photos_at_once(in_process, store, proxy, garments, tmp_path):
    packed(garments, tmp_path / "part-00.tar")
    store.put("garments/tars/part-00.tar", (tmp_path / "part-00.tar").read_bytes())
    here = in_process.json("embed", tmp_path / "part-*.tar", "-o", tmp_path / "here", *OPTIONS)
    address = "s3://garments/tars/part-{00..00}.tar"
    there = in_process.json("embed", address, "-o", tmp_path / "there", *OPTIONS, **proxy.environment)
    assert here["used"] == there["used"] == N_PHOTOS
    assert shards(tmp_path / "here") == shards(tmp_path / "there")
    assert sum("part-00.tar" in line for line in proxy.asked) < N_PHOTOS / 3
    asked = len(proxy.asked)
    network = in_process.json("status", tmp_path / "there")["network"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in proxy.environment.items():
            patch.setenv(name, value)
        there, here = (photos_of(tmp_path / name, network).dataset for name in ("there", "here"))
        assert [there.read(i) for i in range(3)] == [here.read(i) for i in range(3)]
    assert len(proxy.asked) - asked <= 4


def test_a_bucket_without_classes_is_kept_up_to_date_searched_and_answered(
    in_process, store, garments, model, tmp_path
):
    loose, bucket, dest = tmp_path / "loose", "s3://garments/loose", "s3://garments/of-loose"
    loose.mkdir()
    for photos in (sorted((garments / "dress").iterdir())[:4], sorted((garments / "dress").iterdir())[2:6]):
        for photo in photos:
            shutil.copyfile(photo, loose / photo.name)
        store.fill("garments", loose)
        of_folder = in_process.json("embed", loose, "-o", tmp_path / "shards", *OPTIONS, "--update")
        said = in_process.json("embed", bucket, "-o", dest, *OPTIONS, "--update", **store.environment)
        assert said == of_folder
    assert (said["made"], said["n_shards"], said["used"], said["gone"]) == (1, 2, 6, 0)
    assert store.content("garments", "of-loose/features/") == shards(tmp_path / "shards")
    found = in_process.json("similar", dest, photo, "-n", "1", **store.environment)
    assert found["compared"] == 6
    assert found["photos"][0]["uri"] == photo.name
    said = in_process.json("predict", model, bucket, "-o", "s3://garments/answers", **store.environment)
    assert (said["made"], said["used"], said["skipped"]) == (1, 6, 0)
    assert list(store.content("garments", "answers/answers/")) == ["000000.parquet"]


def test_predict_takes_addresses_beside_paths(in_process, store, garments, model, tmp_path):
    first = min((garments / "hat").glob("*-*.jpg"))
    address = f"s3://garments/photos/hat/{first.name}"
    said = in_process.lines("predict", model, first, address, "s3://garments/photos/dress", **store.environment)
    assert len(said) == 2 + 12
    assert said[0]["photo"] == str(first)
    assert said[1]["photo"] == address
    assert {**said[0], "photo": ""} == {**said[1], "photo": ""}
    web_address = f"http://127.0.0.1:{store.port}/garments/photos/hat/{first.name}"
    (tmp_path / "list.txt").write_text(f"{address}\n{web_address}?X-Amz-Signature=abc\n")
    said = in_process.lines("predict", model, tmp_path / "list.txt", "-", stdin=f"{address}\n", **store.environment)
    assert [one["photo"] for one in said] == [address, web_address, address]
    assert said[1]["error"] == "The address leads to a private address, which is not asked."
    assert said[0]["answer"] == said[2]["answer"] is not None
