"""The page's own script averages a large photo as our Python says that it does, to the last row and column."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import tellapart

SCRIPT = Path(tellapart.__file__).parent / "web" / "browser-client.js"
SIZES = [(8, 8, 8), (16, 24, 8), (17, 9, 8), (15, 31, 4), (3, 5, 4), (9, 8, 2), (1, 1, 2)]  # height, width, by
RUN = """
import { readFileSync } from "node:fs";
const { average } = await import(process.argv[1]);
const done = JSON.parse(readFileSync(0)).map(({ rgba, width, height, by, n }) => {
  const rgb = new Uint8Array(n);
  average(Uint8ClampedArray.from(rgba), width, height, by, rgb);
  return [...rgb];
});
console.log(JSON.stringify(done));
"""


def by_blocks(image, by):
    """The definition: the mean of each block of `by` × `by` pixels, of fewer at the far edges, rounded half up."""
    height, width = image.shape[:2]
    return [
        int(np.floor(image[y : y + by, x : x + by, c].mean() + 0.5))
        for y in range(0, height, by)
        for x in range(0, width, by)
        for c in range(3)
    ]


def test_every_block_is_its_mean_also_at_the_far_edges():
    if (node := shutil.which("node")) is None:
        pytest.skip("the page's script needs node to be run without a browser")
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (height, width, 4), dtype=np.uint8) for height, width, _ in SIZES]
    expected = [by_blocks(image, by) for image, (_, _, by) in zip(images, SIZES, strict=True)]
    asked = [
        {"rgba": image.ravel().tolist(), "width": width, "height": height, "by": by, "n": len(means)}
        for image, (height, width, by), means in zip(images, SIZES, expected, strict=True)
    ]
    command = [node, "--input-type=module", "--eval", RUN, SCRIPT.as_uri()]
    ran = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(ran.stdout) == expected
