"""Inputs, and answers of the reference, for tests of the judge."""

from __future__ import annotations

import numpy as np

from kernels.api import Case
from kernels.correctness import reference
from kernels.numbers import host_arrays
from kernels.numbers.floats import FORMATS

__all__ = ["INF", "NAN", "answer", "array", "every_pattern", "inputs"]

NAN = float("nan")
INF = float("inf")


def array(dtype: str, *values: float) -> np.ndarray:
    return np.array(values, FORMATS[dtype].dtype)


def every_pattern(dtype: str) -> np.ndarray:
    return np.arange(1 << 16, dtype=np.uint16).view(FORMATS[dtype].dtype)


def answer(case: Case, x: np.ndarray, dy: np.ndarray | None, model: str = "A") -> np.ndarray:
    if dy is None:
        return reference.forward(case.op, x, case.negative_slope, model)
    return reference.backward(case.op, dy, x, case.negative_slope, model)


def inputs(case: Case, seed: int = 1) -> tuple[np.ndarray, np.ndarray | None]:
    x = host_arrays.host_array(case)
    host_arrays.fill(x, case.data, seed)
    if case.direction == "forward":
        return x, None
    dy = host_arrays.host_array(case)
    host_arrays.fill(dy, case.data, seed + 1)
    return x, dy
