"""Each fault that scripts/faults seeds can be made: what it changes stands in its file once, and Python reads the file
after it, so that a test notices it, not the parser.
"""

import ast
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def faults():
    loader = SourceFileLoader("faults", str(ROOT / "scripts" / "faults"))
    module = ModuleType(loader.name)
    module.__file__ = loader.path
    loader.exec_module(module)
    return module.FAULTS


def test_each_fault_can_be_seeded():
    for fault in faults():
        text = (ROOT / "src" / "tellapart" / fault.path).read_text(encoding="utf-8")
        assert text.count(fault.old) == 1, fault.name
        assert fault.old != fault.new
        if fault.path.endswith(".py"):
            ast.parse(text.replace(fault.old, fault.new), fault.name)


def test_no_fault_is_there_twice():
    assert len({fault.key for fault in faults()}) == len({fault.name for fault in faults()}) == len(faults())
