"""PyTorch's own kernels, called directly, without autograd's bookkeeping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kernels.api import Case
from kernels.backends import _torch_arrays
from kernels.forks import Fork, refusal
from kernels.gpu import torch_card
from kernels.ops import op_of, why_not
from kernels.ops.formula import target_of
from kernels.ops.learnt import keeping

__all__ = ["TorchEager"]

Array = np.ndarray[Any, Any]
Tensor = torch.Tensor
_DEFAULT_THREADS = torch.get_num_threads()
_FORK = Fork()


class TorchEager:
    """aten's own functions, forward and backward."""

    name = "torch_eager"
    distribution = "torch"
    alignment = 1

    def __init__(self) -> None:
        self._on_card = False

    def why_not(self, case: Case) -> str | None:
        """None on the CPU, and on a card that torch sees, for an op with an expression in torch."""
        return self.why_no_device(case) or why_not("torch", case.op, case.direction, case.placement)

    def why_no_device(self, case: Case) -> str | None:
        """None on the CPU, but in a forked process with threads, and on a card that torch sees."""
        if case.device != "cpu":
            return torch_card.why_no_card(self.name, case.device)
        stuck = _FORK.happened and torch.get_num_threads() > 1  # as a DataLoader's workers do not
        return refusal("torch", "call torch.set_num_threads(1), ") if stuck else None

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
        op, target = op_of(case.op), target_of(case.placement, x, dy, out)
        if dy is None:
            return op.torch_forward(torch, x, target, case.values)
        return keeping(case, op.torch_backward(torch, x, dy, target, case.values))

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
