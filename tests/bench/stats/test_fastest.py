"""Where each arm stands in its case, and that rows and columns give the same answer."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.records.reading import read_cells
from bench.records.schema import CELL_COLUMNS, Cell, values_of
from bench.stats.fastest import STANDINGS, mark_standings, standings
from bench.stats.frames import group_ids
from kernels.api import AXES
from tests.factories import as_csv, cell, row_text
from tests.rankings import near_cases


def standing(*cells: Cell) -> dict[str, str]:
    """The standing of each backend that has one, the fastest of each kind first."""
    found = standings([values_of(cell) for cell in cells])
    assert found.fastest == ([found.leader] if found.leader else []) + found.same
    lists = ([found.leader] if found.leader else [], found.same, found.unresolved, found.slower)
    return {row["backend"]: word for word, rows in zip(STANDINGS, lists, strict=True) for row in rows}


def judged(backend: str, time_s: float, verdict: str, leader: str = "a", **changes: Any) -> Cell:
    """An arm of a run whose verdicts are beside `leader`; its intervals, alone, would say unresolved."""
    return cell(backend, time_s, **({"leader": leader, "leader_verdict": verdict} | changes))


def arm(backend: str, time_s: float, low: float | None, high: float | None, **changes: Any) -> Cell:
    """An arm of which intervals are all that is known."""
    return cell(backend, time_s, speedup_lo=low, speedup_hi=high, **changes)


class TestByTheVerdictsOfTheRun:
    def test_each_has_its_word_the_fastest_first(self) -> None:
        assert standing(
            judged("d", 1.004e-3, "slower"),
            judged("c", 1.003e-3, "same"),
            judged("e", 1.002e-3, "unresolved"),
            judged("b", 1.001e-3, "same"),
            judged("a", 1.000e-3, "same"),
        ) == {"a": "leader", "b": "same", "c": "same", "e": "unresolved", "d": "slower"}

    def test_an_arm_that_is_slower_and_faster_at_once_is_unresolved(self) -> None:
        cells = judged("a", 1.0e-3, "same"), judged("b", 1.1e-3, "faster")
        assert standing(*cells) == {"a": "leader", "b": "unresolved"}

    def test_of_equal_times_the_arm_that_the_run_names_leads(self) -> None:
        """A page holds five digits."""
        for cells in (
            (judged("b", 1e-3, "same"), judged("a", 1e-3, "same")),
            (judged("a", 1e-3, "same"), judged("b", 1e-3, "same")),
        ):
            assert standing(*cells) == {"a": "leader", "b": "same"}

    def test_a_variant_leads_under_its_own_name(self) -> None:
        cells = [
            judged("torch", 1.0e-3, "same", "torch[thp]", variant="thp"),
            judged("torch", 1.1e-3, "same", "torch[thp]"),
        ]
        found = standings([values_of(cell) for cell in cells]).fastest
        assert [row["variant"] for row in found] == ["thp", ""]

    @pytest.mark.parametrize(
        ("time_s", "word"), [(1.001e-3, "unresolved"), (1.5e-3, "slower")], ids=["near", "far"]
    )
    def test_without_their_leader_intervals_decide_and_never_say_same(self, time_s: float, word: str) -> None:
        """It was filtered out, or switched off."""
        assert standing(judged("b", 1e-3, "same"), judged("c", time_s, "same")) == {"b": "leader", "c": word}

    def test_the_verdict_of_another_run_is_none_here(self) -> None:
        cells = judged("a", 1.0e-3, "same"), judged("b", 1.001e-3, "same", run_id="run2")
        assert standing(*cells) == {"a": "leader", "b": "unresolved"}

    def test_their_intervals_are_not_widened_again(self) -> None:
        """They speak for a new process; the noise floor is another thing than in files of schema 1."""
        cells = judged("b", 1e-3, "same", noise_floor=0.5), judged("c", 1.1e-3, "same", noise_floor=0.5)
        assert standing(*cells) == {"b": "leader", "c": "slower"}


class TestByIntervalsAlone:
    def test_overlapping_intervals_are_unresolved_and_no_others(self) -> None:
        cells = [arm("a", 1.01e-3, 1.90, 2.05), arm("b", 1.00e-3, 2.00, 2.10), arm("c", 1.2e-3, 1.60, 1.70)]
        assert standing(*cells) == {"b": "leader", "a": "unresolved", "c": "slower"}

    @pytest.mark.parametrize(
        ("floor", "word"),
        [(0.0, "slower"), (0.04, "slower"), (0.06, "unresolved"), (float("inf"), "unresolved")],
    )
    @pytest.mark.parametrize("wide", [0, 1])
    def test_the_larger_noise_floor_widens(self, floor: float, word: str, wide: int) -> None:
        """1.90 misses 2.00 by 5.3 %."""
        floors = [0.0, floor] if wide else [floor, 0.0]
        cells = [
            arm("a", 1.0e-3, 2.00, 2.10, noise_floor=floors[0]),
            arm("b", 1.1e-3, 1.80, 1.90, noise_floor=floors[1]),
        ]
        assert standing(*cells) == {"a": "leader", "b": word}

    def test_paired_speedups_outweigh_wide_times(self) -> None:
        """Slow seconds widen both times; round by round the difference is clear."""
        wide = {"time_lo_s": 0.5e-3, "time_hi_s": 2e-3}
        cells = arm("a", 1.0e-3, 2.00, 2.02, **wide), arm("b", 1.2e-3, 1.60, 1.62, **wide)
        assert standing(*cells) == {"a": "leader", "b": "slower"}

    def test_without_speedups_the_times_decide(self) -> None:
        cells = [
            arm("a", 1.00e-3, None, None),
            arm("b", 1.03e-3, None, None),
            arm("c", 1.20e-3, None, None),
            arm("d", 1.03e-3, None, None, time_lo_s=None, time_hi_s=None),
        ]
        assert standing(*cells) == {"a": "leader", "b": "unresolved", "d": "unresolved", "c": "slower"}

    def test_speedups_over_different_baselines_do_not_compare(self) -> None:
        cells = [arm("a", 1.00e-3, 1.0, 1.1), arm("b", 1.01e-3, 0.2, 0.3, baseline="numba_jit")]
        assert standing(*cells) == {"a": "leader", "b": "unresolved"}

    def test_the_baseline_competes_with_a_speedup_of_one(self) -> None:
        base = cell("numpy_ufunc", 1e-3, role="baseline", time_lo_s=0.1e-3, time_hi_s=9e-3, baseline="")
        assert standing(base, arm("b", 1.2e-3, 0.82, 0.84))["b"] == "slower"
        assert standing(base, arm("b", 1.01e-3, 0.97, 1.01))["b"] == "unresolved"


class TestWhoIsRanked:
    @pytest.mark.parametrize("role", ["ceiling", "twin", "floor", "ablation"])
    def test_controls_never_are(self, role: str) -> None:
        control = judged("control", 1e-9, "same", role=role)
        assert standing(control, judged("a", 1e-3, "same")) == {"a": "leader"}

    @pytest.mark.parametrize(
        "status", ["incorrect", "mistrusted", "failed", "crashed", "timeout", "oom", "skipped"]
    )
    def test_what_has_no_time_that_counts_is_not(self, status: str) -> None:
        quick = judged("quick", 1e-9, "same", status=status, reason="r")
        assert standing(quick, judged("a", 1e-3, "same")) == {"a": "leader"}

    def test_noisy_cells_are_and_nothing_comes_of_nothing(self) -> None:
        assert standing(judged("a", 1e-3, "same", status="noisy", reason="r")) == {"a": "leader"}
        assert standing() == {}


def test_rows_of_text_as_they_stand_in_the_file() -> None:
    cells = [judged("a", 1e-3, "same"), judged("b", 1.001e-3, "same"), judged("c", 2e-3, "slower")]
    rows = [dict(zip(CELL_COLUMNS, row_text(record), strict=True)) for record in cells]
    assert [row["backend"] for row in standings(rows).fastest] == ["a", "b"]


def test_the_rule_needs_neither_numpy_nor_pandas() -> None:
    code = "import sys, bench.stats.fastest; sys.exit(sorted({'numpy', 'pandas'} & set(sys.modules)) != [])"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_columns_and_rows_give_the_same_answer(tmp_path: Path) -> None:
    cells = [record for case in near_cases(2000, ("run1", "run1", "run2")) for record in case]
    path = tmp_path / "cells.csv"
    path.write_text(as_csv(cells))
    frame = read_cells([path])
    cases = group_ids(frame, AXES)
    marked = mark_standings(frame, cases)
    expected = np.full(len(frame), "", "U10")
    records = frame.assign(place=range(len(frame))).to_dict("records")
    rows = [{str(name): value for name, value in row.items()} for row in records]
    for _, some in itertools.groupby(rows, key=lambda row: row["n"]):
        found = standings(some)
        leader = [found.leader] if found.leader else []
        for word, those in zip(STANDINGS, (leader, found.same, found.unresolved, found.slower), strict=True):
            expected[[row["place"] for row in those]] = word
    assert marked.tolist() == expected.tolist()
    assert min((marked == word).sum() for word in STANDINGS) > 100
