"""What a run says of pairs of arms whose true ratios are known, by the rule and with the figures of that run."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.plan.experiments import arm_label, case_label
from bench.records.columns import TIMED
from bench.records.lines import Key, key_of
from bench.records.schema import Cell
from bench.stats.moderation import RoundVariance, each_beside, in_common, moderated
from bench.stats.verdicts import Pair, Rounds, judge, pair_of
from scripts._trust.arms import IDENTICAL, INSTALLED, INSTALLED_SLOWED, SLOWED, base_of, kind_of

__all__ = ["Judged", "judged_pairs", "troubles"]

_BESIDE_IDENTICAL = (INSTALLED, *INSTALLED_SLOWED, *SLOWED)
"""Kinds of arms that are judged beside each identical one."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one pair of arms of one experiment; the second is an identical one."""

    profile: str
    hour: str
    """`calm`, or what it was measured beside: `busy`, `worker`."""
    base: str
    experiment: str
    n: int
    kind: str
    """What the first arm is: `IDENTICAL`, or one of `_BESIDE_IDENTICAL`."""
    first: str
    second: str
    with_leader: int
    """1 if one of the two leads the experiment: the run itself reports these verdicts."""
    verdict: str
    ratio: float
    noise_floor: float
    rounds: int
    process_sd: float
    """The larger of the two arms'."""
    processes_needed: int
    half_width: float = math.nan
    """Of the ratio's 95 % interval, as a fraction of it; nan in studies that did not keep it."""


Place = tuple[str, str]
"""An experiment's label and the backend that its arms are made of."""


def judged_pairs(
    cells: Sequence[Cell], rounds: Mapping[Key, Rounds], profile: str, hour: str
) -> list[Judged]:
    """The pairs of each experiment that one of the candidates leads."""
    found = []
    baselines = {
        (case_label(cell.case), cell.variant): cell
        for cell in cells
        if cell.role == "baseline" and cell.status in TIMED
    }
    for (label, base), mine in _experiments(cells).items():
        leader = next(iter(mine)).leader
        leads = next((cell for cell in mine if leader == _label(cell)), None)
        if leads is None:
            continue
        base_cells = [baselines[label, base]] if (label, base) in baselines else []
        common = _common([*base_cells, *mine], [*base_cells, leads], rounds)
        for first, second in _pairs(mine):
            with_leader = int(leader in (_label(first), _label(second)))
            about = (profile, hour, base, label, first.case.n, kind_of(first.variant))
            judged = _judged(first, second, rounds, common)
            if judged is not None:
                found.append(
                    Judged(
                        *about,
                        first.variant,
                        second.variant,
                        with_leader,
                        *judged[:-1],
                        half_width=judged[-1],
                    )
                )
    return found


def troubles(cells: Sequence[Cell]) -> list[str]:
    """A line for each arm that has no time, and for each baseline that leads: such experiments tell nothing."""
    found: dict[str, list[str]] = defaultdict(list)
    for cell in cells:
        if cell.status not in TIMED:
            found[f"{_label(cell)}: {cell.status}: {cell.reason}"].append(case_label(cell.case))
        elif cell.role == "baseline" and cell.leader == _label(cell):
            found[f"{_label(cell)}: the baseline leads"].append(case_label(cell.case))
    return [f"{trouble} ({', '.join(labels)})" for trouble, labels in found.items()]


def _label(cell: Cell) -> str:
    return arm_label(cell.backend, cell.variant)


def _experiments(cells: Sequence[Cell]) -> dict[Place, list[Cell]]:
    """The candidates that have a time, by experiment."""
    found: dict[Place, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.role == "candidate" and cell.status in TIMED:
            found[case_label(cell.case), base_of(cell.backend)].append(cell)
    return found


def _pairs(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Cell]]:
    identical = [cell for cell in cells if kind_of(cell.variant) == IDENTICAL]
    others = [cell for cell in cells if kind_of(cell.variant) in _BESIDE_IDENTICAL]
    yield from itertools.combinations(identical, 2)
    yield from itertools.product(others, identical)


def _common(cells: Sequence[Cell], others: Sequence[Cell], rounds: Mapping[Key, Rounds]) -> RoundVariance:
    """What the pairs have in common that a run asks about: each arm beside the leader and beside the baseline."""
    asked = each_beside(cells, others)
    return in_common((rounds[key_of(one)], rounds[key_of(other)]) for one, other in asked)


def _pair(first: Cell, second: Cell, rounds: Mapping[Key, Rounds]) -> Pair | None:
    return pair_of(rounds[key_of(first)], rounds[key_of(second)])


def _judged(
    first: Cell, second: Cell, rounds: Mapping[Key, Rounds], common: RoundVariance
) -> tuple[str, float, float, int, float, int, float] | None:
    """Verdict, ratio, noise floor, rounds, the larger deviation of a process, processes needed, half-width.

    None if unknown.
    """
    pair = _pair(first, second, rounds)
    sds = [cell.process_sd for cell in (first, second) if cell.process_sd is not None]
    dfs = [cell.process_df for cell in (first, second) if cell.process_df is not None]
    if pair is None or len(sds) < 2 or len(dfs) < 2:
        return None
    # both arms are of one kind, serial or parallel, so nothing but their own processes differs
    verdict = judge(moderated(pair, common), sum(sd**2 for sd in sds), min(dfs))
    figures = (verdict.word, verdict.ratio.value, verdict.noise_floor)
    return *figures, pair.rounds, max(sds), verdict.processes, verdict.ratio.half_width
