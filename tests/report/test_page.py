"""The page and the card: what they say, that names stay text, and that nothing is loaded from anywhere."""

import base64
import io
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tellapart.evaluation.evaluation import evaluate_predictions
from tellapart.model.thumbnail import make_thumbnail
from tellapart.report.card import render_card
from tellapart.report.page import Made, duration, percent, render_page

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}</style></title>",
    "javascript:alert(1)|`x`\n---\n# owned",
]
S = "\N{NO-BREAK SPACE}"


def _page(evaluation, thumbnails=None, title="Clothing", model_name="clothing-model", made=None):
    return render_page(evaluation, thumbnails or {}, title=title, model_name=model_name, made=made)


def _text(made, page):
    return " ".join(made.outline(page).text.replace(S, " ").split())


def test_page_says_the_headline_and_every_section(made):
    evaluation = made.evaluation(**made.everything())
    text = _text(made, _page(evaluation))
    assert evaluation["headline"] in text
    for sentence in (
        "80 of 100 test photos right",
        "2 test photos were also among the training photos",
        "80 of 100 test photos right (70 to 90 is plausible).",
        "612 found = 600 used + 12 skipped",
        "20 % of the photos were set aside at random for testing (seed 0): 400 to learn from, "
        "80 to choose settings with, 120 to test on.",
        "2 more skipped",
        "shirt – the same file as shirt",
        "Reading photos 3.2 s",
        "224 × 224 px",
        "14.0 MB",
        "Read the score with care All photos of shirt look alike.",
        "16 test photos, no probability off by more than 0.000013",
        "What these numbers mean",
    ):
        assert sentence in text
    said = evaluation["most_wrong"][0]
    assert f"said {said['answer']} ({round(100 * said['confidence'])} %)" in text
    assert f"you said {said['class_name']}" in text


@pytest.mark.parametrize(
    "absent",
    [
        "unknown",
        "advice",
        "suspects",
        "learning_curve",
        "training",
        "robustness",
        "risk_coverage",
        "leaks",
        "split",
    ],
)
def test_any_key_of_the_workflow_may_be_absent(made, absent):
    evaluation = replace(made.evaluation(**made.everything()), **{absent: None})
    assert evaluation.headline in _text(made, _page(evaluation))
    assert evaluation["headline"] in render_card(evaluation, {}).replace("\\", "")


def test_page_needs_only_what_evaluation_gives(made):
    text = _text(made, _page(made.evaluation()))
    for absent in ("also among the training photos", "Your photos", "The model", "Photos of something else"):
        assert absent not in text


def test_page_without_test_photos(made):
    evaluation = evaluate_predictions(np.zeros((0, 2)), np.zeros(0, int), ["a", "b"], [])
    text = _text(made, _page(evaluation))
    assert "There are no test photos, so nothing is known about how well this works." in text
    assert text.count("no test photos") == 3
    assert "How far to trust" not in text


def test_page_of_one_class_and_of_no_mistakes(made):
    evaluation = evaluate_predictions(np.ones((3, 1)), [0, 0, 0], ["only"], ["1", "2", "3"])
    assert "Nothing: every test photo got its own class." in _text(made, _page(evaluation))


def test_leaks_may_leave_nothing(made):
    leaks = {"n": 1, "photos": [], "without": None, "headline_without": ""}
    text = _text(made, _page(made.evaluation(leaks=leaks)))
    assert "1 test photo was also among the training photos" in text
    assert "No test photos are left." in text
    assert "also among the training" not in _text(made, _page(made.evaluation(leaks={**leaks, "n": 0})))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(made, name):
    names = (name, "hat", name + "2")
    plain = made.outline(_page(made.evaluation(names=("a", "hat", "b"), **made.everything("a", 3))))
    hostile_page = _page(
        made.evaluation(names=names, **made.everything(name, len(names))), title=name, model_name=name + "!"
    )
    hostile = made.outline(hostile_page)
    assert set(hostile.tags) == set(plain.tags)
    assert "script" not in hostile.tags
    assert {(tag, key) for tag, key, _ in hostile.attributes} == {(t, k) for t, k, _ in plain.attributes}
    assert " ".join(name.split()) in " ".join(hostile.text.split())
    assert "49</style>" not in hostile_page


def test_commands_hold_a_folder_of_any_name_as_it_is_written(made):
    folder = """J\u00f6rg's <b>"caf\u00e9"</b> & \u732b"""
    page = _page(made.evaluation(), made=Made("1 May 2026", folder, "tellapart train x -o y"))
    assert f"""tellapart.load("{folder.replace('"', chr(92) + '"')}").predict""" in _text(made, page)
    assert "<b>" not in page.partition('id="use"')[2].partition("</dl>")[0]


