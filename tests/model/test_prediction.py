"""A photo gets one answer, however it is handed over."""

import copy
import io
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.classifier.decision import ClassThreshold, Thresholds
from tellapart.engine.backbone import imagenet_class_names
from tellapart.errors import ArtifactError, PhotoError
from tellapart.model.artifact import load_artifact
from tellapart.model.prediction import Answers, Prediction, Predictor, load


@pytest.fixture(scope="module")
def predictor(model):
    return load(model)


@pytest.fixture(scope="module")
def paths(shared_data):
    folder = shared_data / "clothing" / "test"
    return [sorted((folder / name).iterdir())[i] for name in ("dress", "hat", "pants", "shoes") for i in range(3)]


@pytest.fixture(scope="module")
def burgers(shared_data):
    return shared_data / "burger_examples"


def same(a, b, tolerance=0.0):
    """Equal but for the name."""
    if tolerance == 0:
        return {**a.to_json(), "photo": ""} == {**b.to_json(), "photo": ""}
    return a.probs.keys() == b.probs.keys() and all(abs(a.probs[k] - b.probs[k]) <= tolerance for k in a.probs)


def test_path_bytes_and_file_object_agree_to_the_bit(predictor, paths):
    for path in paths[::3]:
        by_path = predictor.predict(path)
        assert by_path.photo == str(path)
        assert same(by_path, predictor.predict(str(path)))
        assert same(by_path, predictor.predict(path.read_bytes()))
        assert predictor.predict(path.read_bytes()).photo == ""


def test_whatever_is_handed_over_gets_the_answer_of_its_file(predictor, paths):
    """No door opens a number, takes a file for its lines, or closes what is not its own."""
    data, expected = paths[0].read_bytes(), predictor.predict(paths[0])
    own = os.dup(1)
    with open(paths[0], "rb") as file:
        kinds = [bytearray(data), memoryview(data), io.BytesIO(data), file, Image.open(io.BytesIO(data))]
        for item in kinds:
            assert same(predictor.predict(item), expected), type(item)
        together = predictor.predict(item for item in kinds)
        assert len(together) == len(kinds)
        assert all(same(one, expected) for one in together)
        assert not file.closed
    for bad in (list(data[:50]), range(300), [None], [paths[0], 3]):
        with pytest.raises(TypeError, match=r"^A photo must be a path, bytes, an open file.* Got \w+\.$"):
            predictor.predict(bad)
    os.close(own)  # fails where somebody else has
    for many in (np.array([str(path) for path in paths[:2]]), np.array(paths[:2]), iter(paths[:2]), set(paths[:1])):
        assert same(predictor.predict(many)[0], expected)
    array = np.asarray(Image.open(paths[0]).convert("RGB"))
    assert same(predictor.predict(np.stack([array, array]))[1], predictor.predict(array))


def test_a_file_that_is_closed_once_the_next_is_asked_for_is_read_before(predictor, paths):
    def members():
        for path in paths:
            with open(path, "rb") as file:
                yield file

    assert all(same(one, predictor.predict(one.photo)) for one in predictor.predict(members()))


def test_a_predictor_can_be_sent_to_another_process(predictor, paths):
    sent = pickle.loads(pickle.dumps(predictor))
    assert [p.to_json() for p in sent.predict(paths)] == [p.to_json() for p in predictor.predict(paths)]
    assert repr(sent) == repr(predictor) == "<Predictor of 4 classes: dress, hat, pants, shoes>"


def test_image_and_array_agree_and_differ_from_the_file_only_by_how_it_was_decoded(predictor, paths):
    for path in paths[::3]:
        image = Image.open(path).convert("RGB")
        by_image = predictor.predict(image)
        assert same(by_image, predictor.predict(np.asarray(image)))
        assert same(predictor.predict(path), by_image, tolerance=0.05)


def test_an_opened_image_gets_the_answer_of_its_file_to_the_bit(predictor, paths, tmp_path):
    for i, (mode, kind) in enumerate([("CMYK", "TIFF"), ("RGBA", "WEBP"), ("L", "JPEG"), ("P", "GIF"), ("LA", "PNG")]):
        Image.open(paths[i]).convert(mode).save(tmp_path / "photo", kind)
        with Image.open(tmp_path / "photo") as opened:
            by_image = predictor.predict(opened)
        assert same(by_image, predictor.predict(tmp_path / "photo"))
        assert by_image.error is None
    with Image.open(paths[0]) as opened:
        assert same(predictor.predict([opened, opened])[1], predictor.predict(paths[0]))


def test_an_image_is_turned_upright_as_its_file_is(predictor, paths):
    image = Image.open(paths[0]).convert("RGB").resize((300, 400))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    file = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    turned = Image.open(io.BytesIO(file.getvalue()))
    assert same(predictor.predict(turned), predictor.predict(image))
    assert same(predictor.predict(file.getvalue()), predictor.predict(image))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"])
def test_pillow_images_of_every_mode_have_an_answer(predictor, paths, mode):
    image = Image.open(paths[0]).convert("RGB")
    converted = image.convert("L").convert(mode) if mode in ("I", "F", "I;16") else image.convert(mode)
    got = predictor.predict(converted)
    assert got.error is None
    assert got.answer is not None
    if mode in ("RGBA", "RGBX", "CMYK", "YCbCr"):
        assert same(got, predictor.predict(image), tolerance=0.15)


