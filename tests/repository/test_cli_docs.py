"""docs/cli.md is what `--help` says today."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_cli_page_is_what_help_says():
    loader = SourceFileLoader("make_cli_docs", str(REPOSITORY / "scripts" / "make_cli_docs"))
    spec = spec_from_loader(loader.name, loader)
    script = module_from_spec(spec)
    loader.exec_module(script)
    written = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == script.page(), "docs/cli.md is stale: run scripts/make_cli_docs"
