"""ReLU and LeakyReLU, every planned cell an item."""

from __future__ import annotations

from typing import Any

import pytest

from bench.plugin.hooks import PlannedCell, measured
from bench.plugin.replay import is_saved, is_told
from bench.records.lines import as_row
from bench.run.run import Run


def test_activation(cell: PlannedCell, run: Run, benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Measure the cell (with all of its experiment) and replay its rounds into `benchmark`."""
    result = measured(cell, run, request)
    if is_told(request.config):
        cell.replay.into(benchmark, result.seconds)
    if is_saved(request.config):
        benchmark.extra_info.update(as_row(result.cell))
