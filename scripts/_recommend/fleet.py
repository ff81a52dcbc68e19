"""The answers for several machines beside each other: what to use on each, and how many times as fast that is there."""

from __future__ import annotations

from collections.abc import Sequence

from bench.text.units import MISSING, ratio_text
from scripts._recommend.ranking import Answer, arm_of
from scripts._recommend.runs import Evidence
from scripts._shared.fleet import ONLY_RATIOS
from scripts._shared.remarks import clean
from scripts._shared.sections import Block, Report, Section

__all__ = ["beside_each_other", "heading"]

_HEADERS = ("placement", "machine", "use", "times as fast", "as what is used now", "how known")


def heading(evidence: Evidence) -> str:
    """What stands over one machine's answers."""
    return f"On {clean(evidence.machine) or 'a machine without a name'}:"


def beside_each_other(found: Sequence[tuple[Evidence, Sequence[Answer]]]) -> Report:
    """The answers of all machines in one table, a placement's below each other."""
    rows = [_row(evidence, answer) for evidence, answers in found for answer in answers]
    rows.sort(key=lambda row: row[0])
    section = Section("", _HEADERS, rows, (False, False, False, True, False, False))
    block = Block("Machine beside machine", [section] if rows else [], f"Note: {ONLY_RATIOS}.")
    return Report(blocks=[block])


def _row(evidence: Evidence, answer: Answer) -> tuple[str, ...]:
    name = clean(evidence.machine) or MISSING
    if answer.distrust is not None:
        return (answer.case.placement, name, "no answer", MISSING, arm_of(answer.now), answer.distrust.reason)
    ratio = answer.ratios[arm_of(answer.use)]
    known = answer.basis if answer.basis != "measured" else ratio.verdict
    times = ratio_text(ratio.value, ratio.lo, ratio.hi)
    return (answer.case.placement, name, arm_of(answer.use), times, arm_of(answer.now), known)
