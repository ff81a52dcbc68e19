"""Triton kernels on torch tensors, as a Triton user would write them, with what they need to be right.

Under TRITON_INTERPRET=1 they run on the CPU, element by element in NumPy: to test them, not to time them.
"""

# mypy: disable-error-code="import-untyped,import-not-found"

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import triton

from kernels.api import MAIN_OPS, Case
from kernels.backends import _torch_arrays
from kernels.gpu import torch_card
from kernels.gpu.card import Array
from kernels.gpu.triton_kernels import Tile, backward, forward, kept, launcher, packed_words
from kernels.numbers.floats import bits, np_dtype

__all__ = ["TritonJit"]

Tensor = torch.Tensor
_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
_USUAL = Tile()
_PACKED_FROM = (8, 0)
"""The compute capability from which a card has all instructions of `packed_words`."""


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
        torch_card.select(case.device)  # Triton launches on the current one
        return torch_card.to_card(tensor, case.device)

    def card(self, device: str) -> torch_card.TorchCard:
        """What a harness needs of the card."""
        return torch_card.TorchCard(device)

    def bind(
        self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None, *, plan: Tile = _USUAL
    ) -> Callable[[], Tensor]:
        """As `compile`, without the first execution; `plan`: what a block takes."""
        inputs = [x] if dy is None else [dy, x]
        launch = _launcher(case, plan)
        target = {"new": None, "out": out, "inplace": inputs[0]}[case.placement]
        if case.n == 0:
            return lambda: torch.empty_like(x) if target is None else target

        def call() -> Tensor:
            result = torch.empty_like(x) if target is None else target
            launch(*inputs, result)
            return result

        return call

    def kept(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor) -> Callable[[], Tensor]:
        """As `bind`, into a given array, with the compiled kernel kept, on the stream of now."""
        kernel, fixed = _kernel_of(case)
        inputs = [x] if dy is None else [dy, x]
        launch = kept(
            kernel, [*inputs, out], case.n, torch.cuda.current_stream(out.device).cuda_stream, **fixed
        )

        def call() -> Tensor:
            launch()
            return out

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


def _launcher(case: Case, plan: Tile) -> Callable[..., object]:
    """What launches the case's kernels on its arrays."""
    kernel, fixed = _kernel_of(case)
    return launcher(kernel, case.n, plan.block, **fixed, **plan.hints)


def _kernel_of(case: Case) -> tuple[Any, dict[str, object]]:
    """The case's kernel, and what it is told of the op."""
    fixed = {"SLOPE": float(_slope(case)), "LEAKY": case.op == "leaky_relu", "WORDS": _words(case)}
    return (forward if case.direction == "forward" else backward), fixed


def _slope(case: Case) -> np.generic:
    """The slope rounded to the dtype; relu has none, and one kernel."""
    with np.errstate(all="ignore"):
        rounded: np.generic = np_dtype(case.dtype).type(case.negative_slope)
    return rounded


def _words(case: Case) -> str:
    """PTX for two 16-bit floats at once, where the card has it; else empty."""
    if case.itemsize != 2 or case.device == "cpu" or torch.version.cuda is None:
        return ""
    if torch.cuda.get_device_capability(torch_card.indexed(case.device)) < _PACKED_FROM:
        return ""
    slope = int(bits(np.array(_slope(case)))) if case.op == "leaky_relu" else None
    return packed_words(case.direction, case.dtype, slope)
