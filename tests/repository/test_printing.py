"""Everything that people and machines read on a terminal goes through few functions, which make it harmless."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "tellapart"
PRINTERS = {  # of each file, and what each ends in
    "cli/output.py": {"say": "click.secho", "print_json": "click.echo", "print_bytes": "click.echo"},
    "cli/streams.py": {"starting": "sys.stderr.write"},  # a line of ours, without a name in it
}
PRINTING = {"print", "click.echo", "click.secho", "click.style", "sys.stdout.write", "sys.stderr.write"}
PRINTING |= {"echo", "secho", "click.echo_via_pager", "click.confirm", "click.prompt", "tqdm.write"}


def calls(tree):
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_is_printed_by_another_function(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = PRINTERS.get(path.relative_to(SOURCE).as_posix(), {})
    printers = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in allowed]
    for printer in printers:
        assert [name for name, _ in calls(printer) if name in PRINTING] == [allowed[printer.name]]
        tree.body.remove(printer)
    assert len(printers) == len(allowed)
    assert not [ast.unparse(node) for name, node in calls(tree) if name in PRINTING]


def test_errors_are_one_line():
    """A sentence holds names, and a line end in one must not look like a sentence of ours."""
    tree = ast.parse((SOURCE / "cli" / "options.py").read_text(encoding="utf-8"))
    said = [ast.unparse(node.args[0]) for name, node in calls(tree) if name == "say" and node.args]
    assert "f'Error: {shown(error.message)}'" in said
