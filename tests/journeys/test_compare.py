"""`tellapart compare`: two models on the same photos."""

import shutil


def test_a_model_compared_with_itself_is_never_better(tellapart, trained, fresh):
    said = tellapart.works("compare", trained, trained, fresh)
    first, *scores = said.splitlines()
    assert "give the same answer to all 12 photos" in first
    assert len([line for line in scores if " of 12 right" in line]) == 2


def test_a_model_that_knows_the_photos_is_not_asked_about_them(tellapart, trained, photos, tmp_path):
    other = tmp_path / "other"
    tellapart.works("train", photos, "-o", other, "--seed", 1, "--quality", "fast", "--test-share", 0.2)
    compared = tellapart.json("compare", trained, other, photos)
    trained_on = compared["left_out"]
    assert compared["n"] + trained_on["n"] == compared["n_used"]
    assert trained_on["n_trained_on_a"] > 0
    assert trained_on["n_trained_on_b"] > 0
    assert (
        compared["n_only_b_right"] - compared["n_only_a_right"] == compared["b"]["n_right"] - compared["a"]["n_right"]
    )
    assert 0 < compared["p_value"] <= 1


def test_a_class_that_a_model_does_not_know_is_named(tellapart, trained, model, fresh, tmp_path):
    shutil.copytree(fresh, tmp_path / "photos")
    (tmp_path / "photos" / "drum").rename(tmp_path / "photos" / "drums")
    says = ["cannot be compared", "does not know 1 class", '"drums"']
    tellapart.refuses("compare", trained, model, tmp_path / "photos", says=says)


def test_the_photos_in_a_model_s_place_are_recognised(tellapart, trained, model, fresh):
    says = ["The two models come first", f"Did you mean: tellapart compare {trained} {model} {fresh}"]
    tellapart.refuses("compare", trained, fresh, model, says=says)
