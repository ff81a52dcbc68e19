"""Tells pytest-benchmark the measured rounds, by a clock of ours.

pytest-benchmark times a round as the difference of two readings of its timer.  This timer's readings differ by
what was measured, so its table, ``--benchmark-json``, ``--benchmark-compare`` and histogram show the rounds of
rounds.csv.  Only its public interface is used.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

__all__ = ["Replay", "is_saved", "is_told", "typed_flags", "wants_table"]

_SAVING = ("benchmark_json", "benchmark_save", "benchmark_autosave")
_TABLE = (
    "columns",
    "sort",
    "group_by",
    "compare",
    "compare_fail",
    "histogram",
    "verbose",
    "name",
)
"""Options of pytest-benchmark (``--benchmark-…``) that are about its table."""


def is_saved(config: pytest.Config) -> bool:
    """Whether pytest-benchmark writes a file at the end: what it is told for that stays in memory until then."""
    return any(config.getoption(name, None) for name in _SAVING)


def wants_table(config: pytest.Config) -> bool:
    """Whether pytest-benchmark's table is asked for, by an option that is about it or by -vv."""
    about = {f"--benchmark-{name}".replace("_", "-") for name in _TABLE}
    return config.getoption("verbose", 0) > 1 or not about.isdisjoint(typed_flags(config))


def typed_flags(config: pytest.Config) -> set[str]:
    """What was typed, each word up to a ``=``, whatever the default of an option is."""
    words = [*map(str, config.invocation_params.args), *os.environ.get("PYTEST_ADDOPTS", "").split()]
    return {word.partition("=")[0] for word in words}


def is_told(config: pytest.Config) -> bool:
    """Whether anybody looks at what pytest-benchmark is told, which it keeps until the end."""
    return is_saved(config) or wants_table(config)


class Replay:
    """Tells recorded seconds, one round after the other."""

    def __init__(self) -> None:
        self._readings: list[float] = []

    def clock(self) -> float:
        """The next reading; past the recording, the last one."""
        if len(self._readings) > 1:
            return self._readings.pop(0)
        return self._readings[0] if self._readings else 0.0

    def into(self, benchmark: Any, seconds: Sequence[float]) -> None:
        """Replay `seconds` (per call) as the rounds of the fixture `benchmark`; nothing under --benchmark-disable."""
        if benchmark.disabled:  # nothing was timed, so there are no rounds
            return
        self._readings = [0.0]
        for each in seconds:
            # Two readings a round, each difference exact: every round starts at 0 again.
            self._readings[-1:] = [0.0, each, 0.0]
        benchmark.pedantic(_nothing, rounds=len(seconds), iterations=1)


def _nothing() -> None:
    """What pytest-benchmark calls while the clock replays."""
