"""Arrays that the control arms copy, and what they should make of them."""

from __future__ import annotations

import numpy as np

from bench.arrays.inputs import InputSource
from kernels.api import Case
from kernels.numbers import host_arrays

__all__ = ["arrays_of", "bits_of", "wanted_of"]


def bits_of(array: np.ndarray) -> np.ndarray:
    return array.view(f"u{array.itemsize}")


def arrays_of(case: Case) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    inputs = InputSource(3).of(case)
    out = None
    if case.placement == "out":
        out = host_arrays.output_array(case)
        host_arrays.poison(out)
    return inputs.x, inputs.dy, out


def wanted_of(case: Case, x: np.ndarray, dy: np.ndarray | None) -> np.ndarray:
    """What the module's text promises, said once more in NumPy."""
    if dy is not None:
        return bits_of(x) ^ bits_of(dy)
    if case.placement == "inplace":
        return bits_of(x) ^ bits_of(np.array(-0.0, x.dtype))
    return bits_of(x).copy()
