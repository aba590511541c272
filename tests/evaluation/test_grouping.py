"""What is said of groups, in every case."""

import pytest

from tellapart.data.groups import Groups
from tellapart.evaluation.grouping import grouping_of, said
from tellapart.evaluation.scores import Accuracy, AccuracyOf

OWN = Accuracy(0.7, 0.6, 0.8, 70)


def grouping(names=("a", "a", "b", "b", ""), *, kept=True, **more):
    known = vars(grouping_of(Groups(tuple(names), "patient", "column"), kept=kept))
    return type(grouping_of(Groups(("a",), "", "path"), kept=True))(**{**known, **more})


def ungrouped(value):
    n = round(100 * value)
    return {
        "ungrouped": AccuracyOf(value, value - 0.05, 1.0, n, 100),
        "headline_ungrouped": f"{n} of 100 test photos right (1 to 99 is plausible). Always 'a' would get 50.",
    }


@pytest.mark.parametrize(
    ("value", "ending"),
    [
        (0.9, ". That is 20 of 100 too many: photos taken in one go are alike in more than their class."),
        (0.82, ". That is 12 of 100 too many: photos taken in one go are alike in more than their class."),
        (0.81, ". That is 11 of 100 more; one split alone cannot tell that from chance."),
        (0.75, ". That is 5 of 100 more; one split alone cannot tell that from chance."),
        (0.7, ". So they make no difference that can be seen here."),
        (0.6, ". That is 10 of 100 fewer, by chance."),
    ],
)
def test_the_score_without_groups_is_told_with_what_it_means(value, ending):
    what, lesson = said(grouping(**ungrouped(value)), OWN, 100, "made").sentences
    assert what == (
        'Grouped by the column "patient": 2 groups, none of them on both sides of the test; '
        "1 photo belongs to none and stands alone."
    )
    n = round(100 * value)
    told = f"Without the groups the score would have been: {n} of 100 test photos right (1 to 99 is plausible)"
    assert lesson == told + ending


def test_a_network_is_not_trained_twice_to_tell():
    *_, last = said(grouping(), OWN, 100, "made").sentences
    assert last == "What the score would have been without was not measured: that takes a second training."


@pytest.mark.parametrize(
    ("n_without", "ending"),
    [
        (95, "That is 25 of 100 too many: photos taken in one go are alike in more than their class."),
        (70, "So they make no difference that can be seen here."),
    ],
)
def test_beside_a_network_two_probes_tell(n_without, ending):
    probes = {
        "probe": AccuracyOf(0.7, 0.6, 0.78, 70, 100),
        "probe_ungrouped": AccuracyOf(n_without / 100, n_without / 100 - 0.05, 1.0, n_without, 100),
    }
    *_, second, last = said(grouping(**probes), OWN, 100, "made").sentences
    assert second.endswith("was not measured: that takes a second training.")
    assert last == (
        "Heads that learned from the same photos without training a network had 70 of 100 test photos right with the "
        f"groups, and {n_without} of 100 without. {ending}"
    )


def test_a_given_split_that_divides_groups():
    beside = {"without": AccuracyOf(0.5, 0.2, 0.8, 5, 10), "headline_without": "5 of 10 test photos right."}
    *_, last = said(grouping(n_straddling=90, **beside), OWN, 100, "given").sentences
    assert last == (
        "90 of 100 test photos are of groups that were also trained on: photos taken in one go are alike in more than "
        "their class. Of new groups: 5 of 10 test photos right."
    )
    *_, last = said(grouping(n_straddling=100), OWN, 100, "given").sentences
    assert last.startswith("All 100 test photos are of groups that were also trained on, so nothing is known about new")
    *_, last = said(grouping(n_straddling=90), OWN, 100, "given").sentences
    assert last.startswith("90 of 100 test photos are of groups that were also trained on, and the others are training")
    assert len(said(grouping(), OWN, 100, "given").sentences) == 1


@pytest.mark.parametrize(
    ("names", "made"), [(("a", "a"), "all photos one group"), (("a", "b"), "each class one group")]
)
def test_groups_that_could_not_be_kept(names, made):
    [only] = said(grouping(names, kept=False), OWN, 100, "made").sentences
    assert only.startswith(f'The column "patient" makes {made}, so none could be tested on a group that it has not')


def test_photos_that_are_new_to_a_model():
    assert said(grouping(("a", "b")), OWN, 100, None).sentences == (
        'Grouped by the column "patient": 2 groups, each counted once in the ranges.',
    )
