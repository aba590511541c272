"""How a network learned, read from its curves in plain sentences: what the report and the model card say of a training.

What counts is the validation photos, which chose the epoch. The training photos are measured while the weights still
change, on photos that are changed at random and, in the loss, with softened labels: their losses do not compare with
those of the validation photos, their direction and their share right do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tellapart.classifier.trained import StopReason
from tellapart.evaluation.evaluation import Evaluation
from tellapart.metrics.intervals import wilson
from tellapart.report.plots import epochs_plot
from tellapart.text import counted

LEAST_EPOCHS = 4  # below, there is no end of the curve to be told from its start
STILL_FALLING = 0.02  # of the loss, in the last quarter of the epochs: then more of them help,
PART_OF_FALL = 0.1  # and also where that quarter brought this much of the whole fall, of a loss that falls slowly,
LEAST_FALL = 0.005  # but not by less than this of the loss, which is chance
RISEN = 0.05  # of the best validation loss: by so much above it at the end, it has been getting worse
GAP = 0.1  # of the shares right, training above validation, from which on it is worth a sentence
FEW_VAL = 50  # validation photos: fewer, and a point on the line is worth more than 2 %

UNIT_SPACE = "\N{NO-BREAK SPACE}"

Json: TypeAlias = Mapping[str, Any]
Shown: TypeAlias = dict[str, Any]

_KINDS = {
    "Probe": ("probe", "only its head learned, the network stayed as it was"),
    "FineTune": ("finetune", "a network that knew photos already learned further"),
    "Scratch": ("scratch", "the network learned from nothing"),
}


def learning(evaluation: Evaluation) -> Shown | None:
    """What the section shows: two diagrams, how to read them, every number; None where no network was trained."""
    history = evaluation.training
    if not history or not history["epochs"]:
        return None
    epochs, best = history["epochs"], history["best_epoch"]
    drawn = {}
    for name, measured in (("loss", "loss"), ("right", "accuracy")):
        training, validation = ([epoch[f"{kind}_{measured}"] for epoch in epochs] for kind in ("train", "val"))
        if any(value is not None for value in (*training, *validation)):
            drawn[name] = epochs_plot(training, validation, best, share=name == "right")
    return {
        "plots": drawn,
        "network": history["network"],
        "processor": history["processor"],
        "n_train": history["n_train"],
        "n_val": history["n_val"],
        "best": best,
        "aloud": [epochs[i - 1] for i in sorted({1, best or 1, len(epochs)})],
        "epochs": epochs,
        "verdict": _verdict(history, evaluation.baseline.value or 0.0),
        "notes": _notes(history),
    }


def recipe_line(history: Json | None, kind: str | None) -> str:
    """The recipe of a model in a sentence; empty for a model that does not say.

    Args:
        history: `training` of an evaluation.
        kind: of the manifest's recipe.
    """
    if kind not in _KINDS:
        return ""
    name, how = _KINDS[kind]
    sentence = f"Recipe: {name}; {how}"
    if not history:
        return sentence + "."
    n_done, again = len(history["epochs"]), history.get("again")
    learned = f"{history['network']}, {counted(history['n_train'], 'photo')}, {counted(n_done, 'epoch')}"
    then = (
        f"and {again['n_epochs']:,} with all {history['n_train'] + history['n_val']:,} answer" if again else "answers"
    )
    return f"{sentence} ({learned}; epoch {history['best_epoch']} {then})."


def _verdict(history: Json, baseline: float) -> str:
    """What the curves say, and what to do about it."""
    epochs, stopped = history["epochs"], history["stopped"]
    validation = [epoch["val_loss"] for epoch in epochs]
    falling = _is_falling([e["train_loss"] for e in epochs] if None in validation else validation)
    if history.get("stop_reason") == StopReason.DIVERGED:
        return f"It broke down: {stopped}. Train again with a lower rate: --learning-rate {history['rate'] / 10:.0e}."
    if _is_no_better(epochs[-1]["train_accuracy"], history["n_train"], baseline):
        young = falling or len(epochs) < LEAST_EPOCHS
        more = f"more epochs, such as --epochs {3 * history['n_epochs']}," if young else "--learning-rate auto,"
        return f"It has hardly learned its own training photos. Try {more} or a network that knows photos already."
    if falling and history.get("stop_reason") == StopReason.TIME_LIMIT:
        return "The time limit ended it while it was still getting better: a longer --time-limit should help."
    if falling:
        more = f"--epochs {2 * history['n_epochs']}"
        return f"It was still getting better when it ended: more epochs should help, such as {more}."
    if None in validation:
        return "No photos were held out to choose with, so these curves cannot say whether it learned by heart."
    return _levelled(history, validation)


def _levelled(history: Json, validation: Sequence[float]) -> str:
    """What the curves say where the validation loss no longer falls."""
    epochs, best, n = history["epochs"], history["best_epoch"], len(validation)
    if n - best >= max(2, n // 4) and validation[-1] > (1 + RISEN) * validation[best - 1]:
        return (
            f"After epoch {best} it got worse on photos that it does not train on: it began to learn its own by heart. "
            "Nothing is lost, as what answers was trained only so long. More photos would help; more epochs would not."
        )
    if _is_apart(epochs[best - 1], history["n_train"], history["n_val"]):
        return (
            "It does much better on the photos it trains on: part of them it has learned by heart. More photos help "
            "most; stronger changes (--augment) may."
        )
    if n < LEAST_EPOCHS:
        return f"It had {counted(n, 'epoch')}, too few to say from these curves whether more would help."
    return "It has levelled off: more epochs of the same would change little."


def _is_falling(losses: Sequence[float | None]) -> bool:
    """Whether the last quarter of the epochs brought the lowest loss down clearly."""
    known = [loss for loss in losses if loss is not None]
    if len(known) < LEAST_EPOCHS:
        return False
    end = max(1, round(len(known) / 4))
    before = min(known[:-end])
    fall = before - min(known[-end:])
    least = min(STILL_FALLING * before, PART_OF_FALL * (known[0] - before))
    return fall > max(least, LEAST_FALL * before)


def _is_no_better(accuracy: float | None, n: int, baseline: float) -> bool:
    """Whether a share right of `n` photos could be that of always answering the same."""
    return accuracy is not None and wilson(round(accuracy * n), n)[0] <= baseline


def _is_apart(epoch: Json, n_train: int, n_val: int) -> bool:
    """Whether the training photos are right clearly more often than the validation photos, chance aside."""
    training, validation = epoch["train_accuracy"], epoch["val_accuracy"]
    if training is None or validation is None:
        return False
    least, most = wilson(round(training * n_train), n_train)[0], wilson(round(validation * n_val), n_val)[1]
    return bool(least > most and training > validation + GAP)


def _notes(history: Json) -> list[str]:
    """Why it ended, which epoch answers, and how much the validation photos can tell."""
    epochs, best, n_val = history["epochs"], history["best_epoch"], history["n_val"]
    notes = []
    if history.get("stop_reason") not in (None, StopReason.DIVERGED):
        notes.append(
            f"It ended after {counted(len(epochs), 'epoch')} of {history['n_epochs']:,}: {history['stopped']}."
        )
    chosen = epochs[best - 1] if best else None
    if chosen is None:
        return notes
    if not n_val or chosen["val_accuracy"] is None:
        return [*notes, f"Epoch {best} answers, the one of the lowest training loss."]
    n_right, again = round(chosen["val_accuracy"] * n_val), history.get("again")
    low, high = (round(100 * edge) for edge in wilson(n_right, n_val))
    notes.append(
        f"Epoch {best} {'was the best' if again else 'answers'}: it had the lowest loss on the "
        f"{counted(n_val, 'validation photo')} and {n_right:,} of them right ({low} to {high}{UNIT_SPACE}% is "
        "plausible). They chose the epoch, so the test at the top is what counts."
    )
    if n_val < FEW_VAL:
        notes.append("With so few of them, small steps of the validation lines are chance.")
    if again:
        notes.append(
            f"Then it learned once more from the start, {counted(again['n_epochs'], 'epoch')} on all "
            f"{n_val + history['n_train']:,} photos, the validation photos too. The mean of both networks answers; no "
            "photo is left to draw it by."
        )
    return notes
