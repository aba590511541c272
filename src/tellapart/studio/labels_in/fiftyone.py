"""FiftyOne's exports with a class for each photo: a dataset's `samples.json`, a classification set's `labels.json`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tellapart.errors import InputError
from tellapart.studio.labels_in.given import NO_FILE, NO_LABEL, SEVERAL, Given, Labels, of_address
from tellapart.text import quoted, some

FIELD: Final = "ground_truth"  # what its own loaders call the labels that people gave
NO_CLASS: Final = "with a number that stands for no class"
_KINDS: Final = ("Classification", "Classifications")


def is_samples(value: Mapping[str, Any]) -> bool:
    """Whether it is the `samples.json` of a FiftyOneDataset."""
    samples = value.get("samples")
    return isinstance(samples, list) and all(isinstance(one, dict) and "filepath" in one for one in samples)


def is_labels(value: Mapping[str, Any]) -> bool:
    """Whether it is the `labels.json` of a FiftyOneImageClassificationDataset."""
    return isinstance(value.get("labels"), dict) and "classes" in value


def of_samples(value: Mapping[str, Any], name: str) -> Labels:
    """The labels of the samples' field of classifications.

    Raises:
        InputError: there is no such field, or it cannot be known which is meant.
    """
    samples: Sequence[Mapping[str, Any]] = value["samples"]
    fields = dict.fromkeys(key for sample in samples for key, said in sample.items() if _kind(said) in _KINDS)
    chosen = [FIELD] if FIELD in fields else list(fields)
    if len(chosen) > 1:
        raise InputError(
            f"{quoted(name)} is an export of FiftyOne with several labels for each photo: "
            f"{some([quoted(field, longest=40) for field in chosen])}.",
            hint=f'Export it with the one that is meant, called "{FIELD}".',
        )
    if samples and not chosen:
        raise InputError(
            f"{quoted(name)} is an export of FiftyOne without a class for each photo.",
            hint="A field of classifications is needed; boxes and masks are none.",
        )
    rows = []
    for sample in samples:
        path = sample["filepath"]
        label, why = _label_of(sample.get(chosen[0]))
        rows.append(of_address(path, label, why) if isinstance(path, str) else Given("", "", NO_FILE))
    return Labels("FiftyOne", rows)


def of_labels(value: Mapping[str, Any]) -> Labels:
    """The labels of `labels.json`: of each file name without its extension a class, or its number among the classes."""
    classes = value["classes"] if isinstance(value["classes"], list) else []
    rows = []
    for path, said in value["labels"].items():
        word, why = said.get("label") if isinstance(said, dict) else said, ""
        if isinstance(word, list):
            word, why = (word[0], "") if len(word) == 1 else (None, SEVERAL if word else NO_LABEL)
        if isinstance(word, int) and not isinstance(word, bool):
            known = 0 <= word < len(classes)
            word, why = (classes[word], "") if known else (None, NO_CLASS if classes else "")
        label = word.strip() if isinstance(word, str) else ""
        rows.append(Given(path.replace("\\", "/"), label, why or ("" if label else NO_LABEL), stem=True))
    return Labels("FiftyOne", rows)


def _kind(value: Any) -> str:
    kind = value.get("_cls") if isinstance(value, dict) else ""
    return kind.rpartition(".")[2] if isinstance(kind, str) else ""


def _label_of(value: Any) -> tuple[str, str]:
    if _kind(value) == "Classifications":
        several = value.get("classifications")
        if isinstance(several, list) and len(several) != 1:
            return "", SEVERAL if several else NO_LABEL
        value = several[0] if isinstance(several, list) else None
    label = value.get("label") if isinstance(value, dict) else None
    return (label.strip(), "") if isinstance(label, str) and label.strip() else ("", NO_LABEL)
