"""How many times faster one arm is than another, and what is known of that, as well as the cells at hand tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bench.plan.experiments import arm_label
from bench.records.schema import CELL_KEY
from bench.stats.estimates import Interval
from bench.stats.frames import timed
from bench.text.units import percent_text
from scripts._recommend.runs import Evidence
from scripts._shared.pairs import Gain, gain, timed_of

__all__ = ["ITSELF", "Ratio", "Row", "apart", "between", "paired"]

Row = Mapping[str, Any]
"""A timed cell: its columns, and what `scripts._shared.summary.prepare` adds."""

_LEAST_ROUNDS = 4
"""With fewer rounds in common an interval says little."""
_TURNED = {"faster": "slower", "slower": "faster"}


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


def paired(evidence: Evidence, slow: Row, fast: Row) -> Ratio:
    """time of `slow` / time of `fast`, two arms of one experiment, and the verdict on `fast`.

    Round by round where the rounds are there, else as the run itself judged the two, else from their speed-ups.
    """
    rounds = [_rounds(evidence, row) for row in (fast, slow)]
    one, other = (timed_of(timed(some), row) for some, row in zip(rounds, (fast, slow), strict=True))
    found = gain(one, other, resolve=evidence.resolve(str(fast["run_id"])))
    if found is None or found.pair.rounds < _LEAST_ROUNDS:
        return _judged(slow, fast) or _from_speedups(slow, fast)
    times, floor = found.times, found.verdict.noise_floor
    ratio = Ratio(times.value, times.lo, times.hi, found.word, _how(found), floor)
    if found.word != "unresolved":
        return ratio
    more = (found.verdict.rounds - found.pair.rounds) * sum(map(_batch_s, rounds))
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
        word = _TURNED.get(slow["leader_verdict"], str(slow["leader_verdict"]))
        return Ratio(over.value, over.lo, over.hi, word, how, _number(slow["leader_noise_floor"]))
    if slow["role"] == "baseline" and fast["verdict"] and fast["leader"]:
        over = Interval(*(_number(fast[name]) for name in ("speedup", "speedup_lo", "speedup_hi")))
        return Ratio(over.value, over.lo, over.hi, str(fast["verdict"]), how, _number(fast["noise_floor"]))
    return None


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


def _rounds(evidence: Evidence, row: Row) -> pd.DataFrame:
    """The rows of the arm's rounds, none where the run has none."""
    rounds = evidence.rounds(str(row["run_id"]))
    if rounds is None:
        return pd.DataFrame({"process": [], "round": [], "seconds": [], "iterations": []})
    keep = np.ones(len(rounds), bool)
    for name in CELL_KEY:
        keep &= (rounds[name] == row[name]).to_numpy()
    return rounds[keep]


def _batch_s(rounds: pd.DataFrame) -> float:
    """Seconds that a batch takes."""
    return float((rounds["seconds"] * rounds["iterations"]).mean())


def _number(value: Any, otherwise: float = math.nan) -> float:
    number = float(value)
    return otherwise if math.isnan(number) else number
