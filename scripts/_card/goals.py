"""What a card has to reach, and whether a run did: lines of markdown from the run's own files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.plan.experiments import case_label
from bench.text.sizes import format_size
from kernels.api import AXIS_TABLE
from kernels.networks.case import case_of
from scripts._card.files import read_rows

__all__ = ["goals"]

_OF_COPY = 0.95
"""Of the speed of a device-to-device copy of the same bytes in the same experiment,"""
_LARGE = 256 << 20
"""at so many elements,"""
_OURS = ("triton_jit", "numba_cuda")
"""these have to reach."""
_TIMES = 5.0
"""So many times as fast a call a graph has to be as what it has recorded,"""
_SMALL = 1 << 10
"""at so many elements, of calls that are launched one after the other and waited for once."""
_GRAPH, _EAGER = "torch_graph", "torch_eager"
_NAMED = 8
"""Cases that miss a goal and are named."""
_READ: Mapping[str, Callable[[str], object]] = {"size": int, "count": int, "number": float}

Row = Mapping[str, str]


def goals(folder: Path) -> list[str]:
    """A line for each goal and backend: reached, not reached and where, or not measured."""
    rows = [row for row in read_rows(folder / "cells.csv") if row["device"] != "cpu"]
    return [*(_beside_copy(rows, name) for name in _OURS), _graph(rows)]


def _beside_copy(rows: Sequence[Row], backend: str) -> str:
    goal = f"{backend}, {_OF_COPY} of the copy of the same bytes at {format_size(_LARGE)}"
    shares = {
        _label(row): float(row["ceiling_fraction"])
        for row in _of(rows, backend, _LARGE)
        if row["ceiling_fraction"]
    }
    return _judged(goal, shares, _OF_COPY)


def _graph(rows: Sequence[Row]) -> str:
    goal = f"{_GRAPH}, {_TIMES:g} times as fast a call as {_EAGER} at {format_size(_SMALL)}"
    graph, eager = (
        {_label(row): float(row["queued_s"]) for row in _of(rows, name, _SMALL) if row["queued_s"]}
        for name in (_GRAPH, _EAGER)
    )
    ratios = {label: eager[label] / seconds for label, seconds in graph.items() if eager.get(label)}
    return _judged(goal, ratios, _TIMES)


def _judged(goal: str, figures: Mapping[str, float], least: float) -> str:
    if not figures:
        return f"- goal: {goal}: **not measured**"
    missed = {label: figure for label, figure in figures.items() if figure < least}
    lowest, highest = (f"{each(figures.values()):.2f}" for each in (min, max))
    said = f"- goal: {goal}: **{'not reached' if missed else 'reached'}**"
    counted = f"{len(figures) - len(missed)} of {len(figures)} cases, from {lowest} to {highest}"
    named = ", ".join(
        f"{label} {figure:.2f}" for label, figure in sorted(missed.items(), key=_figure)[:_NAMED]
    )
    more = f" and {len(missed) - _NAMED} more" if len(missed) > _NAMED else ""
    return f"{said}, {counted}" + (f"; below: {named}{more}" if missed else "")


def _figure(item: tuple[str, float]) -> float:
    return item[1]


def _of(rows: Sequence[Row], backend: str, n: int) -> list[Row]:
    return [row for row in rows if (row["backend"], row["n"], row["variant"]) == (backend, str(n), "")]


def _label(row: Row) -> str:
    """The experiment's name."""
    return case_label(
        case_of(**{axis.name: _READ.get(axis.kind, str)(row[axis.name]) for axis in AXIS_TABLE})
    )
