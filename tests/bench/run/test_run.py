"""A run's time: what it may still take, also where it goes on after it was stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.plan.experiments import weight
from bench.plan.options import parse
from bench.records.schema import SCHEMA, Cell
from bench.run.run import Run, plan

pytestmark = pytest.mark.slow


def test_a_run_that_goes_on_may_take_what_its_rest_deserves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.run.run.slowness", lambda _cpus: 1.0)  # the hour may change between the two
    words = {"backends": "numpy_ufunc", "sizes": "64,1Mi", "ops": "relu", "directions": "forward"}
    settings = parse({**words, "placements": "out", "results": str(tmp_path), "run_id": "r"})
    first, second = chosen = plan(settings)
    with Run(settings, chosen) as run:
        whole = run.seconds_left()
        run.files.append(
            [
                Cell(SCHEMA, "r", "m", "", arm.backend, arm.variant.name, arm.role, first.case, "skipped")
                for arm in first.arms
            ],
            [],
        )
    with Run(settings, chosen) as again:
        assert again.left == (second,)
        share = weight(second) / (weight(first) + weight(second))
        assert again.seconds_left() == pytest.approx(whole * share)
