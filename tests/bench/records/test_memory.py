"""What reading takes grows with what is kept of the rows, and with little else."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest

from bench.records import parsing, parts
from bench.records.reading import read_cells
from scripts._shared.summary import needed_of
from tests.factories import as_csv, experiment

ROWS, BYTES = 64, 1 << 10
"""What is parsed at a time, and read, so that a file of half a megabyte has many such parts."""
ARMS = {"numpy_ufunc": 2e-3, "torch_eager": 1e-3, "numba_tuned": 5e-4, "jax_jit": 1e-3, "numba_jit": 7e-4}
REASON = "a difference of {} % or more would have been seen" + "; more processes would not tell" * 9


def file_of(folder: Path, cases: int) -> Path:
    """A file of so many cases; their reasons are long, and repeat after more rows than a part has."""
    named = experiment(ARMS, n=987654321, status="noisy", reason="WHY")
    pattern = as_csv(named, header=()).lstrip("\n")
    rows = (
        pattern.replace("987654321", str(n)).replace("WHY", REASON.format(n % 97))
        for n in range(1, cases + 1)
    )
    path = folder / f"{cases}.csv"
    path.write_text(as_csv([]) + "".join(rows))
    return path


def taken(path: Path) -> tuple[int, int]:
    """Bytes that are taken at a time while the columns of an overview are read, and those that are kept."""
    gc.collect()
    tracemalloc.start()
    try:
        frame = read_cells([path], needed_of(["overview"]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return peak, int(frame.memory_usage(index=False).sum())


def test_reading_takes_what_it_keeps_and_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For more rows: their numbers, a code for each text, and the sorting that finds repeated cells."""
    monkeypatch.setattr(parsing, "_ROWS", ROWS)
    monkeypatch.setattr(parts, "_AT_ONCE", BYTES)
    taken(file_of(tmp_path, 1))  # what is imported or cached at first
    (few, few_kept), (many, many_kept) = (taken(file_of(tmp_path, cases)) for cases in (60, 240))
    assert many - few < 2 * (many_kept - few_kept)


def test_tables_of_cases_read_no_column_that_only_tables_of_arms_have() -> None:
    left_out = set(needed_of(["arms"])) - set(needed_of(["overview", "machines"]))
    assert left_out >= {"first_call_s", "over_leader"}
    assert needed_of(["fits", "arms"]) == needed_of(["arms"])
