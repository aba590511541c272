"""All that an evaluation says: of a training's own test photos, and of photos that are new to a finished model."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tellapart.checks.audit import imbalance_sentence
from tellapart.checks.fixes import taken_out_of_test
from tellapart.classifier.cross_validation import CrossValidated, cross_validate
from tellapart.classifier.kept_scores import KeptScores, Scored
from tellapart.classifier.temperature import calibrated
from tellapart.classifier.trained import Trained
from tellapart.data.duplicates import Pair, classes_of_one, conflicting, leaked_pairs
from tellapart.data.source import Dataset, Skipped
from tellapart.data.split import TEST_SHARE, Split
from tellapart.engine.ood_reference import reference_photos
from tellapart.errors import InputError
from tellapart.evaluation.answering import Answered, TrainingCopies
from tellapart.evaluation.costs import Costs, costs_of
from tellapart.evaluation.coverage import plainly, real_photos, refusals
from tellapart.evaluation.evaluation import (
    Evaluation,
    LabelConflicts,
    Leaks,
    SplitSummary,
    Twins,
    evaluate_predictions,
    headed,
)
from tellapart.evaluation.grouping import grouping_of, said
from tellapart.evaluation.kept import kept_scores
from tellapart.evaluation.scores import AccuracyOf
from tellapart.features.prepare import Prepared
from tellapart.metrics.conformal import Guarantee
from tellapart.model.artifact import OUT_OF_FOLD, Artifact
from tellapart.model.kept_file import parse_kept
from tellapart.recipe import LinearProbe
from tellapart.text import counted, quoted, some

Json = dict[str, Any]


def inside(dataset: Dataset, photo: str) -> str:
    """The photo's name within what the person named, so that a report gives no folder of theirs away."""
    return photo.removeprefix(f"{dataset.source}/")


def twins(dataset: Dataset, pairs: Sequence[Pair]) -> tuple[Twins, ...]:
    """The pairs by their names inside the dataset."""
    names = dataset.photos
    return tuple(Twins(inside(dataset, names[p.first]), inside(dataset, names[p.second]), p.kind) for p in pairs)


def score(
    probs: NDArray[np.floating],
    dataset: Dataset,
    test: NDArray[np.int64],
    class_names: Sequence[str],
    **more: Any,
) -> Evaluation:
    """The numbers of `evaluate_predictions` for the photos `test` of `dataset`, named as inside it.

    Args:
        probs: (len(test), C), columns in the order of `class_names`.
        dataset: whose labels are matched to `class_names` by name.
        test: indices into the dataset.
        class_names: the model's.
        more: passed on.
    """
    column = {name: i for i, name in enumerate(class_names)}
    to_column = np.array([column.get(name, -1) for name in dataset.class_names])
    photos = [inside(dataset, dataset.photos[i]) for i in test]
    return evaluate_predictions(probs, to_column[dataset.labels[test]], class_names, photos, **more)


def test_evaluation(trained: Trained) -> Evaluation:
    """All about the test photos, which took no part in fitting anything."""
    return tested(trained)[0]


First = Callable[[Evaluation, NDArray[np.float32]], None]


def tested(trained: Trained, first: First | None = None) -> tuple[Evaluation, KeptScores]:  # noqa: PT028  no test
    """All about the test photos, and the scores that it rests on.

    Args:
        trained: what was learned, and who is tested.
        first: called with the evaluation as soon as the score is known, and with what was said of the test photos,
            (N, C); what else photos cost, and what becomes of others, which takes as long again, is not in it yet.
    """
    prepared, split, head = trained.prepared, trained.split, trained.calibrated
    dataset, names = prepared.dataset, prepared.dataset.class_names
    chosen, groups = split.learned, prepared.duplicates.groups
    answers = _asked(trained)
    scores = score(
        answers.probs,
        dataset,
        split.test,
        names,
        n_train_per_class=np.bincount(dataset.labels[chosen], minlength=len(names)).tolist(),
        groups=groups[split.test],
        logits_probs_uncalibrated=answers.raw_probs,
        temperature=head.temperature,
        crossed=split.kind == "crossed",
    )
    told = replace(
        scores,
        leaks=leaks_in_test(prepared, split, answers.probs),
        label_conflicts=label_conflicts(prepared),
        split=split_summary(split, trained.probe, given=dataset.given_split and split.kind != "made"),
        duplicates=twins(dataset, prepared.duplicates.pairs),
        imbalance=imbalance_sentence(dataset.subset(chosen)),
        warnings=(*dataset.notes, *warnings_for(prepared, split)),
        **photo_counts(dataset, prepared.skipped),
    )
    if first:
        first(headed(told), answers.probs.astype(np.float32))
    kept = kept_scores(trained, answers)
    told = replace(
        told,
        costs=costs_of(kept.out_of_fold, kept.tested, names, kept.scenes, kept),
        unknown=refusals(head.thresholds, kept, names, reference_photos() if kept.reference else None),
    )
    return headed(told), kept


