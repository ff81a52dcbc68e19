"""PyTorch's own kernels, called directly, without autograd's bookkeeping."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from kernels.api import Case
from kernels.backends import _torch_arrays
from kernels.gpu import torch_card

__all__ = ["TorchEager"]

Array = np.ndarray[Any, Any]
Tensor = torch.Tensor
_DEFAULT_THREADS = torch.get_num_threads()


class TorchEager:
    """aten's relu and leaky_relu, forward and backward."""

    name = "torch_eager"
    distribution = "torch"
    alignment = 1

    def __init__(self) -> None:
        self._on_card = False

    def why_not(self, case: Case) -> str | None:
        """None on the CPU, and on a card that torch sees."""
        return None if case.device == "cpu" else torch_card.why_no_card(self.name, case.device)

    def set_threads(self, count: int) -> int:
        """Set torch's intra-op threads; 0 is the count that it started with."""
        torch.set_num_threads(count or _DEFAULT_THREADS)
        return torch.get_num_threads()

    def adopt(self, host: Array, case: Case) -> Tensor:
        """A tensor of the same shape and strides: on `host`'s memory, or a copy on a card."""
        tensor = _torch_arrays.from_host(host, case.dtype)
        self._on_card = case.device != "cpu"
        return torch_card.to_card(tensor, case.device) if self._on_card else tensor

    def card(self, device: str) -> torch_card.TorchCard:
        """What a harness needs of the card."""
        return torch_card.TorchCard(device)

    def bind(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Tensor]:
        """As `compile`, without the first execution."""
        slope = case.negative_slope
        if dy is None:
            return _relu(case, x, out) if case.op == "relu" else _leaky_relu(case, x, out, slope)
        target = dy if case.placement == "inplace" else out
        args: tuple[Any, ...] = (dy, x, 0) if case.op == "relu" else (dy, x, slope, False)
        packet = (
            torch.ops.aten.threshold_backward if case.op == "relu" else torch.ops.aten.leaky_relu_backward
        )
        if target is None:
            return partial(packet.default, *args)
        return partial(packet.grad_input, *args, grad_input=target)

    def compile(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Tensor]:
        """Run once, on the tensors themselves: nothing compiles."""
        call = self.bind(case, x, dy, out)
        call()
        return call

    def sync(self, result: Tensor) -> None:
        """Wait for the card; on the CPU there is nothing to wait for."""
        if self._on_card:
            torch_card.wait(result)

    def to_numpy(self, result: Tensor) -> Array:
        """An array on the tensor's memory, or a copy from a card."""
        return _torch_arrays.to_host(result)

    def versions(self) -> dict[str, str]:
        """torch's version, the instruction set that its CPU kernels use, and its CUDA."""
        capability = torch.backends.cpu.get_cpu_capability()
        return {"torch": torch.__version__, "torch_cpu_capability": capability, **torch_card.versions()}


def _relu(case: Case, x: Tensor, out: Tensor | None) -> Callable[[], Tensor]:
    if case.placement == "inplace":
        return partial(torch.relu_, x)
    if out is not None:  # the same kernel; aten::relu.out would allocate a result and copy it
        return partial(torch.clamp_min, x, 0, out=out)
    return partial(torch.relu, x)


def _leaky_relu(case: Case, x: Tensor, out: Tensor | None, slope: float) -> Callable[[], Tensor]:
    if case.placement == "inplace":
        return partial(torch._C._nn.leaky_relu_, x, slope)
    if out is not None:
        return partial(torch._C._nn.leaky_relu, x, slope, out=out)
    return partial(torch._C._nn.leaky_relu, x, slope)
