"""A run's time: what it may still take, also where it goes on after it was stopped."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from bench.machine.foreign_load import ForeignUse
from bench.machine.surroundings import Surroundings
from bench.plan.experiments import weight
from bench.plan.options import parse
from bench.records.schema import SCHEMA, Cell
from bench.run.run import Run, plan

pytestmark = pytest.mark.slow


class Disturbed(Surroundings):
    """This machine, on which others take a CPU from us all the time, or nobody does; no thread of theirs is seen."""

    others_work = False

    def runnable(self) -> int:
        return 1

    def witness(self, pids: Iterable[int]) -> Disturbed:
        return self

    def spent(self, pid: int, total_cpu_s: float) -> None:
        """Nobody's account is kept."""

    def window(self) -> ForeignUse:
        return ForeignUse(1.0, float(self.others_work))


def test_what_the_guard_takes_is_told_and_added(tmp_path: Path) -> None:
    """Others use the machine all through the second experiment."""
    words = {"backends": "numpy_ufunc", "sizes": "64,65", "ops": "relu", "directions": "forward"}
    words |= {"placements": "out", "isolation": "inline", "results": str(tmp_path), "run_id": "r"}
    words |= {"target_ci": "0.5"}  # a few rounds are enough
    settings, around = parse(words), Disturbed()
    chosen = plan(settings)
    with Run(settings, chosen, around) as run:
        run.measure(chosen[0])
        around.others_work = True
        left_s, guarded_s, began = run.seconds_left(), run.account.guarded_s, time.monotonic()
        run.measure(chosen[1])
        took_s, guarded_s = time.monotonic() - began, run.account.guarded_s - guarded_s
        assert guarded_s > 0.2 * took_s
        assert left_s - run.seconds_left() <= took_s - guarded_s + 1e-6
        assert run.account.sitting()["guarded_s"] == pytest.approx(run.account.guarded_s, abs=1e-3)


def test_a_run_that_goes_on_may_take_what_its_rest_deserves(tmp_path: Path) -> None:
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
