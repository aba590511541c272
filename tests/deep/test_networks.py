"""Networks by name and their weights: what is built, and what is said when it cannot be."""

import shutil

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from tellapart.deep.networks import build, listed
from tellapart.errors import InputError

SMALL = "mobilenetv3_small_050"  # of timm: little to build
OWN_CODE = """
from torch import nn
from beside import WIDTH

class Net(nn.Module):
    input_px = 24
    mean = (0.5, 0.5, 0.5)
    def __init__(self, n_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(3 * 24 * 24, WIDTH), nn.ReLU())
        self.head = nn.Linear(WIDTH, n_classes)
    def forward(self, x):
        return self.head(self.body(x))

class Broken(Net):
    def __init__(self, n_classes):
        raise ZeroDivisionError("no")

class Short(Net):
    def __init__(self, n_classes):
        super().__init__(n_classes + 1)

NUMBER = 3
def nothing(n_classes):
    return "nothing"
"""


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def own_file(tmp_path):
    (tmp_path / "beside.py").write_text("WIDTH = 8\n")
    (tmp_path / "my_net.py").write_text(OWN_CODE)
    return tmp_path / "my_net.py"


def same(a, b, *, but=()):
    return all(torch.equal(value, b[key]) for key, value in a.items() if not key.startswith(but))


def refusal(*args, **options):
    with pytest.raises(InputError) as caught:
        build(*args, **options)
    assert caught.value.message.endswith(".")
    assert caught.value.hint
    return caught.value


def test_ours_and_timms_are_built():
    first = build("first-cnn", 2)
    assert (first.input_px, first.mean, first.weights, first.n_parameters) == (120, (0, 0, 0), "random", 1_615_905)
    assert build("small-resnet", 3, input_px=96).input_px == 96
    theirs = build(SMALL, 7)
    assert theirs.module(torch.zeros(2, 3, 64, 64)).shape == (2, 7)
    assert theirs.mean == pytest.approx((0.485, 0.456, 0.406))
    assert theirs.module.training
    assert build("resnet18.tv_in1k", 2, input_px=64).name == "resnet18.tv_in1k"


def test_a_fixed_input_size_is_built_for_another():
    assert build("vit_tiny_patch16_224", 2, input_px=64).module(torch.zeros(1, 3, 64, 64)).shape == (1, 2)


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("resnte18", 'no network "resnte18"', "Did you mean resnet18"),
        ("smal-resnet", 'no network "smal-resnet"', "small-resnet"),
        ("qqqqqq", 'no network "qqqqqq"', "tellapart backbones"),
        ("resnet18.nobody", 'no weights "nobody" of the network resnet18', "resnet18.a1_in1k"),
    ],
)
def test_unknown_names(name, said, hint):
    error = refusal(name, 2)
    assert said in error.message
    assert hint in error.hint


def test_impossible_numbers():
    assert "at least 2 classes" in refusal("first-cnn", 1).message
    assert "Got 4." in refusal("first-cnn", 2, input_px=4).message
    assert "too small" in refusal("first-cnn", 2, input_px=8).message


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_weights_of_a_file(tmp_path, suffix):
    state = timm.create_model(SMALL, num_classes=1000).state_dict()
    file = tmp_path / f"w{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save({"model": state, "epoch": 3}, file)
    built = build(SMALL, 1000, weights=str(file))
    assert same(state, built.module.state_dict())
    assert built.weights.startswith(f"file w{suffix}, sha256 ")
    assert not hasattr(built.module, "pretrained_cfg") or "state_dict" not in built.module.pretrained_cfg
    fewer = build(SMALL, 4, weights=str(file))
    assert same(state, fewer.module.state_dict(), but=("classifier",))
    assert fewer.module.classifier.out_features == 4


def test_weights_without_a_head_and_with_older_names(tmp_path):
    state = timm.create_model(SMALL, num_classes=9).state_dict()
    torch.save({k: v for k, v in state.items() if "classifier" not in k}, tmp_path / "body.pth")
    assert same(state, build(SMALL, 2, weights=str(tmp_path / "body.pth")).module.state_dict(), but=("classifier",))
    torch.save({f"module.{k}": v for k, v in state.items()}, tmp_path / "parallel.pth")
    assert same(state, build(SMALL, 9, weights=str(tmp_path / "parallel.pth")).module.state_dict())


def test_weights_of_our_own_network(tmp_path):
    state = build("small-resnet", 5).module.state_dict()
    torch.save(state, tmp_path / "w.pth")
    assert same(state, build("small-resnet", 5, weights=str(tmp_path / "w.pth")).module.state_dict())
    other = build("small-resnet", 3, weights=str(tmp_path / "w.pth")).module.state_dict()
    assert same(state, other, but=("head",))


