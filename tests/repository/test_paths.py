"""Every file that a page or a docstring names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "tellapart"
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(SOURCE.rglob("*.py")),
    *sorted((SOURCE / "web").glob("*.js")),
]
# With a folder; a name alone may be anybody's file.
NAMED = re.compile(r"(?<![\w./:-])((?:[\w-]+/)+[\w-]+\.(?:py|js))\b")
WRITTEN_BY_US = {"model/tell-apart.js", "space/app.py"}  # files of exports
ELSEWHERE = ("benchmarks/peers/",)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_exists(page):
    named = set(NAMED.findall(page.read_text(encoding="utf-8"))) - WRITTEN_BY_US
    missing = [
        name
        for name in sorted(named)
        if not name.startswith(ELSEWHERE)
        and not any((root / name).exists() for root in (ROOT, ROOT / "src", SOURCE, page.parent))
    ]
    assert not missing
