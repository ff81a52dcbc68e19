"""Sentences of why: said where the columns bear them out, and not where they do not."""

from __future__ import annotations

from typing import Any

import pytest

from bench.records.schema import values_of
from scripts._shared.why import costs, reasons
from tests.factories import cell

_N = 1 << 24
_PAGES = 16_384
"""Of a result of `_N` float32."""
_MIB = 1 << 20


def row(backend: str, time_s: float, **known: Any) -> dict[str, Any]:
    """A cell of many rounds whose calls take no system time, no memory and no threads, but for what is known."""
    figures = {"n": _N, "rounds": 40, "iterations": 10, "kind": "serial", "contended_rounds": 0}
    figures |= {
        "page_faults": 0.0,
        "system_s": 0.0,
        "cpu_s": time_s,
        "peak_bytes": 0,
        "mean_over_median": 1.0,
    }
    return values_of(cell(backend, time_s, **(figures | known)))


FAST = row("fast", 10e-3)


def why(time_s: float = 40e-3, **known: Any) -> list[str]:
    """What is said of an arm beside `FAST`, without the bandwidths."""
    *found, last = reasons(row("slow", time_s, **known), FAST)
    assert "GB/s" in last
    return found


class TestFaults:
    def test_most_of_a_time_are_page_faults_where_the_kernel_has_most_of_it(self) -> None:
        assert why(page_faults=_PAGES, system_s=30e-3) == [
            "most of slow's 40.0 ms are 16,384 page faults: every call gets fresh memory from the system"
            " (75% of its CPU time is in the kernel)"
        ]

    def test_huge_pages_are_fresh_memory_too(self) -> None:
        (said,) = why(page_faults=32, system_s=30e-3)
        assert "32 page faults" in said

    @pytest.mark.parametrize(
        "known",
        [
            {"page_faults": _PAGES, "system_s": 2e-3},  # the kernel has next to nothing of it
            {"page_faults": 3, "system_s": 30e-3},  # the kernel has it for something else
            {
                "page_faults": _PAGES,
                "system_s": 30e-3,
                "rounds": 1,
                "iterations": 1,
            },  # four samples tell nothing
            {"page_faults": None, "system_s": None},
            {"page_faults": _PAGES, "system_s": None, "cpu_s": None},
        ],
    )
    def test_nothing_is_said_of_faults_that_do_not_explain_it(self, known: dict[str, Any]) -> None:
        assert why(**known) == []

    def test_a_part_of_it_is_called_a_part(self) -> None:
        assert why(page_faults=_PAGES, system_s=15e-3) == [
            "38% of slow's CPU time goes into fresh memory from the system (16,384 page faults a call)"
        ]

    def test_a_time_spent_waiting_is_not_the_faults(self) -> None:
        (said,) = why(400e-3, page_faults=_PAGES, system_s=30e-3, cpu_s=40e-3)
        assert said.startswith("most of slow's CPU time (75% of 40.0 ms) are 16,384 page faults")

    def test_threads_share_the_kernels_time(self) -> None:
        """Two threads with 30 ms each in the kernel are 30 ms of the clock's 70."""
        known = {"kind": "parallel", "threads_effective": 2, "system_s": 60e-3, "cpu_s": 80e-3}
        said = why(70e-3, page_faults=_PAGES, **known)[0]
        assert said.startswith("most of slow's CPU time (75% of 80.0 ms)")

    def test_faults_that_both_have_are_no_difference(self) -> None:
        other = row("fast", 30e-3, page_faults=_PAGES, system_s=30e-3)
        assert len(reasons(row("slow", 40e-3, page_faults=_PAGES, system_s=30e-3), other)) == 1


class TestOtherReasons:
    def test_intermediate_results(self) -> None:
        assert why(peak_bytes=80 * _MIB) == ["slow needs 80.0 MiB for intermediate results, and fast none"]
        assert why(peak_bytes=8 * _MIB) == []
        assert why(peak_bytes=None) == []

    def test_threads(self) -> None:
        threaded = row("fast", 10e-3, kind="parallel", threads_effective=2)
        assert reasons(row("slow", 20e-3), threaded)[0] == "slow works in one thread, and fast in 2"
        (said,) = why(kind="parallel", cpu_s=80e-3)
        assert said.startswith("several threads cost more than they bring at this size: slow takes 80.0 ms")

    def test_bursts_are_told_from_disturbances(self) -> None:
        assert "works in bursts" in why(mean_over_median=1.5)[0]
        assert why(mean_over_median=1.5, contended_rounds=20) == []

    def test_bandwidths_come_last_and_with_what_a_copy_reaches(self) -> None:
        fast = row("fast", 10e-3, ceiling_fraction=0.84)
        assert reasons(row("slow", 40e-3), fast) == [
            "slow moves 3.36 GB/s, and fast 13.4 GB/s (84% of a copy of the same bytes)"
        ]

    def test_who_is_not_slower_has_no_reason(self) -> None:
        assert reasons(FAST, row("slow", 40e-3)) == []
        assert reasons(FAST, FAST) == []

    def test_of_an_older_file_the_bandwidths_are_all(self) -> None:
        unknown = dict.fromkeys(("page_faults", "system_s", "cpu_s", "peak_bytes", "mean_over_median"))
        assert len(reasons(row("slow", 40e-3, kind="", **unknown), FAST)) == 1


def test_costs_are_told_as_far_as_they_are_known() -> None:
    assert costs(row("a", 40e-3, page_faults=_PAGES, system_s=10e-3, peak_bytes=80 * _MIB)) == [
        "A call takes 40.0 ms of CPU time, 25% of it in the kernel.",
        "It has 16,384 page faults.",
        "At its peak it needs 80.0 MiB beyond its inputs and its result.",
    ]
    few = row("a", 40e-6, system_s=10e-6, rounds=1, iterations=1, page_faults=0.2, peak_bytes=None)
    assert costs(few) == ["A call takes 40.0 us of CPU time.", "It has 0.2 page faults."]
    assert costs(row("a", 1.0, **dict.fromkeys(("page_faults", "system_s", "cpu_s", "peak_bytes")))) == []
