"""The figures of an experiment's cells once more, from their rounds, by the suite's own arithmetic.

What rounds give alone has to be there to the last digits: times, intervals, quartiles, ratios.  A verdict rests besides
on how much the rounds of all pairs vary, which a run may have learnt before it knew what slow CPUs cost: its error may
be a little larger or smaller than what the files give, and the word is wrong only if it is so for both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.judging.ceiling import Copies, CopyBatch, calm_seconds, in_most_processes, share_of_copy
from bench.plan.experiments import arm_label
from bench.records.columns import TIMED
from bench.records.schema import Cell, Round, values_of
from bench.stats.fastest import COMPETING
from bench.stats.moderation import moderated
from bench.stats.process_spread import Spread, variance_between
from bench.stats.verdicts import Pair, Rounds, Verdict, alone, judge, pair_of, time_interval, time_of
from scripts._merge.parts import Whole
from scripts._shared.pairs import rounds_vary

__all__ = ["Recomputed"]

_ROUNDING = 1e-6
"""Of a figure that rounds give alone."""
_MORE = 1.1
"""By so much the error of a pair may differ from what the files give."""
_MAY_LACK = ("ceiling_gb_per_s", "ceiling_fraction", "allocating_gb_per_s")
"""What a run may leave out where copies were disturbed."""


@dataclass(frozen=True, slots=True)
class _Arm:
    cell: Cell
    batches: Sequence[Round]
    rounds: Rounds

    @property
    def spread(self) -> Spread | None:
        """How much its processes differ, as the run has it; None where it does not say."""
        cell = self.cell
        if cell.process_sd is None or cell.process_df is None:
            return None
        return Spread(cell.process_sd, cell.process_df, cell.kind_sd or 0.0)

    @property
    def ranked(self) -> bool:
        return self.cell.role in COMPETING and self.cell.status in TIMED

    @property
    def label(self) -> str:
        return arm_label(self.cell.backend, self.cell.variant)


class Recomputed:
    """Goes through the experiments of a run, in their order; arms are the same within `resolve`, a fraction."""

    def __init__(self, resolve: float) -> None:
        self._resolve, self._copies = resolve, Copies()

    def faults(self, wholes: Sequence[Whole]) -> Iterator[tuple[Cell, str]]:
        """Of the cells of one case, each thing that their rounds do not give."""
        arms = [
            _Arm(each.cell, each.rounds, {(r.process, r.round): r.seconds for r in each.rounds})
            for each in wholes
            if each.rounds and each.cell.status in TIMED
        ]
        doubtful = any(_is_baseline(each.cell) and each.cell.status == "mistrusted" for each in wholes)
        case = _Experiment(arms, self._resolve, doubtful=doubtful)
        limit_s = [_undisturbed(copy.batches) for copy in case.ceilings]
        limit = self._copies.limit(wholes[0].cell.case, limit_s)
        floor_s = min((time_of(each.rounds) for each in case.of_role("floor")), default=0.0)
        for arm in arms:
            yield from ((arm.cell, fault) for fault in _unlike(arm.cell, _alone(arm) | case.ratios(arm)))
            yield from ((arm.cell, fault) for fault in case.verdicts(arm))
            beside = case.verdict(arm, case.ceiling) if arm.ranked else None
            if arm.ranked and arm.cell.time_hi_s is not None:
                processes = len({process for process, _ in arm.rounds})
                over_copy = beside.ratio.hi if beside else None
                beaten = limit.beaten(arm.cell.time_hi_s, floor_s, over_copy, processes)
                if beaten is not None:
                    yield arm.cell, beaten


class _Experiment:
    """The arms of a case that have rounds, and what each is beside the others."""

    def __init__(self, arms: Sequence[_Arm], resolve: float, *, doubtful: bool) -> None:
        """`doubtful`: the baseline is not trusted, and the files do not say whether ratios over it were made."""
        self._arms, self._resolve, self._doubtful = arms, resolve, doubtful
        ranked = [arm for arm in arms if arm.ranked]
        self.ceilings = in_most_processes(self.of_role("ceiling"), lambda copy: copy.rounds)
        self.ceiling = self._fastest(self.ceilings)
        self._allocation = self._fastest(self.of_role("allocation"))
        self._leader = self._fastest(ranked)
        self._baseline = next((arm for arm in arms if _is_baseline(arm.cell)), None)
        self._vary = rounds_vary((values_of(arm.cell), arm.rounds) for arm in arms)

    def of_role(self, role: str) -> list[_Arm]:
        return [arm for arm in self._arms if arm.cell.role == role]

    @staticmethod
    def _fastest(arms: Sequence[_Arm]) -> _Arm | None:
        return min(arms, key=lambda arm: time_of(arm.rounds), default=None)

    def ratios(self, arm: _Arm) -> dict[str, Any]:
        """The columns that paired rounds give."""
        found: dict[str, Any] = {}
        if arm.cell.role == "floor":
            return found
        moved = arm.cell.case.bytes_moved
        if self.ceiling is not None:
            found["ceiling_gb_per_s"] = moved / time_of(self.ceiling.rounds) / 1e9
            found["ceiling_fraction"] = self._share(arm, self.ceiling)
        if self._allocation is not None:
            found["allocating_gb_per_s"] = moved / time_of(self._allocation.rounds) / 1e9
        if not self._doubtful:
            found["speedup"] = self._times(arm, self._baseline)
        if arm.ranked and self._leader is not None:
            over = self._times(self._leader, arm)
            found |= {"leader": self._leader.label, "over_leader": over}
        return found

    def _share(self, arm: _Arm, copy: _Arm) -> float | None:
        speed = self._times(arm, copy)
        over = None if speed is None else 1 / speed
        return None if over is None else share_of_copy(over, arm.cell.device_s, copy.cell.device_s)

    @staticmethod
    def _times(arm: _Arm, other: _Arm | None) -> float | None:
        """How many times as fast as the other; None without a round that both have."""
        if other is None:
            return None
        pair = pair_of(arm.rounds, other.rounds)
        return 1.0 if arm is other else math.exp(-pair.log_ratio) if pair else None

    def verdicts(self, arm: _Arm) -> Iterator[str]:
        """What is wrong with the row's words, and with the intervals of its ratios."""
        cell = arm.cell
        if not arm.ranked:
            return
        if cell.role == "candidate" and self._baseline is not None:
            columns = (cell.verdict, cell.noise_floor, cell.speedup_lo, cell.speedup_hi)
            yield from self._wrong(arm, self._baseline, ("verdict", "speedup"), columns, turned=True)
        if self._leader is not None and self._leader is not arm:
            columns = (cell.leader_verdict, cell.leader_noise_floor, cell.over_leader_lo, cell.over_leader_hi)
            yield from self._wrong(
                arm, self._leader, ("leader_verdict", "over_leader"), columns, turned=False
            )
        open_ = "unresolved" in (cell.verdict, cell.leader_verdict)
        if open_ and cell.status == "ok":
            yield "ok, and a verdict is unresolved"

    def _wrong(
        self, arm: _Arm, other: _Arm, names: tuple[str, str], columns: tuple[Any, ...], *, turned: bool
    ) -> Iterator[str]:
        if arm is other:
            return
        found = [self.verdict(arm, other, factor) for factor in (1.0, 1 / _MORE, _MORE)]
        words = list(dict.fromkeys(each.word for each in found if each is not None))
        if not words:
            return  # no round in common, or nothing is said of processes
        word, floor, low, high = columns
        if word not in words:
            yield f"{names[0]} is {word or 'empty'}, its rounds give {' or '.join(words)}"
        _, narrow, wide = (each for each in found if each is not None)
        if floor is None or not _within(floor, narrow.noise_floor, wide.noise_floor):
            yield f"the noise floor beside {other.label} is {floor}, its rounds give about {wide.noise_floor:.3g}"
        bounds = [(each.ratio.lo, each.ratio.hi) for each in (narrow, wide)]
        if turned:
            bounds = [(1 / hi, 1 / lo if lo else math.inf) for lo, hi in bounds]
        (narrow_lo, narrow_hi), (wide_lo, wide_hi) = bounds
        inside = low is not None and _within(low, wide_lo, narrow_lo)
        if not inside or high is None or not _within(high, narrow_hi, wide_hi):
            yield f"{names[1]} lies from {low} to {high}, its rounds give about {wide_lo:.4g} to {wide_hi:.4g}"

    def verdict(self, arm: _Arm, other: _Arm | None, factor: float = 1.0) -> Verdict | None:
        """On `arm` beside `other`, with an error so many times as large; None where it cannot be told."""
        pair = None if other is None else pair_of(arm.rounds, other.rounds)
        if pair is None or other is None or arm.spread is None or other.spread is None:
            return None
        variance, df = variance_between(arm.spread, other.spread, alike=arm.cell.kind == other.cell.kind)
        wider: Pair = moderated(pair, self._vary)
        wider = replace(wider, se=wider.se * factor)
        return judge(wider, variance * factor**2, df, self._resolve)


