"""An export before it is proven: its files, and how to ask it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from tellapart.export.proof import ExportRunner
from tellapart.model.artifact import EXAMPLES, Artifact, to_json
from tellapart.text import as_markdown, shown
from tellapart.timing import Progress

TEMPLATES = Path(__file__).parent / "templates"
NOTE = "use-the-file.md"


@dataclass(frozen=True)
class ModelSource:
    """The model to export.

    Args:
        folder: where it is.
        artifact: what is in it, verified.
        progress: told what goes on.
        runtime: {file name: content} of what computes in the browser; None gets it from npm.
    """

    folder: Path
    artifact: Artifact
    progress: Progress
    runtime: Mapping[str, bytes] | None = None

    def examples(self) -> dict[str, bytes]:
        """{file name: content} of the model's example photos, which were verified with the model."""
        return {name.removeprefix(EXAMPLES): content for name, content in self.artifact.examples.items()}


@dataclass(frozen=True)
class Bundle:
    """An export, ready to be proven and written.

    Args:
        files: {relative name: content} of the whole folder.
        model: which of them is the model.
        form: how to ask it.
        next_step: what to do with the folder, a line for the person.
        notes: what the person should know of this export, in sentences.
    """

    files: Mapping[str, bytes]
    model: str
    form: ExportRunner
    next_step: str
    notes: tuple[str, ...] = ()


Build = Callable[[ModelSource, str], Bundle]
"""From the model and the path of the target folder, as the person wrote it, to an export."""


def facts(artifact: Artifact) -> dict[str, Any]:
    """What a program needs to know of the model, besides its file."""
    manifest = artifact.manifest
    return {key: manifest[key] for key in ("name", "class_names", "preprocess", "thresholds")}


def described(artifact: Artifact) -> dict[str, bytes]:
    """The files that stand beside a model file: names, one a line; everything else as JSON; how to use it."""
    labels = "".join(f"{shown(name)}\n" for name in artifact.class_names)
    return {
        "labels.txt": labels.encode(),
        "model.json": to_json(facts(artifact)),
        "README.md": (TEMPLATES / NOTE).read_bytes(),
    }


def _in_markdown(value: object) -> object:
    """The value as words; what `tojson` gave, a Markup, is in the front matter and is a text of YAML already."""
    return value if hasattr(value, "__html__") else as_markdown(value)


def rendered(template: str, facts: Mapping[str, object]) -> bytes:
    """A file of `templates/` with its gaps filled; in a page of Markdown with words, whatever they are."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    finalize = _in_markdown if template.endswith(".md") else None
    # Not HTML: a Dockerfile, a page of Markdown, YAML by `tojson`.
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.from_string(text).render(facts).encode()
