"""The model card: its front matter, its numbers, and that names stay text."""

import json

import numpy as np
import pytest

from tellapart.evaluation.evaluation import evaluate_predictions
from tellapart.report.card import render_card

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}</style></title>",
    "javascript:alert(1)|`x`\n---\n# owned",
]


def test_card_has_front_matter_and_numbers(made):
    card = render_card(made.evaluation(**made.everything()), {"name": "Clothing"})
    front = card.split("---\n")[1]
    assert "license: unknown" in front
    assert "pipeline_tag: image-classification" in front
    assert "- tellapart\n- onnx\n" in front
    assert 'name: "Clothing"' in front
    assert "# Clothing\n" in card
    assert made.evaluation()["headline"] in card
    assert "| dress | " in card
    assert 'tellapart.load("FOLDER").predict("photo.jpg")' in card
    assert "tellapart predict FOLDER photo.jpg" in card
    assert "onnxruntime.InferenceSession" in card


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_do_not_escape_the_card(made, name):
    card = render_card(made.evaluation(names=(name, "hat"), **made.everything(name, 2)), {"name": name})
    assert card.count("\n---\n") == 1
    assert "\n# owned" not in card
    _, front, body = card.split("---\n", 2)
    assert front.count("\n") == _front_lines(made)
    assert "<" not in body
    table = card.split("| class | ")[1].split("\n\n")[0].splitlines()
    assert [line.replace("\\|", "").count("|") for line in table] == [4, 6, 6, 6]


@pytest.mark.parametrize("name", ['"}, evil: {"', "back\\", "a\nb", "naïve: [x] # y"])
def test_a_name_in_the_front_matter_is_one_quoted_text(made, name):
    front = render_card(made.evaluation(**made.everything()), {"name": name}).split("---\n")[1]
    quoted = next(line for line in front.splitlines() if line.strip(" -").startswith("name: ")).partition("name: ")[2]
    assert json.loads(quoted) == name.replace("\n", " ")


def _front_lines(made):
    return (
        render_card(made.evaluation(names=("a", "hat"), **made.everything("a", 2)), {"name": "a"})
        .split("---\n")[1]
        .count("\n")
    )


def test_card_says_who_gets_no_name_and_what_corrupted_photos_cost(made):
    card = " ".join(render_card(made.evaluation(**made.everything()), {}).split())
    for sentence in (
        "It promised a name to at least about 95 of 100 photos of its classes;",
        "Kept. Anything from ",
        "Asked about 180 photos of other things, it gave 172 of them no class name.",
        "“none of these” to 11 % of its photos on average",
        "| shirt | 142 of 150 | ",
        "| shirt 11, never seen | 11 of 50 | ",
        "it may do worse. - In the dark shirt is lost.",
        "value: 0.8000",  # of the photos that it had not learned from
    ):
        assert sentence in card
    assert "do not say by how much" in render_card(made.evaluation(), {})
    assert "It may give one of its names to a photo of something else." in render_card(made.evaluation(), {})


def test_card_says_the_recipe_in_a_line(made):
    def card(kind, training=None):
        return render_card(made.evaluation(training=training), {"name": "x", "recipe": {"kind": kind}})

    assert "\n\nRecipe: probe; only its head learned, the network stayed as it was.\n\n" in card("Probe")
    said = card("Scratch", made.history(network="My `net`|"))
    assert (
        "Recipe: scratch; the network learned from nothing (My \\`net\\`\\|, 400 photos, 6 epochs; epoch 6 answers)."
        in said
    )
    assert "Recipe: finetune; a network that knew photos already" in card("FineTune", made.history())
    assert "Recipe" not in render_card(made.evaluation(), {})
    assert "Recipe" not in card("Of tomorrow")


def test_card_without_test_photos_says_so(made):
    evaluation = evaluate_predictions(np.zeros((0, 2)), np.zeros(0, int), ["a", "b"], [])
    card = render_card(evaluation, {})
    assert "It has not been tested." in card
    assert "model-index" not in card
