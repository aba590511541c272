"""A network's layers as a table: what each gives and how many numbers it learns."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tellapart.deep.architectures import n_parameters


@dataclass(frozen=True)
class Row:
    """One layer, in the order in which it runs.

    Args:
        name: where it stands in the network, such as `layer1.0.conv1`.
        kind: what it is, such as `Conv2d`.
        shape: of what it gives for one photo, without the leading N: (maps, height, width) or (features,).
        n_parameters: numbers that training may change; 0 for a layer that ran before, so that none counts twice.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    n_parameters: int


def summary(module: nn.Module, input_px: int) -> list[Row]:
    """One row for each layer that `module` runs on a photo of `input_px`, and one for what no layer of it owns.

    The parameters of all rows add up to the network's. The mode of `module` is as before afterwards.
    """
    rows: list[Row] = []
    counted: set[int] = set()

    def own(parameters: Sequence[nn.Parameter]) -> int:
        new = {id(p): p.numel() for p in parameters if id(p) not in counted}
        counted.update(new)
        return sum(new.values())

    hooks = []
    for name, layer in module.named_modules():
        if any(True for _ in layer.children()) or isinstance(layer, nn.Identity):
            continue

        def note(layer: nn.Module, _: object, output: object, name: str = name) -> None:
            shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
            rows.append(Row(name or "network", type(layer).__name__, shape, own(list(layer.parameters()))))

        hooks.append(layer.register_forward_hook(note))
    modes = {layer: layer.training for layer in module.modules()}
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    module.eval()  # so that batch norms neither learn from this nor ask for several photos
    try:
        with torch.no_grad():
            module(torch.zeros(1, 3, input_px, input_px, device=device))
    finally:
        for hook in hooks:
            hook.remove()
        for layer, training in modes.items():
            layer.training = training
    rest = n_parameters(module) - sum(row.n_parameters for row in rows)
    if rest:  # tokens, positions, scales: parameters of modules that hold layers
        rows.append(Row("(outside layers)", "Parameter", (), rest))
    return rows


def as_text(rows: Sequence[Row]) -> str:
    """The table for people, with the total at its end."""
    head = ("layer", "kind", "gives", "parameters")
    cells = [(r.name, r.kind, " × ".join(map(str, r.shape)), f"{r.n_parameters:,}") for r in rows]
    total = f"{sum(row.n_parameters for row in rows):,}"
    columns = list(zip(head, *cells, ("total", "", "", total), strict=True))
    name, kind, gives, number = (max(map(len, column)) for column in columns)
    line = "─" * (name + kind + gives + number + 6)
    lines = [f"{a:<{name}}  {b:<{kind}}  {c:<{gives}}  {d:>{number}}".rstrip() for a, b, c, d in (head, *cells)]
    return "\n".join(
        [lines[0], line, *lines[1:], line, f"{'total':<{name}}  {'':<{kind}}  {'':<{gives}}  {total:>{number}}"]
    )
