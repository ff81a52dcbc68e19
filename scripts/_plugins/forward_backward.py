"""Forward and backward as one call: what a layer costs in training, with what it keeps in between.

`PairTorch` and `PairNumbaTuned` take the case of a backward (direction ``backward``, placement ``out``).
Their call first computes y = f(x) into an array of its own, keeps what the gradient needs, and then writes
dx = dy * f'(x) into `out`.  The gate judges dx as it judges any backward's, and what was kept decides about it.

- torch keeps what its autograd keeps: y for relu, x for leaky_relu, as many bytes as x has.
- numba_tuned keeps one bit an element, and its backward reads those bits.

The pair moves more than ``bytes_moved`` of its row counts, which are a backward's: `pair_bytes` has the sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from kernels.api import Case
from kernels.numbers.host_arrays import aligned_empty
from kernels.own.delegate import Delegate

__all__ = ["PAIRS", "PairNumbaTuned", "PairTorch", "kept_bytes", "pair_bytes"]

PAIRS = {
    "pair_torch": f"{__name__}:PairTorch",
    "pair_numba_tuned": f"{__name__}:PairNumbaTuned",
}
"""The plugins by name."""


def kept_bytes(name: str, case: Case) -> int:
    """Bytes that pair `name` keeps from its forward to its backward."""
    return (case.n + 7) // 8 if name == "pair_numba_tuned" else case.n * case.itemsize


def pair_bytes(name: str, case: Case) -> int:
    """Bytes that the pair moves: x and dy read, y and dx written; what was kept is read again.

    Bits are written besides; an array that was kept is x or y, which is written anyway.
    """
    kept = kept_bytes(name, case)
    return 4 * case.n * case.itemsize + (2 * kept if name == "pair_numba_tuned" else kept)


class _Pair(Delegate):
    """What the pairs have in common: everything but the call is the backend `base`'s."""

    base = ""

    def __init__(self) -> None:
        super().__init__(self.base)
        self.forward_result: Any = None
        """Where the forward of the pair compiled last writes."""

    def why_not(self, case: Case) -> str | None:
        """None for contiguous backwards into a given array."""
        if (case.direction, case.placement, case.layout) != ("backward", "out", "contiguous"):
            return f"{self.name} is a forward and a backward; use direction backward, placement out, layout contiguous"
        return super().why_not(case)


class PairTorch(_Pair):
    """torch_eager's two calls, the gradient from what autograd would have saved."""

    name = "pair_torch"
    base = "torch_eager"

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Callable[[], Any]:
        """Both calls bound to their arrays, and run once."""
        y = self.forward_result = x.new_empty(x.shape)
        forward = super().compile(replace(case, direction="forward"), x, None, y)
        backward = super().compile(case, y if case.op == "relu" else x, dy, out)

        def pair() -> Any:
            forward()
            return backward()

        return pair


class PairNumbaTuned(_Pair):
    """Our loops with a bit mask (`kernels.tuned.mask`)."""

    name = "pair_numba_tuned"
    base = "numba_tuned"

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Callable[[], Any]:
        """Both loops compiled, or fetched, and run once."""
        from kernels.tuned.mask import backward_mask, forward_mask  # noqa: PLC0415  # brings Numba

        op, slope = case.op, case.negative_slope
        y = self.forward_result = aligned_empty(x.shape, x.dtype)
        bits = aligned_empty(kept_bytes(self.name, case), np.uint8)

        def pair() -> Any:
            forward_mask(x, y, bits, op, slope)
            return backward_mask(dy, bits, out, op, slope)

        pair()
        return pair
