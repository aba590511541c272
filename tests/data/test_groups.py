"""Groups that a person gives: by a pattern over paths, by a column, united with what is alike."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.data.duplicates import kept_together, united
from tellapart.data.groups import Groups, by_column, by_pattern, named_column
from tellapart.data.label_file import GROUP_COLUMNS
from tellapart.data.source import Dataset, require_trainable, scan
from tellapart.errors import InputError


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (
            "{group}_*",
            {"hat/cat7_1.jpg": "cat7", "hat/cat7_2.jpg": "cat7", "hat/x/dog_1_2.jpg": "dog_1", "a/b.jpg": ""},
        ),
        ("{group}_*_100.jpg", {"a/Plum__r_9_100.jpg": "Plum__r", "a/Plum__9_100.JPG": "Plum_", "a/Plum.jpg": ""}),
        ("{group}/*", {"hat/p1/1.jpg": "p1", "shoe/p1/2.jpg": "p1", "hat/p2/1.jpg": "p2"}),
        ("{group}/{group}/*", {"hat/1/x.jpg": "hat/1", "shoe/1/x.jpg": "shoe/1"}),
        ("/*/{group}/**", {"hat/p1/1.jpg": "p1", "hat/p2/day/roll/2.jpg": "p2", "hat/3.jpg": ""}),
        ("/data/*/{group}/*", {"/data/hat/p1/1.jpg": "p1", "/data/hat/p2/2.jpg": "p2", "/x/data/hat/p3/3.jpg": ""}),
        ("{group}_*", {"a/Cat7_1.jpg": "Cat7", "a/cat7_2.jpg": "Cat7", "a/CAT7_3.jpg": "Cat7", "a/dog_1.jpg": "dog"}),
        ("{group}/**/*", {"p1/a/b/1.jpg": "p1", "p2/2.jpg": "p2"}),
        ("IMG_{group}_*", {"a/IMG_20240501_1.jpg": "20240501", "a/img_20240502_7.jpg": "20240502"}),
        ("{group}??????.*", {"a/20240501123456.jpg": "20240501", "a/20240502235959.jpg": "20240502"}),
        ("[ab]{group}.jpg", {"x/a1.jpg": "1", "x/b2.jpg": "2", "x/c3.jpg": ""}),
        ("[!ab]{group}.jpg", {"x/a1.jpg": "", "x/c3.jpg": "3", "x/d4.jpg": "4"}),
        ("{group}.+(1)*", {"x/a.+(1).jpg": "a", "x/b.+(1).jpg": "b", "x/aaa1.jpg": ""}),
        ("{group}[", {"x/a[": "a", "x/b[": "b"}),
    ],
)
def test_a_pattern_is_a_glob_that_says_what_a_group_is(pattern, expected):
    groups = by_pattern(pattern, list(expected), "photos")
    assert dict(zip(expected, groups.names, strict=True)) == expected
    assert (groups.by, groups.kind, groups.asked) == (pattern, "path", True)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", 'The pattern "" does not say what a group is.'),
        ("*_1.jpg", r'The pattern "\*_1.jpg" does not say what a group is.'),
        ("{patient}_*", r'does not say what a group is\. Write {group} for "{patient}"\.'),
        ("{group}_{day}", r'The pattern "{group}_{day}" holds "{day}", which stands for nothing\.'),
        ("{group}}", r'holds "}", which stands for nothing\.'),
        ("{group}[z-a]", r'The pattern "{group}\[z-a\]" cannot be understood\.'),
        ("{group}" + "x" * 1000, r"The pattern has 1,007 letters; at most 1,000 can be one\."),
        ("{group}.png", r'fits none of 2 photos in "photos", for example "hat/1\.jpg"\.'),
        ("h{group}/*", r'puts all 2 photos of "photos" into one group, "at", so there is no other to test on\.'),
    ],
)
def test_a_pattern_that_cannot_be_is_refused_in_a_sentence(pattern, message):
    with pytest.raises(InputError, match=message) as raised:
        by_pattern(pattern, ["hat/1.jpg", "hat/2.jpg"], "photos")
    assert raised.value.hint or "letters" in raised.value.message


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab1_/*?[]!-^\\{}&~|.") | st.characters(), max_size=12), st.booleans())
def test_no_pattern_ends_in_a_trace(text, behind):
    pattern = text + "{group}" if behind else "{group}" + text
    try:
        groups = by_pattern(pattern, ["a/b_1.jpg", "a/b_2.jpg", "a1/c.jpg"], "photos")
    except InputError:
        return
    assert len(groups.names) == 3
    assert groups.n + groups.n_alone > 1


def test_photos_without_a_group_stand_alone():
    groups = Groups(("a", "", "b", "a", ""), "lot", "column")
    assert groups.numbers.tolist() == [0, 1, 2, 0, 3]
    assert (groups.n, groups.n_alone) == (2, 2)
    part = groups.subset([4, 0, 3])
    assert (part.names, part.numbers.tolist()) == (("", "a", "a"), [0, 1, 1])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30))
def test_united_groups_are_the_transitive_closure(pairs):
    first, second = np.array(pairs, np.int32).T
    together = united(first, second)
    reach = (first[:, None] == first) | (second[:, None] == second)
    for _ in range(len(pairs)):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    assert np.array_equal(together[:, None] == together, reach)


def test_chains_of_photos_that_look_alike_do_not_make_one_group_of_all():
    bound = np.repeat(np.arange(10), 10).astype(np.int32)
    alone, copies = np.arange(100, dtype=np.int32), np.arange(100, dtype=np.int32)
    copies[1] = copies[0]
    few = alone.copy()
    few[[9, 10]] = 9  # two groups share a photo that looks alike
    assert len(np.unique(kept_together((few, copies), bound))) == 9
    chain = alone.copy()
    chain[10::10] = chain[9:-1:10]  # each group ends as the next begins
    assert np.array_equal(kept_together((chain, copies), bound), united(copies, bound))
    near = copies.copy()
    near[[3, 14]] = near[[2, 15]]  # within a group, and across two
    assert np.array_equal(kept_together((chain, near, copies), bound), united(near, bound)), "near ones stay together"
    assert np.array_equal(kept_together((chain, chain, copies), bound), united(copies, bound))
    assert len(np.unique(kept_together((np.zeros(100, np.int32), copies), bound))) == 1  # nothing that a group adds


def test_groups_can_be_kept_where_a_class_has_two():
    labels = np.array([0, 0, 1, 1], np.int32)
    assert not Groups(("a", "a", "b", "b"), "lot", "column").can_be_kept(labels)
    assert not Groups(("a", "a", "a", "a"), "lot", "column").can_be_kept(labels)
    assert Groups(("a", "", "b", "b"), "lot", "column").can_be_kept(labels)


def test_the_column_of_groups_is_found_by_its_name_or_named():
    assert named_column(None, ["path", "Patient"], GROUP_COLUMNS, "a.csv") == "Patient"
    assert named_column(None, ["lot", "group"], GROUP_COLUMNS, "a.csv") == "group"
    assert named_column(None, ["path", "label"], GROUP_COLUMNS, "a.csv") is None
    assert named_column("none", ["group"], GROUP_COLUMNS, "a.csv") is None
    assert named_column(" PLANT", ["plant", "group"], GROUP_COLUMNS, "a.csv") == "plant"
    with pytest.raises(InputError, match=r"several columns that may say which photos belong together: session, lot"):
        named_column(None, ["lot", "session"], GROUP_COLUMNS, "a.csv")
    with pytest.raises(InputError, match=r'"a\.csv" has no column "planet"\.') as raised:
        named_column("planet", ["plant", "path"], GROUP_COLUMNS, "a.csv")
    assert raised.value.hint.startswith('Did you mean "plant"? It has: plant, path.')
    with pytest.raises(InputError) as raised:
        named_column("plant", [], GROUP_COLUMNS, "a.csv")
    assert raised.value.hint.startswith("Its first line does not name any.")


def test_an_empty_column_groups_nothing():
    assert by_column(["", ""], "lot", "a.csv", asked=False) is None
    with pytest.raises(InputError, match=r'The column "lot" of "a\.csv" is empty'):
        by_column(["", ""], "lot", "a.csv", asked=True)
    assert by_column(["a", "a"], "lot", "a.csv", asked=False).n == 1
    with pytest.raises(InputError, match=r'The column "lot" puts all 2 photos of "a\.csv" into one group, "a"'):
        by_column(["a", "a"], "lot", "a.csv", asked=True)


PATHS = [f"{name}/{name}{patient}_{i}.jpg" for name in ("hat", "shoe") for patient in "12" for i in range(2)]
PATIENTS = tuple(path.split("/")[1].split("_")[0] for path in PATHS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two classes, two patients each, two photos each; the working directory."""
    monkeypatch.chdir(tmp_path)
    for path in PATHS:
        place = tmp_path / "photos" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"photo")
    return tmp_path


