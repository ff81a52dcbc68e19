"""Triton kernels on torch tensors, as a Triton user would write them, with what they need to be right.

Under TRITON_INTERPRET=1 they run on the CPU, element by element in NumPy: to test them, not to time them.
"""

# mypy: disable-error-code="import-untyped,import-not-found"

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import torch
import triton

from kernels.api import MAIN_OPS, Case
from kernels.backends import _torch_arrays
from kernels.gpu import torch_card
from kernels.gpu.card import Array
from kernels.gpu.triton_kernels import BLOCK, backward, forward
from kernels.numbers.floats import np_dtype

__all__ = ["TritonJit"]

Tensor = torch.Tensor
_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


class TritonJit:
    """One kernel a direction, compiled for dtype, op and slope."""

    name = "triton_jit"
    distribution = "triton"
    alignment = 1  # adopt copies, and device memory is aligned

    def why_not(self, case: Case) -> str | None:
        """None on a card that torch sees (on the CPU where Triton interprets), for contiguous arrays."""
        if not (_INTERPRETED and case.device == "cpu"):
            reason = torch_card.why_no_card(self.name, case.device)
            if reason is not None:
                return reason
        if case.op not in MAIN_OPS:
            return f"triton_jit has kernels for {' and '.join(MAIN_OPS)} only; op is {case.op!r}"
        if case.layout != "contiguous":
            return f"triton_jit reads flat memory: layout {case.layout} would be copied first; use contiguous"
        return None

    def set_threads(self, count: int) -> int:
        """1: the CPU only launches."""
        return 1

    def adopt(self, host: Array, case: Case) -> Tensor:
        """A copy on the card; `host`'s own memory where Triton interprets."""
        tensor = _torch_arrays.from_host(host, case.dtype)
        if case.device == "cpu":
            return tensor
        torch.cuda.set_device(torch.device(case.device))  # Triton launches on the current one
        return torch_card.to_card(tensor, case.device)

    def card(self, device: str) -> torch_card.TorchCard:
        """What a harness needs of the card."""
        return torch_card.TorchCard(device)

    def bind(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Tensor]:
        """As `compile`, without the first execution."""
        inputs = [x] if dy is None else [dy, x]
        grid = (triton.cdiv(case.n, BLOCK),)
        kernel = (forward if dy is None else backward)[grid]
        launch = partial(kernel, n=case.n, SLOPE=_slope(case), LEAKY=case.op == "leaky_relu", BLOCK=BLOCK)
        target = {"new": None, "out": out, "inplace": inputs[0]}[case.placement]
        if case.n == 0:
            return lambda: torch.empty_like(x) if target is None else target

        def call() -> Tensor:
            result = torch.empty_like(x) if target is None else target
            launch(*inputs, result)
            return result

        return call

    def compile(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Tensor]:
        """Compile and run once, on the tensors themselves."""
        call = self.bind(case, x, dy, out)
        self.sync(call())
        return call

    def sync(self, result: Tensor) -> None:
        """Wait for the card."""
        if result.is_cuda:
            torch_card.wait(result)

    def to_numpy(self, result: Tensor) -> Array:
        """A copy on the host; the tensor's own memory on the CPU."""
        return _torch_arrays.to_host(result)

    def versions(self) -> dict[str, str]:
        """Triton's version, and torch's."""
        how = f"{triton.__version__} (interpreter)" if _INTERPRETED else triton.__version__
        return {"triton": how, "torch": torch.__version__, **torch_card.versions()}


def _slope(case: Case) -> float:
    """The slope rounded to the dtype; relu has none, and one kernel."""
    if case.op == "relu":
        return 0.0
    return float(np_dtype(case.dtype).type(case.negative_slope))