def plain_score(trained: Trained) -> Evaluation:
    """The score of the test photos and their leaks, and nothing else about them."""
    prepared, split = trained.prepared, trained.split
    probs, names, groups = _asked(trained).probs, prepared.dataset.class_names, prepared.duplicates.groups[split.test]
    told = score(probs, prepared.dataset, split.test, names, groups=groups, crossed=split.kind == "crossed")
    return headed(replace(told, leaks=leaks_in_test(prepared, split, probs)))


def _asked(trained: Trained) -> CrossValidated:
    """What is said about the test photos: by the head, or, where it learned from them, by heads that did not."""
    prepared, split, head = trained.prepared, trained.split, trained.calibrated
    if split.folds is not None:
        return cross_validate(prepared, split.folds, split.test, trained.probe)
    features = prepared.values_of(split.test)
    with threadpool_limits(1):  # threads would round otherwise on a machine with more of them
        logits = head.head.logits(features)
        probs, raw_probs = calibrated(logits, head.temperature), calibrated(logits, 1.0)
        return CrossValidated(raw_probs, probs, head.centres.ood_scores(features))


def photo_counts(dataset: Dataset, skipped: Sequence[Skipped]) -> Json:
    """Found = used + skipped, as fields of an `Evaluation`."""
    named = tuple(Skipped(inside(dataset, s.photo), s.reason) for s in skipped)
    return {"n_found": dataset.n + len(skipped), "n_used": dataset.n, "skipped": named}


def warnings_for(prepared: Prepared, split: Split) -> list[str]:
    """What weakens the score and stands nowhere else."""
    labels, duplicates = prepared.dataset.labels, prepared.duplicates

    def listed(classes: Iterable[int]) -> str:
        return some([quoted(prepared.dataset.class_names[c]) for c in classes])

    warnings = []
    n_torn = len(conflicting(labels, duplicates))
    if n_torn:
        warnings.append(
            f"{n_torn:,} photos show the same thing under different class names, so some of the names are wrong. "
            "“tellapart check” lists them."
        )
    untested = sorted(set(labels.tolist()) - set(labels[split.test].tolist()))
    copied = [c for c in classes_of_one(labels, duplicates.copies) if c in untested]
    bound = prepared.dataset.bound
    lonely = [] if bound is None else [c for c in classes_of_one(labels, bound) if c in untested and c not in copied]
    if lonely and split.kind != "given":
        warnings.append(
            f"All photos of {listed(lonely)} are of one group, which learns whole, so nothing is known about how well "
            "others are recognised. Add photos of another group."
        )
    if copied:
        warnings.append(
            f"All photos of {listed(copied)} are copies of one photo, which cannot be tested. Add different ones."
        )
    divided = [c for c in split.undivided if c not in untested]
    if divided:
        warnings.append(
            f"All photos of {listed(divided)} look alike, as if taken in one go, so some test photos are nearly "
            "training photos and the score is too good. Add photos taken at another time and place."
        )
    missing = [c for c in untested if c not in copied and (c not in lonely or split.kind == "given")]
    if missing and len(split.test):
        warnings.append(
            f"There is no test photo of {listed(missing)}, so nothing is known about how well it is told apart."
        )
    if split.kind == "given" and (prepared.dataset.splits[split.test] == "val").any():
        warnings.append("There is no test part, so the validation part was used as the test; nothing was chosen on it.")
    if n_kin := len(split.left_out_with_kin):
        warnings.append(
            f"{counted(n_kin, 'training photo looks', 'training photos look')} like a tested one or "
            f"{'is' if n_kin == 1 else 'are'} of its group. Whoever was asked about that one had not learned from "
            f"{'it' if n_kin == 1 else 'them'}; the model that you got has."
        )
    return [
        *warnings,
        *filter(None, [_asked_beside_twins(prepared, split, divided), taken_out_of_test(prepared.dataset)]),
    ]


