"""More than 2**31 elements: an index of 32 bits would end before the last of them."""

from __future__ import annotations

import ctypes
import mmap
import os

import numpy as np
import pytest

from bench.machine.memory import free_bytes
from kernels.api import Case
from kernels.numbers.host_arrays import np_dtype
from tests.calls import CPU_BACKENDS, load

pytestmark = pytest.mark.slow

N = 2**31 + 3
_NEEDED = 3 * 2 * N + (2 << 30)
"""Bytes: input, result, and one for scratch, and what is left to others."""


PART = 64 << 20
PLACES = [0, 2**31 - 1, 2**31, N - 2, N - 1]


@pytest.fixture(scope="module")
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Input and result for all backends."""
    if free_bytes() < _NEEDED:
        pytest.skip(f"needs {_NEEDED / 2**30:.0f} GiB of free memory")
    x, out = zeros(), zeros()
    x[PLACES] = [1.0, 2.0, 3.0, -4.0, 5.0]
    if hasattr(os, "memfd_create"):
        fold(out)
    return x, out


def zeros() -> np.ndarray:
    """Large pages, where there are any; those that nobody writes take no memory."""
    memory = mmap.mmap(-1, 2 * N, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np_dtype("bfloat16"))


def fold(array: np.ndarray) -> None:
    """Let all but its first and last parts lie in the same pages: to be given 4 GiB takes longer than to fill them."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype, libc.mmap.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long],
    )
    flags = mmap.MAP_SHARED | 0x10 | mmap.MAP_POPULATE  # 0x10 is MAP_FIXED, which has no name in Python
    pages = os.memfd_create("folded")
    os.ftruncate(pages, PART)
    for at in range(PART, array.nbytes - 2 * PART, PART):
        place = array.ctypes.data + at
        assert libc.mmap(place, PART, mmap.PROT_READ | mmap.PROT_WRITE, flags, pages, 0) == place
    os.close(pages)


OURS = "numba_tuned"
"""Whose loops count for themselves; the frameworks' own are tried once a day, as each takes seconds."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == OURS else pytest.mark.daily) for name in CPU_BACKENDS]
)
def test_the_last_of_two_thousand_million_elements_is_right(
    name: str, arrays: tuple[np.ndarray, np.ndarray]
) -> None:
    backend = load(name)
    case = Case("relu", placement="out", dtype="bfloat16", n=N)
    if backend.why_not(case) is not None:
        case = Case("relu", placement="new", dtype="bfloat16", n=N)
    if (reason := backend.why_not(case)) is not None:
        pytest.skip(reason)
    x, out = arrays[0], arrays[1] if case.placement == "out" else None
    arrays[1][PLACES] = 7.0  # not what the backend before wrote
    handles = [None if array is None else backend.adopt(array, case) for array in (x, None, out)]
    call = backend.compile(case, *handles)  # which executes it once
    result = call() if out is None else handles[2]
    backend.sync(result)
    assert backend.to_numpy(result)[PLACES].astype(float).tolist() == [1.0, 2.0, 3.0, 0.0, 5.0]
