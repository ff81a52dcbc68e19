"""The fastest set: who is in it, who is not, and that rows and columns give the same answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.records.reading import read_cells
from bench.records.schema import CELL_COLUMNS, Cell, values_of
from bench.stats.fastest import fastest_set, mark_fastest
from bench.stats.frames import group_ids
from kernels.api import AXES
from tests.factories import as_csv, cell, experiment, row_text


def names(cells: list[Cell]) -> list[str]:
    return [row["backend"] for row in fastest_set([values_of(cell) for cell in cells])]


def arm(backend: str, time_s: float, low: float | None, high: float | None, **changes: Any) -> Cell:
    return cell(backend, time_s, speedup_lo=low, speedup_hi=high, **changes)


def test_a_clear_winner_stands_alone() -> None:
    assert names(experiment({"numpy_ufunc": 2e-3, "torch_eager": 1e-3, "numba_jit": 1.5e-3})) == [
        "torch_eager"
    ]


def test_overlapping_intervals_are_together_fastest_first() -> None:
    cells = [arm("a", 1.01e-3, 1.90, 2.05), arm("b", 1.00e-3, 2.00, 2.10), arm("c", 1.2e-3, 1.60, 1.70)]
    assert names(cells) == ["b", "a"]


@pytest.mark.parametrize(
    ("floor", "together"), [(0.00, False), (0.04, False), (0.06, True), (float("inf"), True)]
)
def test_the_noise_floor_widens(floor: float, together: bool) -> None:
    """1.90 misses 2.00 by 5.3 %."""
    cells = [arm("a", 1.0e-3, 2.00, 2.10, noise_floor=floor), arm("b", 1.1e-3, 1.80, 1.90, noise_floor=0.0)]
    assert names(cells) == (["a", "b"] if together else ["a"])


def test_the_larger_noise_floor_counts_whoever_has_it() -> None:
    cells = [arm("a", 1.0e-3, 2.00, 2.10, noise_floor=0.0), arm("b", 1.1e-3, 1.80, 1.90, noise_floor=0.06)]
    assert names(cells) == ["a", "b"]


def test_paired_speedups_outweigh_wide_times() -> None:
    """Slow seconds widen both times; round by round the difference is clear."""
    wide = {"time_lo_s": 0.5e-3, "time_hi_s": 2e-3}
    assert names([arm("a", 1.0e-3, 2.00, 2.02, **wide), arm("b", 1.2e-3, 1.60, 1.62, **wide)]) == ["a"]


def test_without_speedups_the_times_decide() -> None:
    cells = [
        arm("a", 1.00e-3, None, None),
        arm("b", 1.03e-3, None, None),
        arm("c", 1.20e-3, None, None),
        arm("d", 1.03e-3, None, None, time_lo_s=None, time_hi_s=None),
    ]
    assert names(cells) == ["a", "b", "d"]


def test_speedups_over_different_baselines_do_not_compare() -> None:
    cells = [arm("a", 1.00e-3, 1.0, 1.1), arm("b", 1.01e-3, 0.2, 0.3, baseline="numba_jit")]
    assert names(cells) == ["a", "b"]


def test_the_baseline_competes_with_a_speedup_of_one() -> None:
    base = cell("numpy_ufunc", 1e-3, role="baseline", time_lo_s=0.1e-3, time_hi_s=9e-3, baseline="")
    assert names([base, arm("b", 1.2e-3, 0.82, 0.84)]) == ["numpy_ufunc"]
    assert names([base, arm("b", 1.01e-3, 0.97, 1.01)]) == ["numpy_ufunc", "b"]


def test_variants_are_arms_of_their_own() -> None:
    cells = experiment({"numpy_ufunc": 2e-3, "torch_eager": 1e-3, "torch_eager[thp]": 1e-3})
    found = fastest_set([values_of(cell) for cell in cells])
    assert [(row["backend"], row["variant"]) for row in found] == [
        ("torch_eager", ""),
        ("torch_eager", "thp"),
    ]


@pytest.mark.parametrize("role", ["ceiling", "twin", "floor"])
def test_controls_never_compete(role: str) -> None:
    assert names([arm("control", 1e-9, 99.0, 99.0, role=role), arm("a", 1e-3, 1.0, 1.1)]) == ["a"]


@pytest.mark.parametrize(
    "status", ["incorrect", "mistrusted", "failed", "crashed", "timeout", "oom", "skipped"]
)
def test_what_has_no_time_that_counts_does_not_compete(status: str) -> None:
    assert names([arm("quick", 1e-9, 99.0, 99.0, status=status, reason="r"), arm("a", 1e-3, 1.0, 1.1)]) == [
        "a"
    ]


def test_noisy_cells_compete_and_nothing_comes_of_nothing() -> None:
    assert names([arm("a", 1e-3, 1.0, 1.1, status="noisy", reason="r")]) == ["a"]
    assert names([]) == []


def test_rows_of_text_as_they_stand_in_the_file() -> None:
    rows = [
        dict(zip(CELL_COLUMNS, row_text(record), strict=True))
        for record in experiment({"numpy_ufunc": 1e-3, "torch_eager": 1.001e-3, "numba_jit": 2e-3})
    ]
    assert [row["backend"] for row in fastest_set(rows)] == ["numpy_ufunc", "torch_eager"]


def test_the_rule_needs_neither_numpy_nor_pandas() -> None:
    code = "import sys, bench.stats.fastest; sys.exit(sorted({'numpy', 'pandas'} & set(sys.modules)) != [])"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_RATIO = st.one_of(st.none(), st.floats(0.5, 2.0))
_ARM = st.fixed_dictionaries(
    {
        "time_s": st.floats(1e-3, 1.3e-3),
        "time_lo_s": st.one_of(st.none(), st.floats(0.8e-3, 1e-3), st.just(float("-inf"))),
        "time_hi_s": st.one_of(st.none(), st.floats(1.3e-3, 1.4e-3), st.just(float("inf"))),
        "speedup_lo": _RATIO,
        "speedup_hi": st.one_of(_RATIO, st.just(float("inf"))),
        "noise_floor": st.one_of(st.none(), st.floats(0, 0.2), st.just(float("inf"))),
        "baseline": st.sampled_from(["", "numpy_ufunc", "arm1"]),
        "role": st.sampled_from(["candidate", "candidate", "baseline", "twin", "ceiling"]),
        "status": st.sampled_from(["ok", "ok", "noisy", "mistrusted"]),
        "n": st.sampled_from([1, 2]),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_ARM, min_size=1, max_size=12))
def test_columns_and_rows_give_the_same_sets(tmp_path: Path, arms: list[dict[str, Any]]) -> None:
    cells = [cell(f"arm{i}", values.pop("time_s"), **values) for i, values in enumerate(arms)]
    path = tmp_path / "cells.csv"
    path.write_text(as_csv(cells))
    frame = read_cells([path])
    marked = mark_fastest(frame, group_ids(frame, AXES))
    expected = {
        row["backend"] for n in (1, 2) for row in fastest_set([values_of(c) for c in cells if c.case.n == n])
    }
    assert set(frame["backend"][np.flatnonzero(marked)]) == expected