def _is_baseline(cell: Cell) -> bool:
    """Whether speed-ups are over it: the baseline, or what stood in for it."""
    return cell.role in COMPETING and cell.backend == cell.baseline and not cell.variant


def _alone(arm: _Arm) -> dict[str, Any]:
    """The columns that an arm's own rounds give."""
    samples = np.array(list(arm.rounds.values()))
    pair, spread, cell = alone(arm.rounds), arm.spread, arm.cell
    assert pair is not None, "it has rounds"
    q25, median, q75 = (float(each) for each in np.quantile(samples, (0.25, 0.5, 0.75)))
    time_s = time_of(arm.rounds)
    found: dict[str, Any] = {"rounds": len(samples), "processes": pair.processes, "time_s": time_s}
    found |= {"min_s": float(samples.min()), "q25_s": q25, "median_s": median, "q75_s": q75}
    found |= {"max_s": float(samples.max()), "contended_rounds": sum(each.contended for each in arm.batches)}
    if spread is not None:
        interval = time_interval(pair, spread.sd**2 + spread.kind_sd**2, spread.df)
        found |= {"time_lo_s": interval.lo, "time_hi_s": interval.hi}
    if cell.role != "floor":
        moved = cell.case.bytes_moved
        found |= {"bytes_moved": moved, "gb_per_s": moved / time_s / 1e9}
    return found


