"""`export`: build, prove, write. Nothing is written that does not answer as the model does."""

import json
import os
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tellapart.errors import InputError
from tellapart.export.bundle import Build, Bundle, ModelSource
from tellapart.export.docker import docker_folder
from tellapart.export.photos import gather
from tellapart.export.proof import Answer, Proof, prove
from tellapart.export.runtime import from_folder
from tellapart.export.single_file import onnx_file, openvino_files
from tellapart.export.space import SPACES
from tellapart.export.web import web_folder
from tellapart.model.artifact import EXAMPLES, MODEL, Artifact, load_artifact, refuse_imagenet, to_json
from tellapart.model.prediction import Predictor
from tellapart.storage.atomic import refuse_unwritable, write_folder
from tellapart.timing import Progress, usual_progress

TARGETS: Mapping[str, Build] = {
    "web": web_folder,
    "space": SPACES["static"],
    "docker": docker_folder,
    "onnx": onnx_file,
    "openvino": openvino_files,
}

RECORD = "export.json"  # what was written, from which model, and its proof


@dataclass(frozen=True)
class Exported:
    """A written and proven export.

    Args:
        to: what it is, a key of `TARGETS`.
        folder: where it is.
        proof: how it compared with the model.
        model_bytes: size of the model in it.
        total_bytes: size of the whole folder.
        next_step: what to do with it, a line for people.
        notes: what to know about it, in sentences.
    """

    to: str
    folder: str
    proof: Proof
    model_bytes: int
    total_bytes: int
    next_step: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "to": self.to,
            "folder": self.folder,
            "proof": self.proof.to_json(),
            "model_bytes": self.model_bytes,
            "total_bytes": self.total_bytes,
            "notes": list(self.notes),
        }


def export(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    to: str,
    *,
    sdk: str | None = None,
    photos: str | None = None,
    runtime: str | os.PathLike[str] | None = None,
    examples: bool = True,
    force: bool = False,
    progress: Progress = usual_progress,
) -> Exported:
    """Writes `model` as `to` into the folder `output`, once it has answered a set of photos as the model does.

    Args:
        model: a folder that `train` wrote.
        output: the folder to write.
        to: a key of `TARGETS`.
        sdk: for a Space, the kind: "static" or "gradio".
        photos: a folder of photos to prove it with; by default the model's test photos, where this machine trained it
            and still has them, else its examples; and a few generated images.
        runtime: for a page, the folder with the two files that compute in the browser; by default npm is asked for
            them, and without npm the page fetches them itself.
        examples: whether it holds the model's example photos, small copies of test photos.
        force: whether an earlier export at `output` may be replaced.
        progress: told what goes on.

    Raises:
        InputError: the folder cannot be written, there is no such target, none of the photos can be read, or the
            runtime's folder does not hold it.
        ArtifactError: the model cannot be trusted or understood.
        TrainingError: the exported form answers a photo differently.
    """
    build = _build_of(to, sdk)
    if runtime is not None and to != "web" and build is not SPACES["static"]:
        raise InputError("--runtime goes with a page.", hint="The other exports do not compute in a browser.")
    folder, target = Path(model), Path(output)
    refuse_unwritable(target, force=force, ours=_written_before(target))
    refuse_imagenet(model, "Train a model with: tellapart train PHOTOS -o MODEL")
    engine = None if runtime is None else from_folder(Path(runtime))
    artifact = load_artifact(folder)
    asked = gather(photos, artifact, Predictor.from_artifact(artifact), progress)
    taken = artifact if examples else artifact.without_examples()
    built = build(ModelSource(folder, taken, progress, engine), os.fspath(target))
    answers = _counted(built.form(asked.photos), len(asked.photos), progress)
    proof = prove(asked.photos, answers, built.form, asked.origin)
    write_folder(target, {**built.files, RECORD: _record(to, artifact, built, proof)})
    return Exported(
        to=to,
        folder=os.fspath(output),
        proof=proof,
        model_bytes=len(built.files[built.model]),
        total_bytes=sum(map(len, built.files.values())),
        next_step=built.next_step,
        notes=(*built.notes, *_held(built), *([artifact.early] if artifact.early else ())),
    )


def _build_of(to: str, sdk: str | None) -> Build:
    """What makes an export.

    Raises:
        InputError: nothing does.
    """
    if to not in TARGETS:
        raise InputError(f"There is no export to '{to}'.", hint=f"Choose one of: {', '.join(TARGETS)}.")
    if sdk is None:
        return TARGETS[to]
    if to != "space" or sdk not in SPACES:
        raise InputError(
            f"There is no {to} of the kind '{sdk}'.", hint=f"--sdk goes with --to space: {' or '.join(SPACES)}."
        )
    return SPACES[sdk]


def _held(built: Bundle) -> tuple[str, ...]:
    """What there is to know of the person's own photos in it."""
    n = sum(EXAMPLES in name and name.endswith(".jpg") for name in built.files)
    if n == 0:
        return ()
    copies = "a small copy of 1 of your test photos" if n == 1 else f"small copies of {n} of your test photos"
    return (f"It holds {copies} as examples, for whoever gets it to see; --no-examples leaves them out.",)


def _record(to: str, artifact: Artifact, built: Bundle, proof: Proof) -> bytes:
    return to_json(
        {
            "to": to,
            "tellapart": version("tellapart"),
            "model_sha256": artifact.manifest["files"][MODEL],
            "proof": proof.to_json(),
            "files": sorted(built.files),
        }
    )


def _written_before(target: Path) -> Set[str]:
    """Names of what an earlier export wrote at the top of `target`; a replacement may delete nothing else."""
    try:
        record = json.loads((target / RECORD).read_bytes())
        return {RECORD, *(str(name).split("/")[0] for name in record["files"])}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return frozenset()


def _counted(said: Iterator[Answer], total: int, progress: Progress) -> Iterator[Answer]:
    for done, one in enumerate(said, start=1):
        progress("proving the export", done, total)
        yield one
