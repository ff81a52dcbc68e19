"""What a comparison takes beside the cells that it compares."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

from bench.records.reading import read_cells
from bench.stats.comparison import Side, compare
from bench.stats.run_estimates import NEEDED
from tests.factories import experiment, write_run

ARMS = {"numpy_ufunc": 2e-3, "torch_eager": 1e-3, "numba_tuned": 5e-4, "jax_jit": 1e-3, "numba_jit": 7e-4}


def taken(folder: Path, cases: int) -> tuple[int, int]:
    """Bytes that are taken at a time while so many cases are compared with themselves, and those of the cases."""
    pattern = experiment(ARMS, n=1)
    write_run(folder, pattern)
    header, *rows = (folder / "cells.csv").read_text().splitlines(keepends=True)
    texts = (row.replace(",float32,1,", f",float32,{n},") for n in range(1, cases + 1) for row in rows)
    (folder / "cells.csv").write_text(header + "".join(texts))
    cells = read_cells([folder / "cells.csv"], NEEDED)
    assert len(cells) == cases * len(ARMS)
    gc.collect()
    tracemalloc.start()
    try:
        compare([Side(cells)], [Side(cells)])
        return tracemalloc.get_traced_memory()[1], int(cells.memory_usage(index=False).sum())
    finally:
        tracemalloc.stop()


def test_it_grows_with_the_cells_by_six_times_their_size_at_most(tmp_path: Path) -> None:
    (few, few_cells), (many, many_cells) = (taken(tmp_path / str(cases), cases) for cases in (200, 800))
    assert many - few < 6 * (many_cells - few_cells)
