"""Which class an example photo is of: its file's name says so, in letters that every system and host takes."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from tellapart.model.artifact import EXAMPLES, Artifact, slug

LONGEST: Final = 180  # letters of a class's name in it


def example_name(class_names: Sequence[str], label: int) -> str:
    """The file name of the example of class `label`, such as `examples/2-t-shirt.jpg`; every class has another.

    Classes of the same letters, or of none from A to Z, have their number once more: `examples/1-class-1.jpg` for 猫
    and `examples/2-class-2.jpg` for 狗.
    """
    plain = slug(class_names[label])
    is_shared = Counter(map(slug, class_names))[plain] > 1
    return f"{EXAMPLES}{label + 1}-{plain[:LONGEST]}{f'-{label + 1}' if is_shared else ''}.jpg"


def shown_classes(artifact: Artifact) -> dict[str, str | None]:
    """{file name: class name of now} of the model's examples; their files keep the names that it was trained under."""
    now = dict(zip(artifact.trained_names, artifact.class_names, strict=True))
    then = classes_of(artifact.examples, artifact.trained_names)
    return {name: None if class_name is None else now[class_name] for name, class_name in then.items()}


def classes_of(examples: Iterable[str], class_names: Sequence[str]) -> dict[str, str | None]:
    """{file name: class name} of a model's `examples`; None for one that may be of several classes, or of none.

    Models of before counted their examples instead of their classes. Where classes share letters there, an example's
    number is its class's only if each of them has one.
    """
    names = list(examples)
    ours = {example_name(class_names, label): name for label, name in enumerate(class_names)}
    fitting = {name: _fitting(name, class_names) for name in names}
    claims = Counter(label for labels in fitting.values() for label in labels[:1])
    found: dict[str, str | None] = {}
    for name in names:
        labels = fitting[name]
        if len(labels) > 1 and claims[labels[0]] == len(labels):
            found[name] = class_names[labels[[n for n in names if fitting[n] == labels].index(name)]]
        else:
            found[name] = class_names[labels[0]] if len(labels) == 1 else None
        found[name] = ours.get(name, found[name])
    return found


def _fitting(name: str, class_names: Sequence[str]) -> list[int]:
    """Labels of the classes whose letters stand in the file's name."""
    named_after = re.sub(rf"^{EXAMPLES}\d+-|\.jpg$", "", name)
    return [label for label, class_name in enumerate(class_names) if slug(class_name) == named_after]
