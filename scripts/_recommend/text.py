"""A recommendation as people read it, below the answer: the figures that it rests on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from bench.text.sizes import format_size
from bench.text.units import calls_text, count_text, number_text, percent_text, ratio_text, seconds_text
from scripts._recommend.commands import command
from scripts._recommend.ranking import Answer, Missing, arm_of, break_even
from scripts._recommend.runs import Evidence
from scripts._recommend.sentences import how_sure
from scripts._recommend.settings import Setting, settings, untried
from scripts._shared.ratios import Row
from scripts._shared.remarks import clean
from scripts._shared.sections import Block, Report, Section

__all__ = ["as_report", "commands"]

_PLACES = {
    "new": "the call allocates its result",
    "out": "into a given array",
    "inplace": "over its input",
}


def as_report(
    evidence: Evidence, answers: Sequence[Answer], missing: Sequence[tuple[Missing, str]]
) -> Report:
    """All that there is to say besides the answers themselves; `missing` has what lacks, and the command for it."""
    report = Report()
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
    busy = [each.case for each in answers if each.distrust is not None and each.distrust.busy]
    if len(busy) > 1:
        lacking.append(command(busy[0], [case.placement for case in busy]))
        answers = [each for each in answers if each.case not in busy]
    return list(dict.fromkeys([*lacking, *(line for each in answers for line in untried(evidence, each))]))


def _block(evidence: Evidence, answer: Answer) -> Block:
    placement = answer.case.placement
    found = settings(evidence, answer)
    sections = [_arms(answer), *([_settings(found)] if found else [])]
    lines = [*how_sure(answer), *_crossovers(answer), *_fit(answer), *_compiling(evidence, answer)]
    return Block(f"Placement {placement} ({_PLACES[placement]}): {answer.basis}", sections, "\n".join(lines))


def _arms(answer: Answer) -> Section:
    headers = ("implementation", "time", "GB/s", "of copy", f"over {arm_of(answer.now)}", "first call")
    fast = set() if answer.distrust is not None else {arm_of(answer.use), *answer.as_fast}
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
    found = answer.ratios[arm_of(row)]
    return ratio_text(found.value, found.lo, found.hi)


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
    paid = f"after {count_text(int(calls), 'call')}" if 0 < calls < math.inf else calls_text(calls)
    yield f"Compiling: the first call of {arm_of(use)}, {firsts}, is paid back {paid}{remark}."


def _legend(answers: Sequence[Answer]) -> Iterator[str]:
    if answers:
        yield "* marks the recommended one and what is the same. ~ marks a time that is noisy, or told from a curve."
        yield "Faster by and over: time before / time after, with its 95 % interval where it is known."
