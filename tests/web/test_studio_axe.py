"""Every screen of the studio as axe-core judges it: nothing serious, in light and dark, wide and on a phone."""

import re
import shutil
import subprocess
import tarfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
VERSION = "4.14.1"  # of axe-core; MPL-2.0, used here as it is and handed to nobody
KEYS = re.compile(r'key: "(\w+)", title')


@pytest.fixture(scope="module")
def axe():
    """The script of axe-core, got through npm once, and kept in build/."""
    script = ROOT / "build" / f"axe-core-{VERSION}.js"
    if not script.is_file():
        if not (npm := shutil.which("npm")):
            pytest.skip("needs npm")
        place = script.parent / "axe"
        place.mkdir(parents=True, exist_ok=True)
        command = [npm, "pack", f"axe-core@{VERSION}", "--ignore-scripts", "--pack-destination", str(place)]
        if subprocess.run(command, cwd=place, capture_output=True, check=False, timeout=120).returncode:
            pytest.skip(f"npm could not get axe-core {VERSION}")
        with tarfile.open(place / f"axe-core-{VERSION}.tgz") as packed:
            (script.with_suffix(".part")).write_bytes(packed.extractfile("package/axe.min.js").read())
        script.with_suffix(".part").replace(script)
    return script.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def heap(tmp_path_factory):
    """Twelve photos, six of them in two class folders, two of these copies."""
    folder = tmp_path_factory.mktemp("axe") / "photos"
    for number in range(12):
        path = folder / ("hat", "shoe", ".", ".")[number % 4] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = 0 if number == 4 else number
        pixels = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((320 - number, 240), Image.Resampling.BICUBIC).save(path, quality=85)
    return folder


def screens():
    text = (files("tellapart") / "studio" / "page" / "screens.js").read_text(encoding="utf-8")
    return KEYS.findall(text)


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width_px"), [("light", 1280), ("dark", 390)])
def test_nothing_serious_is_wrong_with_any_screen(axe, heap, studio, visit, scheme, width_px):
    one = studio(heap)
    visited = visit(one.address, viewport={"width": width_px, "height": 844}, color_scheme=scheme)
    page = visited.page
    page.locator("photo-grid [role=option]").first.wait_for()
    assert len(screens()) > 2
    for key in screens():
        page.locator(f"nav [data-screen={key}]").click()
        visited.until("!document.querySelector('job-line:not([hidden])')")
        page.wait_for_timeout(150)  # pictures fade nothing in, but names and counts come after them
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        grave = [
            (one["id"], one["help"], [node["html"][:160] for node in one["nodes"][:3]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert not grave, (key, grave)
        assert page.evaluate("document.documentElement.scrollWidth") <= width_px, key