@pytest.mark.parametrize(("names", "is_wide"), [
    (("a", "b", "c"), False), (("hot dog", "cheeseburger"), False), ([str(i) for i in range(10)], True),
])  # fmt: skip
def test_a_matrix_that_a_phone_shows_whole_is_not_to_be_moved(made, names, is_wide):
    assert ("Move it sideways" in _page(made.evaluation(names=tuple(names)))) == is_wide


def test_thumbnails_are_data_or_nothing(made):
    evaluation = made.evaluation()
    photos = [p["photo"] for p in evaluation["most_wrong"]]
    uri = make_thumbnail(np.zeros((4, 4, 3), np.uint8))
    page = _page(evaluation, {photos[0]: uri, photos[1]: "https://example.org/spy.png", photos[2]: "javascript:1"})
    sources = [value for tag, key, value in made.outline(page).attributes if tag == "img" and key == "src"]
    assert sources == [uri]
    assert "example.org" not in page


def test_page_loads_nothing(made):
    outline = made.outline(_page(made.evaluation(**made.everything())))
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(outline.tags)
    asked = [a for a in outline.attributes if a[1] in ("href", "src", "action") or a[1].startswith("on")]
    assert [a for a in asked if a[:2] != ("a", "href") or not a[2].startswith("#")] == []  # places on the page itself
    policies = [v for _, k, v in outline.attributes if k == "content" and v.startswith("default-src 'none'")]
    assert len(policies) == 1
    assert "url(" not in _page(made.evaluation())
    assert "@import" not in _page(made.evaluation())


def test_only_numbers_reach_styles_and_drawings(made):
    evaluation = made.evaluation(names=(HOSTILE[0], HOSTILE[1], "c", "d"), **made.everything(HOSTILE[1]))
    outline = made.outline(_page(evaluation))
    styles = {v for _, k, v in outline.attributes if k == "style"} - {"box-shadow:none"}
    assert len(styles) > 20
    assert [v for v in styles if not re.fullmatch(r"((width|left|right|--at|--share):\d+(\.\d+)?%?;?)+", v)] == []
    geometry = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "points", "transform")
    drawn = {v for _, k, v in outline.attributes if k in geometry}
    assert len(drawn) > 20
    assert [v for v in drawn if not re.fullmatch(r"(translate\()?-?\d+(\.\d+)?([, ]-?\d+(\.\d+)?)*\)?", v)] == []
    words = set(re.findall(r"[a-z]+", _text(made, _page(made.evaluation(**made.everything()))).lower()))
    assert not words & {"nan", "inf", "none_type", "undefined"}


def test_page_is_accessible_in_outline(made):
    outline = made.outline(_page(made.evaluation(**made.everything())))
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("caption") == outline.tags.count("table")
    headings = [int(t[1]) for t in outline.tags if t in ("h1", "h2", "h3", "h4")]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(headings))
    ids = [v for _, k, v in outline.attributes if k == "id"]
    assert len(ids) == len(set(ids))
    assert {v for _, k, v in outline.attributes if k == "aria-labelledby"} <= set(ids)
    n_images = sum(k == "role" and v == "img" for _, k, v in outline.attributes)
    assert n_images == 7


def test_many_classes_get_a_heatmap_without_numbers(made):
    small, large = (made.outline(_page(made.evaluation(300, [f"k{i}" for i in range(n)]))) for n in (20, 21))
    assert ("table", "class", "matrix") in small.attributes
    assert ("svg", "class", "heat") not in small.attributes
    assert ("table", "class", "matrix") not in large.attributes
    assert ("svg", "class", "heat") in large.attributes


def test_page_says_which_way_confidence_is_off(made):
    labels = np.arange(400) % 2

    def text(confidence, n_right):
        right = np.arange(400) < n_right
        probs = np.empty((400, 2))
        probs[np.arange(400), np.where(right, labels, 1 - labels)] = confidence
        probs[np.arange(400), np.where(right, 1 - labels, labels)] = 1 - confidence
        return _text(made, _page(evaluate_predictions(probs, labels, ["a", "b"], [str(i) for i in range(400)])))

    assert "it is too sure of itself" in text(0.99, 300)
    assert "it is not sure enough" in text(0.6, 380)
    assert "So nothing speaks against its confidence." in text(0.9, 358)
    assert "When it says 90 %, it is right about 89 % of the time." in text(0.9, 357)


