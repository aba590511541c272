"""The model folder: sealed, read and verified here and nowhere else.

`model.onnx` is the whole classifier, pixels in and calibrated probabilities out; `manifest.json` says what it is and
holds the SHA-256 of the other files. docs/artifact.md is the specification of the format.
"""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.classifier.decision import EARLY_SAID, ClassPromise, Thresholds
from tellapart.data.preprocess import Preprocess
from tellapart.engine.graph_rules import refuse_unsafe
from tellapart.engine.trial import try_graph
from tellapart.errors import ArtifactError
from tellapart.formats.plain_jpeg import is_plain_jpeg
from tellapart.model.cam import has_heatmap
from tellapart.model.folder_files import read_file, refuse_absent, refuse_pointer
from tellapart.model.headline import as_now
from tellapart.model.manifest_form import is_complete
from tellapart.model.naming import IMAGENET, MANIFEST, not_a_model
from tellapart.storage.atomic import restore
from tellapart.text import LONGEST_NAME, counted, quoted, shown

FORMAT = 1
MODEL = "model.onnx"
EVALUATION = "evaluation.json"
REPORT = "report.html"
CARD = "README.md"
TRAINED_ON = "trained_on.txt"
OUT_OF_FOLD = "out_of_fold.json"
UNVERIFIED = {MANIFEST, CARD}  # a manifest cannot hold its own hash; the model card is there for people to edit
REPORT_FILES = frozenset({EVALUATION, REPORT})  # what `evaluate -o` writes
MODEL_FILES = REPORT_FILES | {CARD, MANIFEST, MODEL, OUT_OF_FOLD, TRAINED_ON, "examples"}  # what `train -o` writes
EXAMPLES = "examples/"
EXAMPLE = re.compile(rf"{EXAMPLES}[0-9]{{1,6}}-[a-z0-9-]{{1,200}}\.jpg")  # as `slug` names them
MAX_EXAMPLES = 100  # one a class, shown on the page; of 100 classes they have 2 MB
MAX_EXAMPLE_BYTES = 1_000_000  # ours have 5,000 to 60,000
PLACEHOLDER = re.compile(rb"[A-Za-z ]{0,40}")  # words where a photo should be, as in the oldest folder; left out
MAX_HEADLINE = 500  # letters of the score in a sentence; ours have 200
MAX_BYTES = {  # of the files that a manifest may name, besides examples
    MODEL: 700_000_000,  # a VGG16 of ours has 270 MB
    EVALUATION: 100_000_000,  # one with 50,000 test photos has 8
    REPORT: 100_000_000,  # pictures are kept within 3
    TRAINED_ON: 100_000_000,  # 33 bytes a photo
    OUT_OF_FOLD: 50_000_000,  # `kept_file` keeps no more than 21 MB
}
MAX_MANIFEST_BYTES = 1_000_000
MAX_DEPTH = 8  # of the manifest's JSON


