"""A recommendation for programs: plain JSON data, whose keys stay as `scripts/recommend.py --help` lists them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.machine.environment import machine_name
from kernels.api import Case
from scripts._recommend.ranking import Answer, Missing, arm_of, break_even
from scripts._recommend.runs import Evidence
from scripts._recommend.sentences import because
from scripts._recommend.settings import settings, untried
from scripts._recommend.ways import Way
from scripts._shared.ratios import Ratio, Row

__all__ = ["SCHEMA", "as_json"]

SCHEMA = 3
"""Goes up when a key changes its meaning or goes."""


def as_json(
    evidence: Evidence,
    cases: Sequence[Case],
    now: str | None,
    answers: Sequence[tuple[Answer, Way | None]],
    missing: Sequence[tuple[Missing, str]],
) -> dict[str, Any]:
    """Everything the human text says, as numbers; unknown ones are None."""
    question = {
        key: value for key, value in dataclasses.asdict(cases[0]).items() if key not in ("placement", "data")
    }
    found: dict[str, Any] = _plain(
        {
            "schema": SCHEMA,
            "question": {**question, "placements": [case.placement for case in cases], "now": now},
            "machine": evidence.machine,
            "this_machine": evidence.machine == machine_name(),
            "runs": [{"run_id": run_id, "cells": str(path)} for run_id, path in evidence.paths.items()],
            "warnings": evidence.warnings,
            "answers": [_answer(evidence, *each) for each in answers],
            "missing": [
                {"placement": gap.placement, "reason": gap.reason, "measure": what} for gap, what in missing
            ],
        }
    )
    return found


def _answer(evidence: Evidence, found: Answer, way: Way | None) -> dict[str, Any]:
    use = found.use
    return {
        "placement": found.case.placement,
        "basis": found.basis,
        "no_answer": None if found.distrust is None else dataclasses.asdict(found.distrust),
        "sure": found.sure,
        "use": None if found.distrust is not None else _arm(use),
        "keep": None if found.distrust is not None else found.keep,
        "best": _arm(found.best),
        "as_fast": found.as_fast,
        "not_known": found.not_known,
        "resolve": found.resolve,
        "now": _arm(found.now),
        **{
            key: use[key]
            for key in ("time_s", "time_lo_s", "time_hi_s", "gb_per_s", "ceiling_fraction", "noise_floor")
        },
        "over_now": _ratio(found.over_now),
        "neighbours": [{"n": n, "over_now": gain} for n, gain in found.neighbours],
        "code": None if way is None else _code(way),
        "because": None if found.keep else because(evidence, found),
        "arms": [
            {
                **_arm(row),
                **{name: row[name] for name in ("time_s", "first_call_s")},
                "over_now": _ratio(found.ratios[arm_of(row)]),
            }
            for row in found.arms
        ],
        "settings": [
            {**dataclasses.asdict(setting), "gain": _ratio(setting.gain)}
            for setting in settings(evidence, found)
        ],
        "crossovers": [stretch._asdict() for stretch in found.crossovers],
        "fits": {name: _fit(curve) for name, curve in found.curves.items()},
        "break_even_calls": None if found.keep else break_even(use, found.now),
        "measure": untried(evidence, found),
    }


def _arm(row: Row) -> dict[str, str]:
    return {"name": arm_of(row), "backend": str(row["backend"]), "variant": str(row["variant"])}


def _ratio(ratio: Ratio) -> dict[str, Any]:
    return dataclasses.asdict(ratio)


def _code(way: Way) -> dict[str, Any]:
    left = way.left and {
        **dataclasses.asdict(way.left.times),
        "verdict": way.left.word,
        "known": way.is_known,
    }
    code = way.code
    return {"shell": code.shell, "lines": code.lines, "note": code.note, "there_and_back": left}


def _fit(curve: Any) -> dict[str, Any]:
    misses = [abs(miss - 1) for miss in curve.misses().values()]
    return {
        "latency_s": curve.latency_s,
        "bytes_per_s": curve.bytes_per_s,
        "sizes": [int(n) for n in curve.sizes],
        "median_miss": float(np.median(misses)) if misses else None,
        "worst_miss": max(misses, default=None),
        "left_out": len(misses),
    }


def _plain(value: Any) -> Any:
    """`value` as JSON has it: NaN and infinity, which it has not, are None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