@pytest.mark.parametrize("name", ["small-resnet", "resnet18", "convnext_atto"])
def test_weights_of_another_network_are_named(tmp_path, name):
    torch.save(timm.create_model(SMALL, num_classes=5).state_dict(), tmp_path / "w.pth")
    error = refusal(name, 5, weights=str(tmp_path / "w.pth"))
    assert "(file w.pth) are not those of" in error.message
    assert "layers missing (" in error.message
    assert "layers not of this network (conv_stem, " in error.message


def test_a_layer_of_another_shape_is_named(tmp_path):
    state = timm.create_model(SMALL, num_classes=5).state_dict()
    torch.save(state | {"conv_stem.weight": torch.zeros(1, 2, 3, 4)}, tmp_path / "w.pth")
    assert "1 layer of another shape (conv_stem)" in refusal(SMALL, 5, weights=str(tmp_path / "w.pth")).message


def test_files_that_hold_no_weights(tmp_path):
    network = nn.Linear(3, 3)
    torch.save(network, tmp_path / "whole.pth")
    (tmp_path / "junk.pth").write_bytes(b"junk" * 100)
    (tmp_path / "junk.safetensors").write_bytes(b"junk" * 100)
    (tmp_path / "empty.pth").write_bytes(b"")
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    torch.save({"w": torch.tensor([float("nan")])}, tmp_path / "nan.pth")
    for file in ("whole.pth", "junk.pth", "junk.safetensors", "empty.pth"):
        assert "cannot be read as weights" in refusal(SMALL, 2, weights=str(tmp_path / file)).message
    assert "something else than the weights" in refusal(SMALL, 2, weights=str(tmp_path / "other.pth")).message
    assert 'numbers that are none, in "w"' in refusal(SMALL, 2, weights=str(tmp_path / "nan.pth")).message
    assert "There is no file" in refusal(SMALL, 2, weights=str(tmp_path / "none.pth")).message


def test_a_hostile_file_does_not_run(shared_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hostile = shared_data / "hostile" / "models"
    for suffix in (".pth", ".pt", ".bin"):
        shutil.copy(hostile / "pickle_rce.pkl", tmp_path / f"w{suffix}")
        assert "cannot be read as weights" in refusal(SMALL, 2, weights=str(tmp_path / f"w{suffix}")).message
    assert {p.name for p in tmp_path.iterdir()} == {"w.pth", "w.pt", "w.bin"}
    assert "not a file of weights" in refusal(SMALL, 2, weights=str(hostile / "pickle_rce.pkl")).message
    for file in ("st_hole", "st_oob", "st_overlap"):
        assert "cannot be read as weights" in refusal(SMALL, 2, weights=str(hostile / f"{file}.safetensors")).message


def test_published_weights_without_a_network_say_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    error = refusal("resnet34.tv_in1k", 2, pretrained=True)
    assert error.message.startswith("The weights of resnet34.tv_in1k are not on this machine")
    assert "hf download timm/resnet34.tv_in1k model.safetensors --local-dir weights" in error.hint
    assert "--weights weights/model.safetensors" in error.hint
    assert "no published weights" in refusal("small-resnet", 2, pretrained=True).message


def test_a_persons_own_network(own_file, monkeypatch):
    built = build(f"{own_file}:Net", 3)
    assert (built.input_px, built.mean) == (24, (0.5, 0.5, 0.5))
    assert built.module(torch.zeros(2, 3, 24, 24)).shape == (2, 3)
    monkeypatch.chdir(own_file.parent)
    assert build("my_net:Net", 4).module(torch.zeros(1, 3, 24, 24)).shape == (1, 4)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("{file}:Nte", 'has no class "Nte"'),
        ("{file}:NUMBER", 'has no class "NUMBER"'),
        ("{file}:nothing", "makes no torch.nn.Module, but a str"),
        ("{file}:Broken", "cannot be made: ZeroDivisionError: no."),
        ("{file}:Short", "must answer one photo with 1 × 3 numbers. Got (1, 4)."),
        ("{file}x.py:Net", "There is no file"),
        ("no.such.package:Net", "cannot be imported: ModuleNotFoundError"),
        ("{file}:", "names no class"),
        (":Net", "names no class"),
    ],
)
def test_what_is_wrong_with_a_persons_own_network(own_file, what, said):
    assert said in refusal(what.format(file=own_file), 3).message


def test_an_own_network_that_does_not_take_the_size(own_file):
    assert "fails on photos of 30 px: RuntimeError" in refusal(f"{own_file}:Net", 3, input_px=30).message


def test_the_list_has_ours_first_and_is_searched():
    names = [one.name for one in listed()]
    assert names[:3] == ["first-cnn", "tutorial-cnn", "small-resnet"]
    assert len(names) > 500
    found = listed("ResNet1")
    assert {"resnet10t", "resnet18"} <= {one.name for one in found}
    assert all("resnet1" in one.name for one in found)