@dataclass(frozen=True)
class Artifact:
    """A verified model: what it is, and its graph.

    Args:
        manifest: the content of manifest.json.
        files: {name: content} of the files that the manifest names, but for the report, which is for people alone.
        trained_on: hexadecimal hashes of the preprocessed photos it was trained on.
        evaluation: what evaluation.json says, with the headlines of now.
    """

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]
    trained_on: frozenset[str]
    evaluation: Mapping[str, Any]

    @property
    def model(self) -> bytes:
        """The content of model.onnx."""
        return self.files[MODEL]

    @property
    def examples(self) -> dict[str, bytes]:
        """{name such as `examples/1-hat.jpg`: content} of the example photos, in their order."""
        return {name: self.files[name] for name in sorted(self.files, key=_number) if name.startswith(EXAMPLES)}

    def without_examples(self) -> "Artifact":
        """The same model without a copy of anybody's photo."""
        return replace(self, files={name: data for name, data in self.files.items() if not name.startswith(EXAMPLES)})

    @property
    def class_names(self) -> tuple[str, ...]:
        """(C,) in the order of the probabilities."""
        return tuple(self.manifest["class_names"])

    @property
    def trained_names(self) -> tuple[str, ...]:
        """(C,) what its classes were called when it was trained."""
        trained = self.manifest.get("known_as", {})
        return tuple(trained.get(name, name) for name in self.class_names)

    def called(self, names: Collection[str]) -> tuple[str, ...]:
        """(C,) its classes as `names` has them: by the name of now, or else by the one that it was trained under.

        All by those of now where these are enough, else all by those of then where these are: a name of then may be
        another class's now.
        """
        now, then, wanted = self.class_names, self.trained_names, set(names)
        for all_of_one in (now, then):
            if wanted <= set(all_of_one):
                return all_of_one
        return tuple(
            old if new not in wanted and old in wanted and old not in now else new
            for new, old in zip(now, then, strict=True)
        )

    @property
    def headline(self) -> str:
        """The score in a sentence, of photos that were not learned from; empty where there is none."""
        return shown(str(self.evaluation.get("headline", "")))[:MAX_HEADLINE]

    @property
    def headline_with_leaks(self) -> str | None:
        """The score of all test photos, where some of them were learned from."""
        said = self.evaluation.get("headline_with_leaks")
        return None if said is None else shown(str(said))[:MAX_HEADLINE]

    @property
    def preprocess(self) -> Preprocess:
        """How a photo becomes the graph's pixels."""
        preprocessing = self.manifest["preprocess"]
        return Preprocess(preprocessing["input_px"], preprocessing["fit"])

    @property
    def thresholds(self) -> Thresholds:
        """When no class name is answered."""
        return Thresholds.from_json(self.manifest["thresholds"])

    @property
    def early(self) -> str:
        """A sentence where "none of these" is said without a promise, because photos were few; else empty."""
        return EARLY_SAID if self.thresholds.early else ""

    @property
    def never_miss(self) -> tuple[str, ...]:
        """A sentence on each class that must not be missed: what is promised of it."""
        return tuple(map(promise_of, self.thresholds.never_miss))


def promise_of(kept: ClassPromise) -> str:
    """What is promised of a class not to be missed, with its range."""
    few, many = (100 * (1 - end) for end in (kept.high, kept.low))
    scenes = "" if kept.n_scenes == kept.n else f" of {counted(kept.n_scenes, 'scene')}"
    return (
        f"Of 100 photos of {quoted(kept.class_name)} it promises to give at most about {100 * (1 - kept.kept):.2g} the "
        f"name of another class; {few:.1f} to {many:.1f} is plausible with {counted(kept.n, 'photo')} of it{scenes}."
    )


def facts_of(artifact: Artifact) -> dict[str, Any]:
    """What a page of the model goes by: its promise, its network, how photos are read, whether there is a heatmap."""
    manifest = artifact.manifest
    return {
        "promise": manifest.get("promise"),
        "early": artifact.early,
        "never_miss": [
            {**threshold.to_json(), "sentence": promise_of(threshold)} for threshold in artifact.thresholds.never_miss
        ],
        "quality": manifest["model"]["quality"],
        "backbone": manifest["model"]["backbone"],
        "input_px": artifact.preprocess.input_px,
        "fit": artifact.preprocess.resize_mode,
        "has_heatmap": has_heatmap(artifact.model),
    }


