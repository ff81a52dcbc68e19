"""A bad hour is told by the CPUs that there are, and by how long this process has waited for one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from bench.machine.slowness import slowness

READ = ("slowness.usable_cpus", "slowness.cpu_limit", "slowness.cpu_clock", "own_usage.waited_s")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((2, None, 1.0, 0.0), 1.0),
        ((64, None, 1.0, 0.0), 1.0),
        ((1, None, 1.0, 0.0), 2.0),
        ((2, 0.5, 1.0, 0.0), 4.0),
        ((2, None, 1.0, 2.0), 3.0),
        ((1, None, 1.0, 2.0), 6.0),
        ((1, None, 0.01, 0.5), 2.0),  # of a process that has hardly begun, waits tell nothing
        ((1, None, 1.0, 100.0), 8.0),
    ],
)
def test_few_cpus_and_waiting_for_them_make_it_slow(
    found: Sequence[float | None], expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip(READ, found, strict=True):
        monkeypatch.setattr(f"bench.machine.{name}", partial(lambda told: told, value))
    assert slowness(planned_cpus=2) == expected
