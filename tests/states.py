"""Arms as they stand after an experiment whose rounds are known."""

from __future__ import annotations

from collections.abc import Sequence

from bench.messages import Finished, Prepared
from bench.plan.experiments import Arm
from bench.run.arm_state import ArmState, Batch
from bench.run.rows import Stamp
from kernels.api import Case

STAMP = Stamp("run", "machine", "2026-01-01T00:00:00Z", target_ci=0.02)
CASE = Case("relu", placement="out", n=1_000_000)
US = 1e-6


def state(arm: Arm, seconds: Sequence[float], waited: float = 0.0, **known: object) -> ArmState:
    """An arm with one batch of ten calls a round; `waited` is the share of it without a CPU."""
    made = ArmState(arm, prepared=Prepared(), finished=Finished(None, {}), iterations=10)
    made.batches = [
        Batch(number, 0, 10, each, contended=False, waited_s=waited * each * 10)
        for number, each in enumerate(seconds)
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