def _asked_beside_twins(prepared: Prepared, split: Split, named: Sequence[int]) -> str | None:
    """Says how many photos of a crossed split are asked of a head that learned from what looks nearly the same.

    This is where the person's groups, chained by what looks alike, would be one. What a given or made split holds
    `leaks_in_test` says; pairs within the classes `named`, which look alike throughout, and pairs of two classes, of
    which one name is wrong, have sentences of their own.
    """
    if split.folds is None or not prepared.duplicates.pairs:
        return None
    pairs = np.array([(pair.first, pair.second) for pair in prepared.duplicates.pairs])
    own, twins = prepared.dataset.labels[pairs].T
    folds, others = split.folds[pairs].T
    asked = np.unique(pairs[(folds != others) & (own == twins) & ~np.isin(own, named)])
    n_asked = int(np.isin(asked, split.test).sum())
    if not n_asked:
        return None
    return (
        f"{counted(n_asked, 'test photo')} could not be kept apart from a training photo that looks nearly the same, "
        "so the score is too good. “tellapart check” lists them."
    )


def leaks_in_test(prepared: Prepared, split: Split, probs: NDArray[np.floating]) -> Leaks:
    """Test photos that also train, and the score without them.

    Args:
        prepared: all photos.
        split: whose test photos are in question.
        probs: (len(split.test), C) of the test photos.
    """
    dataset = prepared.dataset
    pairs = leaked_pairs(prepared.duplicates, split.sides(dataset.n))
    if split.folds is not None:  # of a photo's own fold no head learned that was asked about it
        pairs = [pair for pair in pairs if split.folds[pair.first] != split.folds[pair.second]]
    clean = ~np.isin(split.test, [p.first for p in pairs])
    kept = split.test[clean]
    groups = prepared.duplicates.groups[kept]
    without = score(probs[clean], dataset, kept, dataset.class_names, groups=groups) if pairs else None
    return leaks_and_rest(twins(dataset, pairs), without)


def label_conflicts(prepared: Prepared) -> LabelConflicts:
    """Photos that show the same as a photo of another class."""
    dataset, duplicates = prepared.dataset, prepared.duplicates
    pairs = [p for p in duplicates.pairs if dataset.labels[p.first] != dataset.labels[p.second]]
    return LabelConflicts(len(conflicting(dataset.labels, duplicates)), twins(dataset, pairs))


def leaks_and_rest(photos: tuple[Twins, ...], without: Evaluation | None) -> Leaks:
    """Leaked test photos, and the accuracy and headline of the evaluation `without` them."""
    if without is None:
        return Leaks(len(photos), photos, None, "")
    return Leaks(len(photos), photos, AccuracyOf(**vars(without.accuracy), n_test=without.n_test), without.headline)


def split_summary(split: Split, recipe: LinearProbe, *, given: bool) -> SplitSummary:
    """How the photos were divided; `given`: as the source says."""
    return SplitSummary(
        kind=split.kind,
        seed=None if given else recipe.seed,
        test_share=recipe.reading.test_share or TEST_SHARE if split.kind == "made" else None,
        n_folds=None if split.folds is None else len(np.unique(split.folds[split.test])),
        n_train=len(split.train),
        n_val=len(split.val),
        n_test=len(split.test),
    )


def summary(evaluation: Evaluation) -> list[str]:
    """The few sentences that are printed after a run."""
    lines = [evaluation.headline]
    if evaluation.leaks and evaluation.leaks.looked_for:
        lines.append(evaluation.leaks.looked_for)
    lines += evaluation.groups.sentences if evaluation.groups else ()
    lines += evaluation.warnings or ()
    if evaluation.unknown and evaluation.unknown.promise_in_words:
        lines.append(plainly(evaluation.unknown))
    if evaluation.rows:
        lines.append(of_many(evaluation.rows))
    if evaluation.imbalance:
        lines.append(evaluation.imbalance)
    if evaluation.skipped:
        lines.append(f"{counted(len(evaluation.skipped), 'file')} could not be used; the report says why.")
    return lines


