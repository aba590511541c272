"""Imports go one way, start fast, and nothing that can run code from a file is ever used."""

import ast
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "tellapart"

MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts): path
    for path in sorted(SOURCE.rglob("*.py"))
    if path.name != "__init__.py"
}
# These import inside functions: commands, so that --help is instant, and what alone needs PyTorch.
LATE = ("cli.", "workflow.fit")
FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}


def tree(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def is_for_types(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(node, *, late=False):
    """(module, is it inside a function) of every import of ours below `node`, but those for types alone."""
    for child in ast.iter_child_nodes(node):
        if is_for_types(child):
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, late) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative import"
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                yield (inner if inner.removeprefix("tellapart.") in MODULES else child.module), late
        else:
            yield from imports(child, late=late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def layers():
    loader = SourceFileLoader("layers", str(SOURCE.parents[1] / "scripts" / "layers"))
    module = ModuleType(loader.name)
    module.__file__ = loader.path
    loader.exec_module(module)
    return module


@pytest.mark.thorough
@pytest.mark.slow
def test_imports_go_down_and_packages_stay_small():
    assert not layers().broken_rules()


def test_the_table_of_layers_is_the_list():
    assert layers().table() in (SOURCE.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "from tellapart.model import artifact",
        "def late():\n    from tellapart.model.artifact import seal",
        "if TYPE_CHECKING:\n    import tellapart.model.artifact",
        "import_module('tellapart.model.artifact')",
        "importlib.import_module(f'tellapart.model.{name}')",
    ],
)
def test_every_kind_of_import_is_followed(tmp_path, text):
    file = tmp_path / "module.py"
    file.write_text(text)
    assert [layers().room_of(name) for name in layers().imported(file)] == ["model"]


@pytest.mark.parametrize("name", MODULES)
def test_no_late_imports(name):
    late = [module for module, is_late in imports(tree(name)) if is_late]
    assert name.startswith(LATE) or not late


def test_packages_hold_a_docstring_only():
    for path in SOURCE.rglob("__init__.py"):
        if path.parent != SOURCE:
            [only] = ast.parse(path.read_text()).body
            assert isinstance(only.value, ast.Constant)


def loaded_after(code):
    script = f"{code}\nimport sys\nprint(*sorted(m.partition('.')[0] for m in sys.modules))"
    child = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    return set(child.stdout.split())


@pytest.mark.parametrize("code", ["import tellapart", "import tellapart.cli.main", "import tellapart; dir(tellapart)"])
def test_starting_loads_nothing_heavy(code):
    heavy = {"numpy", "scipy", "torch", "sklearn", "onnx", "openvino", "PIL", "jinja2", "sqlite3", "tqdm"}
    assert not loaded_after(code) & heavy


def test_every_public_name_is_there_and_torch_never():
    everything = "; ".join(f"import tellapart.{name}" for name in MODULES if not name.startswith("deep."))
    code = f"import tellapart; {everything}; [getattr(tellapart, name) for name in tellapart.__all__]"
    loaded = loaded_after(code)
    assert "sklearn" in loaded
    assert not loaded & {"torch", "torchvision", "timm", "fastai", "onnxruntime", "ray"}


@pytest.mark.slow
def test_only_the_estimator_needs_scikit_learn():
    others = [name for name in MODULES if name != "workflow.estimator" and not name.startswith("deep.")]
    imports_of_all = "; ".join(f"import tellapart.{name}" for name in others)
    assert not loaded_after(imports_of_all) & {"sklearn", "joblib", "narwhals"}


@pytest.mark.parametrize("name", MODULES)
def test_nothing_that_unpickles_or_runs_text(name):
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            used = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            used = {node.module.split(".")[0]}
        else:
            used = set()
        assert not used & FORBIDDEN_MODULES
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in FORBIDDEN_CALLS
            assert called not in ("torch.load", "np.load", "numpy.load", "os.system", "subprocess.Popen")
            assert not any(keyword.arg in ("allow_pickle", "shell") for keyword in node.keywords)
