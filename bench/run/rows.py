"""From an experiment's states to the rows of cells.csv, rounds.csv and compiles.csv, as typed records.

cells.csv has the times of imports and first calls.  compiles.csv says whether the code came from a compiler cache, and
whether the arm was compiled at all: torch.compile falls back to eager without saying so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.judging.ceiling import Limit, in_most_processes, share_of_copy
from bench.messages import Loaded
from bench.plan.experiments import SHOWING, Experiment
from bench.records.columns import TIMED
from bench.records.schema import KINDS, SCHEMA, Cell, Compile, Round
from bench.run.arm_state import ArmState, acting_baseline
from bench.run.copies import beside, gb_per_s, is_ceiling, is_well_known, undisturbed
from bench.run.evidence import Evidence, learn
from bench.run.judged import with_verdicts
from bench.stats.fastest import COMPETING
from bench.stats.verdicts import time_of
from bench.text.foreign import in_csv, plain
from kernels.api import Case

__all__ = ["Stamp", "cells_of", "compiles_of", "rounds_of"]

_LONGEST_REASON = 1000
"""Characters of a reason at most: enough for a sentence, and no traceback or log in a table."""
_COUNTS = ("cache_hit", "graphs", "recompiles", "eager_fallback")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What all rows of an experiment share."""

    run_id: str
    machine: str
    started_utc: str
    shard: str = ""


@dataclass(frozen=True, slots=True)
class _Common:
    """What every row of an experiment needs of the others."""

    evidence: Evidence
    baseline: ArmState
    leader: ArmState | None
    ceiling: ArmState | None
    """The fastest copy, and the fastest that allocates."""
    allocation: ArmState | None
    limit: Limit
    floor_s: float


def cells_of(
    experiment: Experiment, states: Sequence[ArmState], stamp: Stamp, evidence: Evidence | None = None
) -> list[Cell]:
    """One row for each arm, in the arms' order; `evidence` is that of the run, by default these arms' own."""
    evidence = evidence or learn(Evidence(experiment.case.bytes_moved), states)
    common = _common(experiment.case, states, evidence)
    any_copy = any(arm.role == "ceiling" for arm in experiment.arms)
    judged = [_status(state, common, any_copy=any_copy) for state in states]
    trusted = [state for state, (status, _) in zip(states, judged, strict=True) if status in TIMED]
    common = dataclasses.replace(  # what is mistrusted leads nobody, and tells nothing of the others
        common,
        leader=evidence.leader(trusted),
        evidence=evidence.varying(trusted, common.baseline),
        ceiling=common.ceiling if is_ceiling(common.ceiling, trusted, evidence) else None,
        allocation=common.allocation if is_well_known(common.allocation, evidence) else None,
    )
    cells = []
    for state, (status, reason) in zip(states, judged, strict=True):
        cell = dataclasses.replace(
            _cell(experiment, state, stamp, common), status=status, reason=_one_line(reason)
        )
        cells.append(_with_times(cell, state, common) if state.batches else cell)
    return cells


def rounds_of(
    experiment: Experiment, states: Sequence[ArmState], stamp: Stamp, evidence: Evidence | None = None
) -> list[Round]:
    """One row for each timed batch; `evidence` as for `cells_of`."""
    evidence = evidence or Evidence(experiment.case.bytes_moved)
    found = []
    for state in states:
        counts = evidence.rounds(state)
        found += [
            Round(
                *_named(experiment, state, stamp),
                round=batch.round,
                order=batch.order,
                iterations=batch.iterations,
                seconds=counts[batch.process, batch.round],
                contended=int(batch.contended),
                process=batch.process,
                mean_s=batch.mean_s,
                part_median_s=batch.seconds,
                part_q25_s=batch.part_q25_s,
                part_q75_s=batch.part_q75_s,
                waited_s=batch.waited_s,
                cpu_reading_s=batch.cpu_reading_s,
            )
            for batch in state.batches
        ]
    return found


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


def _common(case: Case, states: Sequence[ArmState], evidence: Evidence) -> _Common:
    baseline = acting_baseline(states)
    assert baseline is not None, "every experiment is planned with one"
    timed = {role: [s for s in states if s.arm.role == role and s.timed] for role in SHOWING}
    timed["ceiling"] = in_most_processes(timed["ceiling"], evidence.rounds)

    def time(state: ArmState) -> float:
        return time_of(evidence.rounds(state))

    return _Common(
        evidence,
        baseline,
        None,
        min(timed["ceiling"], key=time, default=None),
        min(timed["allocation"], key=time, default=None),
        evidence.copies.limit(case, [undisturbed(copy) for copy in timed["ceiling"]]),
        min(map(time, timed["floor"]), default=0.0),
    )


