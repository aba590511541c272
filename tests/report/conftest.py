"""Evaluations for the page and the card: a real one of made-up answers, and everything the workflow may add to it."""

from html.parser import HTMLParser
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from scipy.special import softmax

from tellapart.evaluation.corruption import CORRUPTIONS, KELVINS, SEVERITIES
from tellapart.evaluation.evaluation import Evaluation, evaluate_predictions
from tellapart.metrics.conformal import guarantee, observed_in_band
from tellapart.metrics.intervals import wilson


def evaluation_of(n=120, names=("dress", "hat", "shirt", "shoes"), signal=1.6, crossed=False, **more):
    rng = np.random.default_rng(0)
    labels = rng.integers(len(names), size=n)
    logits = rng.normal(size=(n, len(names))) + signal * np.eye(len(names))[labels]
    probs, photos = softmax(logits, axis=1), [f"{names[c]}/{i}.jpg" for i, c in enumerate(labels)]
    scores = evaluate_predictions(
        probs, labels, names, photos, n_train_per_class=[50] * len(names), crossed=crossed
    )  # fmt: skip
    return evaluation_from({**scores, **more})


def evaluation_from(json):
    """An evaluation from what evaluation.json would say of it."""
    return msgspec.convert(json, Evaluation)


def share(k, n):
    low, high = wilson(k, n)
    return {"value": k / n, "low": low, "high": high}


def unknown(name="shirt", n_named=114):
    promised = guarantee(480, 0.04, 0.01)
    observed = observed_in_band(n_named, 120, promised)
    return {
        "n_named": n_named,
        "n_named_right": 90,
        "n_not_sure": 1,
        "n_none_of_these": 119 - n_named,
        "promise": vars(promised),
        "observed": vars(observed),
        "strangers": [
            {"source": name, "n": 150, "n_refused": 142, "n_none_of_these": 140, **share(142, 150),
             "passed": [{"name": f"{name}{i // 2}", "answer": name} for i in range(16)]},
            {"source": "cups", "n": 30, "n_refused": 30, "n_none_of_these": 30, **share(30, 30), "passed": []},
        ],
        "left_out": [{"class_name": f"{name} {k}", "n": 50, "n_refused": k, **share(k, 50)} for k in range(12)],
        "sentences": [f"Sentence about {name}."],
        "promise_in_words": "",
    }  # fmt: skip


def curve(n_photos=(48, 96, 192, 384), accuracies=(0.7, 0.78, 0.84, 0.86), n_now=480, flat=False):
    return {
        "n_photos": list(n_photos),
        "accuracies": list(accuracies),
        "n_asked": n_now,
        "n_now": n_now,
        "flat": flat,
        "error_now": {"value": 0.13, "low": 0.1, "high": 0.17},
        "gain_of_doubling": None if flat else {"value": 0.021, "low": 0.004, "high": 0.04},
    }


def robustness(name="shirt"):
    def row(k):
        return {"accuracy": k / 120, "n_right": k, "kept": share(k, 90) if k <= 90 else {"value": k / 90, "low": 0.98,
                "high": 1.1}, "not_sure": 0.1, "none_of_these": 0.2}  # fmt: skip

    damage = [
        {"name": kind, "severity": severity, **row(91 - 3 * i - 20 * j)}
        for i, kind in enumerate(CORRUPTIONS)
        for j, severity in enumerate(SEVERITIES)
    ]
    return {
        "n": 120,
        "n_test": 120,
        "n_unreadable": 0,
        "clean": {**share(90, 120), "n_right": 90, "not_sure": 0.0, "none_of_these": 0.0},
        "corruptions": sorted(damage, key=lambda r: r["n_right"]),
        "white_balance": [{"name": "white balance", "kelvin": k, **row(80 + i)} for i, k in enumerate(KELVINS)],
        "mean_kept": {"value": 0.7, "low": 0.6, "high": 0.8},
        "border_only": {**share(50, 120), "n_right": 50, "baseline": {"class_name": name, "value": 0.3},
                        "p_value": 0.004, "clearly_above": True},
        "sentences": [f"In the dark {name} is lost."],
    }  # fmt: skip


