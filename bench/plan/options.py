"""The options of ``pytest bench/`` and what their values may be.

Knows nothing of pytest: a sweep or a script parses the same words with the same errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.plan import option_values as values_as
from bench.plan.asked import asked_for
from bench.plan.option_table import MOST_PROCESSES, OPTIONS
from bench.plan.option_values import OptionError, one_taken, several_taken, taken
from bench.plan.profiles import PROFILES, Profile
from bench.plan.settings import FORCE, Settings
from bench.plan.shards import shard
from bench.plan.variants import variants_of
from kernels.api import AXIS_TABLE

__all__ = ["OptionError", "parse"]


def parse(raw: Mapping[str, Any]) -> Settings:
    """Settings from option values as typed (missing ones take their default).

    Raises OptionError for the first value that is not allowed.
    """
    values = {spec.name: spec.default for spec in OPTIONS} | {k: v for k, v in raw.items() if v is not None}
    asked = asked_for(values)
    measured = tuple(dict.fromkeys((asked.baseline, *asked.backends)))
    inline = one_taken("isolation", values["isolation"], ("process", "inline")) == "inline"
    return Settings(
        profile_name=values["profile"],
        profile=_profile(values),
        grids=asked.grids,
        network=asked.network,
        backends=asked.backends,
        variants=variants_of(values["variant"], values["arm"], asked.backends),
        plugins=asked.plugins,
        baseline=asked.baseline,
        baseline_note=asked.baseline_note,
        resolve=_fraction("resolve", values, 0.001, 1.0),
        processes=1 if inline else _processes(values),
        target_ci=_fraction("target_ci", values, 0.0005, 1.0),
        max_seconds=_number_or_none("max_seconds", values, 0.01, 86400),
        minutes=_number_or_none("minutes", values, 0.1, 100_000),
        cell_timeout=_number("cell_timeout", values, 0.1, 86400),
        inline=inline,
        require=several_taken("require", values["require"], measured) if values["require"] else (),
        results=Path(_folder(values["results"])),
        run_id=_run_id(values),
        shard=None if values["shard"] is None else taken("shard", shard, values["shard"]),
        retry_failed=bool(values["retry_failed"]),
        force=bool(values["force"]) or os.environ.get(FORCE, "0") not in ("", "0"),
        anonymise=bool(values["anonymise"]),
    )


def _profile(values: Mapping[str, Any]) -> Profile:
    """The one that was named, with the time that its arms get in these cases: its own, or others."""
    profile = PROFILES[values["profile"]]
    named = values["cases"] or values["op"] or any(values[axis.option] is not None for axis in AXIS_TABLE)
    return replace(profile, arm_s=profile.asked_s or profile.arm_s) if named else profile


def _number(option: str, values: Mapping[str, Any], low: float, high: float) -> float:
    return taken(option, partial(values_as.number, low=low, high=high), values[option])


def _number_or_none(option: str, values: Mapping[str, Any], low: float, high: float) -> float | None:
    return None if values[option] is None else _number(option, values, low, high)


def _fraction(option: str, values: Mapping[str, Any], low: float, high: float) -> float | None:
    if values[option] is None:
        return None
    return taken(option, partial(values_as.fraction, low=low, high=high), values[option])


def _whole(option: str, values: Mapping[str, Any], low: int, high: int) -> int:
    return taken(option, partial(values_as.whole, low=low, high=high), values[option])


def _processes(values: Mapping[str, Any]) -> int | None:
    return None if values["processes"] is None else _whole("processes", values, 1, MOST_PROCESSES)


def _run_id(values: Mapping[str, Any]) -> str | None:
    found: str | None = values["run_id"]
    if found == "reference":
        raise OptionError("run_id", "'reference' is the folder of runs that are kept; choose another name")
    if found is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", found):
        raise OptionError(
            "run_id", f"{found!r} is no folder name; allowed: letters, digits, '.', '_' and '-'"
        )
    if values["retry_failed"] and found is None:
        raise OptionError("retry_failed", "needs --run-id ID, the run whose failed cells are measured again")
    return found


def _folder(text: str) -> str:
    if not str(text).strip():
        raise OptionError("results", f"{text!r} names no folder; allowed: a path such as results")
    return text
