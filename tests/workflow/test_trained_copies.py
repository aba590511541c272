"""Photos that a model learned from, in another form, are found where this machine still knows the training photos."""

import io
import shutil

import pytest
from PIL import Image, ImageOps

from tellapart.model.artifact import load_artifact
from tellapart.recipe import LinearProbe, Reading
from tellapart.workflow.compare import compare
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.train import train
from tellapart.workflow.trained_copies import ALL_LOOKED_AT, NONE_LOOKED_AT, training_photos

pytestmark = pytest.mark.slow

N_COPIES = 3  # of each class


def half(image):
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.NEAREST)


def turned(image):
    return ImageOps.mirror(image).transpose(Image.Transpose.ROTATE_90)


def saved_again(image):
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=25)
    return Image.open(kept)


CHANGES = (half, turned, saved_again)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """What this machine remembers: of these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("TELLAPART_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def _own_cache(own_cache, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(own_cache))


@pytest.fixture(scope="module")
def photos(clothing_folder, tmp_path_factory):
    """48 photos of four classes, of this module's own: they may be moved away."""
    folder = tmp_path_factory.mktemp("train") / "photos"
    for kind in sorted(clothing_folder.iterdir()):
        (folder / "train" / kind.name).mkdir(parents=True)
        for path in sorted(kind.iterdir())[:12]:
            shutil.copy(path, folder / "train" / kind.name / path.name)
    for kind in sorted(clothing_folder.iterdir()):
        (folder / "test" / kind.name).mkdir(parents=True)
        for path in sorted(kind.iterdir())[12:16]:
            shutil.copy(path, folder / "test" / kind.name / path.name)
    return folder


@pytest.fixture(scope="module")
def learned(own_cache, photos, tmp_path_factory):
    """A model that learned from the training part of `photos`."""
    output = tmp_path_factory.mktemp("models") / "model"
    train(photos, output, LinearProbe(Reading(quality="fast")), advice=False)
    return output


@pytest.fixture(scope="module")
def fresh(photos, shared_data, tmp_path_factory):
    """12 new photos, and of each class a smaller, a turned and a saved again copy of a training photo."""
    folder = tmp_path_factory.mktemp("fresh") / "photos"
    for kind in sorted((photos / "train").iterdir()):
        (folder / kind.name).mkdir(parents=True)
        for path in sorted((shared_data / "clothing" / "test" / kind.name).iterdir())[:3]:
            shutil.copy(path, folder / kind.name)
        for change, path in zip(CHANGES, sorted(kind.iterdir())[3:], strict=False):
            image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
            change(image).save(folder / kind.name / f"copy-{change.__name__}.png")
    return folder


def near(evaluation):
    assert {twins.twin for twins in evaluation.leaks.photos} <= {"a training photo"}
    return sorted(twins.photo for twins in evaluation.leaks.photos if twins.kind == "near")


COPIES = sorted(f"{name}/copy-{c.__name__}.png" for name in ("dress", "hat", "pants", "shoes") for c in CHANGES)


def test_copies_in_another_form_are_found_and_left_out(learned, fresh):
    evaluation = evaluate(learned, fresh)
    assert near(evaluation) == COPIES
    assert evaluation.leaks.n == len(COPIES)
    assert evaluation.leaks.without.n_test == 12
    assert evaluation.leaks.looked_for == evaluation["leaks"]["looked_for"] == ALL_LOOKED_AT
    assert "of 12 test photos right" in evaluation.headline


def test_a_report_says_what_copies_were_looked_for(learned, fresh, tmp_path):
    evaluate(learned, fresh, output=tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert ALL_LOOKED_AT in page
    assert "nearly the same photo" in page


def test_compare_leaves_them_out_too(learned, fresh):
    compared = compare(learned, learned, fresh)
    assert compared["n"] == 12
    assert compared["left_out"] == {"n": 12, "n_trained_on_a": 12, "n_trained_on_b": 12}
    assert compared["looked_for"] == [ALL_LOOKED_AT]


@pytest.mark.thorough  # test_it_agrees_with_evaluate holds answers to the letter
def test_answers_are_the_same_with_and_without_looks(learned, fresh, tmp_path, monkeypatch):
    """Features are one more output of the graph; no other number may change by them."""
    looked = evaluate(learned, fresh)
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "empty"))
    alone = evaluate(learned, fresh)
    for part in ("accuracy", "confusion", "calibration", "most_wrong", "per_class"):
        assert looked[part] == alone[part]


def test_with_an_empty_cache_only_exact_copies_are_known(learned, photos, fresh, tmp_path, monkeypatch):
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "empty"))
    both = tmp_path / "both"
    shutil.copytree(fresh, both)
    exact = next((photos / "train" / "hat").iterdir())
    shutil.copy(exact, both / "hat")
    evaluation = evaluate(learned, both)
    assert [(twins.photo, twins.kind) for twins in evaluation.leaks.photos] == [(f"hat/{exact.name}", "exact")]
    assert evaluation.leaks.looked_for == NONE_LOOKED_AT
    assert compare(learned, learned, both)["looked_for"] == [NONE_LOOKED_AT]


@pytest.mark.thorough  # the same through a slower way
def test_where_nothing_is_remembered_the_photos_are_read_again(own_cache, learned, fresh, tmp_path, monkeypatch):
    """The cache of features is gone; where the photos were is known still."""
    shutil.copytree(own_cache / "known", tmp_path / "cache" / "known")
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "cache"))
    evaluation = evaluate(learned, fresh)
    assert near(evaluation) == COPIES
    assert evaluation.leaks.looked_for == ALL_LOOKED_AT


def test_what_is_left_of_the_photos_is_said(own_cache, learned, photos, fresh, tmp_path, monkeypatch):
    """Hats have been moved away and shoes replaced, and nothing is remembered: the other classes are looked for."""
    shutil.copytree(own_cache / "known", tmp_path / "cache" / "known")
    monkeypatch.setenv("TELLAPART_CACHE_DIR", str(tmp_path / "cache"))
    (photos / "train" / "hat").rename(tmp_path / "hat")
    shoes = sorted((photos / "train" / "shoes").iterdir())
    kept = [path.read_bytes() for path in shoes]
    try:
        for path in shoes:
            shutil.copy(next((photos / "test" / "dress").iterdir()), path)
        evaluation = evaluate(learned, fresh)
    finally:
        (tmp_path / "hat").rename(photos / "train" / "hat")
        for path, data in zip(shoes, kept, strict=True):
            path.write_bytes(data)
    assert near(evaluation) == [name for name in COPIES if not name.startswith(("hat/", "shoes/"))]
    assert evaluation.leaks.looked_for == (
        "Resized, turned and cropped copies could be looked for of 24 of 48 training photos; of the others, which this "
        "machine does not remember, exact copies alone."
    )


def test_a_model_of_an_unknown_network_knows_exact_copies(learned):
    """Such as one that was trained on features of another network: nobody knows by what its copies were found."""
    artifact = load_artifact(learned)
    artifact.manifest["model"]["quality"] = "mobilenetv3"
    with training_photos(artifact, lambda stage, done, total: None) as training:
        assert not training.looks
        assert training.said == NONE_LOOKED_AT