def seal(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """`files` together with the manifest that holds their hashes: the content of a model folder."""
    hashes = {name: sha256(content) for name, content in sorted(files.items()) if name not in UNVERIFIED}
    sealed = {"format": FORMAT, **manifest, "files": hashes}
    return {**files, MANIFEST: to_json(sealed)}


def to_json(value: Mapping[str, Any]) -> bytes:
    """UTF-8 JSON for people and machines; refuses NaN and infinity."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def slug(name: str, otherwise: str = "class") -> str:
    """`name` in small letters, digits and hyphens, as an example photo of that class is named; never empty."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or otherwise


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def is_imagenet(model: str | os.PathLike[str]) -> bool:
    """Whether `model` means the bundled network as it is, and not a folder of that name."""
    return os.fspath(model) == IMAGENET and not Path(model).exists()


def refuse_imagenet(model: str | os.PathLike[str], hint: str) -> None:
    """Returns when `model` means a folder.

    Raises:
        ArtifactError: it means the bundled network; `hint` says what to do instead.
    """
    if is_imagenet(model):
        raise ArtifactError("'imagenet' is the bundled network as it is, not a model folder.", hint=hint)


def load_artifact(folder: Path) -> Artifact:
    """Read and verify a model folder.

    Raises:
        ArtifactError: it is no model folder, damaged, hostile, or written by a newer version.
    """
    restore(folder)
    refuse_absent(folder)
    if not os.path.lexists(folder / MANIFEST):
        raise not_a_model(folder)
    sealed = read_file(folder, MANIFEST, MAX_MANIFEST_BYTES)
    refuse_pointer(MANIFEST, sealed)
    manifest = parse_manifest(sealed)
    content = {}
    for name, expected in manifest["files"].items():
        data = read_file(folder, name, MAX_BYTES.get(name, MAX_EXAMPLE_BYTES), expected)
        if name.startswith(EXAMPLES) and not is_plain_jpeg(data):
            if not PLACEHOLDER.fullmatch(data):
                raise ArtifactError(f"'{name}' is not a photo as ours are.", hint="Do not use this model.")
        elif name != REPORT:
            content[name] = data
    n_classes, input_px = len(manifest["class_names"]), manifest["preprocess"]["input_px"]
    refuse_unsafe(content[MODEL], n_classes=n_classes, input_px=input_px)
    try_graph(content[MODEL], manifest["files"][MODEL], n_classes=n_classes, input_px=input_px)
    return Artifact(
        manifest,
        content,
        frozenset(content[TRAINED_ON].decode("ascii", "replace").split()),
        _parse_evaluation(content[EVALUATION]),
    )


def _number(name: str) -> tuple[int, str]:
    """Where an example stands among the others."""
    match = re.match(rf"{EXAMPLES}(\d+)-", name)
    return (int(match[1]) if match else 0, name)


def _parse_evaluation(data: bytes) -> dict[str, Any]:
    try:
        evaluation = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"The model's {EVALUATION} is not valid JSON.", hint="Train again.") from error
    if not isinstance(evaluation, dict):
        raise ArtifactError(f"The model's {EVALUATION} is incomplete.", hint="Train again.")
    return as_now(evaluation)


def parse_manifest(data: bytes) -> dict[str, Any]:
    """The manifest in `data`, checked for everything that the rest of the code relies on.

    Raises:
        ArtifactError: it is not a manifest of a format that this version reads.
    """
    try:
        manifest = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ArtifactError("The model's manifest is not valid JSON.", hint="Copy the whole folder again.") from error
    if not isinstance(manifest, dict) or _depth(manifest) > MAX_DEPTH:
        raise ArtifactError("The model's manifest is not one of ours.", hint="Name a folder that tellapart wrote.")
    version = manifest.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise ArtifactError(
            f"This model was written by a newer tellapart (format {version}; this one reads up to {FORMAT}).",
            hint="Upgrade with: pip install --upgrade tellapart",
        )
    if version != FORMAT or not is_complete(manifest, {MODEL, TRAINED_ON, EVALUATION}):
        raise ArtifactError("The model's manifest is incomplete.", hint="Copy the whole folder again.")
    _refuse_files(manifest["files"])
    _refuse_names(manifest)
    return manifest


def _refuse_names(manifest: Mapping[str, Any]) -> None:
    """Refuses a text that would steer a terminal or a page, and a name too long to be one."""
    model = manifest["model"]
    names = [*manifest["class_names"], manifest["name"], *(model[k] for k in ("quality", "backbone", "tellapart"))]
    for text in _texts(manifest):
        if shown(text) != text:
            raise ArtifactError(
                f"The model has a name that cannot be shown as text: {quoted(text)}.", hint="Do not use this model."
            )
    for name in names:
        if len(name) > LONGEST_NAME:
            raise ArtifactError(
                f"The model has a name of {len(name):,} letters: {quoted(name)}.", hint="Do not use this model."
            )


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *_texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _refuse_files(files: Mapping[str, str]) -> None:
    """Refuses files that no model has: whatever is in a model folder may be copied to a page's folder and served."""
    for name in files:
        parts = Path(name).parts
        if len(parts) > 2 or ".." in parts or Path(name).is_absolute() or (len(parts) == 2 and parts[0] != "examples"):
            raise ArtifactError(
                f"The model names a file outside its folder: {quoted(name)}.", hint="Do not use this model."
            )
        if name not in MAX_BYTES and not EXAMPLE.fullmatch(name):
            raise ArtifactError(
                f"The model names a file that no model of ours has: {quoted(name)}.", hint="Do not use this model."
            )
    if sum(name not in MAX_BYTES for name in files) > MAX_EXAMPLES:
        raise ArtifactError(f"The model has more than {MAX_EXAMPLES} example photos.", hint="Do not use this model.")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
