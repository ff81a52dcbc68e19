"""What commands take grows with the rows of their runs by so many bytes a row, and with nothing else."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.records import grouping, parsing, parts
from bench.records.grouping import tallied
from bench.records.reading import read_cells
from bench.stats import change_errors
from bench.stats.comparison import compare_arms
from scripts._compare.loading import load
from scripts._shared.summary import needed_of, prepare, ranked
from scripts._shared.tables import Screen, report
from tests.factories import experiment, write_run

ROWS, BYTES = 1 << 6, 1 << 10
"""What is parsed at a time, and read, so that a run of some hundred rows has many such parts."""
AT_ONCE = 1 << 8
"""Rows of an error's."""
ARMS = {"numpy_ufunc": 2e-3, "torch_eager": 1e-3, "numba_tuned": 5e-4, "jax_jit": 1e-3, "numba_jit": 7e-4}
FEW_AND_MANY = (300, 600)
"""Cases of two runs: of the smaller one, too, the rows take more than the parser."""
MORE = (600 - 300) * len(ARMS)
"""Rows that the larger one has more."""


def run_of(folder: Path, cases: int) -> Path:
    """A run of so many cases."""
    write_run(folder, experiment(ARMS, n=1))
    header, *rows = (folder / "cells.csv").read_text().splitlines(keepends=True)
    texts = (row.replace(",float32,1,", f",float32,{n},") for n in range(1, cases + 1) for row in rows)
    (folder / "cells.csv").write_text(header + "".join(texts))
    return folder


def compared(folder: Path) -> None:
    """The run, compared with itself as scripts/compare.py does."""
    old, new = (load([str(folder)], Path("results"), relative=False) for _ in range(2))
    compare_arms((run.arms() for run in old), (run.arms() for run in new))


def summarised(folder: Path) -> None:
    """The first screen of the run, as scripts/summarise.py makes it."""
    cells = ranked(prepare(read_cells([folder / "cells.csv"], needed_of(["overview"]))))
    report(cells, ["overview"], 38, Screen(lines=38))


def taken(action: Callable[[Path], None], folder: Path) -> int:
    """Bytes that are taken at a time."""
    gc.collect()
    tracemalloc.start()
    try:
        action(folder)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_summary_takes_so_many_bytes_for_each_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_ROWS", ROWS)
    monkeypatch.setattr(parts, "_AT_ONCE", BYTES)
    few, many = (run_of(tmp_path / str(cases), cases) for cases in FEW_AND_MANY)
    summarised(few)
    assert taken(summarised, many) - taken(summarised, few) < 195 * MORE


def test_rows_that_are_alike_are_counted_in_the_order_of_the_first(tmp_path: Path) -> None:
    cells = read_cells([run_of(tmp_path, 1) / "cells.csv"]).iloc[[0, 1, 2, 0]]
    expected = cells.groupby(["backend", "status"], observed=True, sort=False).size()
    found = tallied(cells, ["backend", "status"])
    assert found.set_index(["backend", "status"])["count"].to_dict() == expected.to_dict()
    assert list(found["backend"]) == list(expected.index.get_level_values("backend"))


@pytest.mark.daily  # it reads as a summary does, above
def test_a_comparison_takes_so_many_bytes_for_each_row_of_both_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "_ROWS", ROWS)
    monkeypatch.setattr(parts, "_AT_ONCE", BYTES)
    monkeypatch.setattr(change_errors, "_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(grouping, "_FEW_ROWS", 0)
    few, many = (run_of(tmp_path / str(cases), cases) for cases in FEW_AND_MANY)
    compared(few)  # what is imported or cached at first
    assert taken(compared, many) - taken(compared, few) < 460 * MORE
