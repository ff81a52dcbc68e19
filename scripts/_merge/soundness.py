"""Whether a run that somebody sends is whole and agrees with itself."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import quantiles

from bench.machine.environment import DIFFERS
from bench.records.columns import TIMED
from bench.records.lines import key_of
from bench.records.schema import Cell
from scripts._merge.parts import Part, Whole
from scripts._shared.remarks import clean

__all__ = ["faults"]

_MOST_OF_A_COPY = 1.05
"""Of the ceiling: beyond it, and beyond the noise, the harness itself calls a cell mistrusted."""
_ROUNDING = 1e-9


def faults(part: Part) -> Iterator[str]:
    """A sentence for each thing that is wrong; none for a run that can be believed as far as its files tell."""
    lacking = [name for name in DIFFERS if part.environment.get(name) in (None, "", {})]
    if lacking:
        yield f"environment.json does not say {', '.join(lacking)}"
    if not part.environment.get("commit"):
        yield "environment.json does not say of which commit the suite was"
    for whole in part.cells.values():
        for fault in _faults_of(whole):
            yield f"{_name(whole.cell)}: {fault}"


def _faults_of(whole: Whole) -> Iterator[str]:
    cell = whole.cell
    if cell.status not in TIMED:
        if not cell.reason:
            yield f"{cell.status} without a reason"
        return
    seconds = [each.seconds for each in whole.rounds]
    if not seconds or cell.time_s is None:
        yield "timed, and has no rounds"
        return
    if cell.role in ("candidate", "baseline") and cell.max_ulp is None and not cell.special_values:
        yield "timed, and did not pass the gate"
    yield from _figures(cell, seconds)
    if cell.ceiling_fraction is not None and cell.status == "ok" and cell.role == "candidate":
        least = cell.ceiling_fraction * (cell.time_s / (cell.time_hi_s or cell.time_s))
        if least > _MOST_OF_A_COPY:
            yield f"moves its bytes {cell.ceiling_fraction:.2f} times as fast as they were copied"


def _figures(cell: Cell, seconds: list[float]) -> Iterator[str]:
    told = {"min_s": cell.min_s, "max_s": cell.max_s}
    real = {"min_s": min(seconds), "max_s": max(seconds)}
    if len(seconds) > 1:
        _, median, _ = quantiles(seconds, n=4, method="inclusive")
        told["median_s"], real["median_s"] = cell.median_s, median
    for name, value in told.items():
        if value is None or not abs(value - real[name]) <= _ROUNDING * real[name]:
            yield f"{name} is {value}, its rounds give {real[name]}"
    if cell.time_s is not None and not min(seconds) <= cell.time_s * (1 + _ROUNDING):
        yield "time_s is below all of its rounds"


def _name(cell: Cell) -> str:
    return clean(", ".join(filter(None, key_of(cell)[1:9])))
