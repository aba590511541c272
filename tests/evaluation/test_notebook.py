"""An evaluation fits a screen, and a notebook shows it with its photos; every name stays text."""

from dataclasses import replace

import numpy as np

from tellapart.evaluation.evaluation import Advice, Evaluation, evaluate_predictions
from tellapart.evaluation.notebook import as_html, as_text
from tellapart.evaluation.scores import Confusion

HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m"


def evaluation(names, n=60, photos=None) -> Evaluation:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % len(names)
    probs = rng.dirichlet(np.ones(len(names)), n) + 0.3 * np.eye(len(names))[labels]
    photos = [f"photos/{i}.jpg" for i in range(n)] if photos is None else photos
    made = evaluate_predictions(probs / 1.3, labels, names, photos)
    sentence = "Add photos of every class, taken at another time and at another place. " * 4
    return replace(made, advice=tuple(Advice("more_photos", sentence, (), 0.1, {}) for _ in range(9)))


def test_as_text_it_fits_a_screen_however_many_classes_there_are():
    for n_classes in (2, 10, 1000):
        made = evaluation([f"class {i} of a long name" for i in range(n_classes)], n=2 * n_classes + 50)
        lines = repr(made).splitlines()
        assert lines[0].startswith(f"<Evaluation: {made.headline[:60]}")
        assert len(lines) <= 26
        assert max(map(len, lines)) <= 110
    assert "Everything: to_json()" in lines[-1]
    assert "… and 994 classes told apart better" in repr(made)


def test_as_html_it_shows_the_score_the_classes_the_matrix_and_the_mistakes():
    made = evaluation(["dress", "hat", "shoes"])
    assert made.most_wrong
    worst = made.most_wrong[0]
    page = replace(made, pictures={worst.photo: "data:image/webp;base64,AAAA"})._repr_html_()
    assert made.headline.replace("'", "&#x27;") in page
    assert page.count('src="data:image/webp;base64,AAAA"') == 1
    assert f"is {worst.class_name}" in page
    for row in made.confusion.matrix:
        assert all(f">{n}</td>" in page for n in row)
    many = evaluation([f"c{i}" for i in range(40)], n=80)._repr_html_()
    assert "28 more classes" in many
    assert "Every answer, counted" not in many


def test_names_are_escaped():
    page = evaluation([HOSTILE, "hat"], photos=[f"{HOSTILE}{i}" for i in range(60)])
    assert "<script" not in page._repr_html_()
    assert "&lt;script&gt;" in page._repr_html_()
    assert "\x1b" not in page._repr_html_() + repr(page)
    hostile = replace(page, pictures={page.most_wrong[0].photo: 'x" onerror="alert(1)'})._repr_html_()
    assert 'onerror="' not in hostile


def test_pictures_are_for_the_notebook_alone():
    made = evaluation(["dress", "hat"])
    pictured = replace(made, pictures={"a.jpg": "data:image/webp;base64,AAAA"})
    assert pictured == made
    assert "pictures" not in pictured.to_json()
    assert pictured.to_json() == made.to_json() == dict(pictured)


def test_no_test_photos():
    nothing = evaluate_predictions(np.zeros((0, 2)), np.zeros(0, int), ["dress", "hat"], [])
    assert "no test photo" in repr(nothing)
    assert "no test photo" in nothing._repr_html_()


def test_advice_in_a_notebook_does_not_speak_of_a_command_line():
    said = ("Try --quality best: it may help.", "Add --recipe finetune; try it.")
    confusion = Confusion(("a", "b"), ((1, 0), (0, 1)))
    for view in (as_text("90 right", (), (), said), as_html("90 right", (), confusion, (), {}, said)):
        assert "--" not in view
        assert "quality=" in view
        assert "tellapart.FineTune()" in view