def test_folders_and_zips_are_grouped_by_their_paths(folder):
    shutil.make_archive("packed", "zip", "photos")
    for source in ("photos", "packed.zip", str(folder / "photos")):
        assert scan(source).groups is None
        grouped = scan(source, group_by="{group}_*")
        assert grouped.groups.names == PATIENTS
        assert scan(source, group_by="/*/{group}_*").groups.names == PATIENTS
        require_trainable(grouped)
        assert scan(source, group_by="none").groups is None
        with pytest.raises(InputError, match=r'has no columns, so it cannot be grouped by "patient"'):
            scan(source, group_by="patient")
        with pytest.raises(InputError, match=r'makes one group of each class \("hat" is "hat", "shoe" is "shoe"\)'):
            require_trainable(scan(source, group_by="/{group}/*"))


FORMS = {
    "comma.csv": ",",
    "semicolon.csv": ";",
    "tab.tsv": "\t",
}


@pytest.mark.parametrize("column", [*GROUP_COLUMNS, "Patient", "SCENE"])
@pytest.mark.parametrize("form", [*FORMS, "rows.jsonl"])
def test_tables_of_every_form_take_a_group_under_each_name(folder, column, form):
    rows = [(f"photos/{path}", path.split("/")[0], patient) for path, patient in zip(PATHS, PATIENTS, strict=True)]
    if form.endswith("jsonl"):
        text = "\n".join(json.dumps({"path": path, "label": label, column: group}) for path, label, group in rows)
    else:
        lines = [("path", "label", column), *rows]
        text = "\ufeff" + "\r\n".join(FORMS[form].join(line) for line in lines)  # as Excel saves it
    (folder / form).write_text(text, encoding="utf-8", newline="")
    groups = scan(form).groups
    assert groups.names == PATIENTS
    assert groups.by.lower() == column.lower()
    assert (groups.kind, groups.asked) == ("column", False)
    assert scan(form, group_by=column.upper()).groups.asked
    assert scan(form, group_by="none").groups is None
    assert scan(form, group_by="photos/{group}/*").groups.names == tuple(path.split("/")[0] for path in PATHS)


