"""What a recommendation says in sentences: the answer, why, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterator

from bench.stats.estimates import Interval
from bench.text.commands import as_typed
from bench.text.sizes import format_size
from bench.text.units import number_text, percent_text, ratio_text, seconds_text
from scripts._recommend.ranking import Answer, arm_of
from scripts._recommend.runs import Evidence
from scripts._recommend.settings import Setting, settings
from scripts._recommend.trust import Distrust, floor_text
from scripts._shared.ratios import Ratio, Row
from scripts._shared.why import reasons

__all__ = ["because", "headline", "how_sure", "times_text"]

_SMALL = 0.5
"""From this share of the time on, a fixed cost is the reason for it."""


def headline(evidence: Evidence, answer: Answer) -> str:
    """The answer in a sentence: what to use, by how much, how sure, why; or why there is none."""
    case = answer.case
    what = (
        f"{case.dtype} {case.op} {case.direction}, {format_size(case.n)} elements, placement {case.placement}"
    )
    if answer.distrust is not None:
        return f"{_refused(answer, answer.distrust)} [{what}]"
    if answer.basis != "measured":
        return f"{_probably(answer)} [{what}]"
    said = _kept(answer) if answer.keep else _changed(evidence, answer)
    others = (
        f" As fast within {percent_text(answer.resolve)}: {', '.join(answer.as_fast)}."
        if answer.as_fast
        else ""
    )
    said_already = arm_of(answer.best) if answer.over_now.verdict == "unresolved" else ""
    names = [name for name in answer.not_known if name != said_already]
    open_ = f" Not known whether as fast: {', '.join(names)}." if names else ""
    return f"{said}{others}{open_} [{what}]"


def _refused(answer: Answer, why: Distrust) -> str:
    now, best = arm_of(answer.now), arm_of(answer.best)
    came = (
        f" {best} came out {times_text(answer.over_now)} as fast as {now}, which says little."
        if best != now
        else ""
    )
    return as_typed(
        f"No answer: {why.reason}.{came} It takes a machine that does nothing else"
        f" (`python scripts/doctor.py --only machine` names what runs), then the command below."
    )


def _probably(answer: Answer) -> str:
    """Of a size that was not measured: what the curves tell, and what stands at the sizes beside it."""
    now, best = arm_of(answer.now), arm_of(answer.best)
    beside = [f"{number_text(gain)} times at {format_size(n)}" for n, gain in answer.neighbours]
    seen = f"; measured: {' and '.join(beside)}" if beside and best != now else ""
    told = f"told from {answer.basis} curves{seen}"
    if answer.keep:
        much = "" if best == now else f", {best} comes out {times_text(answer.over_now)} as fast"
        return f"Probably keep {now}; measure to know{much} ({told}). The command stands below."
    return (
        f"Probably {best}; measure to know: it comes out {times_text(answer.over_now)} as fast as {now} ({told})."
        " The command stands below."
    )


def _changed(evidence: Evidence, answer: Answer) -> str:
    use, now = answer.use, arm_of(answer.now)
    environ = evidence.variant_environ(str(use["run_id"]), str(use["variant"]))
    setting = f" with {' '.join(f'{key}={value}' for key, value in environ.items())}" if environ else ""
    times = f"{times_text(answer.over_now)} faster than {now}"
    return f"Use {arm_of(use)}{setting}: {times}, because {because(evidence, answer)}."


def _kept(answer: Answer) -> str:
    now, best, ratio = arm_of(answer.now), arm_of(answer.best), answer.over_now
    if ratio.verdict == "same":
        return f"Keep {now}: nothing is faster."
    if ratio.verdict == "slower":
        return f"Keep {now}: {best} has the smallest time, but is slower, {ratio.how}."
    return f"Keep {now}: whether {best} is faster is not known. It comes out {times_text(ratio)} as fast."


def because(evidence: Evidence, answer: Answer) -> str:
    """The figures behind the difference between what to use and what is used now."""
    use, now = answer.use, answer.now
    fixed = [_fixed_share(answer, row) for row in (use, now)]
    if max(share for share, _ in fixed) >= _SMALL:
        return (
            f"the call itself is most of the time at this size: a fixed {seconds_text(fixed[1][1])} of"
            f" {seconds_text(now['time_s'])} for {arm_of(now)}, {seconds_text(fixed[0][1])} of"
            f" {seconds_text(use['time_s'])} for {arm_of(use)}"
        )
    given = next((each for each in settings(evidence, answer) if _is_allocation(each, now)), None)
    if given is not None and answer.case.placement == "new":
        return (
            f"new memory costs {arm_of(now)} most of its time: {seconds_text(now['time_s'])} a call, and"
            f" {seconds_text(now['time_s'] / given.gain.value)} into a given array"
        )
    told = reasons(now, use)
    if told:
        return told[0]
    copy = percent_text(use["ceiling_fraction"])
    reached = f" ({copy} of a copy of the same bytes)" if not math.isnan(use["ceiling_fraction"]) else ""
    ours, theirs = (number_text(row["gb_per_s"]) for row in (use, now))
    return f"it moves {ours} GB/s{reached} and {arm_of(now)} {theirs} GB/s"


def _is_allocation(setting: Setting, now: Row) -> bool:
    """Whether a given array halves the time of what is used now, or more."""
    return (setting.kind, setting.name, setting.arm) == (
        "placement",
        "out",
        arm_of(now),
    ) and setting.gain.lo >= 2


def _fixed_share(answer: Answer, row: Row) -> tuple[float, float]:
    curve = answer.curves.get(arm_of(row))
    latency = curve.latency_s if curve is not None and len(curve.sizes) > 2 else 0.0
    return min(latency / row["time_s"], 1.0), min(latency, float(row["time_s"]))


def times_text(ratio: Ratio | Interval) -> str:
    """``2.31 times (2.25 to 2.38)``."""
    text = ratio_text(ratio.value, ratio.lo, ratio.hi)
    value, _, interval = text.partition("x ")
    if not interval:
        return f"{value.rstrip('x')} times (interval unknown)"
    return f"{value} times ({interval.strip('[]').replace(', ', ' to ')})"


def how_sure(answer: Answer) -> Iterator[str]:
    """At most one line: what the verdict on the best arm beside the one used now rests on, and what resolves it."""
    ratio = answer.over_now
    if answer.distrust is not None:
        return
    if answer.basis == "extrapolated":
        yield "Extrapolated: this size lies outside all measured ones, where nothing tests the curves. Measure it."
    elif arm_of(answer.best) != arm_of(answer.now) and answer.basis == "fitted":
        yield f"How sure: not at all, before it is measured: {times_text(ratio)} as fast is {ratio.how}."
    elif arm_of(answer.best) != arm_of(answer.now):
        beside = (
            f"{arm_of(answer.best)} beside {arm_of(answer.now)}: {times_text(ratio)} as fast, {ratio.how}"
        )
        sure = {"faster": "sure", "same": "the same", "slower": "slower"}.get(ratio.verdict, "unresolved")
        yield f"How sure: {beside}: {sure}.{_seen(ratio)}{_needed(ratio)}"


def _seen(ratio: Ratio) -> str:
    """How small a difference this could have shown."""
    if math.isnan(ratio.noise_floor) or ratio.verdict == "same":
        return ""
    return f" The smallest difference that would have been seen is {floor_text(ratio.noise_floor)}."


def _needed(ratio: Ratio) -> str:
    """What resolving takes."""
    if ratio.resolve_processes is None:
        return ""
    many = f"{ratio.resolve_processes} processes of each"
    if ratio.resolve_s is None:
        return f" More time alone would not resolve it; {many} would."
    return f" About {seconds_text(ratio.resolve_s)} more of their rounds would resolve it, or {many}."
