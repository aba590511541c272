"""Networks by name: ours, timm's, and a person's own; with random weights, the hub's, or those of a file."""

import difflib
from dataclasses import dataclass, field
from typing import Any

import timm
import torch
from timm.models import PretrainedCfg
from torch import Tensor, nn

from tellapart.deep.architectures import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    OWN,
    Triple,
    n_parameters,
    own_network,
    own_parameters,
)
from tellapart.deep.custom_network import custom_network, said
from tellapart.deep.weights import Weights, hub_answers, kept_file, load, misfit, read_weights
from tellapart.errors import InputError
from tellapart.text import quoted, some

SMALLEST_PX, LARGEST_PX = 8, 2048  # what a model folder may hold
USUAL_PX = 224  # for a person's own network that does not say
RANDOM = "random"


@dataclass(frozen=True)
class Built:
    """A network, and what it expects of photos.

    Args:
        name: what it was asked for by, such as `resnet34`.
        title: what a person reads.
        module: (N, 3, px, px) float32, normalised → (N, C) logits; (N, 1) for two classes in sigmoid form.
        input_px: side of the square input.
        mean: of the three channels in [0, 1], taken off.
        std: of the three channels, divided by.
        weights: where they came from: `random`, `hub: …`, `file …, sha256 …`.
    """

    name: str
    title: str
    module: nn.Module = field(repr=False, compare=False)
    input_px: int
    mean: Triple
    std: Triple
    weights: str

    @property
    def n_parameters(self) -> int:
        """How many numbers training may change."""
        return n_parameters(self.module)


@dataclass(frozen=True)
class Known:
    """A network that can be built by name.

    Args:
        name: such as `small-resnet`, `resnet18`.
        title: what a person reads; empty for timm's, whose name says all.
        input_px: side of its usual input.
        n_parameters: with two classes; None for timm's, which would have to be built.
        weights: whether published weights are known.
    """

    name: str
    title: str
    input_px: int
    n_parameters: int | None
    weights: bool


def listed(containing: str = "") -> list[Known]:
    """Every network whose name holds `containing`: ours, then timm's, by name."""
    ours = [Known(n, cls.title, cls.input_px, own_parameters(n), weights=False) for n, cls in OWN.items()]
    theirs = []
    for name in timm.list_models():
        cfg = timm.get_pretrained_cfg(name) or PretrainedCfg()
        theirs.append(Known(name, "", _px(cfg), None, bool(cfg.has_weights)))
    return [one for one in (*ours, *theirs) if containing.casefold() in one.name]


def build(
    name: str,
    n_classes: int,
    *,
    weights: str | None = None,
    pretrained: bool = False,
    input_px: int | None = None,
) -> Built:
    """The network `name` with a head for `n_classes` classes, in training mode, on the processor.

    Args:
        name: one of ours (`first-cnn`, `tutorial-cnn`, `small-resnet`), one of timm's (`resnet18`,
            `resnet34.tv_in1k`), or a person's own as `package.module:Class` or `file.py:Class`.
        n_classes: C. A head of another size is left out of the weights.
        weights: a file of weights; goes before `pretrained`.
        pretrained: take the published weights, which are downloaded unless this machine has them.
        input_px: side of the square input; the network's own unless told.

    Raises:
        InputError: no such network, no such weights or another network's, an input size that it does not take, or a
            person's own code that fails.
    """
    if n_classes < 2:
        raise InputError(
            f"A network tells at least 2 classes apart. Got {n_classes}.", hint="Name two classes or more."
        )
    if input_px is not None and not SMALLEST_PX <= input_px <= LARGEST_PX:
        raise _no_size(input_px)
    given = None if weights is None else read_weights(weights)
    if name in OWN or ":" in name:
        built = _unpublished(name, n_classes, given, pretrained=pretrained, input_px=input_px)
    else:
        built = _timm(name, n_classes, given, pretrained=pretrained, input_px=input_px)
    _try_it(built, n_classes)
    return built