def _status(state: ArmState, common: _Common, *, any_copy: bool) -> tuple[str, str]:
    """How the arm ended, as far as it can be said without a verdict; `any_copy`: there should be a ceiling."""
    if state.failure is not None:
        return state.failure
    time = common.evidence.time(state)
    if time is None:
        return "failed", "the experiment ended before its first round"
    report = state.finished.compile_report if state.finished else {}
    if report.get("eager_fallback") or report.get("recompiles"):
        return "mistrusted", f"torch.compile did not keep to one compiled graph: {report}"
    if state.arm.role in COMPETING:
        over_copy = beside(state, common.ceiling, common.evidence)
        processes = len({process for process, _ in common.evidence.rounds(state)})
        beaten = common.limit.beaten(time.hi, common.floor_s, over_copy.hi if over_copy else None, processes)
        if beaten is not None:
            return "mistrusted", beaten
        if any_copy and common.limit.unchecked:
            return "ok", common.limit.unchecked
    return "ok", ""


def _one_line(reason: str) -> str:
    """As it may stand in a file that any program opens, whatever a plugin has raised or printed."""
    text = in_csv(plain(reason))
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"


def _cell(experiment: Experiment, state: ArmState, stamp: Stamp, common: _Common) -> Cell:
    arm, prepared = state.arm, state.prepared
    cell = Cell(
        schema=SCHEMA,
        run_id=stamp.run_id,
        machine=stamp.machine,
        started_utc=stamp.started_utc,
        backend=arm.backend,
        variant=arm.variant.name,
        role=arm.role,
        case=experiment.case,
        status="",
        shard=stamp.shard,
        baseline=common.baseline.arm.backend,
        import_s=state.loaded.import_s if state.loaded else None,
        python=state.loaded.python if state.loaded else "",
        versions=_versions(state.loaded) if state.loaded else "",
        contended_rounds=state.contended if state.batches else None,
    )
    if prepared is not None:
        first = state.compiled or prepared
        cell = dataclasses.replace(
            cell,
            first_call_s=first.first_call_s,
            second_call_s=first.second_call_s,
            max_ulp=prepared.gate.max_ulp,
            special_values=plain(prepared.gate.special_values),
            threads_effective=prepared.threads_effective,
        )
    return cell


def _versions(loaded: Loaded) -> str:
    """``numba 0.61.2; llvmlite 0.44.0``, as they may stand in a file."""
    return _one_line("; ".join(f"{name} {version}" for name, version in loaded.versions.items()))


def _with_times(cell: Cell, state: ArmState, common: _Common) -> Cell:
    samples = np.array(list(common.evidence.rounds(state).values()))
    q25, median, q75 = (float(q) for q in np.quantile(samples, (0.25, 0.5, 0.75)))
    time, spread = common.evidence.time(state), common.evidence.of(state)
    assert time is not None, "it has batches"
    cpu_s, system_s, page_faults = state.cost_of_a_call
    cell = dataclasses.replace(
        cell,
        rounds=len(samples),
        iterations=state.iterations,
        time_s=time.value,
        time_lo_s=time.lo,
        time_hi_s=time.hi,
        min_s=float(samples.min()),
        q25_s=q25,
        median_s=median,
        q75_s=q75,
        max_s=float(samples.max()),
        dispatch_s=state.dispatch_s,
        device_s=state.device_s,
        queued_s=state.queued_s,
        processes=len({process for process, _ in common.evidence.rounds(state)}),
        process_sd=spread.sd,
        process_df=spread.df,
        kind=KINDS[state.is_parallel],
        kind_sd=spread.kind_sd,
        mean_over_median=state.mean_over_median,
        page_faults=page_faults,
        system_s=system_s,
        cpu_s=cpu_s,
        peak_bytes=state.finished.peak_bytes if state.finished else None,
    )
    if state.arm.role == "floor":
        return cell
    bytes_moved = cell.case.bytes_moved
    over_copy = beside(state, common.ceiling, common.evidence)
    cell = dataclasses.replace(
        cell,
        bytes_moved=bytes_moved,
        gb_per_s=bytes_moved / time.value / 1e9,
        ceiling_gb_per_s=gb_per_s(common.ceiling, bytes_moved, common.evidence),
        ceiling_fraction=share_of_copy(over_copy.value, state.device_s, common.ceiling.device_s)
        if over_copy and common.ceiling
        else None,
        allocating_gb_per_s=gb_per_s(common.allocation, bytes_moved, common.evidence),
    )
    return with_verdicts(cell, state, common.baseline, common.leader, common.evidence)
