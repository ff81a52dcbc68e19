"""CPU time and page faults against what an arm says, and what it may do while others are measured."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.judging.claims import idle_problem, threads_problem
from kernels.api import Case
from tests.honest import Array, HonestNumpy
from tests.serving import served
from tests.tricksters.base import Call


@pytest.mark.parametrize(
    ("asked", "effective", "cpu_s", "says"),
    [
        (0, 1, 20.0, None),  # nobody asked
        (1, 1, 10.5, None),
        (
            1,
            1,
            15.0,
            "uses more threads than it says: 15.00 CPU seconds in 10.00 s of batches, with 1 of 1 threads",
        ),
        (4, 2, 20.5, None),
        (4, 2, 35.0, "with 2 of 4 threads in effect"),
        (2, 64, 10.0, "takes 64 threads where --threads 2 was asked for"),
    ],
)
def test_cpu_time_shows_how_many_threads_work(
    asked: int, effective: int, cpu_s: float, says: str | None
) -> None:
    problem = threads_problem(asked, effective, cpu_s, wall_s=10.0)
    assert problem is None if says is None else says in str(problem)


def test_a_short_time_is_counted_in_ticks() -> None:
    assert threads_problem(1, 1, cpu_s=0.04, wall_s=0.01) is None


@pytest.mark.parametrize(
    ("idle_s", "idle_cpu_s", "faults", "says"),
    [
        (10.0, 0.5, 0, None),  # a pool that spins for a while after each batch
        (10.0, 2.0, 0, "keeps a CPU busy while other arms are measured: 2.00 s of it in the 10.00 s"),
        (0.2, 0.09, 0, None),
        (2.0, 0.5, 0, None),  # 25 ms after each batch: it spins before it sleeps
        (2.0, 0.7, 0, "keeps a CPU busy"),
        (0.4, 0.25, 0, "keeps a CPU busy"),  # most of the pauses, however short they are
        (10.0, 0.0, 50, None),
        (10.0, 0.01, 400, "gets memory while it is not timed: 400 page faults between its 20 batches"),
    ],
)
def test_a_process_rests_between_batches(
    idle_s: float, idle_cpu_s: float, faults: int, says: str | None
) -> None:
    problem = idle_problem(idle_s, idle_cpu_s, faults, batches=20)
    assert problem is None if says is None else says in str(problem)


class PaysInIdle(HonestNumpy):
    """Has a thread that touches fresh memory when told to, as it would between batches; calls take it from there."""

    name = "pays_in_idle"

    def __init__(self) -> None:
        self.ready: list[Array] = []

    def prepare(self, like: Array) -> None:
        """What its thread does."""
        fresh = [np.empty_like(like) for _ in range(4)]
        for each in fresh:
            each.fill(0)
        self.ready += fresh

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Call:
        def call() -> Array:
            result = self.ready.pop() if self.ready else np.empty_like(x)
            with np.errstate(all="ignore"):
                np.copyto(result, self.answer(case, x, dy))
            return result

        return call


@pytest.mark.parametrize("pays", [True, False])
def test_who_touches_memory_between_batches_is_seen_by_its_page_faults(pays: bool) -> None:
    backend = PaysInIdle()
    case = Case("relu", n=40 << 18)  # 40 MiB: always mapped anew
    server = served(lambda: backend, case)
    assert isinstance(server, ArmServer)
    samples = []
    for _ in range(3):
        samples.append(server.batch(2, 0.0))
        if pays:
            thread = threading.Thread(target=backend.prepare, args=(np.empty(case.n, np.float32),))
            thread.start()
            thread.join()
    faults, batches = sum(sample.idle_faults for sample in samples[1:]), len(samples) - 1
    problem = idle_problem(1e6, 0.0, faults, batches)
    assert (problem is not None) is pays, faults