def _unpublished(name: str, n_classes: int, given: Weights | None, *, pretrained: bool, input_px: int | None) -> Built:
    """One of ours or a person's own: nobody has published weights for it."""
    module = own_network(name, n_classes, input_px) if name in OWN else custom_network(name, n_classes)
    title = str(getattr(module, "title", "") or name)
    px: Any = input_px or getattr(module, "input_px", USUAL_PX)
    if not isinstance(px, int) or not SMALLEST_PX <= px <= LARGEST_PX:
        raise _no_size(px)
    if given is not None:
        load(module, given, title)
    elif pretrained:
        raise InputError(
            f"There are no published weights for {quoted(name)}.",
            hint="Train it from nothing, name a file after --weights, or take a network of timm's, such as resnet18.",
        )
    return Built(
        name=name,
        title=title,
        module=module,
        input_px=px,
        mean=_triple(name, getattr(module, "mean", IMAGENET_MEAN)),
        std=_triple(name, getattr(module, "std", IMAGENET_STD)),
        weights=RANDOM if given is None else given.origin,
    )


def _timm(name: str, n_classes: int, given: Weights | None, *, pretrained: bool, input_px: int | None) -> Built:
    cfg = _cfg(name)
    fixed: dict[str, Any] = {"img_size": input_px} if input_px is not None and cfg.fixed_input_size else {}
    title = f"{name} (timm)"
    origin = RANDOM
    kept = kept_file(cfg.hf_hub_id, cfg.hf_hub_filename) if pretrained and given is None and cfg.hf_hub_id else None
    if kept is not None:
        given = Weights(read_weights(kept).state, _hub(cfg))
    try:
        if given is not None:
            module = _with_file(name, n_classes, given, cfg, fixed)
            origin = given.origin
        elif pretrained:
            module = _from_hub(name, n_classes, cfg, fixed)
            origin = _hub(cfg)
        else:
            module = timm.create_model(name, num_classes=n_classes, **fixed)
    except (AssertionError, TypeError, ValueError) as error:  # what its builders raise at a size that does not fit
        if isinstance(error, InputError) or input_px is None:
            raise
        raise InputError(
            f"{title} does not take photos of {input_px} px.", hint=f"Choose another size; its own is {_px(cfg)} px."
        ) from error
    return Built(name, title, module, input_px or _px(cfg), _triple(name, cfg.mean), _triple(name, cfg.std), origin)


def _cfg(name: str) -> PretrainedCfg:
    """What timm knows about the network `name`, with its tag.

    Raises:
        InputError: it knows no such network, or no such weights of it.
    """
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(name.casefold(), [*OWN, *timm.list_models()], n=3, cutoff=0.5)
        raise InputError(
            f"There is no network {quoted(name)}.",
            hint=(f"Did you mean {' or '.join(near)}? " if near else "") + "See them all with: tellapart backbones",
        )
    if tag and name not in timm.list_models(f"{architecture}.*", pretrained=True):
        tags = timm.list_models(f"{architecture}.*", pretrained=True)
        raise InputError(
            f"There are no weights {quoted(tag)} of the network {architecture}.",
            hint=f"There are {some(tags)}." if tags else f"Leave it out: {architecture}",
        )
    return timm.get_pretrained_cfg(name) or PretrainedCfg()


def _with_file(name: str, n_classes: int, given: Weights, cfg: PretrainedCfg, fixed: dict[str, Any]) -> nn.Module:
    """timm's network with the weights of a file, through timm's own translation of older names.

    It is built with as many classes as the file has, so that every layer must fit, and gets its own head afterwards.

    Raises:
        InputError: they are another network's.
    """
    n_theirs = _n_classes(given.state, cfg)
    source: dict[str, Any] = {
        "state_dict": given.state,
        "num_classes": n_theirs,
        "label_offset": 0,
        "custom_load": False,
    }
    try:
        module: Any = timm.create_model(
            name, pretrained=True, num_classes=n_theirs, pretrained_cfg_overlay=source, **fixed
        )
    except (RuntimeError, LookupError, AttributeError, TypeError) as error:
        if "in loading state_dict" not in str(error):  # it stumbled before it could say which layers do not fit
            load(timm.create_model(name, num_classes=n_theirs, **fixed), given, f"{name} (timm)")
        raise misfit(error, given.origin, f"{name} (timm)") from error
    module.pretrained_cfg.pop("state_dict", None)  # a second copy of all weights
    if n_theirs != n_classes:
        module.reset_classifier(n_classes)
    network: nn.Module = module
    return network


