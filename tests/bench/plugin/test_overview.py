"""A run on one screen: which tables, which rows where there is no room for all, and what stands in a row."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from bench.plugin.entries import entries
from bench.plugin.not_ok import Trouble, not_ok
from bench.plugin.overview import grids, lines
from bench.records.schema import Cell
from kernels.api import DIRECTIONS, MAIN_OPS, PLACEMENTS
from tests.factories import cell, experiment

TIMES = {"numpy_ufunc": 4e-3, "torch_eager": 1e-3, "numba_jit": 1.01e-3, "jax_jit": 1.025e-3}
SIZES = tuple(1 << power for power in range(0, 25, 2))


def shown(run: Sequence[Sequence[Cell]], width: int = 120, most_lines: int | None = None) -> list[str]:
    """All lines of all tables."""
    return [line for grid in grids(entries(run), width, most_lines) for line in lines(grid)]


def whole_run(**axes: Any) -> list[list[Cell]]:
    """Both ops, both directions, all placements, many sizes."""
    return [
        experiment(TIMES, op=op, direction=direction, placement=placement, n=n, **axes)
        for op in MAIN_OPS
        for direction in DIRECTIONS
        for placement in PLACEMENTS
        for n in SIZES
    ]


def test_a_row_has_the_figures_of_the_fastest_and_who_else_is_as_fast() -> None:
    title, headers, row = shown([experiment(TIMES, ceiling_fraction=0.876, n=1 << 20)])
    assert title == "relu forward new float32, over numpy_ufunc"
    assert headers.split() == ["size", "time", "over", "copy", "fastest"]
    assert row.split() == ["1Mi", "1.00", "ms", "4.00x", "88%", "torch_eager,", "numba_jit", "?1"]


def test_placements_stand_beside_each_other_where_there_is_room() -> None:
    run = [experiment(TIMES, placement=placement) for placement in ("new", "out")]
    assert len(shown(run, 80)) == 3
    assert max(map(len, shown(run, 80))) <= 80
    narrow = shown(run, 60)
    assert [line.split()[1] for line in narrow[2:]] == ["new", "out"]
    assert max(map(len, narrow)) <= 60


def test_a_row_of_which_something_is_not_known_is_marked() -> None:
    assert "~1.00 ms" in shown([experiment(TIMES, status="noisy", reason="?")])[2]


def test_a_placement_that_was_not_measured_is_blank() -> None:
    run = [experiment(TIMES), experiment(TIMES, n=7), experiment(TIMES, placement="out")]
    assert shown(run)[2].split()[-4:] == ["-", "-", "-", "-"]


def test_names_that_do_not_fit_are_counted() -> None:
    times = {"numpy_ufunc": 1e-3} | {f"a_backend_with_a_long_name_{i}": 1e-3 for i in range(5)}
    run = [experiment(times, placement=placement) for placement in PLACEMENTS]
    assert max(map(len, shown(run, 120))) <= 120
    assert shown(run, 120)[2].count("numpy_ufunc +5") == 3


def test_the_tables_fit_on_the_screen() -> None:
    cases = entries(whole_run() + whole_run(dtype="float16") + whole_run(cache="cold"))
    for width, most_lines in itertools.product((60, 80, 120, 200), (12, 40)):
        found = grids(cases, width, most_lines)
        assert sum(len(lines(grid)) + 1 for grid in found) <= max(most_lines, 4 * 4), (width, most_lines)
        assert max(len(line) for grid in found for line in lines(grid)) <= width, (width, most_lines)
        assert len(found) == 4, (width, most_lines)


def test_what_is_left_out_is_the_rarer_cases_and_sizes_from_the_middle() -> None:
    run = whole_run() + whole_run(dtype="float16")
    found = grids(entries(run), 120, 40)
    sizes = [row[0] for row in found[0].rows]
    assert sizes[0] == "1"
    assert sizes[-1] == "16Mi"
    assert 2 < len(sizes) < len(SIZES)
    assert "float32" in found[0].title
    kept = len(PLACEMENTS) * sum(len(grid.rows) for grid in found)
    assert sum(grid.left_out for grid in found) == len(run) - kept
    assert not any(grid.left_out for grid in grids(entries(run), 120))


def test_axes_that_vary_have_a_column_and_others_are_said_in_the_title() -> None:
    run = [experiment(TIMES, dtype=dtype, threads=1) for dtype in ("float32", "float16")]
    title, headers, *rows = shown(run)
    assert title == "relu forward new 1 thread, over numpy_ufunc"
    assert headers.split()[:2] == ["size", "dtype"]
    assert [row.split()[1] for row in rows] == ["float32", "float16"]


def test_what_was_not_ok_is_told_by_reason_and_the_gravest_first() -> None:
    cells = [
        *(cell("jax_jit", None, status="skipped", reason=f"needs {n} GiB", n=n) for n in (1, 2)),
        cell("numba_jit", None, status="skipped", reason="needs 3.5 GiB"),
        cell("torch_eager", status="noisy", reason="one thing"),
        cell("jax_jit", status="noisy", reason="another"),
        cell("mine", None, status="incorrect", reason="index 3:\n wants 1"),
        cell("mine"),
    ]
    assert not_ok(map(Trouble.of, cells), 200) == [
        "incorrect: 1 cell (mine): index 3: wants 1",
        "skipped: 3 cells (jax_jit, numba_jit): needs 1 GiB",
        "noisy: 2 cells (torch_eager, jax_jit): something asked about it is not known",
    ]


def test_so_many_reasons_as_there_is_room_for() -> None:
    cells = [cell("mine", None, status="failed", reason="x" * 300 + chr(97 + i)) for i in range(10)]
    told = not_ok(map(Trouble.of, cells), 80, 4)
    assert [len(line) for line in told[:3]] == [80] * 3
    assert told[3] == "and 7 cells more, for 7 other reasons"
