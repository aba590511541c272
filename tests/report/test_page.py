"""The page and the card: what they say, that names stay text, and that nothing is loaded from anywhere."""

import base64
import io
import itertools
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

from tellapart.evaluation import evaluate_predictions
from tellapart.report.card import render_card
from tellapart.report.page import duration, make_thumbnail, percent, render_page

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}</style></title>",
    "javascript:alert(1)|`x`\n---\n# owned",
]
S = "\N{NO-BREAK SPACE}"


def _evaluation(n=120, names=("dress", "hat", "shirt", "shoes"), signal=1.6, **more):
    rng = np.random.default_rng(0)
    labels = rng.integers(len(names), size=n)
    logits = rng.normal(size=(n, len(names))) + signal * np.eye(len(names))[labels]
    probs, photos = softmax(logits, axis=1), [f"{names[c]}/{i}.jpg" for i, c in enumerate(labels)]
    return evaluate_predictions(probs, labels, names, photos, n_train_per_class=[50] * len(names)) | more


def _everything(name="shirt"):
    """The workflow's keys, with one name wherever a name can be."""
    twins = [{"photo": name, "twin": name, "kind": "exact"}, {"photo": "b", "twin": name, "kind": name}]
    return {
        "n_found": 612,
        "n_used": 600,
        "skipped": [{"photo": f"{name}{i}.jpg", "reason": f"because {name}"} for i in range(12)],
        "duplicates": twins,
        "split": {"kind": "made", "seed": 0, "test_share": 0.2, "n_train": 400, "n_val": 80, "n_test": 120},
        "imbalance": f"Half of the photos are {name}.",
        "leaks": {
            "n": 2,
            "photos": twins,
            "without": {"value": 0.8, "low": 0.7, "high": 0.9, "n_right": 80, "n_test": 100},
            "headline_without": f"80 of 100 test photos right (70 to 90 is plausible). {name}",
        },
        "unknown": {"sentences": [f"Of 100 other photos {name}, 97 were turned away."]},
        "warnings": [f"All photos of {name} look alike."],
        "proof": {"n": 16, "largest_difference": 1.25e-5},
        "timings_s": {"reading_photos": 3.21, name: 200.0},
        "model": {"quality": name, "backbone": name, "input_px": 224, "file_mb": 13.96, "precision": "f32",
                  "tellapart": "0.1.0"},
    }  # fmt: skip


def _page(evaluation, thumbnails=None, title="Clothing", model_name="clothing-model"):
    return render_page(evaluation, thumbnails or {}, title=title, model_name=model_name)