def test_same_input_gives_the_same_bytes(made):
    assert _page(made.evaluation(**made.everything())) == _page(made.evaluation(**made.everything()))
    card = render_card(made.evaluation(**made.everything()), {"name": "x"})
    assert card == render_card(made.evaluation(**made.everything()), {"name": "x"})


def test_names_that_are_no_text_can_be_written(made):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    evaluation = made.evaluation(names=(name, "b"), **made.everything(name, 2))
    _page(evaluation).encode("utf-8")
    render_card(evaluation, {"name": name}).encode("utf-8")


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, "0 %"),
        (0.001, "under 1 %"),
        (0.876, "88 %"),
        (0.9949, "99 %"),
        (0.996, "over 99 %"),
        (1.0, "100 %"),
        (None, "–"),
    ],
)
def test_percent_for_people(made, share, expected):
    assert percent(share).replace(S, " ") == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.3, "12 s"),
        (59.4, "59 s"),
        (59.7, "1 min 0 s"),
        (200, "3 min 20 s"),
    ],
)
def test_duration_for_people(made, seconds, expected):
    assert duration(seconds).replace(S, " ") == expected


@pytest.mark.parametrize(("shape", "size"), [((400, 200), (80, 160)), ((90, 300), (160, 48)), ((20, 10), (10, 20))])
def test_thumbnail_keeps_shape_and_colour(made, shape, size):
    uri = make_thumbnail(np.full((*shape, 3), (200, 100, 50), np.uint8))
    prefix, data = uri.split(",")
    assert prefix == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == size
        assert np.asarray(image.convert("RGB")).mean(axis=(0, 1)) == pytest.approx([200, 100, 50], abs=6)


def test_contents_name_every_section_once_and_lead_there(made):
    page = _page(made.evaluation(**made.everything()), made=Made("29 November 2026", "m"))
    contents = re.findall(r'<li><a href="#([a-z]+)">([^<]+)</a></li>', page)
    assert contents == re.findall(r'<h2 id="([a-z]+)">([^<]+)</h2>', page)
    assert len(contents) >= 8
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(set(ids)) == len(ids)


def test_a_cell_of_the_matrix_leads_to_its_photos(made):
    evaluation = made.evaluation(**made.everything())
    page = _page(evaluation)
    names = evaluation.confusion.class_names
    listed = {(wrong.class_name, wrong.answer) for wrong in evaluation.most_wrong}
    assert listed
    for pair in listed:
        kind = f"kind-{names.index(pair[0])}-{names.index(pair[1])}"
        assert page.count(f'<a href="#{kind}"') == 1
        assert page.count(f'<a id="{kind}"') == 1
        n = sum((wrong.class_name, wrong.answer) == pair for wrong in evaluation.most_wrong)
        assert page.count(f'<li class="{kind}">') == n
    assert len(re.findall(r'<a href="#kind-', page)) == len(listed)


def test_a_photo_is_enlarged_by_its_own_address(made):
    evaluation = made.evaluation(**made.everything())
    name = evaluation.most_wrong[0].photo
    page = _page(evaluation, {name: "data:image/png;base64,AAAA"})
    enlarged = re.findall(r'<figure id="(photo-\d+)"><a class="zoom" href="#(photo-\d+)"', page)
    assert enlarged
    assert all(figure == link for figure, link in enlarged)
    assert f'title="{name}"' in page


def test_how_to_use_it_names_the_folder_as_a_shell_takes_it_and_the_day(made):
    evaluation = made.evaluation()
    said = _text(
        made,
        _page(evaluation, model_name="x", made=Made("1 May 2026", "my model", "tellapart train a -o 'my model'")),
    )
    assert "tellapart predict 'my model' PHOTO" in said
    assert "Made on 1 May 2026 by tellapart train a -o 'my model'" in said
    assert "How to use it" not in _text(made, _page(evaluation))


def test_a_thousand_classes_are_folded(made):
    rng = np.random.default_rng(0)
    names = tuple(f"class-{i:04d}" for i in range(1000))
    labels = np.repeat(np.arange(1000), 2)
    probs = rng.dirichlet(np.full(1000, 0.01), len(labels)).astype(np.float32)
    photos = [f"{i}.jpg" for i in range(len(labels))]
    page = _page(evaluate_predictions(probs, labels, names, photos=photos))
    before, _, folded = page.partition("990 more classes")
    assert before.count('<th role="rowheader" scope="row">') == 10
    assert folded.count('<th role="rowheader" scope="row">') == 990
