"""The pool of result memory: no two live results share memory, it is bounded, and it can be switched off."""

from __future__ import annotations

import gc
import mmap
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from kernels.api import Case
from kernels.backends.numba_tuned import NumbaTuned
from kernels.tuned.choice import thresholds
from kernels.tuned.memory_pool import ENVIRONMENT, Pool, default_limit

pytestmark = pytest.mark.slow

FLOAT = np.dtype(np.float32)
MIB = 1 << 20


def _address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_memory_is_used_again_once_its_array_is_gone() -> None:
    pool = Pool(8 * MIB)
    first = pool.empty((MIB // 4,), FLOAT)
    where = _address(first)
    assert pool.idle_bytes() == 0
    del first
    assert pool.idle_bytes() == MIB
    assert _address(pool.empty((MIB // 4,), FLOAT)) == where


def test_live_results_never_share_memory() -> None:
    pool = Pool(64 * MIB)
    held = [pool.empty((1000 + 100 * number,), FLOAT) for number in range(20)]
    for number in range(0, 20, 3):
        held[number] = pool.empty((1000 + 100 * number,), FLOAT)
    for number, array in enumerate(held):
        array[...] = number
    assert all((array == number).all() for number, array in enumerate(held))


@pytest.mark.parametrize(
    "derive",
    [
        lambda array: array[5:],
        lambda array: array[::2][1:],
        lambda array: array.reshape(10, -1).T,
        lambda array: array.view(np.uint32),
        memoryview,
        lambda array: np.asarray(memoryview(array)),
        np.from_dlpack,
        lambda array: np.lib.stride_tricks.as_strided(array, (3,), (8,)),
    ],
)
def test_whatever_is_derived_keeps_the_memory(derive: Callable[[np.ndarray], object]) -> None:
    pool = Pool(8 * MIB)
    array = pool.empty((10_000,), FLOAT)
    where, derived = _address(array), derive(array)
    del array
    gc.collect()
    assert pool.idle_bytes() == 0
    other = pool.empty((10_000,), FLOAT)
    assert _address(other) != where
    del derived
    gc.collect()
    assert pool.idle_bytes() > 0


def test_a_tensor_keeps_the_memory() -> None:
    torch = pytest.importorskip("torch")
    pool = Pool(8 * MIB)
    tensor = torch.from_numpy(pool.empty((10_000,), FLOAT))[1:]
    assert pool.idle_bytes() == 0
    del tensor
    assert pool.idle_bytes() > 0


def test_the_cycle_collector_does_not_take_lent_blocks() -> None:
    pool = Pool(8 * MIB)
    array = pool.empty((10_000,), FLOAT)
    gc.collect()
    del array
    assert pool.idle_bytes() > 0


def test_idle_memory_is_bounded_and_the_longest_idle_goes_first() -> None:
    pool = Pool(4 * MIB)
    arrays = [pool.empty((MIB,), np.dtype(np.uint8)) for _ in range(6)]
    addresses = [_address(array) for array in arrays]
    for index in range(6):
        arrays[index] = None  # type: ignore[call-overload]
    assert pool.idle_bytes() == 4 * MIB
    again = [_address(pool.empty((MIB,), np.dtype(np.uint8)))]
    assert again == addresses[-1:]
    assert pool.empty((5 * MIB,), np.dtype(np.uint8)).size == 5 * MIB  # more than the pool keeps
    assert pool.idle_bytes() <= 4 * MIB


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7, 3), (1000, 1000), (2, 3, 4)])
def test_arrays_are_what_was_asked_for(dtype: type, shape: tuple[int, ...]) -> None:
    pool = Pool(16 * MIB)
    for order in ("C", "F"):
        array = pool.empty(shape, np.dtype(dtype), order)
        assert type(array) is np.ndarray
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.writeable
        assert array.flags.c_contiguous if order == "C" else array.flags.f_contiguous
        assert array.size == 0 or _address(array) % 64 == 0
        array[...] = 1


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="reads Linux's smaps")
def test_large_blocks_are_private_and_ask_for_huge_pages() -> None:
    array = Pool(64 * MIB).empty((16 * MIB,), np.dtype(np.uint8))
    array[...] = 1
    where, found = _address(array), None
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if mapping := re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line):
            inside = int(mapping[1], 16) <= where < int(mapping[2], 16)
            found = mapping[3] if inside else found
        elif inside and line.startswith("VmFlags:"):
            assert " hg" in line or not hasattr(mmap, "MADV_HUGEPAGE")
    assert found == "rw-p"


def test_threads_get_memory_of_their_own() -> None:
    pool = Pool(8 * MIB)
    wrong: list[int] = []
    ready = threading.Barrier(4)

    def work(number: int) -> None:
        ready.wait()
        for turn in range(300):
            array = pool.empty((3000 + turn % 3,), FLOAT)
            array[...] = number
            if not (array == number).all():
                wrong.append(turn)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert pool.idle_bytes() <= 8 * MIB


def test_large_results_of_the_backend_are_pooled_and_apart() -> None:
    n = thresholds().pool_from // 4
    x = np.ones(n, np.float32)
    call = NumbaTuned().compile(Case("relu", n=n), x, None, None)
    first, second = call(), call()
    assert not np.shares_memory(first, second)
    where = _address(first)
    del first
    assert _address(call()) == where
    assert (second == 1).all()


_SWITCHED = """
import numpy as np
from kernels.tuned import memory_pool
from kernels.api import Case
from kernels.backends.numba_tuned import NumbaTuned
n = 1 << 21
call = NumbaTuned().compile(Case("relu", n=n), np.ones(n, np.float32), None, None)
result = call()
del result
print(memory_pool.shared().limit, memory_pool.shared().idle_bytes())
"""


def _run(value: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, ENVIRONMENT: value}
    return subprocess.run(
        [sys.executable, "-c", _SWITCHED], env=environ, capture_output=True, text=True, check=False
    )


def test_the_environment_sets_the_limit_and_switches_it_off() -> None:
    assert _run("0").stdout.split() == ["0", "0"]
    assert _run(str(64 * MIB)).stdout.split() == [str(64 * MIB), str(8 * MIB)]


def test_the_default_limit_and_one_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    assert 0 < default_limit() <= 1 << 30
    monkeypatch.setenv(ENVIRONMENT, "1G")
    with pytest.raises(ValueError, match=f"{ENVIRONMENT} is '1G'; it is a whole number of bytes"):
        default_limit()
