"""A module's tests lie where the module lies, or docs/tests.md says where else."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "tellapart"


def test_every_module_has_a_mirror_or_is_listed_without_one():
    page = (ROOT / "docs" / "tests.md").read_text(encoding="utf-8")
    rows = [row.split(" | ") for row in page.partition("## Without a mirror")[2].splitlines() if row.startswith("| `")]
    listed = [name for modules, _ in rows for name in re.findall(r"`([^`]+)`", modules)]
    modules = [path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if path.name != "__init__.py"]
    without = {str(path) for path in modules if not (ROOT / "tests" / path.with_name(f"test_{path.name}")).is_file()}
    assert sorted(listed) == sorted(without)
    for _, where in rows:
        for name in re.findall(r"`([^`]+)`", where):
            assert (ROOT / name).exists(), name
