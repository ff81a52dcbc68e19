"""From an experiment's states to the rows of cells.csv, rounds.csv and compiles.csv, as typed records.

cells.csv has the times of imports and first calls.  compiles.csv says whether the code came from a compiler cache, and
whether the arm was compiled at all: torch.compile falls back to eager without saying so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.plan.experiments import Experiment
from bench.records.schema import SCHEMA, Cell, Compile, Round
from bench.run.arm_state import ArmState
from bench.stats import estimates
from bench.stats.counted import paired
from bench.stats.estimates import Interval
from kernels.api import Case

__all__ = ["Stamp", "cells_of", "compiles_of", "rounds_of"]

_LONGEST_REASON = 1000
"""Characters of a reason at most: enough for a sentence, and no traceback or log in a table."""
_CALLS = 20
"""A copy that takes less than so many empty calls says nothing of how fast memory is."""
_ABOVE_CEILING = {"new": 10.0, "out": 1.3, "inplace": 1.3}
"""A cell may pass the fastest copy by this factor before it is mistrusted: noise, and for `new` the page
faults of fresh memory, which a backend that recycles its results does not pay."""
_COUNTS = ("cache_hit", "graphs", "recompiles", "eager_fallback")
_STEADY = 1.25
"""A copy was disturbed if its lower quartile is more than so many times its fastest round."""
_FEWEST = 3
"""Rounds that a copy needs: with fewer nothing tells whether it was disturbed."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What all rows of an experiment share."""

    run_id: str
    machine: str
    started_utc: str
    target_ci: float


@dataclass(frozen=True, slots=True)
class _Common:
    """The experiment's controls, as every row needs them."""

    baseline: ArmState
    ceiling: Interval | None
    fastest_copy_s: float
    above_copy: float
    noise_floor: float | None
    floor_s: float


def cells_of(experiment: Experiment, states: Sequence[ArmState], stamp: Stamp) -> list[Cell]:
    """One row for each arm, in the arms' order."""
    common = _common(experiment.case.placement, states)
    return [_cell(experiment, state, stamp, common) for state in states]


def rounds_of(experiment: Experiment, states: Sequence[ArmState], stamp: Stamp) -> list[Round]:
    """One row for each timed batch; batches that were measured again included."""
    return [
        Round(
            *_named(experiment, state, stamp),
            round=batch.round,
            order=batch.order,
            iterations=batch.iterations,
            seconds=state.seconds(batch),
            contended=int(batch.contended),
        )
        for state in states
        for batch in state.batches
    ]


def compiles_of(experiment: Experiment, states: Sequence[ArmState], stamp: Stamp) -> list[Compile]:
    """One row for each arm whose backend has a `compile_report`; as it stood after the last round."""
    found = []
    for state in states:
        report = state.compile_report
        counts = [int(report[name]) if name in report else None for name in _COUNTS]
        if any(count is not None for count in counts):
            found.append(Compile(*_named(experiment, state, stamp), *counts))
    return found


def _named(experiment: Experiment, state: ArmState, stamp: Stamp) -> tuple[str, str, str, str, Case]:
    """The fields of `bench.records.schema.CellName`."""
    arm = state.arm
    return stamp.run_id, arm.backend, arm.variant.name, arm.role, experiment.case


def _timed(state: ArmState) -> bool:
    return bool(state.batches) and state.alive


def _common(placement: str, states: Sequence[ArmState]) -> _Common:
    baseline = next(state for state in states if state.arm.role == "baseline")
    copies = [state for state in states if state.arm.role == "ceiling" and _timed(state)]
    twin = next((state for state in states if state.arm.role == "twin" and _timed(state)), None)
    floor = next((state for state in states if state.arm.role == "floor" and _timed(state)), None)
    against = _speedup(baseline, twin) if twin else None
    return _Common(
        baseline,
        min(
            (estimates.estimate(copy.samples()) for copy in copies),
            key=lambda interval: interval.value,
            default=None,
        ),
        _limit(copies),
        _ABOVE_CEILING[placement],
        estimates.noise_floor(against) if against else None,
        float(np.median(floor.samples())) if floor else 0.0,
    )


def _limit(copies: Sequence[ArmState]) -> float:
    """The fastest round of all copies; 0.0 if one of them was disturbed: others' load is no limit of memory.

    A copy counts if some of its rounds were undisturbed and those agree.
    """
    found = [
        [batch.seconds for batch in copy.batches if batch.undisturbed and not batch.contended]
        for copy in copies
    ]
    for seconds in found:
        if len(seconds) < _FEWEST or np.quantile(seconds, 0.25) > _STEADY * min(seconds):
            return 0.0
    return min(map(min, found), default=0.0)


def _speedup(baseline: ArmState, state: ArmState) -> Interval | None:
    """Baseline time over the arm's, paired by round."""
    if not (_timed(baseline) and _timed(state)):
        return None
    both = paired(baseline.timed(), state.timed())
    return estimates.ratio(both[:, 0], both[:, 1]) if len(both) else None


