"""The columns of cells.csv that say what an arm is beside the baseline and beside the leader of its case."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from bench.plan.option_table import MOST_PROCESSES
from bench.records.columns import TIMED
from bench.records.schema import Cell
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence
from bench.stats.fastest import COMPETING
from bench.stats.verdicts import Verdict

__all__ = ["is_resolved", "with_verdicts"]


def with_verdicts(
    cell: Cell, state: ArmState, baseline: ArmState, leader: ArmState | None, evidence: Evidence
) -> Cell:
    """`cell` of a timed arm with its verdicts; `noisy`, with the reason, if something asked about it is not known.

    Ranked arms have verdicts; the controls have a speed-up alone.
    """
    ranked = state.arm.role in COMPETING and cell.status in TIMED
    asked = {}
    if baseline.timed:
        cell, asked[baseline.arm.label] = _over_baseline(cell, state, baseline, evidence, ranked=ranked)
    if ranked and leader is not None:
        cell, asked[leader.arm.label] = _over_leader(cell, state, leader, evidence)
    return _or_noisy(cell, state, {name: found for name, found in asked.items() if found}, evidence)


def _over_baseline(
    cell: Cell, state: ArmState, baseline: ArmState, evidence: Evidence, *, ranked: bool
) -> tuple[Cell, Verdict | None]:
    if state is baseline:
        return dataclasses.replace(cell, speedup=1.0, speedup_lo=1.0, speedup_hi=1.0), None
    found = evidence.verdict(state, baseline)
    if found is None:
        return cell, None
    cell = dataclasses.replace(
        cell,
        speedup=1 / found.ratio.value,
        speedup_lo=1 / found.ratio.hi,
        speedup_hi=1 / found.ratio.lo if found.ratio.lo else math.inf,
        noise_floor=found.noise_floor,
        verdict=found.word if ranked and state.arm.role == "candidate" else "",
    )
    return cell, found if ranked else None


def _over_leader(
    cell: Cell, state: ArmState, leader: ArmState, evidence: Evidence
) -> tuple[Cell, Verdict | None]:
    cell = dataclasses.replace(cell, leader=leader.arm.label)
    if state is leader:
        itself = dataclasses.replace(
            cell, over_leader=1.0, over_leader_lo=1.0, over_leader_hi=1.0, leader_verdict="same"
        )
        return itself, None
    found = evidence.verdict(state, leader)
    if found is None:
        return dataclasses.replace(cell, leader_verdict="unresolved"), None
    cell = dataclasses.replace(
        cell,
        over_leader=found.ratio.value,
        over_leader_lo=found.ratio.lo,
        over_leader_hi=found.ratio.hi,
        leader_noise_floor=found.noise_floor,
        leader_verdict=found.word,
    )
    return cell, found


def _or_noisy(cell: Cell, state: ArmState, asked: dict[str, Verdict], evidence: Evidence) -> Cell:
    """`noisy` if a verdict is unresolved, with what resolving takes, or if the time is wider than was asked for."""
    if cell.status != "ok":
        return cell
    open_ = {name: found for name, found in asked.items() if found.word == "unresolved"}
    reasons = [
        f"unresolved beside {name}: only a difference of {100 * found.noise_floor:.1f} % or more would have been seen"
        for name, found in open_.items()
    ]
    if open_:
        cell = _with_needs(cell, state, list(open_.values()))
        reasons.append(_advice(cell))
    if not evidence.precise(state) and state.arm.role != "floor":
        reasons.append(
            f"95 % interval of the time wider than ±{100 * (evidence.target_ci or 0.0):.1f} % (--target-ci); "
            "more --max-seconds, or more --processes, narrows it"
        )
    return dataclasses.replace(cell, status="noisy", reason="; ".join(reasons)) if reasons else cell


def _with_needs(cell: Cell, state: ArmState, open_: Sequence[Verdict]) -> Cell:
    """How many seconds of rounds more, or how many processes, resolve all of them."""
    rounds, processes = max(each.rounds for each in open_), max(each.processes for each in open_)
    each_s = sum(batch.timed_s for batch in state.batches) / len(state.batches)
    more_s = 2 * each_s * (rounds - len(state.batches))  # the other arm of the pair takes as long
    return dataclasses.replace(
        cell,
        resolve_s=more_s if math.isfinite(more_s) else None,
        resolve_processes=processes,
    )


def _advice(cell: Cell) -> str:
    if cell.resolve_s is None and (cell.resolve_processes or 0) > MOST_PROCESSES:
        return "on this machine, as it is now, neither more time nor more processes would tell"
    if cell.resolve_s is None:
        return f"more time alone will not tell, --processes {cell.resolve_processes} would"
    return f"about {max(cell.resolve_s, 1.0):.0f} s more for the two would tell (--max-seconds)"


def is_resolved(states: Sequence[ArmState], evidence: Evidence) -> bool:
    """Whether every pair that is asked about has a verdict, and every time is as precise as was asked for."""
    return all(map(evidence.precise, states)) and all(
        found is not None and found.word != "unresolved"
        for found in (evidence.verdict(one, other) for one, other in evidence.asked_about(states))
    )
