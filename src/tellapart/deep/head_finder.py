"""How a network ends: where its features stand, the head after them, and the map whose mean they are."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from tellapart.engine.head import Head
from tellapart.errors import TrainingError

CLOSE = 1e-4  # of the largest number: what counts as the same, computed in another order


@dataclass(frozen=True)
class TensorSite:
    """Where a value stands in a network.

    Args:
        layer: the layer's name.
        side: what goes into it, or what comes out.
        call: which of the layer's calls, from 0.
        channels_last: whether the value is (N, h, w, D) instead of (N, D, h, w).
        flat: whether the value is to be (N, D), whatever single places it has.
    """

    layer: str
    side: Literal["in", "out"]
    call: int
    channels_last: bool = False
    flat: bool = False

    @contextmanager
    def watched(self, module: nn.Module) -> Iterator[list[Tensor]]:
        """A list that holds the value once `module` has run."""
        seen: list[Tensor] = []
        calls = 0

        def note(_: nn.Module, inputs: Any, output: Any = None) -> None:
            nonlocal calls
            if calls == self.call:
                seen.append(inputs[0] if self.side == "in" else output)
            calls += 1

        layer = module.get_submodule(self.layer)
        hook = layer.register_forward_pre_hook(note) if self.side == "in" else layer.register_forward_hook(note)
        try:
            yield seen
        finally:
            hook.remove()

    def shaped(self, value: Tensor) -> Tensor:
        """The value as (N, D), or as (N, D, h, w)."""
        if self.flat:
            return value.flatten(1)
        return value.permute(0, 3, 1, 2) if self.channels_last else value


@dataclass(frozen=True)
class ClassifierHead:
    """How a network ends.

    Args:
        site: where its features (N, D) stand.
        head: the linear layer after them.
        feature_map: where (N, D, h, w) stands whose mean over places they are; None without one.
    """

    site: TensorSite
    head: Head = field(repr=False)
    feature_map: TensorSite | None


@dataclass(frozen=True)
class _Map:
    """A value with places, and its mean over them (N, D)."""

    site: TensorSite
    mean: Tensor


@dataclass
class _Seen:
    """What ran, in the order in which it ran."""

    maps: list[_Map] = field(default_factory=list)
    linear: list[tuple[TensorSite, nn.Module, Tensor, Tensor]] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)


def find_head(module: nn.Module, input_px: int, title: str) -> ClassifierHead:
    """How `module`, in evaluation mode, ends; it looks at noise and is not changed.

    The last linear layer that runs is the head; a 1×1 convolution that sees one place is one too. The network's answer
    must be what the head says, or its softmax or sigmoid.

    Raises:
        TrainingError: it ends otherwise.
    """
    noise = torch.randn(2, 3, input_px, input_px, generator=torch.Generator().manual_seed(0))
    seen, answer = _watch(module, noise)
    if not seen.linear:
        raise _other(title)
    site, layer, features, logits = seen.linear[-1]
    features, logits = features.flatten(1), logits.flatten(1)
    weight, bias = layer.weight.detach().flatten(1), layer.bias  # type: ignore[operator]
    head = Head(weight.numpy(), np.zeros(len(weight), np.float32) if bias is None else bias.detach().numpy())  # type: ignore[operator]
    shaped = features.shape == (len(noise), weight.shape[1]) and logits.shape == (len(noise), len(weight))
    if not shaped or not _alike(torch.from_numpy(head.logits(features.numpy())), logits):
        raise _other(title)
    if not isinstance(answer, Tensor) or answer.shape != logits.shape or not _says(answer, logits):
        raise _other(title)
    return ClassifierHead(site, head, _feature_map(seen.maps, features))


def _other(title: str) -> TrainingError:
    return TrainingError(
        f"{title} does not end in one linear layer.",
        hint="Only networks whose answer is a linear layer's, or its softmax, can be made into a model.",
    )


def _watch(module: nn.Module, x: Tensor) -> tuple[_Seen, object]:
    seen = _Seen()
    with ExitStack() as stack, torch.no_grad():
        for name, layer in module.named_modules():
            if name:
                for hook in _hooks(name, layer, seen):
                    stack.callback(hook.remove)
        answer = module(x)
    return seen, answer


def _hooks(name: str, layer: nn.Module, seen: _Seen) -> Iterator[Any]:
    """Hooks that note what goes into `layer` and what comes out, while it is there: later layers may overwrite it."""

    def before(_: nn.Module, inputs: Any) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            _note(seen, TensorSite(name, "in", seen.calls.get(name, 0)), inputs[0])

    def after(_: nn.Module, inputs: Any, output: Any) -> None:
        call = seen.calls.get(name, 0)
        seen.calls[name] = call + 1
        if isinstance(output, Tensor):
            _note(seen, TensorSite(name, "out", call), output)
            if _is_linear(layer, inputs):
                seen.linear.append((TensorSite(name, "in", call, flat=True), layer, inputs[0].clone(), output.clone()))

    yield layer.register_forward_pre_hook(before)
    yield layer.register_forward_hook(after)


def _is_linear(layer: nn.Module, inputs: Any) -> bool:
    if isinstance(layer, nn.Linear):
        return True
    return isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and inputs[0].shape[2:] == (1, 1)


def _note(seen: _Seen, site: TensorSite, value: Tensor) -> None:
    if value.ndim != 4:
        return
    _, second, third, last = value.shape
    if third * last > 1:
        seen.maps.append(_Map(site, value.mean((2, 3))))
    if second * third > 1:
        seen.maps.append(_Map(TensorSite(site.layer, site.side, site.call, channels_last=True), value.mean((1, 2))))


def _feature_map(maps: list[_Map], features: Tensor) -> TensorSite | None:
    """The last map whose mean over places the features are."""
    for one in reversed(maps):
        if one.mean.shape == features.shape and _alike(one.mean, features):
            return one.site
    return None


def _says(answer: Tensor, logits: Tensor) -> bool:
    forms = (logits, logits.softmax(1), logits.log_softmax(1), logits.sigmoid())
    return any(_alike(answer, form) for form in forms)


def _alike(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= CLOSE * b.abs().max().clamp(min=torch.finfo(torch.float32).tiny))
