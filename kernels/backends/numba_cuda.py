"""CUDA kernels by numba.cuda: 16-byte loads, a grid-stride loop, 64-bit indexes, elements as bits.

For placement ``new`` each call allocates with ``numba.cuda.device_array``, which asks the driver: unlike
torch, Numba keeps no pool of device memory.  That is what a caller of Numba pays, and it is in the time.
"""

from __future__ import annotations

from collections.abc import Callable

import numba

from kernels.api import Case
from kernels.gpu import numba_card
from kernels.gpu.card import Array
from kernels.gpu.cuda_kernels import Plan
from kernels.gpu.cuda_launch import adopted, kept, op_launcher
from kernels.gpu.cuda_words import cuda
from kernels.gpu.numba_card import CardArray
from kernels.ops import why_not

__all__ = ["NumbaCuda"]

_USUAL = Plan()


class NumbaCuda:
    """On device arrays of numba.cuda, relu and leaky_relu by kernels of their own, other ops by their expressions."""

    name = "numba_cuda"
    distribution = "numba-cuda"
    alignment = 1  # adopt copies, and device memory is aligned

    def why_not(self, case: Case) -> str | None:
        """None on a card that Numba sees, for contiguous arrays and an op with an expression for Numba."""
        reason = numba_card.why_no_card(self.name, case.device)
        if reason is None and case.layout != "contiguous":
            reason = (
                f"numba_cuda reads flat memory: layout {case.layout} would be copied first; use contiguous"
            )
        if reason is None and case.two_results:
            reason = (
                f"numba_cuda has no kernel that sums: {case.op} backward gives the gradient of the slope, too;"
                " torch_eager has it"
            )
        return reason or why_not("numba", case.op, case.direction, case.placement)

    def set_threads(self, count: int) -> int:
        """1: the CPU only launches."""
        return 1

    def adopt(self, host: Array, case: Case) -> CardArray:
        """A copy on the card."""
        return adopted(host, case)

    def card(self, device: str) -> numba_card.NumbaCard:
        """What a harness needs of the card."""
        return numba_card.NumbaCard(device)

    def bind(
        self,
        case: Case,
        x: CardArray,
        dy: CardArray | None,
        out: CardArray | None,
        *,
        plan: Plan = _USUAL,
    ) -> Callable[[], CardArray]:
        """As `compile`, without the first execution; `plan`: how relu and leaky_relu go over the arrays."""
        return op_launcher(case, x, dy, out, plan=plan)

    def kept(self, case: Case, x: CardArray, dy: CardArray | None, out: CardArray) -> Callable[[], CardArray]:
        """As `bind`, for relu and leaky_relu into a given array, by a launch without Numba's own."""
        return kept(case, x, dy, out)

    def compile(
        self, case: Case, x: CardArray, dy: CardArray | None, out: CardArray | None
    ) -> Callable[[], CardArray]:
        """Compile for the card and run once, on the arrays themselves."""
        call = self.bind(case, x, dy, out)
        self.sync(call())
        return call

    def sync(self, result: CardArray) -> None:
        """Wait for all that was launched."""
        cuda.synchronize()

    def to_numpy(self, result: CardArray) -> Array:
        """A copy on the host."""
        return result.to_host()

    def versions(self) -> dict[str, str]:
        """Numba's version, and its CUDA's."""
        return {"numba": numba.__version__, **numba_card.versions()}
