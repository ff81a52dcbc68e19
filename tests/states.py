"""Arms as they stand after an experiment whose rounds are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.messages import Finished, Prepared
from bench.plan.experiments import Arm, Experiment
from bench.records.schema import Cell
from bench.run.arm_state import ArmState, Batch
from bench.run.rows import Stamp, cells_of
from kernels.api import Case

STAMP = Stamp("run", "machine", "2026-01-01T00:00:00Z")
CASE = Case("relu", placement="out", n=1_000_000)
US = 1e-6


def batch(number: int, seconds: float, waited: float = 0.0, *, process: int = 1, **known: Any) -> Batch:
    """Ten calls, all parts of which took as long; `waited` is the share of it without a CPU."""
    whole_s = 10 * seconds
    figures = {"seconds": seconds, "mean_s": seconds, "part_q25_s": seconds, "part_q75_s": seconds}
    figures |= {
        "contended": False,
        "waited_s": waited * whole_s,
        "timed_s": whole_s,
        "wall_s": whole_s,
        "cpu_s": whole_s,
    }
    return Batch(process, number, 0, 10, **(figures | known))


def state(
    arm: Arm,
    seconds: Sequence[float],
    waited: float = 0.0,
    *,
    second: Sequence[float] | None = None,
    **known: object,
) -> ArmState:
    """An arm with one batch of ten calls a round, in each of two processes; in the `second` the same times."""
    made = ArmState(arm, prepared=Prepared(), finished=Finished(None, {}), iterations=10)
    made.batches = [
        batch(number, each, waited, process=process)
        for process, times in ((1, seconds), (2, seconds if second is None else second))
        for number, each in enumerate(times)
    ]
    for name, value in known.items():
        setattr(made, name, value)
    return made


def states(
    *candidates: ArmState,
    copy: Sequence[float] = (400 * US,) * 8,
    streaming: Sequence[float] = (800 * US,) * 8,
    waited: float = 0.0,
) -> list[ArmState]:
    return [
        state(Arm("base", "baseline"), [800 * US] * 8),
        *candidates,
        state(Arm("base", "twin"), [808 * US] * 8),
        state(Arm("copy_plain", "ceiling"), copy, waited),
        state(Arm("copy_streaming", "ceiling"), streaming),
        state(Arm("empty_call", "floor"), [1e-7] * 8),
    ]


def written(case: Case, measured: Sequence[ArmState]) -> dict[str, Cell]:
    """The rows of these arms, by backend and role."""
    cells = cells_of(Experiment(case, tuple(each.arm for each in measured)), measured, STAMP)
    assert [cell.backend for cell in cells] == [each.arm.backend for each in measured]
    return {f"{cell.backend} {cell.role}": cell for cell in cells}
