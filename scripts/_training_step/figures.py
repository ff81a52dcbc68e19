"""The figures of scripts/training_step.py: times and ratios with intervals for a new process, and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.stats.estimates import Interval
from bench.stats.process_spread import ProcessSpread
from bench.stats.verdicts import Rounds, alone, interval_of
from scripts._shared.pairs import Timed, gain
from scripts._training_step.arm import BASELINE, NOTHING
from scripts._training_step.messages import Kept, Peak, Spec

__all__ = ["Row", "rows_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """One arm: seconds a step, time over the baseline's, what activations add (a fraction of the step), bytes.

    Intervals are for a new process; `verdict` is that over the baseline.
    """

    network: str
    op: str
    arm: str
    rounds: int
    step_s: Interval
    ratio: Interval
    share: Interval
    verdict: str
    peak_bytes: int
    peak_by: str
    kept: Kept


def rows_of(
    spec: Spec, times: Mapping[str, Rounds], peaks: Mapping[str, Peak], kept: Mapping[str, Kept]
) -> list[Row]:
    """One row for each arm: its steps' seconds by the numbers of the process and of the round, and its bytes."""
    arms = _with_spread(spec, times)
    rows = []
    for name, arm in arms.items():
        beside, without = gain(arm, arms[BASELINE]), gain(arm, arms[NOTHING])
        assert beside is not None, "all arms have all rounds"
        assert without is not None, "all arms have all rounds"
        added = without.times
        rows.append(
            Row(
                spec.network,
                spec.op,
                name,
                len(arm.rounds),
                _seconds(arm),
                Interval(1.0, 1.0, 1.0) if name == BASELINE else beside.verdict.ratio,
                Interval(1.0 - added.value, 1.0 - added.hi, 1.0 - added.lo),
                "" if name in (BASELINE, NOTHING) else beside.word,
                peaks[name].bytes,
                peaks[name].told_by,
                kept[name],
            )
        )
    return rows


def _with_spread(spec: Spec, times: Mapping[str, Rounds]) -> dict[str, Timed]:
    """The arms with how much their processes differ, as they themselves show it; all are torch on all threads."""
    seen, moved = ProcessSpread(), 4 * spec.batch * spec.width
    own = zip(
        times.items(), seen.learn(moved, [("torch", True, each) for each in times.values()]), strict=True
    )
    return {name: Timed(rounds, seen.spread("torch", moved, each)) for (name, rounds), each in own}


def _seconds(arm: Timed) -> Interval:
    """Seconds a step."""
    steps, spread = alone(arm.rounds), arm.spread
    assert steps is not None, "it has rounds"
    assert spread is not None, "they tell it"
    return interval_of(steps, spread.sd**2 + spread.kind_sd**2, spread.df)
