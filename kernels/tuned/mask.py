"""ReLU and LeakyReLU that keep one bit an element for their gradient, in place of x.

Backward then reads dy and n / 8 bytes, where it would read dy and x: two thirds of the traffic, and
1/32 of the memory (float32) kept between the two.  The bits: `kernels.tuned.bit_loops`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.api import MAIN_OPS
from kernels.numba_cpu import threads
from kernels.numbers.floats import format_of
from kernels.tuned.bind import Walk, bind_addresses
from kernels.tuned.choice import choose
from kernels.tuned.loops import Loop
from kernels.tuned.simd import LINE

__all__ = ["backward_mask", "forward_mask", "mask_bytes", "run_at"]

Array = np.ndarray[Any, Any]


def mask_bytes(n: int) -> int:
    """Bytes that the bits of `n` elements take."""
    return (n + 7) // 8


def forward_mask(x: Array, out: Array, bits: Array, op: str, slope: float = 0.0) -> Array:
    """``out = op(x)``, and in `bits` where its gradient passes: x > 0 (relu: or NaN).  Returns `out`.

    `x`, `out`: C-contiguous, of one shape and dtype (of the four); `out` may be x.  `bits`: contiguous
    uint8 of at least `mask_bytes` (x.size) elements.  `op`: ``relu`` or ``leaky_relu``, with its `slope`.

    Raises TypeError or ValueError, naming the argument.
    """
    _check(x, out, bits, op, "x")
    dtype = format_of(x.dtype).name
    rounded = _rounded(x.dtype, op, slope)
    run_at(Loop(op, dtype, "save"), x.size, (out.ctypes.data, x.ctypes.data, bits.ctypes.data), rounded)
    return out


def backward_mask(dy: Array, bits: Array, out: Array, op: str, slope: float = 0.0) -> Array:
    """``out = dy`` where the bit is set, else 0 (relu) or dy * slope (leaky_relu).  Returns `out`.

    `dy`, `out`: C-contiguous, of one shape and dtype; `out` may be dy.  `bits`: from `forward_mask`.

    Raises TypeError or ValueError, naming the argument.
    """
    _check(dy, out, bits, op, "dy")
    dtype = format_of(dy.dtype).name
    loop = Loop(f"{op}_backward", dtype, "restore")
    rounded = _rounded(dy.dtype, op, slope)
    run_at(loop, dy.size, (out.ctypes.data, dy.ctypes.data, bits.ctypes.data), rounded)
    return out


def run_at(loop: Loop, n: int, addresses: tuple[int, int, int], slope: float) -> None:
    """Run a ``save`` or ``restore`` loop on `n` elements at (target, x or dy, bits), unchecked.

    `slope` is rounded to the dtype.  The mode is chosen as for a forward loop, which moves as much.
    """
    target, *rest = addresses
    walk = Walk(loop.shape, n)
    forward = loop.element.removesuffix("_backward")
    count = threads.count()
    mode, streaming = choose(forward, loop.dtype, Walk("line", n), loop.itemsize, count)
    streaming = streaming and target % LINE == 0 and target not in rest
    chosen = Loop(loop.element, loop.dtype, loop.shape, streaming)
    bound = bind_addresses(chosen, walk, (rest[0], rest[1]), slope, mode)
    bound.entry(target, *bound.rest)


def _rounded(dtype: np.dtype[Any], op: str, slope: float) -> float:
    with np.errstate(all="ignore"):  # a slope beyond the dtype's range is infinite there
        return 0.0 if op == "relu" else float(dtype.type(slope))


def _check(array: Array, out: Array, bits: Array, op: str, name: str) -> None:
    if op not in MAIN_OPS:
        raise ValueError(f"op is {op!r}; allowed: {', '.join(MAIN_OPS)}")
    for label, value in ((name, array), ("out", out), ("bits", bits)):
        if not isinstance(value, np.ndarray) or not value.flags.c_contiguous:
            raise ValueError(f"{label} is not a C-contiguous numpy.ndarray; give np.ascontiguousarray of it")
    if out.dtype != array.dtype or out.shape != array.shape:
        raise ValueError(
            f"out is {out.dtype}{out.shape}, {name} is {array.dtype}{array.shape}; they have to agree"
        )
    if bits.dtype != np.uint8 or bits.size < mask_bytes(array.size):
        raise ValueError(
            f"bits is {bits.dtype} of {bits.size}; it has to be uint8 of at least {mask_bytes(array.size)}"
        )
    if not out.flags.writeable or (name == "x" and not bits.flags.writeable):
        raise ValueError("out and bits are written; one of them is read-only")