def history(validation=(1.4, 1.1, 0.9, 0.8, 0.7, 0.6), *, training=None, right=None, n_train=400, n_val=80, stopped="",
            stop_reason=None, n_epochs=None, network="Small residual network"):  # fmt: skip
    """How a training went whose validation loss was this after each epoch; None for one without validation photos."""
    training = training or validation
    shares = right or [(0.9, 0.8)] * len(validation)
    epochs = [
        {"epoch": i, "n_epochs": n_epochs or len(validation), "train_loss": training[i - 1],
         "train_accuracy": shares[i - 1][0], "val_loss": validation[i - 1], "val_accuracy": shares[i - 1][1],
         "rate": 1e-3, "seconds": 2.5, "photos_per_s": 160.0, "seconds_left": 0.0}
        for i in range(1, len(validation) + 1)
    ]  # fmt: skip
    by = [t if v is None else v for t, v in zip(training, validation, strict=True)]
    return {
        "network": network,
        "processor": "CPU, float32",
        "epochs": epochs,
        "best_epoch": 1 + by.index(min(loss for loss in by if loss is not None)),
        "n_epochs": n_epochs or len(validation),
        "rate": 3e-3,
        "seconds": 15.0,
        "stopped": stopped,
        "stop_reason": stop_reason,
        "n_train": n_train,
        "n_val": n_val,
    }


def everything(name="shirt", n_classes=4):
    """The workflow's keys, with one name wherever a name can be."""
    twins = [{"photo": name, "twin": name, "kind": "exact"}, {"photo": "b", "twin": name, "kind": name}]
    suspects = [{"photo": f"{name}{i}", "class_name": name, "looks_like": name} for i in range(30)]
    return {
        "n_found": 612,
        "n_used": 600,
        "skipped": [{"photo": f"{name}{i}.jpg", "reason": f"because {name}"} for i in range(12)],
        "duplicates": twins,
        "label_conflicts": {"n": 2, "photos": twins, "likely_wrong": [suspects[0] | {"photo": name}]},
        "split": {"kind": "made", "seed": 0, "test_share": 0.2, "n_train": 400, "n_val": 80, "n_test": 120},
        "imbalance": f"Half of the photos are {name}.",
        "leaks": {
            "n": 2,
            "photos": twins,
            "without": {"value": 0.8, "low": 0.7, "high": 0.9, "n_right": 80, "n_test": 100},
            "headline_without": f"80 of 100 test photos right (70 to 90 is plausible). {name}",
        },
        "unknown": unknown(name),
        "advice": [
            {"kind": "leak", "sentence": f"Take {name} out.", "photos": [name, "b"], "expected_gain": 0.1,
             "numbers": {}},
            {"kind": "suspected_labels", "sentence": f"Look at {name}.",
             "photos": [p["photo"] for p in suspects[:24]], "expected_gain": 0.1, "numbers": {}},
            {"kind": "label_conflict", "sentence": "Two names.", "photos": [name], "expected_gain": 0, "numbers": {}},
            {"kind": "confused_pair", "sentence": "Mixed up.", "photos": [f"{name}3"], "expected_gain": 0,
             "numbers": {}},
            {"kind": "quality", "sentence": "Try --quality best.", "photos": [], "expected_gain": 0.1, "numbers": {}},
        ],
        "suspects": suspects,
        "learning_curve": {"overall": curve(), "per_class": [curve(), None, curve(flat=True), curve()][:n_classes]},
        "robustness": robustness(name),
        "training": history(network=name),
        "warnings": [f"All photos of {name} look alike."],
        "proof": {"n": 16, "largest_difference": 1.25e-5},
        "timings_s": {"reading_photos": 3.21, name: 200.0},
        "model": {"quality": name, "backbone": name, "input_px": 224, "file_mb": 13.96, "precision": "f32",
                  "tellapart": "0.1.0"},
    }  # fmt: skip


class Outline(HTMLParser):
    """Tags, attributes and text of a page; complains about tags left open."""

    VOID = frozenset({"meta", "br", "img", "link", "input", "hr", "base", "source", "wbr"})
    APART = frozenset({"td", "th", "dt", "summary", "b"})  # what ends a word

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
        self.text += " " if tag in self.APART else ""

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


@pytest.fixture(scope="session")
def made():
    """What the tests of this folder make pages of."""
    return SimpleNamespace(
        evaluation=evaluation_of,
        evaluation_from=evaluation_from,
        everything=everything,
        unknown=unknown,
        curve=curve,
        history=history,
        robustness=robustness,
        share=share,
        outline=Outline,
    )
