"""``python -m tests.card_checks BACKEND PART,PART``: parts of what a simulated CUDA backend is held to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np

from kernels import registry
from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS, OPS, PLACEMENTS, Backend, Case
from kernels.correctness import policy
from kernels.numbers import host_arrays
from kernels.numbers.ulp import same_bits
from tests.calls import Driver, check
from tests.card_calls import CardDriver
from tests.card_compiled import assembled, compiled
from tests.card_plans import plans

SIXTEEN = ("float16", "bfloat16")
SLOPES = (0.0, 1.0, 1.5, -0.5)
_SLOPED = ("bfloat16", "float32", "float64")


def device_of(backend: Backend) -> str:
    return "cuda" if backend.name == "numba_cuda" else "cpu"


def driver_of(backend: Backend) -> type[Driver]:
    return CardDriver if backend.name == "numba_cuda" else Driver


def special(backend: Backend) -> int:
    """Special values at every position, around the vector width; other slopes, each value once.

    Into given arrays in two dtypes, and with slopes in one, since simulators are slow; `everywhere` has all.
    """
    return _special(backend, ("float32", "bfloat16"), ("float32",))


def everywhere(backend: Backend) -> int:
    """The same into given arrays and with other slopes in every dtype."""
    return _special(backend, DTYPES, _SLOPED)


def _special(backend: Backend, given: Sequence[str], sloped: Sequence[str]) -> int:
    count = 0
    for axes in product(MAIN_OPS, DIRECTIONS, PLACEMENTS, DTYPES):
        case = Case(*axes, device=device_of(backend))
        everywhere, slow = case.placement == "new", backend.name == "triton_jit"
        if not everywhere and case.dtype not in given:
            continue
        for n in (1, 7, 17) if everywhere and not slow else (9,):
            step = {7: 1, 9: 9}.get(n, 5)
            judgement = check(backend, replace(case, n=n), step, driver_of(backend))
            assert judgement.model in ("A", "exact"), (case, judgement)
            count += 1
        for slope in SLOPES if case.op == "leaky_relu" and everywhere and case.dtype in sloped else ():
            check(backend, replace(case, n=9, negative_slope=slope), 9, driver_of(backend))
            count += 1
    return count


def patterns(backend: Backend) -> int:
    """Patterns of the 16-bit types, every 997th and the last of all; random ones of the others."""
    count = 0
    for op, direction, dtype in product(MAIN_OPS, DIRECTIONS, DTYPES):
        if dtype in SIXTEEN:
            bits = np.append(np.arange(0, 1 << 16, 997, dtype=np.uint16), np.uint16(0xFFFF))
        else:
            kind = np.uint32 if dtype == "float32" else np.uint64
            bits = np.random.default_rng(3).integers(0, np.iinfo(kind).max, 67, kind)
        x = bits.view(host_arrays.np_dtype(dtype))
        dy = np.random.default_rng(5).permutation(x) if direction == "backward" else None
        case = Case(op, direction, "new", dtype, x.size, device=device_of(backend))
        called = driver_of(backend)(backend, case).call(x, dy)
        assert policy.judge(case, x, dy, called.result).problem is None, case
        count += 1
    return count


def formulas(backend: Backend) -> int:
    """Every other op that it serves, by its expression; placements and parameters on one of them each."""
    count = 0
    others = [
        Case(op, direction, "new", dtype, 9, device=device_of(backend))
        for op, direction, dtype in product(OPS, DIRECTIONS, ("float32", "bfloat16"))
        if op not in MAIN_OPS
    ]
    into = [
        replace(case, placement=place)
        for case in others
        for place in ("out", "inplace")
        if case.op == "add_relu"
    ]
    more = [replace(case, params="alpha=0.3") for case in others if case.op == "elu"]
    more += [
        replace(case, dtype=dtype) for case in others if case.op == "silu" for dtype in ("float16", "float64")
    ]
    for case in (*others, *into, *more):
        reason = backend.why_not(case)
        if reason is None:
            check(backend, case, 7, driver_of(backend))
            count += 1
        else:
            assert (case.op, case.direction) in (("add_relu", "backward"), ("prelu", "backward")), reason
    return count


def shapes(backend: Backend) -> int:
    """Lengths of several blocks and none; what is refused; results that live at once; infinite gradients."""
    device, drive = device_of(backend), driver_of(backend)
    count = 0
    cases = [*product((0, 1023), ("bfloat16", "float64"), DIRECTIONS)]
    for n, dtype, direction in (*cases, (4099, "bfloat16", "forward"), (4099, "float64", "backward")):
        case = Case("leaky_relu", direction, "new", dtype, n, device=device)
        x = host_arrays.host_array(case)
        host_arrays.fill(x, "special", 1)
        dy = x[::-1].copy() if direction == "backward" else None
        called = drive(backend, case).call(x, dy)
        assert called.result.shape == x.shape
        assert policy.judge(case, x, dy, called.result).problem is None, case
        count += 1
    for layout in ("strided", "transposed"):
        reason = backend.why_not(Case("relu", n=6, layout=layout, device=device))
        assert reason is not None
        assert "contiguous" in reason
    x = np.array([-1, 1], np.float32)
    driver = drive(backend, Case("relu", "backward", "new", n=2, device=device))
    assert driver.call(x, np.array([np.inf, np.inf], np.float32)).result.tolist() == [0, np.inf]
    one = backend.to_numpy(driver.again())
    driver.call(x, np.array([3, 3], np.float32))
    assert one.tolist() == [0, np.inf]
    article = drive(backend, Case("leaky_relu", n=5, device=device))
    answer = article.call(np.array([-2, -1, 0, 1, 2], np.float32), None).result
    assert answer.tolist() == [np.float32(-0.02), np.float32(-0.01), 0, 1, 2]
    return count


class _Endless:
    """An array of 2**33 elements of which each is there when asked for; remembers what was asked."""

    dtype, itemsize = np.dtype(np.uint32), 4

    def __init__(self) -> None:
        self.read: list[int] = []
        self.written: dict[int, int] = {}

    def __getitem__(self, index: int) -> np.uint32:
        self.read.append(int(index))
        return np.uint32(0x80000000 if index % 2 else 0x3F800000)  # -0 and 1

    def __setitem__(self, index: int, value: np.uint32) -> None:
        self.written[int(index)] = int(value)


def indexes(backend: Backend) -> int:
    """The last threads of a grid that covers 2**33 + 3 elements write to the end of it, and nowhere else."""
    from numba import cuda
    from numba.cuda.simulator.kernel import BlockManager
    from numba.cuda.simulator.kernelapi import FakeCUDAModule, swapped_cuda_module

    from kernels.gpu.cuda_kernels import kernel

    n = (1 << 33) + 3
    blocks, threads = 1 << 29, 4
    run = kernel("relu", "float32").fn
    x, out = _Endless(), _Endless()
    module = FakeCUDAModule((blocks, 1, 1), (threads, 1, 1), 0)
    with swapped_cuda_module(run, module):
        for block in (0, blocks - 1):
            BlockManager(run, (blocks, 1, 1), (threads, 1, 1), False).run(
                (block, 0, 0), x, out, n, np.float32(0)
            )
    assert cuda is not None
    assert max(out.written) == n - 1 or max(out.written) == (1 << 33) - 1
    assert set(out.written) == set(x.read)
    assert set(range((1 << 33) - 16, 1 << 33)) <= set(out.written)
    assert {n - 3, n - 2, n - 1} <= set(out.written)
    assert all(value == (0 if index % 2 else 0x3F800000) for index, value in out.written.items())
    return len(out.written)


def elements(backend: Backend) -> int:
    """What the harness changes and looks at between two batches; on the card itself where there is a simulated one."""
    device, count = device_of(backend), 0
    card: Any = backend.card(device)  # type: ignore[attr-defined]  # an optional member
    for dtype in DTYPES:
        case = Case("relu", dtype=dtype, n=37, device=device)
        x, other = host_arrays.host_array(case), host_arrays.host_array(case)
        host_arrays.fill(x, "special", 1)
        host_arrays.fill(other, "normal", 2)
        index = (np.array([0, 5, 17, 36]),)
        handle = backend.adopt(x.copy(), case)
        assert card.take(handle, index).dtype == x.dtype
        assert same_bits(card.take(handle, index), x[index])
        assert card.put(handle, index, other[index])
        assert card.put(handle, (index[0][:0],), other[:0])
        x[index] = other[index]
        assert same_bits(backend.to_numpy(handle), x)
        assert card.copy(handle, backend.adopt(other, case))
        assert same_bits(backend.to_numpy(handle), other)
        count += 1
    return count


def adopted(backend: Backend, case: Case, *hosts: np.ndarray | None) -> list[Any]:
    """Handles on copies of them."""
    return [None if host is None else backend.adopt(host.copy(), case) for host in hosts]


def copies(backend: Backend) -> int:
    """Every way to copy on a card, which the ceilings are the fastest of."""
    from bench.controls.arms import CopyPlain

    module = "numba_copies" if backend.name == "numba_cuda" else "torch_copies"
    ways = import_module(f"bench.controls.{module}").ways
    count = 0
    for direction, placement, dtype in product(DIRECTIONS, ("out", "inplace"), DTYPES):
        case = Case("relu", direction, placement, dtype, 515, device=device_of(backend))
        hosts = [host_arrays.host_array(case) for _ in range(case.arrays)]
        for seed, host in enumerate(hosts):
            host_arrays.fill(host, "special", seed)
        x, dy = hosts[0], hosts[1] if len(hosts) > 1 else None
        out = host_arrays.host_array(case) if placement == "out" else None
        wanted = CopyPlain().expected(case, x, dy)
        for name in ways(case, *adopted(backend, case, x, dy, out)):
            call = ways(case, *adopted(backend, case, x, dy, out))[name]
            assert same_bits(backend.to_numpy(call()), wanted), (case, name)
            count += 1
    return count


def older(backend: Backend) -> int:
    """Cards before sm_80, which have no packed instructions: elements in float32, with the same results but for NaN."""
    from kernels.gpu.cuda_kernels import inputs_of, kernel
    from kernels.gpu.cuda_words import cuda

    count = 0
    for dtype, op, direction in product(SIXTEEN, MAIN_OPS, DIRECTIONS):
        x = np.append(np.arange(0, 1 << 16, 331, dtype=np.uint16), np.uint16(0xFFFF))
        x = x.view(host_arrays.np_dtype(dtype))
        dy = np.random.default_rng(5).permutation(x) if direction == "backward" else None
        work = op if dy is None else f"{op}_grad"
        arrays = [array.view(np.uint16) for array in (dy, x) if array is not None]
        assert len(arrays) == inputs_of(work)
        out = cuda.to_device(np.zeros_like(arrays[0]))
        slope = np.float32(x.dtype.type(0.01))
        kernel(work, dtype, (7, 5))[1, 4](*map(cuda.to_device, arrays), out, x.size, slope)
        result = out.copy_to_host().view(x.dtype)
        assert policy.judge(Case(op, direction, "new", dtype, x.size), x, dy, result).problem is None, (
            work,
            dtype,
        )
        count += 1
    return count


def launched(_: Backend) -> int:
    """What Triton hands to its launcher; from here on its driver is a stand-in."""
    return import_module("tests.triton_device").checked()


def main() -> None:
    parts: dict[str, Callable[[Backend], int]] = {
        each.__name__: each
        for each in (
            special,
            everywhere,
            patterns,
            formulas,
            shapes,
            elements,
            plans,
            copies,
            older,
            indexes,
            assembled,
            compiled,
            launched,
        )
    }
    backend = registry.load(sys.argv[1])
    print(f"checked {sum(parts[name](backend) for name in sys.argv[2].split(','))}")


if __name__ == "__main__":
    main()