def _unlike(cell: Cell, wanted: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each column that is not what it has to be."""
    for name, real in wanted.items():
        told = getattr(cell, name)
        if told is None and name in _MAY_LACK:
            continue
        if not _same(told, real):
            said = "empty" if told in (None, "") else told
            yield f"{name} is {said}, its rounds give {'none' if real is None else real}"


def _same(told: Any, real: Any) -> bool:
    if told is None or real is None or isinstance(real, str):
        return bool(told == real)
    return bool(told == real) or abs(told - real) <= _ROUNDING * abs(real)


def _within(value: float, low: float, high: float) -> bool:
    """Whether it lies between the two, but for rounding; either may be inf."""
    least = low if math.isinf(low) else low - _ROUNDING * abs(low)
    most = high if math.isinf(high) else high + _ROUNDING * abs(high)
    return least <= value <= most


def _undisturbed(batches: Sequence[Round]) -> list[float]:
    """What bounds an arm, of each of a copy's batches, as `bench.run.copies` has it."""
    return calm_seconds(
        [
            CopyBatch(
                batch.part_q25_s or batch.seconds,
                batch.mean_s or batch.seconds,
                (batch.waited_s or 0.0) / batch.iterations,
                bool(batch.contended),
            )
            for batch in batches
        ]
    )
