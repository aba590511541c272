"""An export that carries tellapart's code, asked in a process and a folder of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import TrainingError
from tellapart.export.photos import ProofPhoto
from tellapart.export.proof import FROM_PIXELS, Answer

PATIENCE_S = 600  # for the whole proof, on a slow and busy machine
SCRIPT = """
import json, os, time
from pathlib import Path
import tellapart
from tellapart.model.prediction import load
assert Path(tellapart.__file__).is_relative_to(Path.cwd())
model = load("model")
for name in sorted(os.listdir("photos")):
    started = time.perf_counter()
    said = model.predict(Path("photos", name))
    print(json.dumps({**said.to_json(), "seconds": time.perf_counter() - started}), flush=True)
"""
# The same with photos decoded by a child, as the Gradio app has it.
APART = """
import asyncio, json, os, time
from pathlib import Path
import tellapart
from tellapart.model.prediction import load
from tellapart.model.isolated import ApartPredictor
assert Path(tellapart.__file__).is_relative_to(Path.cwd())
async def main():
    model = ApartPredictor(load("model"), 1)
    for name in sorted(os.listdir("photos")):
        started = time.perf_counter()
        said, _ = await model.predict(Path("photos", name))
        print(json.dumps({**said.to_json(), "seconds": time.perf_counter() - started}), flush=True)
    await model.close()
asyncio.run(main())
"""


@dataclass(frozen=True)
class SubprocessRunner:
    """A package `tellapart` and a folder `model`, as an exported form.

    Args:
        files: {relative name: content} of both.
        through: what runs it, for people.
        script: what is run in their folder.
        bound: the largest difference accepted.
    """

    files: Mapping[str, bytes]
    through: str
    script: str = SCRIPT
    bound: float = FROM_PIXELS

    def __call__(self, photos: Sequence[ProofPhoto]) -> Iterator[Answer]:
        """Answers in the order of `photos`; the first photo is asked once more ahead of all, to warm up."""
        with tempfile.TemporaryDirectory(prefix="tellapart-") as place:
            asked = {f"photos/{i:06}": photo.data for i, photo in enumerate((*photos[:1], *photos))}
            for name, content in {**self.files, **asked}.items():
                path = Path(place, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            lines = _asked(place, self.script)
        if len(lines) != len(photos) + 1:
            raise TrainingError("The exported code did not answer every photo.", hint="Nothing was written.")
        for line in lines[1:]:
            said = json.loads(line)
            yield Answer(said["answer"], said["probs"], said["unknown_score"], said["seconds"])


def _asked(place: str, script: str) -> list[str]:
    # -P and PYTHONPATH: the code in `place`, whatever else is installed here.
    environment = {**os.environ, "PYTHONPATH": place, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-P", "-c", script]
    try:
        done = subprocess.run(  # noqa: S603  # this Python and a script from above
            command, cwd=place, env=environment, capture_output=True, encoding="utf-8", timeout=PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise TrainingError(
            "The exported code does not run.", hint="Nothing was written. Please report this."
        ) from error
    return done.stdout.splitlines()