def test_a_cut_pillow_image_is_an_error_as_data(predictor, burgers):
    data = (burgers / "pizza.jpg").read_bytes()
    [got] = predictor.predict([Image.open(io.BytesIO(data[: len(data) // 2]))])
    assert (got.answer, got.error) == (None, "The photo is cut off: part of it is missing.")


@pytest.mark.parametrize(
    "bad",
    [
        "no/such/photo.jpg",
        Path("/"),
        b"",
        b"not a photo",
        np.zeros((5, 5), np.uint8),
        np.zeros((5, 5, 4), np.uint8),
        np.zeros((5, 5, 3), np.float32),
        np.zeros((0, 5, 3), np.uint8),
    ],
    ids=repr,
)
def test_what_cannot_be_read_is_data_among_many_and_an_error_alone(predictor, bad):
    [got] = predictor.predict([bad])
    with pytest.raises(PhotoError) as caught:
        predictor.predict(bad)
    assert caught.value.message == got.error
    assert got == Prediction(str(bad) if isinstance(bad, str | Path) else "", None, error=got.error)
    assert got.error.endswith(".")
    assert got.to_json()["probs"] == {}


def test_order_is_kept_and_errors_stay_in_their_place(predictor, paths):
    given = [*paths, "nothing.jpg", *reversed(paths), b"broken", *paths]
    got = predictor.predict(given)
    assert [p.photo for p in got] == [str(item) if not isinstance(item, bytes) else "" for item in given]
    assert [i for i, p in enumerate(got) if p.error] == [len(paths), 2 * len(paths) + 1]
    alone = {str(path): predictor.predict(path) for path in paths}
    assert all(same(p, alone[p.photo]) for p in got if not p.error)


def test_answers_are_given_out_before_all_photos_are_named(predictor, paths):
    """Paths may come from a pipe that never ends."""
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield paths[len(asked) % len(paths)]

    stream = predictor.predict_many(endless())
    for _ in range(5):
        assert next(stream).error is None
    stream.close()
    assert len(asked) < 60


def test_no_photos(predictor):
    assert predictor.predict([]) == []


def test_many_threads_get_the_answers_of_one(predictor, paths):
    expected = [predictor.predict(path).to_json() for path in paths]
    gate = threading.Barrier(4)

    def ask(_):
        gate.wait()
        return [predictor.predict(path).to_json() for path in paths]

    with ThreadPoolExecutor(4) as executor:
        assert all(got == expected for got in executor.map(ask, range(4)))


def test_a_prediction_is_consistent(predictor, paths):
    for prediction in predictor.predict(paths):
        probs = list(prediction.probs.values())
        assert probs == sorted(probs, reverse=True)
        assert sum(probs) == pytest.approx(1, abs=1e-5)
        assert prediction.class_name == next(iter(prediction.probs))
        assert prediction.confidence == probs[0]
        assert set(prediction.probs) == set(predictor.class_names)
        assert prediction.answer in {*predictor.class_names, "not sure", "none of these"}


def test_new_garments_are_told_apart_and_other_things_are_further(predictor, paths, shared_data):
    got = predictor.predict(paths)
    right = [p.class_name == Path(p.photo).parent.name for p in got]
    assert np.mean(right) >= 0.75
    others = predictor.predict(sorted((shared_data / "unknown" / "textures").iterdir())[:12])
    assert np.median([p.ood_score for p in others]) > max(np.median([p.ood_score for p in got]), 0.2)


def test_predictions_follow_the_thresholds(model, paths):
    from dataclasses import replace

    artifact = load_artifact(model)
    for limits, said in (
        ({"unknown_score": -1.0, "confidence": None, "n": 1}, "none of these"),
        ({"unknown_score": None, "confidence": 1.1, "n": 1}, "not sure"),
    ):
        strict = Predictor.from_artifact(replace(artifact, manifest={**artifact.manifest, "thresholds": limits}))
        assert {p.answer for p in strict.predict(paths[:3])} == {said}


def test_imagenet_knows_the_burger_photos(burgers):
    predictor = load("imagenet")
    assert predictor.class_names == imagenet_class_names()
    got = {p.stem: predictor.predict(p) for p in sorted(burgers.iterdir())}
    assert {name: p.answer.replace(" ", "") for name, p in got.items()} == {
        "cheeseburger": "cheeseburger",
        "hotdog": "hotdog",
        "pizza": "pizza",
    }
    assert all(p.ood_score is None for p in got.values())
    assert len(got["pizza"].probs) == 1000


def test_a_folder_called_imagenet_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagenet").mkdir()
    with pytest.raises(ArtifactError):
        load("imagenet")


def test_train_proved_that_the_file_answers_as_tested(model):
    import json

    proof = json.loads((model / "evaluation.json").read_text())["proof"]
    assert proof["n"] == 16
    assert proof["largest_difference"] <= 1e-3


def test_not_sure_is_between_the_classes_that_claim_a_photo(predictor):
    """Not the two likeliest, where two classes that must not be missed both claim it."""
    names = predictor.class_names
    probs = np.zeros(len(names), np.float32)
    probs[:4] = 0.6, 0.2, 0.15, 0.05
    torn = copy.copy(predictor)
    never_miss = tuple(
        ClassThreshold(names[c], 0.9, 0.9, 0.8, 1.0, 20, 20, c, prob) for c, prob in ((1, 0.1), (3, 0.01))
    )
    torn.thresholds = Thresholds(None, 0.7, 100, never_miss=never_miss)
    said = torn.prediction(Answers(probs, None))
    assert (said.answer, said.between) == ("not sure", (names[1], names[3]))
    torn.thresholds = Thresholds(None, 0.7, 100)
    assert torn.prediction(Answers(probs, None)).between == names[:2]
    torn.thresholds = Thresholds(None, 0.5, 100)
    assert torn.prediction(Answers(probs, None)).between == ()
    assert "between" not in said.to_json()
