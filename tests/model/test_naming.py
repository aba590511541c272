"""What a person may have meant who named something that is no model folder."""

from pathlib import Path

import pytest

from tellapart.errors import ArtifactError
from tellapart.model.artifact import load_artifact
from tellapart.model.naming import refuse_swapped, refuse_swapped_option, refuse_swapped_pair


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what looks like a model from outside, photos, and a file of another program."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "burgers/manifest.json",
        "burgers/model.onnx",
        "two words/manifest.json",
        "photos/hat/1.jpg",
        "net.pt",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"{}")


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("named", "message", "hint"),
    [
        ("imagnet", "There is no model folder 'imagnet'.", 'Did you mean "imagenet"? '),
        ("ImageNet", "There is no model folder 'ImageNet'.", 'Did you mean "imagenet"? '),
        ("imagenet-1k", "There is no model folder 'imagenet-1k'.", 'Did you mean "imagenet"? '),
        ("burger", "There is no model folder 'burger'.", 'Did you mean "burgers"? '),
        ("photos/../Burgres", "There is no model folder 'photos/../Burgres'.", 'Did you mean "photos/../burgers"? '),
        ("zzz", "There is no model folder 'zzz'.", "Train one with: "),
        ("photo", "There is no model folder 'photo'.", "Train one with: "),  # what is near is none
        ("burgers/model.onnx", "There is no model folder 'burgers/model.onnx'; it is a file of the model \"burgers\".",
         "Name the folder: burgers"),
        ("two words/manifest.json",
         "There is no model folder 'two words/manifest.json'; it is a file of the model \"two words\".",
         "Name the folder: 'two words'"),
        ("net.pt", "There is no model folder 'net.pt'; it is a file.", "Only folders that tellapart wrote are read. "),
        ("photos", "'photos' is not a model folder.", "Train a model"),
        (".", "'.' is not a model folder.", 'Did you mean "burgers", which is one?'),
    ],
)  # fmt: skip
def test_what_was_meant(named, message, hint):
    with pytest.raises(ArtifactError) as caught:
        load_artifact(Path(named))
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)


@pytest.mark.usefixtures("place")
def test_swapped_arguments_are_recognised():
    for first, rest, meant in (
        ("photos", ["two words"], "tellapart predict 'two words' photos"),
        ("photos/hat/1.jpg", ["photos", "burgers"], "tellapart predict burgers photos photos/hat/1.jpg"),
        ("photos", ["imagenet"], "tellapart predict imagenet photos"),
    ):
        with pytest.raises(ArtifactError) as caught:
            refuse_swapped(first, rest, "tellapart predict")
        assert caught.value.message == f'The model comes first, and "{first}" is none.'
        assert caught.value.hint == f"Did you mean: {meant}"
    for first, rest in (
        ("burgers", ["two words"]),
        ("imagenet", ["burgers"]),
        ("nowhere", ["burgers"]),
        ("photos", ["x"]),
    ):
        refuse_swapped(first, rest, "tellapart predict")


@pytest.mark.usefixtures("place")
def test_swapped_arguments_of_two_models_are_recognised():
    for models, photos, meant in (
        (["photos", "two words"], "burgers", "'two words' burgers photos"),
        (["burgers", "photos"], "imagenet", "burgers imagenet photos"),
    ):
        with pytest.raises(ArtifactError) as caught:
            refuse_swapped_pair(models, photos, "tellapart compare")
        assert caught.value.message == 'The two models come first, and "photos" is none.'
        assert caught.value.hint == f"Did you mean: tellapart compare {meant}"
    for models, photos in ((["burgers", "two words"], "photos"), (["burgers", "two words"], "burgers"),
                           (["nowhere", "burgers"], "burgers"), (["photos", "burgers"], "photos")):  # fmt: skip
        refuse_swapped_pair(models, photos, "tellapart compare")


@pytest.mark.usefixtures("place")
def test_a_model_in_the_place_of_an_option_is_recognised():
    for model, options, meant in (
        ("site", {"-o": "two words", "--photos": None}, "'two words' --to web -o site"),
        ("photos", {"-o": "site", "--photos": "burgers"}, "burgers --to web -o site --photos photos"),
    ):
        with pytest.raises(ArtifactError) as caught:
            refuse_swapped_option(model, options, "tellapart export", "--to web")
        assert caught.value.message == f'The model comes first, and "{model}" is none.'
        assert caught.value.hint == f"Did you mean: tellapart export {meant}"
    for model, options in (("burgers", {"-o": "two words"}), ("imagenet", {"-o": "burgers"}), ("photos", {"-o": "x"})):
        refuse_swapped_option(model, options, "tellapart export")
