"""What a case is where functions of a user's own are compared on an array of theirs (`bench.functions`).

Nothing is known of what they compute: the array and the right results lie in files.  Imports the standard library only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from kernels.api import DTYPES, ITEMSIZES, Case

__all__ = ["FUNCTION", "FunctionCase", "plain"]

FUNCTION = "function"
"""The op of these cases."""


@dataclass(frozen=True, slots=True)
class FunctionCase(Case):
    """A function of one C-contiguous array, on a CPU, that returns an array, or writes it into a given one.

    `folder` has inputs and results as raw bytes: ``x0``, ``y0``, and `variants` of them in all, of which the first is
    the user's own.  A result is right within ``atol + rtol * |wanted|``.  Raises ValueError.
    """

    shape: tuple[int, ...] = (1024,)
    result_shape: tuple[int, ...] = (1024,)
    result_dtype: str = "float32"
    folder: str = ""
    variants: int = 1
    rtol: float = 0.0
    atol: float = 0.0

    def __post_init__(self) -> None:
        if self.op != FUNCTION or self.dtype not in DTYPES or self.result_dtype not in DTYPES:
            raise ValueError(
                f"op {self.op!r} of {self.dtype} to {self.result_dtype}; allowed: {FUNCTION}, {', '.join(DTYPES)}"
            )
        if self.placement not in ("new", "out"):
            raise ValueError(f"placement is {self.placement!r}; allowed: new, out")
        if math.prod(self.shape) != self.n or self.n < 1 or self.variants < 1:
            raise ValueError(f"shape {self.shape} has not n = {self.n} elements, 1 or more")

    @property
    def bytes_moved(self) -> int:
        """Bytes of the input read once and of the result written once."""
        return self.n * self.itemsize + math.prod(self.result_shape) * ITEMSIZES[self.result_dtype]

    @property
    def is_elementwise(self) -> bool:
        """Whether a result is as large as the input, so that a copy of the input moves the same bytes."""
        return (self.shape, self.dtype) == (self.result_shape, self.result_dtype)

    @property
    def label(self) -> str:
        """As people see it: ``function-float32-1024x1024``, with ``-out`` behind it into a given array."""
        into = "-out" if self.placement == "out" else ""
        return f"{self.op}-{self.dtype}-{'x'.join(map(str, self.shape))}{into}"

    def file(self, name: str, number: int) -> Path:
        """Where input ``x`` or result ``y`` of that number lies."""
        return Path(self.folder) / f"{name}{number}"


def plain(case: Case) -> Case:
    """The flat case of the same input bytes, for what copies them."""
    return Case(
        "relu", "forward", case.placement, case.dtype, case.n, device=case.device, threads=case.threads
    )
