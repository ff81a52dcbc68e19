"""An arm's clock is held against the machine's."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from bench.machine.clocks import clock
from bench.machine.own_usage import Usage
from bench.messages import ArmRequest, Finish, Finished, Loaded, Prepare, Prepared, Probe, Sample, TimeBatch
from bench.plan.experiments import Arm, Experiment
from bench.run.experiment import Limits, run
from bench.run.process import ArmError
from kernels.api import Case


class SlowClock:
    """A pool whose workers' clock runs at a tenth of the speed."""

    pauses = False

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def open(self, arms: Sequence[Arm], threads: int) -> dict[Arm, Loaded | ArmError]:
        return {arm: Loaded(0.0, "3.11.7", {}) for arm in arms}

    def pause(self, arm: Arm) -> None:
        """Nothing to stop."""

    def call(self, arm: Arm, request: ArmRequest[Any]) -> Any:
        assert isinstance(request, TimeBatch)
        began = clock()
        time.sleep(0.001)
        ended = began + (clock() - began) * self.factor
        seconds = ended - began
        return Sample(seconds / 2, (seconds / 2,), 2, began, ended, 0.0, 0.0, Usage(0.0, 0), 0.0, None)

    def call_all(self, arms: Sequence[Arm], request: ArmRequest[Any]) -> list[Any]:
        answers = {Prepare: Prepared(), Probe: 1e-3, Finish: Finished(None, {})}
        return [answers.get(type(request)) for _ in arms]

    def compile(self, case: Case, arms: Sequence[Arm]) -> dict[Arm, Prepared]:
        return {}

    def renew(self, arms: Sequence[Arm], compiled: Collection[Arm]) -> list[Arm]:
        return []

    def pid(self, arm: Arm) -> int:
        return 0

    def trim(self) -> None:
        """Nothing to let go of."""

    def close(self) -> None:
        """Nothing to end."""


@pytest.mark.parametrize(("factor", "believed"), [(1.0, True), (10.0, False), (0.0, False), (-1.0, False)])
def test_a_clock_that_contradicts_the_machines_is_not_believed(factor: float, believed: bool) -> None:
    limits = Limits(seconds=0, batch_s=0.001, warm_s=0, max_rounds=2)
    (state,) = run(
        Experiment(Case("relu"), (Arm("a", "baseline"),)), SlowClock(factor), limits, seed=0
    ).states
    if believed:
        assert state.failure is None
        assert len(state.batches) == 2
    else:
        assert state.failure is not None
        assert state.failure[0] == "mistrusted"
        assert "its clock is not the machine's" in state.failure[1]
