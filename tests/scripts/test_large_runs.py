"""What commands take grows with the rows of their runs by so many bytes a row, and with nothing else."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.records import reading
from bench.records.grouping import tallied
from bench.records.reading import read_cells
from bench.stats import change_errors
from bench.stats.comparison import compare_arms
from scripts._compare.loading import load
from scripts._shared.summary import needed_of, prepare, ranked
from scripts._shared.tables import Screen, report
from tests.factories import experiment, write_run

PART = 1 << 16
"""Bytes of a part of a file, and rows of an error's, so that a run of some hundred rows has many."""
AT_ONCE = 1 << 8
ARMS = {"numpy_ufunc": 2e-3, "torch_eager": 1e-3, "numba_tuned": 5e-4, "jax_jit": 1e-3, "numba_jit": 7e-4}


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
    monkeypatch.setattr(reading, "_PART", PART)
    few, many = (run_of(tmp_path / str(cases), cases) for cases in (100, 500))
    summarised(few)
    assert taken(summarised, many) - taken(summarised, few) < 195 * (500 - 100) * len(ARMS)


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
    monkeypatch.setattr(reading, "_PART", PART)
    monkeypatch.setattr(change_errors, "_AT_ONCE", AT_ONCE)
    few, many = (run_of(tmp_path / str(cases), cases) for cases in (100, 400))
    compared(few)  # what is imported or cached at first
    rows = (400 - 100) * len(ARMS)
    assert taken(compared, many) - taken(compared, few) < 330 * rows
