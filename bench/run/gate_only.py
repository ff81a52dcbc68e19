"""A run that times nothing: do the arms that were asked for start, compile and pass the gate?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.machine import environment
from bench.plan.experiments import Experiment
from bench.plan.settings import Settings
from bench.records.lines import Key, key_of
from bench.records.stored import Stored
from bench.run.run import Run
from kernels.api import Case

if TYPE_CHECKING:
    from bench.run.pool import Pool

__all__ = ["GateOnly"]


class GateOnly(Run):
    """Every arm is prepared once, in a process as for a timed run, and released.  Nothing is written."""

    _pool: Pool | None = None

    def __init__(self, settings: Settings, chosen: Sequence[Experiment]) -> None:
        super().__init__(settings, chosen)
        self._passed: dict[Key, Stored] = {}

    def __enter__(self) -> GateOnly:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.close()

    def _stored(self, key: Key, case: Case) -> Stored:
        """Nothing is in files."""
        return self._passed[key]

    def measure(self, experiment: Experiment) -> bool:
        """Prepare the experiment's arms if that has not been done; False, as nothing was timed."""
        if self._complete(experiment):
            return False
        from bench.run import rows  # noqa: PLC0415  # NumPy, which collecting a plan must not need
        from bench.run.experiment import prove  # noqa: PLC0415  # as above
        from bench.run.sitting import pool_of  # noqa: PLC0415  # as above

        self._pool = self._pool or pool_of(self.settings, 1)
        states = prove(experiment, self._pool)
        stamp = rows.Stamp(self.run_id, environment.machine_name(), environment.utc_now())
        for state, cell in zip(states, rows.cells_of(experiment, states, stamp), strict=True):
            passed = dataclasses.replace(cell, status="ok", reason="") if state.alive else cell
            key = key_of(cell)
            self._passed[key], self._statuses[key] = Stored(passed, {}), passed.status
        self._left.remove(experiment)
        return False
