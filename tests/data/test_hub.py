"""`hf:` sources, with the library itself on real photos: parquet, arrow, image folders; and what is wrong with them."""

import gc
import os
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from tellapart.data import hub_files
from tellapart.data.hub import HubPhotos
from tellapart.data.photo import MAX_FILE_BYTES, decode
from tellapart.data.source import require_trainable, scan
from tellapart.errors import InputError, PhotoError

datasets = pytest.importorskip("datasets")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
NAMES = ["dress", "hat", "schön"]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    """No test touches the person's own cache, and none asks the network."""
    with pytest.MonkeyPatch.context() as patch:
        place = tmp_path_factory.mktemp("hf")
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", place / "datasets")
        patch.setattr(datasets.config, "HF_CACHE_HOME", str(place))
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def photos(shared_data):
    return sorted((shared_data / "clothing" / "train" / "hat").iterdir())[:9]


def rows(photos, **columns):
    """A data set of the photos, as bytes, with further columns."""
    features = {"image": datasets.Image(), **{name: feature for name, (feature, _) in columns.items()}}
    data = {"image": [{"bytes": p.read_bytes(), "path": None} for p in photos]}
    data |= {name: values for name, (_, values) in columns.items()}
    return datasets.Dataset.from_dict(data, features=datasets.Features(features))


def by_class(n):
    return datasets.ClassLabel(names=NAMES), [i % len(NAMES) for i in range(n)]


def parquet(folder, **splits):
    folder.mkdir()
    for split, data in splits.items():
        data.to_parquet(folder / f"{split}.parquet")
    return f"hf:{folder}"


def assert_is(dataset, photos):
    """The dataset holds the photos' very bytes, in their order."""
    assert [dataset.read(i) for i in range(dataset.n)] == [p.read_bytes() for p in photos]


def test_parquet_with_splits(photos, tmp_path):
    train, test = (rows(part, label=by_class(len(part))) for part in (photos[:6], photos[6:]))
    dataset = scan(parquet(tmp_path / "set", train=train, test=test))
    assert dataset.class_names == tuple(NAMES)
    assert list(dataset.splits) == ["test"] * 3 + ["train"] * 6
    assert list(dataset.labels) == [0, 1, 2] * 3
    assert_is(dataset, photos[6:] + photos[:6])
    assert decode(dataset.read(0)).ndim == 3
    assert dataset.photos[0].endswith("/test/000000")
    require_trainable(dataset)


def test_arrow_files(photos, tmp_path):
    data = rows(photos, label=by_class(9))
    data.save_to_disk(tmp_path / "saved")
    folder = tmp_path / "arrow"
    folder.mkdir()
    for part in (tmp_path / "saved").glob("*.arrow"):
        part.rename(folder / f"train-{part.name}")
    dataset = scan(f"hf:{folder}")
    assert dataset.class_names == tuple(NAMES)
    assert not dataset.given_split
    assert_is(dataset, photos)


def test_image_folder(photos, tmp_path):
    for i, photo in enumerate(photos):
        place = tmp_path / "images" / ("test" if i >= 6 else "train") / NAMES[i % 3]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.jpg").write_bytes(photo.read_bytes())
    dataset = scan(f"hf:{tmp_path / 'images'}")
    assert dataset.class_names == tuple(NAMES)
    assert sorted(dataset.splits) == ["test"] * 3 + ["train"] * 6
    known = {photo.read_bytes(): NAMES[i % 3] for i, photo in enumerate(photos)}
    assert [known[dataset.read(i)] for i in range(9)] == [dataset.class_names[label] for label in dataset.labels]


def test_one_split_of_several(photos, tmp_path):
    data = rows(photos, label=by_class(9))
    source = parquet(tmp_path / "set", train=data, test=data, unsupervised=data)
    listed = "".join(f"  - split: {name}\n    path: {name}.parquet\n" for name in ("train", "test", "unsupervised"))
    card = f"---\nconfigs:\n- config_name: default\n  data_files:\n{listed}---\n"
    (tmp_path / "set" / "README.md").write_text(card)
    with pytest.raises(InputError, match="unsupervised") as caught:
        scan(source)
    assert f"{source}:" in caught.value.hint
    dataset = scan(f"{source}:test")
    assert (dataset.n, dataset.given_split) == (9, False)
    with pytest.raises(InputError, match="no split") as caught:
        scan(f"{source}:tset")
    assert "unsupervised" in caught.value.hint