def _n_classes(state: dict[str, Tensor], cfg: PretrainedCfg) -> int:
    """How many classes the weights tell apart; 0 where they have no head."""
    named = cfg.classifier or ""
    for name in (named,) if isinstance(named, str) else named:
        if f"{name}.weight" in state:
            return len(state[f"{name}.weight"])
    # Other names: by shape. Heads are the last table of weights in every published file that we know of.
    tables = [len(value) for key, value in state.items() if value.ndim == 2 and key.endswith("weight")]
    return tables[-1] if tables else 0


def _from_hub(name: str, n_classes: int, cfg: PretrainedCfg, fixed: dict[str, Any]) -> nn.Module:
    """timm's network with published weights, downloaded.

    Raises:
        InputError: there are none, or they cannot be had now.
    """
    if not cfg.has_weights:
        raise InputError(
            f"There are no published weights for {quoted(name)}.",
            hint="Train it from nothing, or take another: tellapart backbones",
        )
    if not hub_answers():
        raise _unreachable(name, cfg)
    try:
        network: nn.Module = timm.create_model(name, pretrained=True, num_classes=n_classes, **fixed)
    except Exception as error:  # a download fails in as many ways as there are networks
        raise _unreachable(name, cfg) from error
    return network


def _unreachable(name: str, cfg: PretrainedCfg) -> InputError:
    if cfg.hf_hub_id:
        file = cfg.hf_hub_filename or "model.safetensors"
        how = f"hf download {cfg.hf_hub_id} {file} --local-dir weights"
        then = f"--weights weights/{file}"
    else:
        how, then = f"curl -LO {cfg.url}", "--weights FILE"
    return InputError(
        f"The weights of {name} are not on this machine and cannot be downloaded now.",
        hint=f"On a machine that is online, run: {how}   Copy the file here and name it: {then}",
    )


def _hub(cfg: PretrainedCfg) -> str:
    """Where the published weights come from, with their licence, which not everyone may use for everything."""
    licence = f" ({cfg.license})" if cfg.license else ""
    return (f"hub: {cfg.hf_hub_id}" if cfg.hf_hub_id else f"web: {cfg.url}") + licence


def _px(cfg: PretrainedCfg) -> int:
    return int(cfg.input_size[-1])


def _no_size(got: object) -> InputError:
    return InputError(
        f"The input size must be a whole number from {SMALLEST_PX} to {LARGEST_PX} px. Got {got}.",
        hint="Most networks are made for 224 px.",
    )


def _triple(name: str, values: Any) -> Triple:
    """Three finite numbers.

    Raises:
        InputError: a person's own network says something else.
    """
    try:
        red, green, blue = (float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The mean and std of {quoted(name)} must be three numbers each.", hint="Such as (0.5, 0.5, 0.5)."
        ) from error
    return red, green, blue


def _try_it(built: Built, n_classes: int) -> None:
    """Show the network one black image, so that what does not fit is said now and not when training starts.

    Raises:
        InputError: it does not take such an image, or does not answer with one number a class.
    """
    module, training = built.module, built.module.training
    module.eval()
    try:
        with torch.no_grad():
            answer = module(torch.zeros(1, 3, built.input_px, built.input_px))
    except Exception as error:  # a person's own code, or layers that do not fit one another
        raise InputError(
            f"{built.title} fails on photos of {built.input_px} px: {said(error)}",
            hint="Choose another input size, or mend the network.",
        ) from error
    finally:
        module.train(training)
    shape = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
    if shape != (1, n_classes) and (shape, n_classes) != ((1, 1), 2):
        raise InputError(
            f"{built.title} must answer one photo with 1 × {n_classes} numbers. Got {shape}.",
            hint="Its last layer must have one output a class.",
        )
