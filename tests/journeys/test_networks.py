"""`tellapart backbones` and `tellapart summary`, from the command line."""

from pathlib import Path
from typing import Any


def test_networks_are_listed_and_searched(tellapart: Any, in_process: Any) -> None:
    said = tellapart.works("backbones")
    for name in ("fast", "balanced", "best", "first-cnn", "1,615,905 parameters", "tellapart backbones resnet"):
        assert name in said
    found = in_process.json("backbones", "resnet34")
    assert found["bundled"] == []
    assert {"name": "resnet34", "title": "", "input_px": 224, "parameters": None, "weights": True} in found["others"]
    assert "no published weights" in in_process.works("backbones", "convnextv2_small")
    in_process.refuses("backbones", "qqqq", says=["No network has 'qqqq'"])


def test_a_network_is_summed_up(tellapart: Any, in_process: Any, tmp_path: Path) -> None:
    said = tellapart.works("summary", "first-cnn")
    assert said.splitlines()[-1].split() == ["total", "1,615,905"]
    found = in_process.json("summary", "resnet18", "--classes", 10, "--px", 64)
    assert found["parameters"] == sum(layer["n_parameters"] for layer in found["layers"]) == 11_181_642
    assert (found["layers"][-1]["name"], found["layers"][-1]["shape"]) == ("fc", [10])
    in_process.refuses("summary", "resnte18", says=["no network", "resnet18"])
    (tmp_path / "mine.py").write_text("import nothing_like_it\n")
    in_process.refuses("summary", f"{tmp_path / 'mine.py'}:Net", says=["cannot be imported: ModuleNotFoundError"])
