"""Suspected cells measured again: old and new as arms of one experiment where both are here, in new processes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.plan.experiments import Arm, Experiment, Variant
from bench.plan.options import parse
from bench.records.columns import TIMED
from bench.records.find_runs import has_rows
from bench.records.reading import read_cells, read_rounds
from bench.stats.comparison import Comparison
from bench.stats.confirmation import Repeated
from bench.stats.verdicts import pair_of
from kernels.api import AXES
from kernels.networks.case import case_of
from scripts._compare.recipes import Recipe, why_both
from scripts._shared.measured import measure

__all__ = ["PROCESSES", "Again", "Plan", "measured_again", "plan"]

PROCESSES = 4
"""New processes of each side: as many as tell how much they differ."""
_SECONDS = 2.0
"""Of rounds for a cell in each of them: more than a run of the quick profile gives an arm."""
_OLD, _NEW = "old", "new"


@dataclass(frozen=True, slots=True)
class Plan:
    """One suspected cell, to be measured again."""

    row: int
    """Its label in a comparison's cells."""
    experiment: Experiment
    both: bool
    against: bool
    """Whether its value is over the other arm of the experiment: old, or the baseline."""
    why: str


@dataclass(frozen=True, slots=True)
class Again:
    """What was measured: by row, and one line that says what and why."""

    cells: Mapping[int, Repeated]
    said: str


def plan(found: Comparison, old: Recipe, new: Recipe, baseline: str, *, relative: bool) -> list[Plan]:
    """How each suspected cell is measured.  Raises UsageError (see `Recipe.arm_environ`)."""
    plans = []
    row: Any  # pandas loses the columns' types
    for row in found.cells[found.cells["suspected"]].itertuples():
        backend, variant = str(row.backend), str(row.variant)
        case = case_of(
            **{axis: getattr(row, axis) for axis in AXES} | {"n": int(row.n), "threads": int(row.threads)}
        )
        why = why_both(old, new, variant)
        arm = _arm(_NEW, backend, "candidate", new, variant)
        if why is not None:
            arms: tuple[Arm, ...] = (_arm(_OLD, backend, "baseline", old, variant), arm)
        elif relative:
            arms = (_beside(arm, baseline, new), arm)
        else:
            arms = (dataclasses.replace(arm, role="baseline"),)
        plans.append(Plan(int(row.Index), Experiment(case, arms), why is not None, len(arms) > 1, why or ""))
    return plans


def _arm(name: str, backend: str, role: str, side: Recipe, variant: str) -> Arm:
    label = f"{name}-{variant}" if variant else name
    return Arm(backend, role, Variant(label, tuple(side.arm_environ(variant).items())))


def _beside(arm: Arm, baseline: str, side: Recipe) -> Arm:
    """The baseline for one arm; its variant's name keeps it apart from that of another arm of the case."""
    return Arm(baseline, "baseline", Variant(f"for-{arm.label}", tuple(side.arm_environ("").items())))


def measured_again(plans: Sequence[Plan], plugins: Mapping[str, str], results: Path) -> Again:
    """Measure them; the runs are kept under `results`.  Raises RunFilesError and ReadError."""
    seconds = PROCESSES * _SECONDS * len(plans)
    print(f"{len(plans)} suspected cells are measured again: {seconds:.0f} s of rounds", file=sys.stderr)
    run = _measure([each.experiment for each in plans], plugins, results)
    rounds, failed = _rounds(run), _failures(run)
    cells = {}
    for each in plans:
        values, variances = _values(each, rounds)
        if values:
            cells[each.row] = Repeated(values, variances, each.both)
    return Again(cells, _said(plans, cells, failed, run))


def _measure(chosen: Sequence[Experiment], plugins: Mapping[str, str], results: Path) -> Path:
    """The cells.csv of the run."""
    raw: dict[str, Any] = {
        "results": str(results),
        "run_id": f"confirm-{datetime.now(UTC):%Y%m%d-%H%M%S}",
        "processes": str(PROCESSES),
        "max_seconds": str(PROCESSES * _SECONDS),
    }
    return measure(parse(raw), chosen, plugins)


Samples = dict[tuple[str, str], dict[tuple[int, int], float]]
"""Seconds by process and round, of each arm of a case by backend and variant."""


def _rounds(run: Path) -> dict[Any, Samples]:
    """By case."""
    found: dict[Any, Samples] = {}
    if not has_rows(run.with_name("rounds.csv")):
        return found
    row: Any  # pandas loses the columns' types
    for row in read_rounds([run.with_name("rounds.csv")]).itertuples():
        case = case_of(**{axis: getattr(row, axis) for axis in AXES})
        arm = found.setdefault(case, {}).setdefault((str(row.backend), str(row.variant)), {})
        arm[int(row.process), int(row.round)] = float(row.seconds)
    return found


def _failures(run: Path) -> list[str]:
    """Why arms have no time, each reason once."""
    cells = read_cells([run], ("status", "reason"))
    bad = cells[~cells["status"].isin(TIMED)]
    return list(dict.fromkeys(f"{row.backend}: {row.status}, {row.reason}" for row in bad.itertuples()))


def _values(each: Plan, rounds: Mapping[Any, Samples]) -> tuple[list[float], list[float]]:
    """One for each process in which all arms of the cell have rounds enough."""
    arms = rounds.get(each.experiment.case, {})
    samples = [arms.get((arm.backend, arm.variant.name), {}) for arm in each.experiment.arms]
    values, variances = [], []
    for process in sorted({process for process, _ in samples[-1]}):
        mine = [{place: s for place, s in some.items() if place[0] == process} for some in samples]
        pair = pair_of(mine[-1], mine[0] if each.against else dict.fromkeys(mine[0], 1.0))
        if pair is not None and np.isfinite(pair.se):
            values.append(pair.log_ratio)
            variances.append(pair.se**2)
    return values, variances


def _said(plans: Sequence[Plan], cells: Mapping[int, Repeated], failed: Sequence[str], run: Path) -> str:
    both = [each for each in plans if each.both]
    parts = []
    if both:
        why = "; ".join(dict.fromkeys(each.why for each in both))
        parts.append(f"{len(both)} on both sides, old and new side by side ({why})")
    if len(both) < len(plans):
        parts.append(
            f"{len(plans) - len(both)} of NEW alone, as nothing says that the code of OLD is still here "
            "(--old-path DIR does): they are judged against the runs of OLD, which may have jumped, "
            "and so are mostly unresolved"
        )
    lost = len(plans) - len(cells)
    trouble = f" {lost} have no time ({'; '.join(failed[:3]) or 'too few rounds'})." if lost else ""
    return (
        f"Measured again in {PROCESSES} new processes a side: {'; '.join(parts)}. "
        f"The suspected cells are judged by that alone.{trouble} The run is kept in {run.parent}/."
    )
