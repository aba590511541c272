"""A training under way: everything that its next epoch depends on, to be kept and taken up again."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from tellapart.classifier.trained import StopReason
from tellapart.deep.checkpoint import Checkpoint
from tellapart.deep.trackers import Epoch
from tellapart.recipe import Training

Json = dict[str, Any]
State = dict[str, Tensor]

SLOWING = 10  # steps: at the start the mean is over fewer
_NUMBERS = ("rate", "best_epoch", "seconds")  # of a state, kept in its checkpoint under these names


@dataclass
class TrainState:
    """A network in training.

    Args:
        network: inputs → (N, C) logits.
        optimiser: what changes its weights.
        ema: the mean of its weights, whose answers count.
        ema_steps: about how many steps that mean is over; 0 is the last one alone.
        rate: the highest learning rate.
        best: the averaged weights of the best epoch.
        best_epoch: from 1; 0 while there is none.
        best_loss: its validation loss.
        epochs: so far.
        seconds: that they took.
        stop_reason: why it ended before its time; None otherwise.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    ema: nn.Module
    ema_steps: int
    rate: float
    best: State = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = float("inf")
    epochs: list[Epoch] = field(default_factory=list)
    seconds: float = 0.0
    stop_reason: StopReason | None = None

    @torch.no_grad()
    def update_ema(self, step: int) -> None:
        """Let the mean follow the weights after `step` steps.

        Source: Tarvainen and Valpola, Mean Teachers Are Better Role Models, NeurIPS 2017, section 2.
        """
        keep = min(1 - 1 / self.ema_steps, step / (step + SLOWING)) if self.ema_steps else 0.0
        pairs = zip(self.ema.state_dict().values(), self.network.state_dict().values(), strict=True)
        real = [(mean, now) for mean, now in pairs if mean.is_floating_point()]
        # Not AveragedModel: it has one share for all steps, and averages whole numbers, such as tables of places, too.
        get_ema_multi_avg_fn(keep)([mean for mean, _ in real], [now for _, now in real], step)  # type: ignore[no-untyped-call]

    def record_epoch(self, epoch: Epoch) -> None:
        """Remember `epoch`, and the weights if they are the best so far."""
        self.epochs.append(epoch)
        loss = epoch.train_loss if epoch.val_loss is None else epoch.val_loss
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch.epoch
            self.best = {name: tensor.clone() for name, tensor in self.ema.state_dict().items()}

    @property
    def stopped(self) -> str:
        """Why it ended before its time, as the end of a sentence; empty otherwise."""
        match self.stop_reason:
            case StopReason.DIVERGED:
                return f"the loss was no longer a number in epoch {len(self.epochs) + 1}"
            case StopReason.PATIENCE:
                return f"the validation loss has not fallen for {len(self.epochs) - self.best_epoch} epochs"
            case StopReason.TIME_LIMIT:
                return "the time limit was reached"
        return ""

    def snapshot(self) -> Checkpoint:
        """All of it, for a file."""
        memory = self.optimiser.state_dict()["state"]
        parts: dict[str, State] = {
            "network": self.network.state_dict(),
            "average": self.ema.state_dict(),
            "best": self.best,
            **{f"memory {number}": one for number, one in memory.items()},
        }
        tensors = {f"{part}/{name}": tensor for part, state in parts.items() for name, tensor in state.items()}
        facts: Json = {name: getattr(self, name) for name in _NUMBERS}
        facts["best_loss"] = self.best_loss if self.best_epoch else None
        facts["epochs"] = [asdict(epoch) for epoch in self.epochs]
        return Checkpoint(tensors, facts)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Be what `snapshot` gave."""
        parts: dict[str, State] = {}
        for name, tensor in checkpoint.tensors.items():
            part, _, key = name.partition("/")
            parts.setdefault(part, {})[key] = tensor
        self.network.load_state_dict(parts["network"])
        self.ema.load_state_dict(parts["average"])
        self.best = parts.get("best", {})
        memory = {int(part.split()[1]): state for part, state in parts.items() if part.startswith("memory ")}
        weights = [weight for group in self.optimiser.param_groups for weight in group["params"]]
        laid = {number: _laid_like(weights[number], state) for number, state in memory.items()}
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": laid})
        facts = checkpoint.facts
        self.epochs = [Epoch(**epoch) for epoch in facts["epochs"]]
        self.best_loss = float("inf") if facts["best_loss"] is None else facts["best_loss"]
        for name in _NUMBERS:
            setattr(self, name, facts[name])


def _laid_like(weight: Tensor, state: State) -> State:
    """The optimiser's memory of `weight` in its order in memory: a fused step goes through both without looking."""
    return {
        name: torch.empty_like(weight).copy_(value) if value.shape == weight.shape else value
        for name, value in state.items()
    }


def init_state(
    network: nn.Module, groups: Sequence[Sequence[nn.Parameter]], recipe: Training, rate: float
) -> TrainState:
    """A training before its first step.

    Args:
        network: inputs → (N, C) logits.
        groups: its parameters in stages, the first layers first; each learns slower than the one after it.
        recipe: hyper-parameters.
        rate: the highest learning rate, of the last stage.
    """
    stages = [
        {"params": list(group), "share": recipe.layer_decay**depth}
        for depth, group in enumerate(reversed(groups))
        if group
    ]
    optimiser = torch.optim.AdamW(stages, lr=rate, weight_decay=recipe.weight_decay, fused=True)
    ema = copy.deepcopy(network).requires_grad_(False).eval()
    return TrainState(network, optimiser, ema, recipe.ema_steps, rate)
