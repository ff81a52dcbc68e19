"""A recommendation as people read it: the answer first, then the figures that it rests on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from bench.text.sizes import format_size
from bench.text.units import calls_text, number_text, percent_text, ratio_text, seconds_text
from scripts._recommend.answer import Answer, Missing, arm_of, break_even
from scripts._recommend.ratios import Ratio, Row
from scripts._recommend.runs import Evidence
from scripts._recommend.settings import Setting, settings, untried
from scripts._shared.remarks import clean
from scripts._shared.tables import Block, Report, Section

__all__ = ["as_report", "because", "commands", "headline"]

_PLACES = {
    "new": "the call allocates its result",
    "out": "into a given array",
    "inplace": "over its input",
}
_SMALL = 0.5
"""From this share of the time on, a fixed cost is the reason for it."""


def as_report(
    evidence: Evidence, answers: Sequence[Answer], missing: Sequence[tuple[Missing, str]]
) -> Report:
    """All that there is to say; `missing` has what lacks, and the command for it."""
    report = Report(intro=[headline(evidence, each) for each in answers])
    for _, gaps in itertools.groupby(missing, key=lambda item: item[1]):
        found = [gap for gap, _ in gaps]
        places = " and ".join(gap.placement for gap in found)
        report.intro.append(
            f"No answer for placement {places}: {clean(found[0].reason)}. Measure it, see below."
        )
    report.intro += [f"Mind: {line}." for line in evidence.warnings]
    runs = ", ".join(clean(run_id) for run_id in evidence.paths)
    report.intro.append(f"From run {runs} on {clean(evidence.machine) or 'a machine without a name'}.")
    report.blocks = [_block(evidence, each) for each in answers]
    report.legend = list(_legend(answers))
    return report


def commands(
    evidence: Evidence, answers: Sequence[Answer], missing: Sequence[tuple[Missing, str]]
) -> list[str]:
    """What would measure that which the runs do not tell, a command a line, the most wanted first."""
    lacking = [what for _, what in missing]
    return list(dict.fromkeys([*lacking, *(line for each in answers for line in untried(evidence, each))]))


def headline(evidence: Evidence, answer: Answer) -> str:
    """The answer in a sentence: what to use, by how much, how sure, why."""
    case, now, use = answer.case, arm_of(answer.now), arm_of(answer.use)
    what = (
        f"{case.dtype} {case.op} {case.direction}, {format_size(case.n)} elements, placement {case.placement}"
    )
    told = "" if answer.basis == "measured" else f" ({answer.basis}, not measured at this size)"
    others = f" Not told apart from it: {', '.join(answer.as_fast)}." if answer.as_fast else ""
    if answer.keep:
        return f"Keep {now}: nothing is faster beyond doubt{told}.{others} [{what}]"
    doubts = {"faster": "", "": ", how sure is not known"}
    sure = doubts.get(answer.over_now.verdict, ", but that is inside the noise")
    environ = evidence.variant_environ(str(answer.use["run_id"]), str(answer.use["variant"]))
    setting = f" with {' '.join(f'{key}={value}' for key, value in environ.items())}" if environ else ""
    than = f"the baseline {now}" if answer.now["role"] == "baseline" else now
    times = f"{_times(answer.over_now)} faster than {than}{sure}{told}"
    return f"Use {use}{setting}: {times}, because {because(evidence, answer)}.{others} [{what}]"


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


def _times(ratio: Ratio) -> str:
    """``2.31 times (2.25 to 2.38)``."""
    text = ratio_text(ratio.value, ratio.lo, ratio.hi)
    value, _, interval = text.partition("x ")
    if not interval:
        return f"{value.rstrip('x')} times (interval unknown)"
    return f"{value} times ({interval.strip('[]').replace(', ', ' to ')})"


def _block(evidence: Evidence, answer: Answer) -> Block:
    placement = answer.case.placement
    found = settings(evidence, answer)
    sections = [_arms(answer), *([_settings(found)] if found else [])]
    lines = [*_sure(answer), *_crossovers(answer), *_fit(answer), *_compiling(evidence, answer)]
    return Block(f"Placement {placement} ({_PLACES[placement]}): {answer.basis}", sections, "\n".join(lines))


def _arms(answer: Answer) -> Section:
    headers = ("implementation", "time", "GB/s", "of copy", f"over {_baseline(answer)}", "first call")
    fast = {arm_of(answer.use), *answer.as_fast}
    rows: list[tuple[str, ...]] = [
        (
            arm_of(row) + " *" * (arm_of(row) in fast),
            "~" * (row["status"] != "ok") + seconds_text(row["time_s"]),
            number_text(row["gb_per_s"]),
            percent_text(row["ceiling_fraction"]),
            _over(answer, row),
            seconds_text(row["first_call_s"]),
        )
        for row in answer.arms
    ]
    return Section("Every implementation", headers, rows, (False, True, True, True, True, True))


def _over(answer: Answer, row: Row) -> str:
    if answer.basis == "measured":
        return ratio_text(row["speedup"], row["speedup_lo"], row["speedup_hi"])
    base = next((other for other in answer.arms if other["role"] == "baseline"), None)
    return ratio_text(base["time_s"] / row["time_s"]) if base else "-"


def _baseline(answer: Answer) -> str:
    return clean(str(next((row["backend"] for row in answer.arms if row["role"] == "baseline"), "baseline")))


def _sure(answer: Answer) -> Iterator[str]:
    ratio, noise = answer.over_now, percent_text(answer.use["noise_floor"])
    if answer.basis == "extrapolated":
        yield "Extrapolated: this size lies outside all measured ones, where nothing tests the curves. Measure it."
    elif answer.keep and answer.arms[0] is not answer.use:
        lead = arm_of(answer.arms[0])
        yield (
            f"How sure: {lead} comes out faster, but inside the intervals and the noise floor of {noise}; measure"
            " longer (--max-seconds) or on a quieter machine."
        )
    elif not answer.keep:
        sure = "sure" if ratio.verdict == "faster" else "not sure, measure longer (--max-seconds)"
        times = f"{_times(ratio)} over {arm_of(answer.now)}, {ratio.how}"
        yield f"How sure: {times}; noise floor {noise}: {sure}."


def _settings(found: Sequence[Setting]) -> Section:
    rows: list[tuple[str, ...]] = [
        (
            f"{setting.kind} {clean(setting.name)}",
            setting.arm,
            ratio_text(setting.gain.value, setting.gain.lo, setting.gain.hi),
            setting.gain.verdict or "-",
            " ".join(f"{key}={value}" for key, value in setting.environ.items()) or "-",
        )
        for setting in found
    ]
    return Section(
        "Settings, and what each is worth to the implementation's time here",
        ("setting", "of", "faster by", "verdict", "environment"),
        rows,
        (False, False, True, False, False),
    )


def _crossovers(answer: Answer) -> Iterator[str]:
    found = answer.crossovers
    if not found:
        yield "Crossovers: only one size was measured, so none can be told."
        return
    parts = [f"{stretch.name} from {_about(stretch.first)} to {_about(stretch.last)}" for stretch in found]
    yield f"Crossovers (fitted; measured {_about(found[0].first)} to {_about(found[-1].last)}): {', '.join(parts)}."


def _about(n: int) -> str:
    """A size as it is written where it is round, else to two digits."""
    if n in (1 << power for power in range(41)):
        return format_size(n)
    for unit, factor in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if n >= factor:
            return f"~{number_text(n / factor, 2)}{unit}"
    return f"~{n}"


def _fit(answer: Answer) -> Iterator[str]:
    for row in {arm_of(row): row for row in (answer.use, answer.now)}.values():
        curve = answer.curves.get(arm_of(row))
        if curve is None:
            continue
        speeds = ", ".join(
            f"{speed / 1e9:.3g}" if math.isfinite(speed) else "-" for speed in curve.bytes_per_s
        )
        misses = [abs(miss - 1) for miss in curve.misses().values()]
        quality = (
            f"sizes left out are missed by {percent_text(float(np.median(misses)))} (median) and"
            f" {percent_text(max(misses))} (worst of {len(misses)})"
            if misses
            else "no size lies between others, so nothing tests it"
        )
        yield (
            f"Fit of {arm_of(row)}: {seconds_text(curve.latency_s)} a call, then GB/s by cache level, the smallest"
            f" first: {speeds}; {quality}."
        )


def _compiling(evidence: Evidence, answer: Answer) -> Iterator[str]:
    if answer.keep:
        return
    use, now = answer.use, answer.now
    calls = break_even(use, now)
    if math.isnan(calls):
        yield "Compiling: the run does not have the first calls."
        return
    cached = evidence.from_disk_cache(str(use["run_id"]), arm_of(use))
    remark = "; its code came from an on-disk cache here, the first time ever takes longer" if cached else ""
    firsts = f"{seconds_text(use['first_call_s'])} against {seconds_text(now['first_call_s'])}"
    paid = f"after {calls_text(calls)} calls" if 0 < calls < math.inf else calls_text(calls)
    yield f"Compiling: the first call of {arm_of(use)}, {firsts}, is paid back {paid}{remark}."


def _legend(answers: Sequence[Answer]) -> Iterator[str]:
    if answers:
        yield "* cannot be told apart from the recommended one. ~ marks a time that is noisy, or told from a curve."
        yield "Faster by and over: time before / time after, with its 95 % interval where it is measured."