def of_many(rows: Mapping[str, Any]) -> str:
    """What more photos brought to a head of very many of them, in a sentence."""
    losses = ", ".join(f"{one['log_loss']:.4f} after {one['n']:,}" for one in rows["held_out_log_loss"])
    if rows["passes"] is None:
        why = f"more hardly help, so the other {rows['n_learn'] - rows['n_learned']:,} are not learned from"
        why = why if rows["n_learn"] > rows["n_learned"] else "those are all"
    elif rows["n_learned"] == rows["n_learn"]:
        why = f"the model learned from all of them, read {rows['passes']} times"
    else:
        why = "learning from all of them was tried and did not help"
    return f"Log-loss on {rows['n_held_out']:,} photos held out: {losses} photos; {why}."


def refuse_unknown_classes(dataset: Dataset, class_names: Sequence[str]) -> None:
    """Returns when the model knows every class of `dataset`.

    Raises:
        InputError: names the classes it does not know, and those it does.
    """
    unknown = [quoted(name) for name in dataset.class_names if name not in class_names]
    if unknown:
        raise InputError(
            f"The model does not know {counted(len(unknown), 'class', 'classes')} of {quoted(dataset.source)}: "
            f"{some(unknown)}.",
            hint=f"It knows: {', '.join(class_names[:20])}. Rename the folders so that the names are the same.",
        )


def as_called(dataset: Dataset, artifact: Artifact) -> Dataset:
    """The photos with their classes called as the model calls them now; folders keep the names that it learned."""
    now = dict(zip(artifact.called(dataset.class_names), artifact.class_names, strict=True))
    return replace(dataset, class_names=tuple(now.get(name, name) for name in dataset.class_names))


def test_part(dataset: Dataset) -> Dataset:
    """The photos to score: the `test` part where the source has one, else all."""
    chosen = np.flatnonzero(dataset.splits == "test")
    return replace(dataset.subset(chosen), skipped=dataset.skipped) if len(chosen) else dataset


def new_evaluation(answered: Answered, dataset: Dataset, artifact: Artifact, learned: TrainingCopies) -> Evaluation:
    """Every number about these answers, as `train` gives for its own test photos.

    Args:
        answered: what the model said.
        dataset: whose photos they are.
        artifact: the model.
        learned: which of the photos it learned from.
    """
    names = artifact.class_names
    readable = replace(dataset.subset(answered.usable), skipped=())
    everyone = np.arange(readable.n)
    seen = learned.all
    numbers = None if readable.groups is None else readable.groups.numbers
    rest = None if numbers is None else numbers[~seen]
    without = score(answered.probs[~seen], readable, everyone[~seen], names, groups=rest) if seen.any() else None
    leaks = tuple(
        Twins(inside(readable, readable.photos[i]), "a training photo", "exact" if learned.exact[i] else "near")
        for i in np.flatnonzero(seen)
    )
    column = np.array([names.index(name) for name in readable.class_names], np.int32)
    skipped = sorted((*dataset.skipped, *answered.skipped), key=lambda s: s.photo)
    kept = artifact.manifest.get("promise")
    promised = Guarantee(**kept) if kept else None
    own = column[readable.labels]
    scores = score(answered.probs, readable, everyone, names, groups=numbers)
    grouping = None if readable.groups is None else grouping_of(readable.groups, kept=True)
    told = replace(
        scores,
        groups=grouping and said(grouping, scores.accuracy, scores.n_test, None),
        costs=_new_costs(Scored(own, answered.probs, answered.ood_scores), artifact),
        unknown=real_photos(
            answered.probs,
            answered.ood_scores,
            own,
            artifact.thresholds,
            promised,
            scenes=numbers,
        ),
        leaks=replace(leaks_and_rest(leaks, without), looked_for=learned.looked_for),
        model=artifact.manifest["model"],
        warnings=tuple(filter(None, [*dataset.notes, taken_out_of_test(readable)])) or None,
        **photo_counts(readable, skipped),
    )
    return headed(told)


def _new_costs(answered: Scored, artifact: Artifact) -> Costs:
    """What a mistake costs on photos that are new to a model: its thresholds are ranks of the scores that it keeps."""
    names, data = artifact.class_names, artifact.files.get(OUT_OF_FOLD)
    if data is None:
        return costs_of(answered, answered, names, np.arange(len(answered)), None)
    kept = parse_kept(data, len(names))
    return costs_of(kept.out_of_fold, answered, names, kept.scenes, kept)
