"""A finished model folder written anew, with other thresholds or names: the same answers, proven beforehand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.classifier.decision import Thresholds
from tellapart.engine.graph_rules import refuse_unsafe
from tellapart.engine.trial import remember_graph
from tellapart.errors import TrainingError
from tellapart.model.artifact import MAX_BYTES, MODEL, Artifact, seal, sha256
from tellapart.model.folder_files import read_file
from tellapart.model.prediction import Predictor
from tellapart.storage.atomic import write_folder
from tellapart.storage.photo_locations import load_locations, save_locations

PROOF_NOISE = 4  # generated photos beside the examples: a model need not have any of those


def prove_same(artifact: Artifact, graph: bytes, thresholds: Thresholds) -> int:
    """How many photos the graph to be written was asked about; it must say of each what the old one says.

    Raises:
        TrainingError: it does not.
    """
    px = artifact.preprocess.input_px
    refuse_unsafe(graph, n_classes=len(artifact.class_names), input_px=px)
    old = Predictor.from_artifact(artifact)
    new = Predictor(artifact.class_names, artifact.preprocess, thresholds, graph)
    rng = np.random.default_rng(0)
    asked = [old.pixels(photo) for photo in artifact.examples.values()]
    asked += [rng.integers(0, 256, (px, px, 3), dtype=np.uint8) for _ in range(PROOF_NOISE)]
    for pixels in asked:
        before, after = old.answers(pixels), new.answers(pixels)
        if not np.array_equal(before.probs, after.probs) or before.ood_score != after.ood_score:
            raise TrainingError("The written model would give other probabilities.", hint="The model stays as it was.")
    return len(asked)


def write_anew(target: Path, artifact: Artifact, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """The model folder `target`, sealed and as a whole; this machine knows its graph and its photos as it did.

    Args:
        target: the folder; that of `artifact`, or another.
        artifact: the model as it was.
        manifest: the new one; its hashes are made here.
        files: {name: content} of the new folder, without the manifest.
    """
    write_folder(target, seal({k: v for k, v in manifest.items() if k not in ("format", "files")}, files))
    old, new = artifact.manifest["files"][MODEL], sha256(files[MODEL])
    remember_graph(new, n_classes=len(artifact.class_names), input_px=artifact.preprocess.input_px)
    photos = {kind: load_locations(old, kind) for kind in ("test", "train")}
    if any(photos.values()):
        save_locations(new, photos)


def page_of(folder: Path, artifact: Artifact, name: str) -> bytes | None:
    """A file that people read, as the model was saved with it; None where the folder has none.

    Raises:
        ArtifactError: it is another file, or cannot be read.
    """
    expected = artifact.manifest["files"].get(name)
    return read_file(folder, name, MAX_BYTES[name], expected) if expected else None
