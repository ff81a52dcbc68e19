"""What each column of cells.csv and rounds.csv may hold, derived from the dataclasses of the schema.

`Column.problem` and `cell_problem` judge text, one value at a time, and say what is wrong;
`suspicious` and `suspicious_cells` judge whole columns at once and only say *that* something may be.
A reader runs the quick ones over everything and the exact ones only where those object.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import TYPE_CHECKING

from bench.records.schema import ROLES, SCHEMA, STATUSES, VERDICTS, Cell, Round, fields_of
from bench.text.hints import did_you_mean
from kernels.api import AXES, AXIS_TABLE, DIRECTIONS, LAYOUTS
from kernels.networks.case import NETWORK_DIRECTIONS, NETWORK_OPS, WIDTHS, words_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "NULLS",
    "TIMED",
    "Column",
    "cell_problem",
    "columns_of",
    "quoted",
    "suspicious",
    "suspicious_cells",
]

NULLS = ("", "nan", "NaN", "NA", "None", "null")
"""How programs write a number that is not there; the suite itself writes an empty field."""
TIMED = ("ok", "noisy")
"""The statuses of a cell whose time counts."""

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "role": ROLES,
    **{axis.name: words_of(axis) for axis in AXIS_TABLE if axis.values},
    "status": STATUSES,
    "verdict": ("", *VERDICTS),
}
_MAY_BE_BLANK = ("machine", "started_utc", "variant", "device")
_BOUNDS = ("time_lo_s", "time_hi_s", "speedup_lo", "speedup_hi", "noise_floor")  # infinite after one round
_ANY_NUMBER = ("negative_slope", "time_lo_s")
_MAY_BE_INFINITE = ("negative_slope", "max_ulp", *_BOUNDS)
_LARGEST = 2**53  # beyond it a float64 skips whole numbers
_NUMBER = re.compile(
    r"\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)\s*", flags=re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `kind` is ``text``, ``count`` (a whole number, 0 or more) or ``number``."""

    name: str
    kind: str
    required: bool

    @property
    def choices(self) -> tuple[str, ...]:
        """The values allowed, or () where any will do; `layout` may be widths besides, as in ``10-5-3``."""
        return _CHOICES.get(self.name, ())

    def allows(self, value: str) -> bool:
        """Whether `value` is one of `choices`, where there are any."""
        return (
            not self.choices
            or value in self.choices
            or (self.name == "layout" and WIDTHS.fullmatch(value) is not None)
        )

    def problem(self, value: str) -> str | None:
        """What is wrong with `value`, the text of one field, or None."""
        if self.kind == "text":
            return self._text_problem(value)
        if value in NULLS and not (value and self.name in _ANY_NUMBER):
            return f"is empty; a {self.kind} belongs here" if self.required else None
        return None if value in NULLS else self._number_problem(value)

    def _text_problem(self, value: str) -> str | None:
        if "\0" in value or any("\udc80" <= char <= "\udcff" for char in value):
            return "is not text (a NUL byte, or not UTF-8): is this a binary file?"
        if not self.allows(value):
            allowed = ", ".join(choice for choice in self.choices if choice)
            allowed += ", widths such as 10-5-3" if self.name == "layout" else ""
            return f"is {quoted(value)}; allowed: {allowed}{did_you_mean(value, self.choices)}"
        return "is empty" if self.required and not value else None

    def _number_problem(self, value: str) -> str | None:
        if not _NUMBER.fullmatch(value):
            return f"is {quoted(value)}; a number belongs here"
        number = float(value)
        if math.isinf(number) and self.name not in _MAY_BE_INFINITE:
            return f"is {quoted(value)}; a finite number belongs here"
        if number < 0 and self.name not in _ANY_NUMBER:
            return f"is {quoted(value)}; it cannot be negative"
        if self.kind == "count" and not (number.is_integer() and number <= _LARGEST):
            return f"is {quoted(value)}; a whole number up to 2**53 belongs here"
        return None


def columns_of(row: type[Cell] | type[Round]) -> tuple[Column, ...]:
    """The columns of one file, in header order; required are the axes, and fields without a default."""
    kinds = {"str": "text", "int": "count", "float": "number"}
    return tuple(
        Column(
            field.name,
            kinds[str(field.type).split()[0]],
            (field.default is MISSING or field.name in AXES) and field.name not in _MAY_BE_BLANK,
        )
        for field in fields_of(row)
    )


def cell_problem(values: Mapping[str, str]) -> tuple[str, str] | None:
    """(column, what is wrong) with a cell whose fields are right one by one, or None."""
    if int(float(values["schema"])) != SCHEMA:
        return "schema", schema_problem(int(float(values["schema"])))
    if values["status"] in TIMED and values["role"] != "floor":
        time_s = values["time_s"]
        if time_s in NULLS or float(time_s) == 0:
            return "time_s", f"is {quoted(time_s)}, but status is {values['status']}; a time belongs here"
    return _mixed_up(values["op"], values["direction"], values["layout"], int(float(values["n"])))


def _mixed_up(op: str, direction: str, layout: str, n: int) -> tuple[str, str] | None:
    """A network has widths and its own directions, an activation has neither."""
    network = op in NETWORK_OPS
    widths = WIDTHS.fullmatch(layout)
    if (widths is not None) != network:
        wanted = "widths such as 10-5-3" if network else ", ".join(LAYOUTS)
        return "layout", f"is {quoted(layout)}, but op is {op}; allowed: {wanted}"
    allowed = NETWORK_DIRECTIONS if network else DIRECTIONS
    if direction not in allowed:
        return "direction", f"is {quoted(direction)}, but op is {op}; allowed: {', '.join(allowed)}"
    if widths and (n == 0 or n % int(widths[1])):
        return "n", f"is {n}; a batch of {layout} has a multiple of {widths[1]} elements"
    return None


def schema_problem(found: int) -> str:
    """Why a file of schema `found`, which is not ours, is refused."""
    if found > SCHEMA:
        return f"is {found}, newest known here {SCHEMA}: written by a newer version; update the suite"
    return f"is {found}; allowed: {SCHEMA}"


def suspicious(column: Column, series: pd.Series) -> bool:
    """Whether `series`, a column as the quick reader leaves it, may hold something wrong."""
    if column.kind == "text":
        if series.dtype != "category":
            return False
        found = set(series.cat.categories)
        return not all(map(column.allows, found)) if column.choices else column.required and "" in found
    values = series.to_numpy()
    low, high = values.min(initial=0), values.max(initial=0)
    if math.isnan(low):
        if column.required:
            return True
        low, high = series.min(), series.max()
    wrong = (low < 0 and column.name not in _ANY_NUMBER) or (
        max(-low, high) == math.inf and column.name not in _MAY_BE_INFINITE
    )
    if wrong or column.kind != "count":
        return bool(wrong)
    return bool(high > _LARGEST or (values % 1 > 0).any())


def suspicious_cells(frame: pd.DataFrame) -> bool:
    """Whether a rule that `cell_problem` knows may be broken by any row of `frame`."""
    if (frame["schema"] != SCHEMA).any():
        return True
    timed = frame["status"].isin(TIMED) & (frame["role"] != "floor")
    if (timed & ~(frame["time_s"] > 0)).any():
        return True
    cases = frame[["op", "direction", "layout", "n"]].drop_duplicates()
    return any(_mixed_up(*case) is not None for case in cases.itertuples(index=False, name=None))


def quoted(value: str) -> str:
    """`value` as it can stand in a one-line message: escaped, and shortened."""
    return repr(value if len(value) <= 40 else value[:37] + "...")
