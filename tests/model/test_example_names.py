"""Every class's example has a name of its own, and every name leads back to its class."""

from hypothesis import given
from hypothesis import strategies as st

from tellapart.model.artifact import EXAMPLE, Artifact
from tellapart.model.example_names import classes_of, example_name, shown_classes

ANIMALS = ("猫", "狗", "鸟")


def test_names_without_latin_letters_get_their_own_photos():
    names = [example_name(ANIMALS, label) for label in range(3)]
    assert names == ["examples/1-class-1.jpg", "examples/2-class-2.jpg", "examples/3-class-3.jpg"]
    assert classes_of(names, ANIMALS) == dict(zip(names, ANIMALS, strict=True))
    assert classes_of(names[1:], ANIMALS) == dict(zip(names[1:], ANIMALS[1:], strict=True))  # 猫 has none


def test_plain_names_stay_as_they_were():
    assert example_name(("hat", "T-Shirt"), 1) == "examples/2-t-shirt.jpg"


def test_the_longest_names_are_names_of_examples_too():
    names = ["a" * 200, "A" * 200, "b" * 199]
    files = [example_name(names, label) for label in range(3)]
    assert all(EXAMPLE.fullmatch(file) for file in files)
    assert list(classes_of(files, names).values()) == names


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=12, unique=True), st.data())
def test_whatever_the_names_and_whichever_are_there(names, data):
    labels = data.draw(st.sets(st.integers(0, len(names) - 1)))
    files = {example_name(names, label): names[label] for label in sorted(labels)}
    assert len(files) == len(labels)
    assert all(EXAMPLE.fullmatch(file) for file in files)
    assert classes_of(files, names) == files


def test_examples_of_models_of_before():
    """They were counted: the number is not the class's where one had none."""
    names = ("T-Shirt", "t shirt", "หมวก", "hat")
    assert classes_of(["examples/1-t-shirt.jpg", "examples/2-t-shirt.jpg"], names) == {
        "examples/1-t-shirt.jpg": "T-Shirt",
        "examples/2-t-shirt.jpg": "t shirt",
    }
    assert classes_of(["examples/1-class.jpg", "examples/2-hat.jpg"], names) == {
        "examples/1-class.jpg": "หมวก",
        "examples/2-hat.jpg": "hat",
    }
    three = [f"examples/{n}-class.jpg" for n in (1, 2, 3)]
    assert list(classes_of(three, ANIMALS).values()) == list(ANIMALS)
    # Two photos for three classes: which, nobody knows, so nothing wrong is said.
    assert list(classes_of(three[:2], ANIMALS).values()) == [None, None]
    assert classes_of(["examples/9-banjo.jpg"], names) == {"examples/9-banjo.jpg": None}


def test_classes_called_otherwise_since_keep_their_photos():
    manifest = {
        "class_names": ["hat", "dress", "Schuhe"],
        "known_as": {"hat": "dress", "dress": "hat", "Schuhe": "shoes"},
    }
    files = {f"examples/{n}-{then}.jpg": b"" for n, then in enumerate(("dress", "hat", "shoes"), start=1)}
    artifact = Artifact(manifest, files, frozenset(), {})
    assert list(shown_classes(artifact).values()) == ["hat", "dress", "Schuhe"]
    assert artifact.trained_names == ("dress", "hat", "shoes")
