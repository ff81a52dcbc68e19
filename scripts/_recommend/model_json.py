"""The answer for a recorded program, for programs."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from bench.stats.estimates import Interval
from kernels.api import AXES
from scripts._recommend.model import Program
from scripts._recommend.ranking import Answer, arm_of
from scripts._recommend.saving import Part

__all__ = ["SCHEMA", "program_json"]

SCHEMA = 1
"""Goes up when a key changes its meaning or goes."""


def program_json(program: Program) -> dict[str, Any]:
    """Everything that the text says, as numbers; unknown ones are None."""
    saving = program.saving
    return {
        "schema": SCHEMA,
        "program": program.recording.program,
        "step": program.recording.steps.what,
        "step_s": _interval(program.step),
        "spent_s": program.spent_s,
        "counted_s": program.counted_s,
        "use": None if saving is None else saving.arm,
        "saved_s": None if saving is None else _interval(saving.seconds),
        "saved": _interval(program.share),
        "layers": [] if saving is None else list(saving.layers),
        "swapped": _interval(program.swapped),
        "held": program.held,
        "page_faults": program.recording.steps.page_faults,
        "ours_page_faults": program.recording.steps.ours_page_faults,
        "fault_s": program.recording.steps.fault_s,
        "compiled": program.recording.compiled,
        "parts": [_part(part) for part in program.parts],
        "unmeasured": [dataclasses.asdict(each) for each in program.recording.unmeasured],
    }


def _part(part: Part) -> dict[str, Any]:
    case = {axis: getattr(part.case, axis) for axis in AXES}
    found = part.found
    if not isinstance(found, Answer):
        return {**case, "calls": part.calls, "where": list(part.where), "missing": found.reason}
    return {
        **case,
        "calls": part.calls,
        "counted_s": part.counted_s,
        "where": list(part.where),
        "now": arm_of(found.now),
        "now_s": float(found.now["time_s"]),
        "best": arm_of(found.best),
        "over_now": _interval(found.over_now),
        "verdict": found.over_now.verdict,
    }


def _interval(found: Any) -> dict[str, float | None] | None:
    if found is None:
        return None
    known: Interval = found
    values = {"value": known.value, "lo": known.lo, "hi": known.hi}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
