"""What `bench.functions.comparing.compare` gives: a row for each function, the fastest first."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tabulate import tabulate

from bench.plan.function_case import FunctionCase
from bench.records.schema import Cell
from bench.text.units import count_text, percent_text, ratio_text, seconds_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Compared", "Comparison", "comparison"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One function; times in seconds per call with the 95 % interval of a new process."""

    name: str
    status: str
    """``ok``, ``noisy`` where something asked is not known, or what went wrong, of which `reason` tells."""
    reason: str
    time_s: float | None
    time_lo_s: float | None
    time_hi_s: float | None
    speedup: float | None
    """The first function's time over this one's, round by round; its interval; what can be said of it."""
    speedup_lo: float | None
    speedup_hi: float | None
    verdict: str
    leader_verdict: str
    """The same beside the fastest function."""
    noise_floor: float | None
    """The smallest difference from the first function that would have been seen."""
    gb_per_s: float | None
    ceiling_fraction: float | None
    """Of the speed at which a copy of the same bytes ran."""
    rounds: int | None
    processes: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Functions compared on one array."""

    functions: tuple[Compared, ...]
    """The fastest first, those without a time last."""
    baseline: str
    shape: tuple[int, ...]
    dtype: str
    seconds: float
    isolation: str
    placement: str

    def __getitem__(self, name: str) -> Compared:
        """The row of that function.  Raises KeyError."""
        for each in self.functions:
            if each.name == name:
                return each
        raise KeyError(name)

    def to_pandas(self) -> pd.DataFrame:
        """A row for each function, with the fields of `Compared`."""
        import pandas as pd  # noqa: PLC0415  # not for those who look at the text alone

        return pd.DataFrame([asdict(each) for each in self.functions])

    def to_json(self) -> str:
        """All of it, as `Comparison` and `Compared` name it."""
        return json.dumps(asdict(self))

    def __repr__(self) -> str:
        head, *rows = self._table()
        return "\n".join([self._title(), tabulate(rows, head, disable_numparse=True), *self._notes()])

    def _repr_html_(self) -> str:
        head, *rows = self._table()
        table = tabulate(rows, head, tablefmt="html", disable_numparse=True)
        lines = (f"<p>{html.escape(line)}</p>" for line in (self._title(), *self._notes()))
        title, *notes = lines
        return "\n".join([title, table, *notes])

    def _title(self) -> str:
        how = (
            "all in this process: not for figures to quote"
            if self.isolation == "inline"
            else "each in processes of its own"
        )
        shape = "x".join(map(str, self.shape))
        into = ", into a given array" if self.placement == "out" else ""
        functions = count_text(len(self.functions), "function")
        return f"{functions} on {self.dtype} {shape}{into}, {self.seconds:.0f} s, {how}"

    def _table(self) -> list[tuple[str, ...]]:
        head = (
            "function",
            "time",
            "GB/s",
            "of copy",
            f"over {self.baseline}",
            "beside it",
            "beside the fastest",
        )
        return [head, *(_cells(each) for each in self.functions)]

    def _notes(self) -> list[str]:
        return [f"{each.name}: {each.status}: {each.reason}" for each in self.functions if each.reason]


def _cells(row: Compared) -> tuple[str, ...]:
    def or_nan(value: float | None) -> float:
        return math.nan if value is None else value

    if row.time_s is None:
        return (row.name, row.status, *["-"] * 5)
    return (
        row.name,
        f"{seconds_text(row.time_s)} [{seconds_text(or_nan(row.time_lo_s))}, {seconds_text(or_nan(row.time_hi_s))}]",
        f"{or_nan(row.gb_per_s):.3g}",
        percent_text(or_nan(row.ceiling_fraction)),
        ratio_text(or_nan(row.speedup), or_nan(row.speedup_lo), or_nan(row.speedup_hi)),
        row.verdict or "-",
        row.leader_verdict or "-",
    )


def comparison(case: FunctionCase, cells: Sequence[Cell], seconds: float, *, inline: bool) -> Comparison:
    """Of the cells of its experiment, which took so many seconds in all."""
    ranked = [cell for cell in cells if cell.role in ("baseline", "candidate")]
    rows = [_compared(cell) for cell in ranked]
    rows.sort(key=lambda row: math.inf if row.time_s is None else row.time_s)
    first = next(cell.backend for cell in ranked if cell.role == "baseline")
    how = "inline" if inline else "process"
    return Comparison(tuple(rows), first, case.shape, case.dtype, seconds, how, case.placement)


def _compared(cell: Cell) -> Compared:
    timed = cell.status in ("ok", "noisy")
    named = {name: getattr(cell, name) for name in Compared.__dataclass_fields__ if name != "name"}
    if not timed:
        told = {"status": cell.status, "reason": cell.reason, "verdict": "", "leader_verdict": ""}
        named = dict.fromkeys(named) | told
    return Compared(name=cell.backend, **named)