def test_labels_as_text_and_the_choice_of_a_column(photos, tmp_path):
    text = (datasets.Value("string"), ["a", "b", "a", "b", "a", "b", "a", "b", ""])
    source = parquet(tmp_path / "text", train=rows(photos, label=text))
    dataset = scan(source)
    assert dataset.class_names == ("a", "b")
    assert [(s.photo[-6:], s.reason) for s in dataset.skipped] == [("000008", "has no label")]
    assert dataset.n_found == 9

    coarse = datasets.ClassLabel(names=["x", "y"]), [0, 1, 0, 1, 0, 1, 0, 1, 0]
    source = parquet(tmp_path / "two", train=rows(photos, fine=by_class(9), coarse=coarse))
    with pytest.raises(InputError, match="several columns") as caught:
        scan(source)
    assert f"{source}#fine" in caught.value.hint
    assert scan(f"{source}#coarse").class_names == ("x", "y")
    with pytest.raises(InputError, match='no column "colour"'):
        scan(f"{source}:train#colour")


def test_rows_without_a_label_are_skipped(photos, tmp_path):
    labels = datasets.ClassLabel(names=NAMES), [0, 1, 2, 0, 1, 2, -1, None, 0]
    dataset = scan(parquet(tmp_path / "set", train=rows(photos, label=labels)))
    assert (dataset.n, len(dataset.skipped), dataset.n_found) == (7, 2, 9)


def test_a_row_without_a_photo_is_named_when_it_is_read(photos, tmp_path):
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=NAMES))
    outside = {"bytes": None, "path": str(photos[0])}  # a stranger's data set names a file of ours
    data = {"image": [None, outside, {"bytes": b"no photo", "path": None}], "label": [0, 1, 2]}
    dataset = scan(parquet(tmp_path / "set", train=datasets.Dataset.from_dict(data, features=features)))
    for index, said in enumerate(("in this row[.]", "outside its folder")):
        with pytest.raises(PhotoError, match=said):
            dataset.read(index)
    with pytest.raises(PhotoError):
        decode(dataset.read(2))


def test_a_row_is_held_to_the_limits_of_a_file(tmp_path):
    rows = [{"image": {"bytes": content}} for content in (bytes(MAX_FILE_BYTES + 1), b"", POINTER)]
    photos = HubPhotos("image", {"train": rows}, (str(tmp_path),))
    for number, code in enumerate(("too_large", "empty", "placeholder")):
        with pytest.raises(PhotoError) as caught:
            photos.read(f"train/{number}")
        assert caught.value.code == code


def test_a_path_that_cannot_be_is_one_photo_that_cannot_be_read(tmp_path):
    rows = [{"image": {"bytes": None, "path": path}} for path in ("a\0b", "", "/dev/null", "x" * 5000)]
    photos = HubPhotos("image", {"train": rows}, (str(tmp_path),))
    for number in range(len(rows)):
        with pytest.raises(PhotoError):
            photos.read(f"train/{number}")


def test_a_card_must_not_name_files_outside(photos, tmp_path):
    private = parquet(tmp_path / "private", train=rows(photos, label=by_class(9))).removeprefix("hf:")
    (tmp_path / "set").mkdir()
    listed = f"  - split: train\n    path: {private}/train.parquet\n"
    card = f"---\nconfigs:\n- config_name: default\n  data_files:\n{listed}---\n"
    (tmp_path / "set" / "README.md").write_text(card)
    with pytest.raises(InputError, match="not its own"):
        scan(f"hf:{tmp_path / 'set'}")


@pytest.mark.parametrize("column", ["image", "label"])
def test_without_photos_or_class_names(photos, tmp_path, column):
    data = rows(photos, label=by_class(9)).remove_columns(column)
    with pytest.raises(InputError, match="no column with"):
        scan(parquet(tmp_path / "set", train=data))


@pytest.mark.parametrize("source", ["hf:", "hf::train", "hf:nobody/nothing", "hf:/no/such/folder", "hf:#label"])
def test_what_is_not_there(source):
    with pytest.raises(InputError) as caught:
        scan(source)
    assert caught.value.message.endswith(".")
    assert caught.value.hint