class _Outline(HTMLParser):
    """Tags, attributes and text of a page; complains about tags left open."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr", "base", "source"})

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text += " " if tag in ("td", "th") else ""

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def _text(page):
    return " ".join(_Outline(page).text.replace(S, " ").split())


def test_page_says_the_headline_and_every_section():
    evaluation = _evaluation(**_everything())
    text = _text(_page(evaluation))
    assert evaluation["headline"] in text
    for sentence in (
        "2 test photos were also among the training photos",
        "80 of 100 test photos right (70 to 90 is plausible).",
        "612 found = 600 used + 12 skipped",
        "20 % of the photos were set aside at random for testing (seed 0): 400 to learn from, "
        "80 to choose settings with, 120 to test on.",
        "2 more skipped",
        "shirt – the same file as shirt",
        "Of 100 other photos shirt, 97 were turned away.",
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


def test_page_needs_only_what_evaluation_gives():
    text = _text(_page(_evaluation()))
    for absent in ("also among the training photos", "Your photos", "The model", "Photos of something else"):
        assert absent not in text


def test_page_without_test_photos():
    evaluation = evaluate_predictions(np.zeros((0, 2)), np.zeros(0, int), ["a", "b"], [])
    text = _text(_page(evaluation))
    assert "There are no test photos, so nothing is known about how well this works." in text
    assert text.count("no test photos") == 3
    assert "How far to trust" not in text


def test_page_of_one_class_and_of_no_mistakes():
    evaluation = evaluate_predictions(np.ones((3, 1)), [0, 0, 0], ["only"], ["1", "2", "3"])
    assert "Nothing: every test photo got its own class." in _text(_page(evaluation))


def test_leaks_may_leave_nothing():
    leaks = {"n": 1, "photos": [], "without": None, "headline_without": ""}
    text = _text(_page(_evaluation(leaks=leaks)))
    assert "1 test photo was also among the training photos" in text
    assert "No test photos are left." in text
    assert "also among the training" not in _text(_page(_evaluation(leaks={**leaks, "n": 0})))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name):
    names = (name, "hat", name + "2")
    plain = _Outline(_page(_evaluation(names=("a", "hat", "b"), **_everything("a"))))
    hostile_page = _page(_evaluation(names=names, **_everything(name)), title=name, model_name=name + "!")
    hostile = _Outline(hostile_page)
    assert set(hostile.tags) == set(plain.tags)
    assert "script" not in hostile.tags
    assert {(tag, key) for tag, key, _ in hostile.attributes} == {(t, k) for t, k, _ in plain.attributes}
    assert " ".join(name.split()) in " ".join(hostile.text.split())
    assert "49</style>" not in hostile_page


def test_thumbnails_are_data_or_nothing():
    evaluation = _evaluation()
    photos = [p["photo"] for p in evaluation["most_wrong"]]
    uri = make_thumbnail(np.zeros((4, 4, 3), np.uint8))
    page = _page(evaluation, {photos[0]: uri, photos[1]: "https://example.org/spy.png", photos[2]: "javascript:1"})
    sources = [value for tag, key, value in _Outline(page).attributes if tag == "img" and key == "src"]
    assert sources == [uri]
    assert "example.org" not in page


def test_page_loads_nothing():
    outline = _Outline(_page(_evaluation(**_everything())))
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(outline.tags)
    assert not [a for a in outline.attributes if a[1] in ("href", "src", "action") or a[1].startswith("on")]
    policies = [v for _, k, v in outline.attributes if k == "content" and v.startswith("default-src 'none'")]
    assert len(policies) == 1
    assert "url(" not in _page(_evaluation())
    assert "@import" not in _page(_evaluation())


def test_page_is_accessible_in_outline():
    outline = _Outline(_page(_evaluation(**_everything())))
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("caption") == outline.tags.count("table")
    headings = [int(t[1]) for t in outline.tags if t in ("h1", "h2", "h3", "h4")]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(headings))
    ids = [v for _, k, v in outline.attributes if k == "id"]
    assert len(ids) == len(set(ids))
    assert {v for _, k, v in outline.attributes if k == "aria-labelledby"} <= set(ids)
    n_images = sum(k == "role" and v == "img" for _, k, v in outline.attributes)
    assert n_images == 2


def test_many_classes_get_a_heatmap_without_numbers():
    small, large = (_Outline(_page(_evaluation(300, [f"k{i}" for i in range(n)]))) for n in (20, 21))
    assert ("table", "class", "matrix") in small.attributes
    assert ("svg", "class", "heat") not in small.attributes
    assert ("table", "class", "matrix") not in large.attributes
    assert ("svg", "class", "heat") in large.attributes


def test_page_says_which_way_confidence_is_off():
    labels = np.arange(400) % 2

    def text(confidence, n_right):
        right = np.arange(400) < n_right
        probs = np.empty((400, 2))
        probs[np.arange(400), np.where(right, labels, 1 - labels)] = confidence
        probs[np.arange(400), np.where(right, 1 - labels, labels)] = 1 - confidence
        return _text(_page(evaluate_predictions(probs, labels, ["a", "b"], [str(i) for i in range(400)])))

    assert "it is too sure of itself" in text(0.99, 300)
    assert "it is not sure enough" in text(0.6, 380)
    assert "So nothing speaks against its confidence." in text(0.9, 358)
    assert "When it says 90 %, it is right about 89 % of the time." in text(0.9, 357)


def test_same_input_gives_the_same_bytes():
    assert _page(_evaluation(**_everything())) == _page(_evaluation(**_everything()))
    card = render_card(_evaluation(**_everything()), {"name": "x"})
    assert card == render_card(_evaluation(**_everything()), {"name": "x"})


def test_names_that_are_no_text_can_be_written():
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    evaluation = _evaluation(names=(name, "b"), **_everything(name))
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
def test_percent_for_people(share, expected):
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
def test_duration_for_people(seconds, expected):
    assert duration(seconds).replace(S, " ") == expected


@pytest.mark.parametrize(("shape", "size"), [((400, 200), (80, 160)), ((90, 300), (160, 48)), ((20, 10), (10, 20))])
def test_thumbnail_keeps_shape_and_colour(shape, size):
    uri = make_thumbnail(np.full((*shape, 3), (200, 100, 50), np.uint8))
    prefix, data = uri.split(",")
    assert prefix == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == size
        assert np.asarray(image.convert("RGB")).mean(axis=(0, 1)) == pytest.approx([200, 100, 50], abs=6)


def test_card_has_front_matter_and_numbers():
    card = render_card(_evaluation(**_everything()), {"name": "Clothing"})
    front = card.split("---\n")[1]
    assert "license: unknown" in front
    assert "pipeline_tag: image-classification" in front
    assert "- tellapart\n- onnx\n" in front
    assert 'name: "Clothing"' in front
    assert "# Clothing\n" in card
    assert _evaluation()["headline"] in card
    assert "| dress | " in card
    assert 'tellapart.load("FOLDER").predict("photo.jpg")' in card
    assert "tellapart predict FOLDER photo.jpg" in card
    assert "onnxruntime.InferenceSession" in card


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_do_not_escape_the_card(name):
    card = render_card(_evaluation(names=(name, "hat"), **_everything(name)), {"name": name})
    assert card.count("\n---\n") == 1
    assert "\n# owned" not in card
    _, front, body = card.split("---\n", 2)
    assert front.count("\n") == _front_lines()
    assert "<" not in body
    table = card.split("| class | ")[1].split("\n\n")[0].splitlines()
    assert [line.replace("\\|", "").count("|") for line in table] == [4, 6, 6, 6]


def _front_lines():
    return render_card(_evaluation(names=("a", "hat"), **_everything("a")), {"name": "a"}).split("---\n")[1].count("\n")


def test_card_without_test_photos_says_so():
    evaluation = evaluate_predictions(np.zeros((0, 2)), np.zeros(0, int), ["a", "b"], [])
    card = render_card(evaluation, {})
    assert "It has not been tested." in card
    assert "model-index" not in card
