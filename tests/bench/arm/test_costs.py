"""What calls cost besides time, of kernels of which that is known: page faults, time in the kernel, memory."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.machine.environment import usable_cpus
from bench.messages import Finished, Sample
from kernels import registry
from kernels.api import Backend, Case
from tests.honest import HonestNumpy

_MIB = 1 << 20
CASE = Case("relu", n=_MIB)
"""4 MiB in, 4 MiB out."""


class Fresh(HonestNumpy):
    """Gets the pages of each result from the system, one by one."""

    def answer(self, case: Case, x: np.ndarray, dy: np.ndarray | None) -> np.ndarray:
        pages = mmap.mmap(-1, x.nbytes)
        pages.madvise(mmap.MADV_NOHUGEPAGE)
        return np.maximum(x, 0, out=np.frombuffer(pages, x.dtype).reshape(x.shape))


class Scratch(HonestNumpy):
    """Holds twelve MiB besides while it works."""

    def answer(self, case: Case, x: np.ndarray, dy: np.ndarray | None) -> np.ndarray:
        result = np.maximum(x, 0)
        scratch = np.ones(12 * _MIB, np.uint8)
        del scratch
        return result


def measured(
    backend: Callable[[], Backend], case: Case, batches: int = 1, calls: int = 24
) -> tuple[list[Sample], Finished]:
    server = ArmServer(backend, 1, 1 << 20)
    server.load()
    assert server.prepare(case).gate.problem is None
    samples = [server.batch(calls, 0.0) for _ in range(batches)]
    finished = server.finish()
    assert {sample.problem for sample in samples} | {finished.problem} == {None}
    return samples, finished


def test_fresh_memory_is_a_page_fault_for_every_page() -> None:
    """Audits and looks come on top of the calls; what they cost is not the calls'."""
    samples, _ = measured(Fresh, CASE, batches=6)  # an audit comes in some of them
    for sample in samples:
        assert sample.cost.page_faults / sample.iterations == pytest.approx(
            4 * _MIB / mmap.PAGESIZE, rel=0.01
        )
    system_s, cpu_s = (sum(getattr(each.cost, name) for each in samples) for name in ("system_s", "cpu_s"))
    assert 0.25 * cpu_s < system_s <= cpu_s


def test_given_memory_costs_none() -> None:
    (sample,), finished = measured(
        partial(registry.load, "numpy_ufunc"), Case("relu", placement="out", n=_MIB)
    )
    assert sample.cost.page_faults < sample.iterations
    assert sample.cost.cpu_s > 0
    assert finished.peak_bytes == 0


def test_peak_is_what_a_call_holds_besides_its_result() -> None:
    assert measured(Fresh, CASE, calls=2)[1].peak_bytes == 0
    peak = measured(Scratch, CASE, calls=2)[1].peak_bytes
    assert peak is not None
    assert peak == pytest.approx(12 * _MIB, abs=_MIB // 2)


def test_of_small_arrays_no_peak_is_told() -> None:
    assert measured(Scratch, Case("relu", n=64), calls=2)[1].peak_bytes is None


@pytest.mark.skipif(usable_cpus() < 2, reason="on one CPU nobody works in several threads")
@pytest.mark.parametrize("n", [1 << 10, 1 << 20])
@pytest.mark.parametrize(("name", "threads"), [("numba_jit", False), ("numba_parallel", True)])
def test_who_works_in_threads_is_seen_however_short_its_calls(name: str, n: int, *, threads: bool) -> None:
    server = ArmServer(partial(registry.load, name), 1, 1 << 20)
    server.load()
    server.prepare(Case("relu", placement="out", n=n))
    found = []
    for _ in range(8):
        server.probe(0.0002, 1)  # as a later process is asked
        found.append(server.batch(8, 0.0).in_threads)
    assert found == [threads] * 8
