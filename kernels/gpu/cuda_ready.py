"""A launch of a kernel of numba.cuda with arguments that are ready: what a call costs without Numba's own launch.

Numba takes an array apart at each launch, which costs more than the launch.  Here each is taken apart once, as Numba's
convention for kernels says, and ``cuda.core``, which numba-cuda installs, hands the pieces to the driver.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numba import from_dtype, types

from kernels.api import Case, parse_device
from kernels.gpu.cuda_elements import ELEMENT_BITS
from kernels.gpu.cuda_kernels import inputs_of, kernel, launch_shape
from kernels.gpu.cuda_words import cuda
from kernels.gpu.numba_card import CardArray

__all__ = ["arguments_of", "assembled", "ready"]


def assembled(work: str, dtype: str, capability: tuple[int, int]) -> tuple[str, str]:
    """The PTX of the kernel that does `work` on arrays that carry `dtype`, and what the kernel is called there."""
    array = types.Array(from_dtype(np.dtype(ELEMENT_BITS[dtype].carrier)), 1, "C")
    slope = types.float64 if dtype == "float64" else types.float32
    signature = types.void(*[array] * (inputs_of(work) + 1), types.int64, slope)
    ptx = str(cuda.compile_ptx(kernel(work, dtype, capability).py_func, signature, cc=capability)[0])
    entry = re.search(r"\.entry\s+(\w+)", ptx)
    assert entry is not None, "a kernel has an entry"
    return ptx, entry[1]


def arguments_of(addresses: Sequence[int], case: Case, slope: Any) -> list[Any]:
    """What the kernel takes: each array as owner, parent, elements, bytes of one, address, shape, stride."""
    n, itemsize = np.int64(case.n), np.int64(case.itemsize)
    arrays = [[0, 0, n, itemsize, address, n, itemsize] for address in addresses]
    return [*(piece for pieces in arrays for piece in pieces), n, slope]


def ready(work: str, case: Case, arrays: Sequence[CardArray], slope: Any) -> Callable[[], Any]:
    """A launch on `arrays`, the last of which is written.  Raises ImportError without ``cuda.core``."""
    core: Any = import_module("cuda.core")
    device = core.Device(parse_device(case.device)[1])
    device.set_current()
    now = cuda.get_current_device()
    ptx, name = assembled(work, case.dtype, tuple(now.compute_capability))
    blocks, threads = launch_shape(case.n, case.itemsize, int(now.MULTIPROCESSOR_COUNT))
    addresses = [int(array.bits.__cuda_array_interface__["data"][0]) for array in arrays]
    return partial(
        core.launch,
        device.default_stream,
        core.LaunchConfig(grid=blocks, block=threads),
        core.ObjectCode.from_ptx(ptx.encode()).get_kernel(name),
        *arguments_of(addresses, case, slope),
    )