def test_an_empty_or_damaged_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "train.parquet").write_bytes(np.random.default_rng(0).bytes(300))
    for name in ("empty", "damaged"):
        with pytest.raises(InputError, match="cannot be read"):
            scan(f"hf:{tmp_path / name}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "old"), [("fsspec", "2026.5.1"), ("datasets", "5.1.9"), ("huggingface_hub", "1.30")]
)
def test_libraries_with_known_holes_are_refused(tmp_path: Path, library: str, old: str) -> None:
    (tmp_path / "set").mkdir()
    said = tmp_path / "libraries" / f"{library}-{old}.dist-info" / "METADATA"  # looked at before the one installed
    said.parent.mkdir(parents=True)
    said.write_text(f"Metadata-Version: 2.1\nName: {library}\nVersion: {old}\n")
    done = subprocess.run(
        [sys.executable, "-c", "from tellapart.cli.main import main; main()", "check", "hf:set"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "libraries")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == (
        f"Error: The library {library} {old} is too old for data sets of strangers.\n"
        'Hint: Run: pip install -U "tellapart[hub]"\n'
    )
    assert done.returncode > 0


def test_folders_named_after_splits_and_a_card_that_drops_labels(photos, tmp_path):
    for i, photo in enumerate(photos):
        place = tmp_path / "images" / ("validation" if i >= 6 else "training") / NAMES[i % 3] / f"{i}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(photo.read_bytes())
    assert sorted(scan(f"hf:{tmp_path / 'images'}").splits) == ["train"] * 6 + ["val"] * 3
    card = "---\nconfigs:\n- config_name: default\n  data_dir: training\n  drop_labels: true\n---\n"
    (tmp_path / "images" / "README.md").write_text(card)
    with pytest.raises(InputError, match="no column with class names"):
        scan(f"hf:{tmp_path / 'images'}")


def test_a_folder_whose_name_looks_like_a_pattern(photos, tmp_path):
    source = parquet(tmp_path / "set [1] *", train=rows(photos, label=by_class(9)))
    assert scan(source).n == 9


def test_photos_named_by_a_table_beside_them(photos, tmp_path):
    for split, part in (("train", photos[:6]), ("test", photos[6:])):
        (tmp_path / "set" / split).mkdir(parents=True)
        lines = []
        for i, photo in enumerate(part):
            (tmp_path / "set" / split / f"{i}.jpg").write_bytes(photo.read_bytes())
            lines.append(f'{{"file_name": "{i}.jpg", "label": "{NAMES[i % 3]}"}}')
        (tmp_path / "set" / split / "metadata.jsonl").write_text("\n".join(lines))
    dataset = scan(f"hf:{tmp_path / 'set'}")
    assert dataset.class_names == tuple(NAMES)
    assert_is(dataset, photos[6:] + photos[:6])


def test_a_set_that_changes_is_read_again(photos, tmp_path):
    source = parquet(tmp_path / "set", train=rows(photos[:3], label=by_class(3)))
    assert scan(source).n == 3
    (tmp_path / "set" / "train.parquet").unlink()
    rows(photos, label=by_class(9)).to_parquet(tmp_path / "set" / "train.parquet")
    assert scan(source).n == 9


def test_rows_that_belong_together(photos, tmp_path):
    text = datasets.Value("string")
    patients = ["a", "a", None, "b", "b", " c", "c", "d", ""]
    numbers = datasets.Value("int64"), [1, 1, 2, 2, 3, 3, 4, 4, None]
    data = rows(photos, label=by_class(9), patient=(text, patients), roll=numbers)
    source = parquet(tmp_path / "set", train=data)
    groups = scan(source).groups
    assert groups.names == ("a", "a", "", "b", "b", "c", "c", "d", "")
    assert (groups.by, groups.asked) == ("patient", False)
    assert scan(source, group_by="roll").groups.names == ("1", "1", "2", "2", "3", "3", "4", "4", "")
    assert scan(source, group_by="none").groups is None
    with pytest.raises(InputError, match=r'has no column "plant"'):
        scan(source, group_by="plant")
    with pytest.raises(InputError, match=r"have no paths that a pattern could group them by"):
        scan(source, group_by="{group}_*")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves the table open
def test_a_corrected_label_counts_though_time_and_size_stay(photos, tmp_path):
    folder = tmp_path / "set" / "train"
    folder.mkdir(parents=True)
    for i, photo in enumerate(photos):
        (folder / f"{i}.jpg").write_bytes(photo.read_bytes())

    def labelled(first, second):
        rows_ = "".join(f"{i}.jpg,{(first, second)[i % 2]}\n" for i in range(len(photos)))
        (folder / "metadata.csv").write_text("file_name,label\n" + rows_)
        os.utime(folder / "metadata.csv", (1_577_836_800, 1_577_836_800))
        dataset = scan(f"hf:{folder.parent}")
        return [dataset.class_names[label] for label in dataset.labels]

    before = labelled("hat", "cap")
    assert labelled("cap", "hat") == [{"hat": "cap", "cap": "hat"}[name] for name in before]
    gc.collect()  # here, so that what it leaves open is complained of here


def test_a_corrected_parquet_counts_though_time_and_size_stay(photos, tmp_path):
    source = parquet(tmp_path / "set", train=rows(photos, label=(datasets.Value("string"), list("ababababa"))))
    place = tmp_path / "set" / "train.parquet"
    os.utime(place, (1_577_836_800, 1_577_836_800))
    before = list(scan(source).labels)
    size = place.stat().st_size
    rows(photos, label=(datasets.Value("string"), list("babababab"))).to_parquet(place)
    os.utime(place, (1_577_836_800, 1_577_836_800))
    assert place.stat().st_size == size
    assert list(scan(source).labels) == [1 - label for label in before]


@pytest.mark.parametrize(
    "feature",
    [
        datasets.List(datasets.ClassLabel(names=NAMES)),
        datasets.List(datasets.Value("string")),
        {"a": datasets.Value("string")},
    ],
)
@pytest.mark.parametrize("named", ["", "#labels"])
def test_a_column_of_lists_is_refused(photos, tmp_path, feature, named):
    value = {"a": "hat"} if isinstance(feature, dict) else [NAMES[0]] * 2
    source = parquet(tmp_path / "set", train=rows(photos, labels=(feature, [value] * 9)))
    with pytest.raises(InputError, match=r'column "labels" of the data set .* holds lists'):
        scan(source + named)


def test_lists_written_as_text_are_refused(photos, tmp_path):
    source = parquet(tmp_path / "set", train=rows(photos, label=(datasets.Value("string"), ["[0, 2]"] * 9)))
    with pytest.raises(InputError, match=r'gives a list for a label: "\[0, 2\]"'):
        scan(source)


def test_labels_that_pandas_made_fractions_and_missing_ones(photos, tmp_path):
    fractions = [1.0, 0.0, float("nan"), 1.0, None, 0.0, 1.0, 0.0, 1.0]
    dataset = scan(parquet(tmp_path / "floats", train=rows(photos, label=(datasets.Value("float64"), fractions))))
    assert (dataset.class_names, dataset.n) == (("0", "1"), 7)
    assert "2 photos without a label are not used." in dataset.notes
    texts = ["1.0", "0", "nan", "1", "<NA>", "0", "1", "0", "NaN"]
    dataset = scan(parquet(tmp_path / "texts", train=rows(photos, label=(datasets.Value("string"), texts))))
    assert (dataset.class_names, dataset.n) == (("0", "1"), 6)
    assert any(note.endswith('written in two ways: "1.0" is taken for "1".') for note in dataset.notes)
    scenes = [float("nan"), 1.0, 1.0, None, 2.0, 2.0, 3.0, 3.0, 3.0]
    columns = {"label": (datasets.Value("string"), list("ababababa")), "scene": (datasets.Value("float64"), scenes)}
    dataset = scan(parquet(tmp_path / "scenes", train=rows(photos, **columns)))
    assert dataset.groups.names == ("", "1", "1", "", "2", "2", "3", "3", "3")


def test_photos_as_other_programs_keep_them(photos, tmp_path):
    contents = [photo.read_bytes() for photo in photos]
    both = datasets.Features(
        {
            "image": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "label": datasets.Value("string"),
        }
    )
    alone = datasets.Features({"image": datasets.Value("binary"), "label": datasets.Value("string")})
    labels = list("ababababa")
    for name, features, values in (
        ("both", both, [{"bytes": content, "path": None} for content in contents]),
        ("alone", alone, contents),
    ):
        data = datasets.Dataset.from_dict({"image": values, "label": labels}, features=features)
        dataset = scan(parquet(tmp_path / name, train=data))
        assert dataset.class_names == ("a", "b")
        assert_is(dataset, photos)


def test_parts_of_a_data_set(photos, tmp_path):
    for part, names in (("small", list("ab")), ("full", list("xy"))):
        for split in ("train", "test"):
            label = (datasets.Value("string"), [names[i % 2] for i in range(9)])
            (tmp_path / "set" / part).mkdir(parents=True, exist_ok=True)
            rows(photos, label=label).to_parquet(tmp_path / "set" / part / f"{split}.parquet")
    listed = "".join(
        f"- config_name: {part}\n  data_files:\n"
        + "".join(f"  - split: {split}\n    path: {part}/{split}*\n" for split in ("train", "test"))
        for part in ("small", "full")
    )
    (tmp_path / "set" / "README.md").write_text(f"---\nconfigs:\n{listed}---\n")
    source = f"hf:{tmp_path / 'set'}"
    with pytest.raises(InputError, match="has several parts") as caught:
        scan(source)
    assert caught.value.hint == f"It has: small, full. Name one, like {source}:small."
    dataset = scan(f"{source}:full")
    assert (dataset.class_names, sorted(set(dataset.splits))) == (("x", "y"), ["test", "train"])
    assert dataset.notes == (f'Of the parts of "{source[3:]}", "full" is used. Others: {source}:small.',)
    dataset = scan(f"{source}:small:test")
    assert (dataset.class_names, dataset.n, dataset.given_split) == (("a", "b"), 9, False)
    with pytest.raises(InputError, match='has no part "big"') as caught:
        scan(f"{source}:big:test")
    assert caught.value.hint.startswith("It has: small, full.")
    with pytest.raises(InputError, match='no split "dev"'):
        scan(f"{source}:full:dev")


def test_a_column_of_a_data_set_may_say_the_split(photos, tmp_path):
    valid = [False] * 6 + [True] * 3
    data = rows(photos, label=by_class(9), is_valid=(datasets.Value("bool"), valid))
    dataset = scan(parquet(tmp_path / "set", train=data))
    assert dataset.splits.tolist() == ["train"] * 6 + ["val"] * 3
    assert dataset.notes == ('The split is that of the column "is_valid": 6 train, 3 val.',)


def test_folders_of_splits_by_other_names(photos, tmp_path):
    for i, photo in enumerate(photos):
        place = tmp_path / "images" / ("HoldOut" if i >= 6 else "TrainSet") / NAMES[i % 3]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.jpg").write_bytes(photo.read_bytes())
    (tmp_path / "images" / "more" / NAMES[0]).mkdir(parents=True)
    (tmp_path / "images" / "more" / NAMES[0] / "1.jpg").write_bytes(photos[0].read_bytes())
    dataset = scan(f"hf:{tmp_path / 'images'}")
    assert (sorted(dataset.splits), dataset.class_names) == (["test"] * 3 + ["train"] * 6, tuple(NAMES))
    [note] = dataset.notes
    assert note.endswith(": 1 file not named by a split, as others are.")


def test_a_model_inside_a_data_set_is_no_class(photos, tmp_path):
    for i, photo in enumerate(photos):
        place = tmp_path / "images" / NAMES[i % 3]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.jpg").write_bytes(photo.read_bytes())
    model = tmp_path / "images" / "model"
    (model / "examples").mkdir(parents=True)
    for name in ("manifest.json", "model.onnx"):
        (model / name).write_bytes(b"{}")
    (model / "examples" / "1.jpg").write_bytes(photos[0].read_bytes())
    dataset = scan(f"hf:{tmp_path / 'images'}")
    assert (dataset.class_names, dataset.n) == (tuple(NAMES), 9)


def test_a_hub_that_says_nothing_is_given_up_soon_and_one_that_refuses_answers(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub_files, "_PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(hub.constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert not hub_files._answers(hub, "some/set")
    assert not hub_files._answers(hub, "some/set")  # nobody is there any more
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as refusing:  # 501 to all
        Thread(target=refusing.serve_forever, daemon=True).start()
        monkeypatch.setattr(hub.constants, "ENDPOINT", f"http://127.0.0.1:{refusing.server_port}")
        assert hub_files._answers(hub, "some/set")
        refusing.shutdown()
