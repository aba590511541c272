"""Label Studio's exports of image classification: JSON, JSON-MIN, CSV and TSV.

JSON has a task for each photo, with all of its annotations; the others a row for each annotation, in which a column is
called as the question is in the labelling interface (`choice` in its template), beside the task's own data.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tellapart.data.label_file import LABEL_COLUMNS, PATH_COLUMNS
from tellapart.errors import InputError
from tellapart.studio.labels_in.given import NO_FILE, NO_LABEL, SEVERAL, Given, Labels, may_be_photo, of_address
from tellapart.text import quoted, some

CANCELLED: Final = "that were skipped by who labelled"
# Columns that every export has; two of them tell its rows from those of other tools.
OWN: Final = ("annotation_id", "annotator", "created_at", "updated_at", "lead_time", "id", "agreement", "inner_id")
QUESTIONS: Final = ("choice", "choices", *LABEL_COLUMNS)
_IMAGES: Final = ("image", "img", "photo", "url", *PATH_COLUMNS)


def is_tasks(value: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these objects are tasks of a JSON export."""
    return all(isinstance(one.get("data"), dict) and isinstance(_annotations(one), list) for one in value)


def is_rows(columns: Iterable[str]) -> bool:
    """Whether a table of these columns is such an export."""
    return {"annotation_id", "annotator"} <= set(columns)


def of_tasks(tasks: Sequence[Mapping[str, Any]], name: str) -> Labels:
    """The labels of a JSON export: one for each annotation that was not skipped.

    Raises:
        InputError: each photo was asked several questions, so that it has no one class.
    """
    questions: dict[str, None] = {}
    rows = []
    for task in tasks:
        address = _photo_of(task)
        given: list[tuple[str, str]] = []
        for annotation in _annotations(task):
            if not isinstance(annotation, dict):
                continue
            if annotation.get("was_cancelled") is True:
                given.append(("", CANCELLED))
                continue
            results = annotation.get("result")
            chosen = [_choices(one) for one in results if _is_choice(one)] if isinstance(results, list) else []
            questions.update(dict.fromkeys(question for question, _ in chosen))
            given.append(_one_of([word for _, words in chosen for word in words]))
        rows += [of_address(address, label, why) for label, why in given or [("", NO_LABEL)]]
    _refuse_several(questions, name)
    return Labels("Label Studio", rows)


def of_rows(rows: Sequence[Mapping[str, Any]], name: str) -> Labels:
    """The labels of a JSON-MIN export or of a table: one for each row.

    Raises:
        InputError: no column has photos, or it cannot be known which has the classes.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    images = [one for one in columns if one not in OWN and any(may_be_photo(row.get(one)) for row in rows)]
    images = [one for one in images if one.lower() in _IMAGES] or images
    if not images:
        raise InputError(
            f"{quoted(name)} is an export of Label Studio, and no column of it names photos.",
            hint="Export the project with its images' file names.",
        )
    image = images[0]
    questions = [one for one in columns if one not in OWN and one != image and any(row.get(one) for row in rows)]
    lists = [one for one in questions if any(_list_in(row.get(one)) for row in rows)]
    usual = [one for one in questions if one.lower() in QUESTIONS]
    chosen = questions if len(questions) < 2 else (usual if len(usual) == 1 else lists or usual or questions)
    _refuse_several(chosen, name)
    question = chosen[0] if chosen else ""
    given = []
    for row in rows:
        address = row.get(image)
        label, why = _one_of(_words(row.get(question)))
        given.append(of_address(address, label, why) if isinstance(address, str) else Given("", "", NO_FILE))
    return Labels("Label Studio", given)


def _refuse_several(questions: Iterable[str], name: str) -> None:
    names = [quoted(str(one), longest=40) for one in questions]
    if len(names) > 1:
        raise InputError(
            f"{quoted(name)} is an export of Label Studio with several questions about each photo: {some(names)}.",
            hint="Take out of the file what belongs to all but one of them.",
        )


def _annotations(task: Mapping[str, Any]) -> Any:
    return task.get("annotations", task.get("completions"))  # what they were called before 2021


def _photo_of(task: Mapping[str, Any]) -> str:
    """The address of a task's photo; "" where it has none."""
    data = task["data"]
    named = [data[key] for key in data if key.lower() in _IMAGES and isinstance(data[key], str)]
    seen = [value for value in [*named, *data.values()] if may_be_photo(value)]
    return next(iter([*seen, *named]), "")


def _is_choice(result: Any) -> bool:
    return isinstance(result, dict) and result.get("type") == "choices" and isinstance(result.get("value"), dict)


def _choices(result: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Which question it answers, and the answers."""
    return str(result.get("from_name", "")), _words(result["value"].get("choices"))


def _one_of(words: Sequence[str]) -> tuple[str, str]:
    """The one label and no reason; or none and the reason."""
    different = list(dict.fromkeys(words))
    return (different[0], "") if len(different) == 1 else ("", SEVERAL if different else NO_LABEL)


def _words(value: Any) -> list[str]:
    """The answers in a cell: a word, a list, or an object with a list of choices, also written as JSON."""
    listed = _list_in(value)
    values = listed if listed is not None else [value]
    return [str(word).strip() for word in values if isinstance(word, str | int) and str(word).strip()]


def _list_in(value: Any) -> list[Any] | None:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, dict):
        value = value.get("choices")
    return value if isinstance(value, list) else None
