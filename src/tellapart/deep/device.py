"""Where a network trains, and in which precision."""

import ctypes
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from tellapart.errors import InputError
from tellapart.recipe import Training

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h


@dataclass(frozen=True)
class Device:
    """A processor, and how it computes.

    Args:
        torch_device: where tensors are.
        is_bf16: whether products are computed in bfloat16; weights and their sums stay float32.
    """

    torch_device: torch.device
    is_bf16: bool

    @property
    def title(self) -> str:
        """What a person reads, such as `NVIDIA H200, bf16`."""
        name = torch.cuda.get_device_name(self.torch_device) if self.torch_device.type == "cuda" else "CPU"
        return f"{name}, {'bf16' if self.is_bf16 else 'f32'}"

    def autocast(self) -> AbstractContextManager[None]:
        """A context in which networks compute in this precision."""
        return torch.autocast(self.torch_device.type, torch.bfloat16, enabled=self.is_bf16)


def keep_freed_memory() -> None:
    """Make the process keep what it frees, on Linux.

    The buffers of a step are many megabytes each, and glibc hands such ones back to the system, to be cleared and
    mapped anew in the next step: a quarter of the time of a small network on a processor.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
        if mallopt is not None:
            mallopt(_M_MMAP_MAX, 0)
            mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def choose(recipe: Training) -> Device:
    """The processor that `recipe` asks for.

    Raises:
        InputError: there is no such processor here.
    """
    wanted = recipe.device
    if wanted not in ("auto", "cpu", "cuda"):
        raise InputError(f"There is no device '{wanted}'.", hint="Choose one of: auto, cpu, cuda.")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "PyTorch finds no GPU on this machine.",
            hint="Leave out --device, or install a PyTorch for your GPU: see its own site, under Get Started.",
        )
    device = torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
    return Device(device, _is_bf16(recipe, device))


def _is_bf16(recipe: Training, device: torch.device) -> bool:
    """Whether to compute in bfloat16: on processors without units for it, it is slower than float32."""
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    supported: bool = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return supported
