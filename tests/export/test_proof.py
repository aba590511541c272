"""A form that disagrees is refused, and the photo is named."""

from dataclasses import dataclass

import pytest

from tellapart.errors import TrainingError
from tellapart.export.photos import ProofPhoto, generated
from tellapart.export.proof import Answer, prove, sentences
from tellapart.model.prediction import Prediction


@dataclass(frozen=True)
class ExportRunner:
    through: str = "a test"
    bound: float = 0.02

    def __call__(self, photos):
        raise NotImplementedError


def photo(name="hat.jpg", p=0.9, ood_score=0.3):
    probs = {"hat": p, "shoe": 1 - p}
    winner = max(probs, key=probs.get)
    return ProofPhoto(name, b"", Prediction(name, winner, winner, probs[winner], probs, ood_score))


def said(p=0.9, ood_score=0.3, answer=None):
    return Answer(answer or ("hat" if p >= 0.5 else "shoe"), {"hat": p, "shoe": 1 - p}, ood_score, 0.01)


def test_agreement_is_counted():
    proof = prove([photo(), photo()], [said(0.91), said(0.9, answer="not sure")], ExportRunner(), "2 photos")
    assert (proof.n, proof.n_same) == (2, 1)  # within the bound an answer may tip over a threshold, and is counted
    assert proof.largest_difference == pytest.approx(0.01)
    assert proof.ms_a_photo == 10
    assert sentences(proof)[0] == "Same answer on 1 of 2 photos (2 photos)."


@pytest.mark.parametrize("bad", [said(float("nan"), answer="hat"), said(0.9, ood_score=float("nan"))])
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(TrainingError, match=r'^The exported form answers "far\.jpg" with numbers that are no prob'):
        prove([photo(), photo("far.jpg")], [said(), bad], ExportRunner(), "")


@pytest.mark.parametrize("bad", [said(0.87), said(0.9, ood_score=0.33)])
def test_a_difference_above_the_bound_is_refused(bad):
    with pytest.raises(TrainingError, match=r'"far\.jpg" differently'):
        prove([photo(), photo("far.jpg")], [said(), bad], ExportRunner(), "")


def test_a_class_missing_is_refused():
    with pytest.raises(TrainingError):
        prove([photo()], [Answer("hat", {"hat": 0.9}, 0.3, 0.01)], ExportRunner(), "")


def test_another_class_passes_only_where_the_model_itself_wavers():
    assert prove([photo(p=0.505)], [said(0.495)], ExportRunner(), "").n_same == 0
    with pytest.raises(TrainingError):
        prove([photo(p=0.515)], [said(0.499)], ExportRunner(), "")


def test_photos_that_the_form_cannot_read_are_counted_apart():
    unread = Answer(None, {}, None, 0.01)
    proof = prove([photo(), photo()], [said(), unread], ExportRunner(), "")
    assert (proof.n, proof.n_unreadable) == (1, 1)
    assert "1 photo" in sentences(proof)[-1]
    with pytest.raises(TrainingError, match="could not read any"):
        prove([photo()], [unread], ExportRunner(), "")


def test_generated_images_are_the_same_everywhere_and_always():
    names = [name for name, _ in generated()]
    assert len(set(names)) == 8
    assert generated() == generated()
