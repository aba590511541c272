"""Data frames name photos as label files do."""

import numpy as np
import pytest

from tellapart.data.source import scan
from tellapart.errors import InputError

pandas = pytest.importorskip("pandas")


@pytest.fixture
def photos(tmp_path):
    for i in range(4):
        (tmp_path / f"{i}.jpg").write_bytes(b"photo")
    return [str(tmp_path / f"{i}.jpg") for i in range(4)]


def test_a_frame_gives_paths_labels_splits_and_groups(photos):
    frame = pandas.DataFrame(
        {
            "File": photos,
            "Class": ["hat", "hat", "shoe", "shoe"],
            "Split": ["train", "test", "train", "test"],
            "patient": [1, np.nan, 2, 1],
        },
        index=[7, 7, 8, 9],
    )
    dataset = scan(frame)
    assert dataset.source == "the data frame"
    assert dataset.photos == tuple(photos)
    assert [dataset.class_names[c] for c in dataset.labels] == ["hat", "hat", "shoe", "shoe"]
    assert dataset.splits.tolist() == ["train", "test", "train", "test"]
    assert dataset.groups.names == ("1", "", "2", "1")  # whole numbers with gaps are fractions in a frame
    assert scan(frame, group_by="none").groups is None
    assert scan(frame, group_by="class").groups.names == ("hat", "hat", "shoe", "shoe")
    assert scan(frame, group_by="{group}.jpg").groups.names == ("0", "1", "2", "3")
    assert scan(frame, group_by="Patient").groups.asked


def test_a_dict_of_columns_with_their_names_is_one_too(photos):
    class Frame(dict):
        @property
        def columns(self):
            return list(self)

    dataset = scan(Frame(path=photos, label=["a", "a", "b", "b"], scene=["x", "y", "x", "y"]))
    assert dataset.groups.names == ("x", "y", "x", "y")


def test_what_is_missing_is_said(photos):
    with pytest.raises(InputError, match=r"a column of paths and one of labels\. It has: path, kind\."):
        scan(pandas.DataFrame({"path": photos, "kind": "x"}))
    with pytest.raises(InputError, match=r'Row 2 of "the data frame" has no label\.'):
        scan(pandas.DataFrame({"path": photos, "label": ["a", "b", None, "b"]}))
    with pytest.raises(InputError, match=r'names 1 photo that cannot be found: ".*9\.jpg" \(row 1\)\.'):
        scan(pandas.DataFrame({"path": [photos[0], "9.jpg"], "label": ["a", "b"]}))
    with pytest.raises(InputError, match=r"gives row 1 no split"):
        scan(pandas.DataFrame({"path": photos[:2], "label": ["a", "b"], "split": ["test", None]}))
    with pytest.raises(InputError, match=r'two labels: "a" \(row 0\) and "b" \(row 1\)'):
        scan(pandas.DataFrame({"path": [photos[0]] * 2, "label": ["a", "b"]}))
    with pytest.raises(InputError, match=r"has no rows"):
        scan(pandas.DataFrame({"path": [], "label": []}))
    with pytest.raises(InputError, match=r"named by a path or by a data frame\. Got int\."):
        scan(7)
    twice = scan(pandas.DataFrame({"path": [photos[0], *photos], "label": ["a", "a", "a", "b", "b"]}))
    assert [skipped.reason for skipped in twice.skipped] == ["listed already in row 0"]


def test_rows_without_a_label(photos):
    for missing in (None, np.nan, pandas.NA, pandas.NaT):
        with pytest.raises(InputError, match=r"Row 1 of .* has no label"):
            scan(pandas.DataFrame({"path": photos, "label": pandas.Series(["a", missing, "b", "a"], dtype=object)}))
    frame = pandas.DataFrame({"path": photos, "label": ["1", "0", "<NA>", "1"]})
    dataset = scan(frame)
    assert (dataset.class_names, dataset.n) == (("0", "1"), 3)
    assert dataset.notes == ("1 photo without a label is not used.",)


@pytest.mark.parametrize("label", [["a", "b"], ("a", "b"), np.array(["a", "b"]), "['a', 'b']"])
def test_lists_of_labels_are_refused(photos, label):
    frame = pandas.DataFrame({"path": photos, "label": [label, "b", "a", "b"]})
    with pytest.raises(InputError, match=r"^Row 0 of .* gives a list for a label"):
        scan(frame)
