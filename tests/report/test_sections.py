"""What each section says: advice, who gets no name, staying silent, more photos, corrupted photos, cross-validation."""

import numpy as np
import pytest

from tellapart.evaluation.corruption import CORRUPTIONS
from tellapart.evaluation.evaluation import evaluate_predictions
from tellapart.report.card import render_card
from tellapart.report.page import render_page

S = "\N{NO-BREAK SPACE}"


def _page(evaluation, thumbnails=None, title="Clothing", model_name="clothing-model"):
    return render_page(evaluation, thumbnails or {}, title=title, model_name=model_name)


def _text(made, page):
    return " ".join(made.outline(page).text.replace(S, " ").split())


def test_advice_comes_right_after_the_score_with_its_photos(made):
    evaluation = made.evaluation(**made.everything())
    page = _page(evaluation)
    text = _text(made, page)
    assert text.index("Test photos") < text.index("What to do next") < text.index("also among the training photos")
    assert text.index("What to do next") < text.index("Each class")
    sentences = [text.index(item.sentence) for item in evaluation.advice]
    assert sentences == sorted(sentences)
    assert "in shirt, looks like shirt" in text
    assert "the same photo as shirt" in text
    assert "in shirt, looks like shirt; the same photo as shirt" in text  # of two in two classes, the likelier one
    first, second, *_ = page.split('<ol class="advice">')[1].split("<li><div>")[1:]
    assert first.count("<figure ") == 2
    assert "more</summary>" not in first
    shown, folded = second.split("<details>")
    assert (shown.count("<figure "), folded.count("<figure ")) == (6, 18)
    assert "24 more</summary>" in folded  # 18 with pictures, and 6 suspects by name
    assert "<b>shirt29</b>" in folded


def test_no_advice_leaves_suspects_to_their_own_heading(made):
    everything = made.everything() | {"advice": []}
    text = _text(made, _page(made.evaluation(**everything)))
    assert "What to do next" not in text
    assert "30 photos that it learned from may be in the wrong folder." in text
    assert "may be in the wrong folder" not in _text(made, _page(made.evaluation(**everything | {"suspects": []})))


def test_photos_of_something_else(made):
    text = _text(made, _page(made.evaluation(**made.everything())))
    for sentence in (
        "114 of 120 test photos got a class name, and 90 of those names were right. 1 got “not sure” and 5 “none of "
        "these”.",
        "“not sure” A close call between your classes.",
        "“none of these” Unlike all the photos it learned from.",
        "It promised a name to at least about 95 of 100 photos of its classes;",
        "is plausible with the 480 photos it learned from. Kept. Anything from ",
        "It was asked about 180 photos of other things, the same for every model. 172 of them got no class name.",
        "142 of 150 90 % to 97 % Got a class name all the same: shirt0 (“shirt”, 2 times), shirt1",
        "2 more shirt6 (“shirt”, 2 times), shirt7",
        "on average 11 % of its photos got “none of these”",
        "2 more classes",
    ):
        assert sentence in text
    assert "Sentence about" not in text  # the page says it in its own words
    assert "fooled" not in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"observed": {"low": 116, "high": 120, "holds": False}}, "Not kept. From 116 to 120 of 120 test photos"),
        ({"observed": {"low": 90, "high": 110, "holds": False}}, "More than promised. From 90 to 110 of 120"),
        ({"promise": None, "observed": None}, "It promises nothing here: that takes at least 24 photos"),
        (
            {"promise": None, "observed": None, "n_not_sure": 0, "n_none_of_these": 0},
            "It promises nothing here and never says “none of these”: that takes at least 24 photos to learn from.",
        ),
        (
            {"promise": None, "observed": None, "early": True},
            "“None of these” is early here: it learned from few photos",
        ),
        (
            {"promise": {"kept": 0.96, "low": 0.9, "high": 0.99, "n": 60, "n_refused": 2, "n_refused_least": 2}},
            "60 photos it learned from. It never says “not sure”: that takes 99 photos.",
        ),
    ],
)
def test_whether_the_promise_was_kept(made, change, sentence):
    card = made.unknown() | change
    assert sentence in _text(made, _page(made.evaluation(unknown=card)))
    assert sentence in " ".join(render_card(made.evaluation(unknown=card), {}).split())