def _status(state: ArmState, time: Interval | None, stamp: Stamp, common: _Common) -> tuple[str, str]:
    if state.failure is not None:
        return state.failure
    if time is None:
        return "failed", "the experiment ended before its first round"
    report = state.finished.compile_report if state.finished else {}
    if report.get("eager_fallback") or report.get("recompiles"):
        return "mistrusted", f"torch.compile did not keep to one compiled graph: {report}"
    if state.arm.role in ("candidate", "baseline") and _beats_every_copy(time, common):
        return "mistrusted", (
            f"{common.fastest_copy_s / time.value:.2f} times as fast as the fastest round of a copy of "
            f"the same bytes ({time.value:.3g} s against {common.fastest_copy_s:.3g} s): it cannot have moved them"
        )
    if time.half_width > stamp.target_ci and state.arm.role != "floor":
        return "noisy", (
            f"95 % interval ±{100 * time.half_width:.1f} % after {len(state.samples())} rounds, "
            f"wanted ±{100 * stamp.target_ci:.1f} %; more --max-seconds or a quieter machine narrows it"
        )
    return "ok", ""


def _beats_every_copy(time: Interval, common: _Common) -> bool:
    """Against the copies' fastest round: that is what the memory can do, whatever disturbed the others."""
    if common.fastest_copy_s < _CALLS * common.floor_s:
        return False  # the copy's time is mostly that of the call, and a leaner call may beat it
    return time.hi * common.above_copy < common.fastest_copy_s


def _one_line(reason: str) -> str:
    """As it may stand in a file of lines in UTF-8, whatever a plugin has raised or printed."""
    text = " ".join(reason.replace("\0", " ").split()).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"


def _cell(experiment: Experiment, state: ArmState, stamp: Stamp, common: _Common) -> Cell:
    arm, prepared = state.arm, state.prepared
    samples = state.samples() if state.batches else None
    time = estimates.estimate(samples) if samples is not None else None
    status, reason = _status(state, time, stamp, common)
    cell = Cell(
        schema=SCHEMA,
        run_id=stamp.run_id,
        machine=stamp.machine,
        started_utc=stamp.started_utc,
        backend=arm.backend,
        variant=arm.variant.name,
        role=arm.role,
        case=experiment.case,
        status=status,
        reason=_one_line(reason),
        baseline=common.baseline.arm.backend,
        import_s=state.loaded.import_s if state.loaded else None,
        contended_rounds=state.contended if state.batches else None,
        noise_floor=common.noise_floor if samples is not None else None,
    )
    if prepared is not None:
        first = state.compiled or prepared
        cell = dataclasses.replace(
            cell,
            first_call_s=first.first_call_s,
            second_call_s=first.second_call_s,
            max_ulp=prepared.gate.max_ulp,
            special_values=prepared.gate.special_values,
            threads_effective=prepared.threads_effective,
        )
    if samples is None or time is None:
        return cell
    return _with_times(cell, state, samples, time, common)


def _with_times(cell: Cell, state: ArmState, samples: np.ndarray, time: Interval, common: _Common) -> Cell:
    q25, median, q75 = (float(q) for q in np.quantile(samples, (0.25, 0.5, 0.75)))
    cell = dataclasses.replace(
        cell,
        rounds=len(samples),
        iterations=state.iterations,
        time_s=time.value,
        time_lo_s=max(time.lo, 0.0),
        time_hi_s=time.hi,
        min_s=float(samples.min()),
        q25_s=q25,
        median_s=median,
        q75_s=q75,
        max_s=float(samples.max()),
        dispatch_s=state.dispatch_s,
        device_s=state.device_s,
    )
    if state.arm.role == "floor":
        return cell
    return _with_ratios(cell, state, time, common)


def _with_ratios(cell: Cell, state: ArmState, time: Interval, common: _Common) -> Cell:
    bytes_moved = cell.case.bytes_moved
    gb_per_s = bytes_moved / time.value / 1e9
    ceiling = bytes_moved / common.ceiling.value / 1e9 if common.ceiling else None
    cell = dataclasses.replace(
        cell,
        bytes_moved=bytes_moved,
        gb_per_s=gb_per_s,
        ceiling_gb_per_s=ceiling,
        ceiling_fraction=gb_per_s / ceiling if ceiling else None,
    )
    speedup = Interval(1.0, 1.0, 1.0) if state is common.baseline else _speedup(common.baseline, state)
    if speedup is None:
        return cell
    judged = (
        state.arm.role == "candidate" and common.noise_floor is not None and cell.status in ("ok", "noisy")
    )
    return dataclasses.replace(
        cell,
        speedup=speedup.value,
        speedup_lo=speedup.lo,
        speedup_hi=speedup.hi,
        verdict=estimates.verdict(speedup, common.noise_floor or 0.0) if judged else "",
    )