def test_cells_without_a_group_and_photos_with_two(folder):
    (folder / "a.csv").write_text(
        "path,label,lot\nphotos/hat/hat1_0.jpg,hat,A\nphotos/hat/hat1_1.jpg,hat,\nphotos/shoe/shoe1_0.jpg,shoe, A\n"
    )
    groups = scan("a.csv").groups
    assert groups.names == ("A", "", "A")
    (folder / "a.csv").write_text(
        "path,label,lot\nphotos/hat/hat1_0.jpg,hat,A\nphotos/hat/hat1_0.jpg,hat,A\nphotos/hat/hat1_0.jpg,hat,B\n"
    )
    with pytest.raises(InputError, match=r'two groups: "A" \(line 2\) and "B" \(line 4\)'):
        scan("a.csv")
    (folder / "a.csv").write_text("photos/hat/hat1_0.jpg,hat\nphotos/hat/hat1_1.jpg,hat\n")
    with pytest.raises(InputError, match=r'"a\.csv" has no column "lot"'):
        scan("a.csv", group_by="lot")


def test_lists_take_groups(folder):
    places = [folder / "photos" / path for path in PATHS]
    labels = [path.split("/")[0] for path in PATHS]
    dataset = Dataset.from_lists(places, labels, groups=[1, 1, None, "", *"abcd"])
    assert dataset.groups.names == ("1", "1", "", "", *"abcd")
    assert dataset.subset([7, 0]).groups.names == ("d", "1")
    assert Dataset.from_lists(places, labels).groups is None
    with pytest.raises(InputError, match=r"one group for each photo\. Got 8 photos and 1 groups"):
        Dataset.from_lists(places, labels, groups=["a"])


def test_groups_that_equal_the_label_bind_nothing_and_are_refused_where_they_were_asked_for(folder):
    rows = [f"photos/{path},{path.split('/')[0]},{path.split('/')[0]}" for path in PATHS]
    (folder / "a.csv").write_text("\n".join(["path,label,group", *rows]))
    found = scan("a.csv")
    assert found.groups.n == 2
    assert found.bound is None
    require_trainable(found)
    with pytest.raises(InputError, match="makes one group of each class"):
        require_trainable(scan("a.csv", group_by="group"))
    split = [f"{row},{'train' if i % 2 else 'test'}" for i, row in enumerate(rows)]
    (folder / "a.csv").write_text("\n".join(["path,label,group,split", *split]))
    require_trainable(scan("a.csv", group_by="group"))  # its split came with it


def test_a_photo_without_a_group_stands_alone_however_that_is_written(tmp_path, shared_data):
    """None, NaN and nothing are no group, and a number is one name in a list and in JSON, with gaps or without."""
    photos = sorted((shared_data / "clothing" / "train" / "hat").iterdir())[:5]
    given = [1.0, None, float("nan"), "", 1.0]
    listed = Dataset.from_lists(photos, ["hat", "hat", "cap", "cap", "cap"], groups=given)
    table = tmp_path / "photos.jsonl"
    rows = [
        {"path": str(p), "label": "hat", "patient": None if g != g else g} for p, g in zip(photos, given, strict=True)
    ]
    table.write_text("\n".join(json.dumps(row) for row in rows))
    for groups in (listed.groups, scan(table).groups):
        assert groups.names == ("1", "", "", "", "1")
        assert len(set(groups.numbers.tolist())) == 4
