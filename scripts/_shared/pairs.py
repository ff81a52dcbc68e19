"""Two arms of one experiment beside each other, by the rounds in a run's files: the verdict that the run has."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from bench.stats.estimates import Interval
from bench.stats.fastest import COMPETING
from bench.stats.moderation import UNKNOWN, RoundVariance, each_beside, in_common, moderated
from bench.stats.process_spread import ProcessSpread, Spread, variance_between
from bench.stats.verdicts import RESOLVE, Pair, Rounds, Verdict, judge, pair_of, time_of

__all__ = ["SPREAD_COLUMNS", "Gain", "Timed", "gain", "rounds_vary", "timed_of"]

SPREAD_COLUMNS = ("process_sd", "process_df", "kind", "kind_sd")
"""The columns of cells.csv that say how much processes differ."""

_NOT_SAID = ProcessSpread().spread("", 0)
"""How much processes differ where a file does not say: what every run starts from."""


@dataclass(frozen=True, slots=True)
class Timed:
    """The rounds of one arm, how much its processes differ, and its kind; None and "" where the file does not say.

    `batch_s` is how many seconds a batch takes.
    """

    rounds: Rounds
    spread: Spread | None = None
    kind: str = ""
    batch_s: float = math.nan


@dataclass(frozen=True, slots=True)
class Gain:
    """What an arm is beside another: `word` is its verdict, `times` the other's time over its own.

    `assumed` is the spread of processes that had to be assumed, None if it was measured.
    """

    word: str
    times: Interval
    pair: Pair
    verdict: Verdict
    assumed: Spread | None = None


def timed_of(rounds: Rounds, cell: Any, batch_s: float = math.nan) -> Timed:
    """The arm with these rounds, whose row of cells.csv is `cell`: its columns by name."""
    sd, df, kind_sd = (float(cell[name]) for name in ("process_sd", "process_df", "kind_sd"))
    if math.isnan(sd) or math.isnan(df):
        return Timed(rounds, None, str(cell["kind"]), batch_s)
    shared = _NOT_SAID.kind_sd if math.isnan(kind_sd) else kind_sd
    return Timed(rounds, Spread(sd, df, shared), str(cell["kind"]), batch_s)


def rounds_vary(arms: Iterable[tuple[Any, Rounds]]) -> RoundVariance:
    """How much the rounds of an experiment vary, as its run has it: of all its timed rows, each with its rounds."""
    known = [(cell, rounds) for cell, rounds in arms if rounds]
    ranked = [(cell, rounds) for cell, rounds in known if cell["role"] in COMPETING]
    leader = min((rounds for _, rounds in ranked), key=time_of, default=None)
    others = [rounds for cell, rounds in ranked if rounds is leader or _is_baseline(cell)]
    asked = each_beside([rounds for _, rounds in ranked], others)
    ablations = [
        (rounds, whole)
        for cell, rounds in known
        for its, whole in ranked
        if cell["role"] == "ablation" and _name(cell) == _name(its)
    ]
    return in_common([*asked, *ablations])


def _is_baseline(cell: Any) -> bool:
    """Or what stood in for it."""
    return _name(cell) == (str(cell["baseline"]), "")


def _name(cell: Any) -> tuple[str, str]:
    return str(cell["backend"]), str(cell["variant"])


def gain(
    arm: Timed,
    other: Timed,
    *,
    resolve: float = RESOLVE,
    at_least: float = 1.0,
    common: RoundVariance = UNKNOWN,
) -> Gain | None:
    """The verdict on `arm` beside `other`; None without a round that both have.

    `at_least`: the verdict is on the arm beside this part of the other's time, ``faster`` if it is more than this many
    times as fast.  `times` stays the ratio as it is.  `common` is how much the rounds of their experiment vary
    (`rounds_vary`).
    """
    pair = pair_of(arm.rounds, other.rounds)
    if pair is None:
        return None
    pair = moderated(pair, common)
    alike = arm.kind == other.kind
    variance, df = variance_between(arm.spread or _NOT_SAID, other.spread or _NOT_SAID, alike=alike)
    asked = replace(pair, log_ratio=pair.log_ratio + math.log(at_least))
    found = judge(asked, variance, df, resolve)
    ratio = found.ratio
    times = Interval(
        *(at_least / bound if bound else math.inf for bound in (ratio.value, ratio.hi, ratio.lo))
    )
    known = arm.spread is not None and other.spread is not None
    return Gain(found.word, times, pair, found, None if known else _NOT_SAID)
