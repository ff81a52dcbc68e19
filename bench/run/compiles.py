"""The compile ledger: what each arm's compiler did, cell by cell (compiles.csv).

Times of imports and first calls stand in cells.csv; here is whether a compiler's cache spared the work,
and whether the arm was compiled at all: torch.compile falls back to eager without saying so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bench.plan.experiments import Experiment
from bench.records.schema import Compile
from bench.run.arm_state import ArmState
from bench.run.rows import Stamp

__all__ = ["compiles_of"]

_COUNTS = ("cache_hit", "graphs", "recompiles", "eager_fallback")


def compiles_of(experiment: Experiment, states: Sequence[ArmState], stamp: Stamp) -> list[Compile]:
    """One row for each arm whose backend has a `compile_report`; as it stood after the last round."""
    case = dataclasses.asdict(experiment.case)
    found = []
    for state in states:
        report = state.compile_report
        counts = [int(report[name]) if name in report else None for name in _COUNTS]
        if any(count is not None for count in counts):
            arm = state.arm
            named = (stamp.run_id, arm.backend, arm.variant.name, arm.role)
            found.append(Compile(*named, *case.values(), *counts))
    return found