def test_what_staying_silent_gains(made):
    right = np.arange(100) < 90  # the ten wrong ones are the least sure
    confidences = np.linspace(0.99, 0.6, 100)
    probs = np.column_stack([confidences, 1 - confidences])
    evaluation = evaluate_predictions(probs, np.where(right, 0, 1), ["a", "b"], [str(i) for i in range(100)])
    text = _text(made, _page(evaluation))
    assert "silent about the 20 % of photos of which it is least sure, 100 % of the rest are right." in text
    assert "80 of 80; of all 100 it has 90 right, 90 %." in text
    assert "100 % 100 10 90 %" in text
    upside_down = evaluate_predictions(probs, np.where(right[::-1], 0, 1), ["a", "b"], [str(i) for i in range(100)])
    assert "staying silent gains nothing" in _text(made, _page(upside_down))


def test_whether_more_photos_would_help(made):
    def text(**overall):
        curves = {"overall": made.curve(**overall), "per_class": [made.curve(), None, made.curve(flat=True), None]}
        return _text(made, _page(made.evaluation(learning_curve=curves)))

    assert "With twice as many photos of every class, about 2 more of 100 should be right. 0 to 4 more is" in text()
    assert "dress 480 13 % 10 % to 17 % 2.1" in text()
    assert "shirt 480 13 % 10 % to 17 % –" in text()
    assert "More photos like these may well change nothing." in text(flat=True)


def test_corrupted_photos_worst_kind_first(made):
    page = _page(made.evaluation(**made.everything()))
    text = _text(made, page)
    assert "In the dark shirt is lost." in text
    rows = page.split('<table class="spoiled"')[1].split("</table>")[0].split('<tr role="row">')[2:]
    names = [row.split('scope="row">')[1].split("<")[0].strip() for row in rows]
    assert names == list(reversed(CORRUPTIONS))
    assert [row.count('role="cell"') for row in rows] == [3] * len(rows)
    assert "2,850 K, too blue" in text
    assert "5,500 K, as it was" in text
    assert "always answering 'shirt' would get 30 %. That is clearly more than chance" in text


def test_corrupted_photos_of_which_nothing_is_known(made):
    nothing = dict.fromkeys(("value", "low", "high"))
    none_right = made.robustness()
    for row in (*none_right["corruptions"], *none_right["white_balance"]):
        row["kept"] = nothing
    page = _page(made.evaluation(robustness=none_right | {"mean_kept": nothing}))
    assert "–" in page.split('<table class="spoiled"')[1].split("</table>")[0]
    empty = none_right | {"n": 0, "n_test": 0, "corruptions": [], "white_balance": [], "mean_kept": nothing,
                          "sentences": ["Nothing is known."]}  # fmt: skip
    assert "Nothing is known." in _text(made, _page(made.evaluation(robustness=empty)))


def test_cross_validation_speaks_of_no_test_photo(made):
    everything = made.everything() | {
        "split": {"kind": "crossed", "seed": 0, "n_folds": 5, "n_train": 130, "n_val": 0, "n_test": 120},
        "leaks": {"n": 0, "photos": [], "without": None, "headline_without": ""},
    }
    evaluation = made.evaluation(crossed=True, **everything)
    text = _text(made, _page(evaluation))
    card = render_card(evaluation, {})
    aloud = " ".join(v for _, k, v in made.outline(_page(evaluation)).attributes if k == "aria-label")
    assert "test photo" not in (text + aloud + card).lower()
    assert "That asks about each of the 120 photos once. The model that you got learned from all 130" in text
    assert "114 of 120 photos got a class name" in text
    assert "cross-validated" in card
