"""How many times faster one arm is than another, and what is known of that, as well as the cells at hand tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bench.plan.experiments import arm_label
from bench.stats.estimates import Interval
from bench.stats.moderation import RoundVariance
from bench.text.units import percent_text
from scripts._shared.pairs import Gain, Timed, gain

__all__ = ["ITSELF", "Ratio", "Row", "apart", "between", "paired", "rows_of"]

Row = Mapping[str, Any]
"""A timed cell: its columns, and what `scripts._shared.summary.prepare` adds."""

_LEAST_ROUNDS = 4
"""With fewer rounds in common an interval says little."""
_OPPOSITE = {"faster": "slower", "slower": "faster"}


@dataclass(frozen=True, slots=True)
class Ratio:
    """`value` times faster, `lo` to `hi` (NaN: unknown); `verdict` is that on the arm whose gain it is.

    `how` says where they come from; `noise_floor` is the smallest difference that would have been seen.  Where the
    verdict is unresolved, about `resolve_s` more seconds of rounds or `resolve_processes` in all would resolve it,
    None where that is not known or no number would.
    """

    value: float
    lo: float
    hi: float
    verdict: str
    how: str
    noise_floor: float = math.nan
    resolve_s: float | None = None
    resolve_processes: int | None = None


ITSELF = Ratio(1.0, 1.0, 1.0, "same", "it is the same arm", 0.0)


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """The rows of a frame of cells."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def paired(slow: Row, fast: Row, rounds: tuple[Timed, Timed], resolve: float, common: RoundVariance) -> Ratio:
    """time of `slow` / time of `fast`, two arms of one experiment, and the verdict on `fast`.

    `rounds` are theirs, and they are the same within `resolve`, a fraction; `common` is how much the rounds of the
    experiment vary (`scripts._shared.pairs.rounds_vary`).  Round by round where the rounds are there, else as
    the run itself judged the two, else from their speed-ups.
    """
    of_slow, of_fast = rounds
    found = gain(of_fast, of_slow, resolve=resolve, common=common)
    if found is None or found.pair.rounds < _LEAST_ROUNDS:
        return _judged(slow, fast) or _turned(_judged(fast, slow)) or _from_speedups(slow, fast)
    times, floor = found.times, found.verdict.noise_floor
    ratio = Ratio(times.value, times.lo, times.hi, found.word, _how(found), floor)
    if found.word != "unresolved":
        return ratio
    more = (found.verdict.rounds - found.pair.rounds) * (of_slow.batch_s + of_fast.batch_s)
    needed_s = more if math.isfinite(more) else None
    return replace(ratio, resolve_s=needed_s, resolve_processes=found.verdict.processes)


def apart(slow: Row, fast: Row) -> Ratio:
    """time of `slow` / time of `fast`, measured in different experiments: not paired, so less sure."""
    return between(
        Interval(
            slow["time_s"] / fast["time_s"],
            _number(slow["time_lo_s"]) / _number(fast["time_hi_s"]),
            _number(slow["time_hi_s"]) / _number(fast["time_lo_s"]),
        ),
        max(map(_left_out, (slow, fast))),
        "from two experiments, not paired",
    )


def between(found: Interval, noise: float, how: str) -> Ratio:
    """The ratio with that interval, widened by `noise`: faster, slower, or unresolved; it cannot show the same."""
    lo, hi = found.lo / (1 + noise), found.hi * (1 + noise)
    word = "faster" if lo > 1 else "slower" if hi < 1 else "unresolved"
    return Ratio(found.value, found.lo, found.hi, word, how)


def _how(found: Gain) -> str:
    many = f"in {found.pair.processes} processes each" if found.pair.processes > 1 else "in one process each"
    if found.assumed is None:
        return f"paired round by round, {many}"
    assumed = percent_text(found.assumed.sd)
    return (
        f"paired round by round, {many}; that processes differ by {assumed} is assumed, the run does not say"
    )


def _judged(slow: Row, fast: Row) -> Ratio | None:
    """What the run says of the two, if `slow` is its baseline or `fast` its leader."""
    how = "as the run judged it"
    if slow["leader_verdict"] and slow["leader"] == arm_label(str(fast["backend"]), str(fast["variant"])):
        over = Interval(
            *(_number(slow[name]) for name in ("over_leader", "over_leader_lo", "over_leader_hi"))
        )
        word = _OPPOSITE.get(slow["leader_verdict"], str(slow["leader_verdict"]))
        return Ratio(over.value, over.lo, over.hi, word, how, _number(slow["leader_noise_floor"]))
    if slow["role"] == "baseline" and fast["verdict"] and fast["leader"]:
        over = Interval(*(_number(fast[name]) for name in ("speedup", "speedup_lo", "speedup_hi")))
        return Ratio(over.value, over.lo, over.hi, str(fast["verdict"]), how, _number(fast["noise_floor"]))
    return None


def _turned(ratio: Ratio | None) -> Ratio | None:
    """The same of the other arm."""
    if ratio is None:
        return None
    word = _OPPOSITE.get(ratio.verdict, ratio.verdict)
    return replace(ratio, value=1 / ratio.value, lo=1 / ratio.hi, hi=1 / ratio.lo, verdict=word)


def _from_speedups(slow: Row, fast: Row) -> Ratio:
    def bounds(row: Row) -> tuple[float, float]:
        own = 1.0 if row["role"] == "baseline" else math.nan
        return _number(row["speedup_lo"], own), _number(row["speedup_hi"], own)

    (slow_lo, slow_hi), (fast_lo, fast_hi) = bounds(slow), bounds(fast)
    found = Interval(
        slow["time_s"] / fast["time_s"],
        fast_lo / slow_hi if slow_hi else math.nan,
        fast_hi / slow_lo if slow_lo else math.nan,
    )
    return between(found, max(map(_left_out, (slow, fast))), "from the speed-ups over the baseline")


def _left_out(row: Row) -> float:
    """What the intervals of a row leave out, as a fraction: in files of schema 1 how processes differ."""
    return 0.0 if row["leader"] else _number(row["noise_floor"], 0.0)


def _number(value: Any, otherwise: float = math.nan) -> float:
    number = float(value)
    return otherwise if math.isnan(number) else number
