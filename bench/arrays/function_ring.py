"""The inputs and results of a `FunctionCase`, read from its files, and the buffers that its calls work on."""

from __future__ import annotations

import numpy as np

from bench.arrays.call_ring import Slots
from bench.plan.function_case import FunctionCase
from kernels.numbers.host_arrays import aligned_empty, np_dtype

__all__ = ["FunctionSlots", "inputs_of", "results_of", "target_of", "write"]

Array = np.ndarray


class FunctionSlots(Slots):
    """One slot, in the shape that the user's array has."""

    case: FunctionCase

    def _copy(self, array: Array) -> Array:
        copy = aligned_empty(array.shape, array.dtype)
        copy[...] = array
        return copy

    def _target(self) -> Array:
        return target_of(self.case)


def target_of(case: FunctionCase) -> Array:
    """An array to write a result into."""
    return aligned_empty(case.result_shape, np_dtype(case.result_dtype))


def inputs_of(case: FunctionCase) -> list[Array]:
    """The user's array and its variants; nobody else sees what is written to them."""
    return [_mapped(case, "x", number, case.dtype, case.shape) for number in range(case.variants)]


def results_of(case: FunctionCase) -> list[Array]:
    """What is right for each of them."""
    shape, dtype = case.result_shape, case.result_dtype
    return [_mapped(case, "y", number, dtype, shape) for number in range(case.variants)]


def write(case: FunctionCase, name: str, number: int, array: Array) -> None:
    """Leave an array's bytes there."""
    np.ascontiguousarray(array).reshape(-1).view(np.uint8).tofile(case.file(name, number))


def _mapped(case: FunctionCase, name: str, number: int, dtype: str, shape: tuple[int, ...]) -> Array:
    return np.asarray(np.memmap(case.file(name, number), np_dtype(dtype), "c", shape=shape))
