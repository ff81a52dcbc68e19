"""How many calls make a batch: found by probes, and mended where these were disturbed."""

from __future__ import annotations

import pytest

from bench.arm.server import Station
from bench.plan.experiments import Arm, Experiment
from bench.run.arm_state import ArmState
from bench.run.experiment import Limits, run
from bench.run.pool import InlinePool
from bench.run.rounds import calls_for
from kernels.api import Case

LIMITS = Limits(5.0, 0.002, 0.0005, 1e-9, min_rounds=4, max_rounds=4, guard=False)


@pytest.mark.parametrize(
    ("per_call_s", "calls"),
    [
        (1e-6, 20_000),
        (0.9e-3, 23),
        (1e-3, 20),  # as long as the warm-up, and no longer
        (0.03, 4),  # longer: as many as fit into 0.12 s
        (0.0101, 12),  # but no more than twelve
        (5.0, 2),
        (0.0, 20_000_000),
    ],
)
def test_calls_of_a_batch(per_call_s: float, calls: int) -> None:
    assert calls_for(per_call_s, batch_s=0.02, warm_s=0.001) == calls


def _measured(
    monkeypatch: pytest.MonkeyPatch, times_too_long: float
) -> tuple[list[ArmState], dict[int, int]]:
    """Two arms whose probes say so; their states, and the number of calls that their probes led to, by process."""
    probe = Station.probe
    first: dict[int, int] = {}

    def disturbed(station: Station, least_s: float) -> float:
        return probe(station, least_s) * times_too_long

    def watched(station: Station, iterations: int, warm_s: float) -> object:
        first.setdefault(id(station), iterations)
        return batch(station, iterations, warm_s)

    batch = Station.batch
    monkeypatch.setattr(Station, "probe", disturbed)
    monkeypatch.setattr(Station, "batch", watched)
    arms = (Arm("numpy_ufunc", "baseline"), Arm("numpy_ufunc", "twin"))
    return run(Experiment(Case("relu", n=64), arms), InlinePool({}), LIMITS, seed=1).states, first


def test_probes_that_were_all_disturbed_cost_no_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches a hundredth as long as wanted would measure what comes before and after their calls."""
    states, first = _measured(monkeypatch, 100.0)
    for state, calls in zip(states, sorted(first.values()), strict=True):
        assert len(state.batches) == 4
        assert min(batch.iterations for batch in state.batches) > 10 * calls


def test_a_batch_that_is_long_enough_is_not_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    states, first = _measured(monkeypatch, 0.5)
    assert {batch.iterations for state in states for batch in state.batches} <= set(first.values())
