"""What each column of cells.csv and rounds.csv may hold.

Each rule stands here once and judges a whole column: its distinct texts, or an array of numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.records.schema import ROLES, SCHEMA, STATUSES, VERDICTS, Cell, Round, fields_of, since
from bench.text.hints import did_you_mean
from kernels.api import AXIS_TABLE, is_own
from kernels.networks.case import WIDTHS, words_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.bool_]

__all__ = [
    "FORMER_WORDS",
    "NULLS",
    "TIMED",
    "Broken",
    "Column",
    "columns_of",
    "quoted",
    "schema_problem",
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
    "leader_verdict": ("", *VERDICTS),
}
_FORMER_CHOICES: Mapping[tuple[str, int], tuple[str, ...]] = {
    ("verdict", 1): ("", "faster", "slower", "tie"),
}
"""Those of columns that had other words in files of a former schema."""
FORMER_WORDS: Mapping[str, Mapping[str, str]] = {"verdict": {"tie": "unresolved"}}
"""What words of former schemas are read as, by column: a tie was a difference not seen, not one shown to be small."""
_MAY_BE_BLANK = ("machine", "started_utc", "variant", "device")
"""Columns of every row whose text may be empty: files made by hand, a backend as it comes."""
_FREE_TEXT = ("started_utc", "reason", "special_values")
"""Columns in which every row may have a text of its own."""
_BOUNDS = (
    *("time_lo_s", "time_hi_s", "speedup_lo", "speedup_hi", "noise_floor"),
    *("over_leader_lo", "over_leader_hi", "leader_noise_floor"),
)
"""What one round alone leaves without a limit, and two rounds that differ with one far beyond any time."""
_ANY_NUMBER = ("negative_slope", "time_lo_s")
"""A slope is any float64, and a file may hold NaN for one; the lower bound of a lone round is -inf."""
_MAY_BE_INFINITE = ("negative_slope", "max_ulp", *_BOUNDS)
"""Besides the bounds: a slope is any float64, and the distance of NaN from a number has no end."""
_RATIOS = ("speedup", "over_leader", "ceiling_fraction", "mean_over_median")
_MOST = dict.fromkeys(_RATIOS, 1e12) | dict.fromkeys(("threads", "threads_effective"), 2.0**20)
"""The largest that can be true."""
_MOST_A_SECOND = 1e9
"""The same of seconds (a generation), and of 1e9 bytes a second."""
_ANY_TIME = ("resolve_s",)
"""What resolving takes may be longer than anyone waits."""
_FROM_ONE = ("process",)
"""Counts that begin with 1."""
_LARGEST = 2**53
"""Beyond it a float64 skips whole numbers."""
SOME_WIDTHS = "widths such as 10-5-3"
_NUMBER = re.compile(
    r"\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)\s*", flags=re.ASCII | re.IGNORECASE
)


class Broken(NamedTuple):
    """A rule with a flag for each row, whether it breaks it; `says` takes the texts of such a row, by column."""

    column: str
    rows: Rows
    says: Callable[[Mapping[str, str]], str]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `kind` is ``text``, ``count`` (a whole number, 0 or more) or ``number``.

    `choices` are the values allowed, or () where any will do; `layout` may be widths besides, as in
    ``10-5-3``, and `op` the name of somebody's own (`kernels.api.is_own`).
    `usual` is what every row has where a file of a former schema lacks the column.
    """

    name: str
    kind: str
    required: bool
    choices: tuple[str, ...]
    usual: Any

    @property
    def free(self) -> bool:
        """Whether any text will do, and each row may have its own."""
        return self.name in _FREE_TEXT

    @property
    def nulls(self) -> tuple[str, ...]:
        """The texts that stand for no number here; a slope may be NaN, but not left out."""
        if not self.required:
            return NULLS
        return tuple(filter(None, NULLS)) if self.name in _ANY_NUMBER else ()

    def allows(self, value: str) -> bool:
        """Whether `value` is one of `choices`, where there are any."""
        return (
            not self.choices
            or value in self.choices
            or (self.name == "layout" and WIDTHS.fullmatch(value) is not None)
            or (self.name == "op" and is_own(value))
        )

    def problem(self, value: str) -> str | None:
        """What is wrong with `value`, the text of a field, or None; how large a number is, is not judged."""
        if self.kind != "text":
            if value in self.nulls or _NUMBER.fullmatch(value):
                return None
            if value in NULLS:
                return f"is empty; a {self.kind} belongs here"
            return f"is {quoted(value)}; a number belongs here"
        if "\0" in value:
            return "is not text (a NUL byte, or not UTF-8): is this a binary file?"
        if not self.allows(value):
            allowed = ", ".join(choice for choice in self.choices if choice)
            allowed += f", {SOME_WIDTHS}" if self.name == "layout" else ""
            return f"is {quoted(value)}; allowed: {allowed}{did_you_mean(value, self.choices)}"
        return "is empty" if self.required and not value else None

    def misspelt(self, texts: pd.Series) -> Iterator[Broken]:
        """The rows of `texts`, a categorical of this column's fields, that have a `problem`, if any."""
        wrong = [value for value in texts.cat.categories.to_numpy() if self.problem(value)]
        if wrong:
            rows = texts.isin(wrong).to_numpy()
            yield Broken(self.name, rows, lambda row: str(self.problem(row[self.name])))

    def broken(self, column: pd.Series) -> Iterator[Broken]:
        """The rows of `column` that break each rule: a categorical of text, or numbers (NaN for none).

        Nothing is asked of free text.
        """
        if self.kind == "text":
            if not self.free:
                yield from self.misspelt(column)
            return
        numbers = column.to_numpy()
        if not self._is_usual(numbers):
            yield from self._broken_numbers(numbers)

    def _is_usual(self, numbers: Floats) -> bool:
        """Whether their smallest and their largest tell that no rule is broken, as in most columns.  NaN is none."""
        import numpy as np  # noqa: PLC0415  # whoever wants the names of the columns needs no NumPy

        low, high = np.fmin.reduce(numbers, initial=0), np.fmax.reduce(numbers, initial=0)
        within = (low >= 0 or self.name in _ANY_NUMBER) and high <= min(self._most, _LARGEST)
        if not within or self.name in _FROM_ONE:
            return False
        return (
            self.kind != "count"
            or numbers.dtype.kind in "iu"
            or not bool((np.floor(numbers) < numbers).any())
        )

    def _broken_numbers(self, numbers: Floats) -> Iterator[Broken]:
        if self.name not in _MAY_BE_INFINITE:
            yield self._rule(abs(numbers) == math.inf, "a finite number belongs here")
        if self.name not in _ANY_NUMBER:
            yield self._rule(numbers < 0, "it cannot be negative")
        if self.name in _FROM_ONE:
            yield self._rule(numbers == 0, "they are counted from 1")
        yield self._rule((numbers > self._most) & (numbers < math.inf), f"at most {self._most:g} can be true")
        if self.kind == "count":
            whole = numbers.round()
            broken = (whole < numbers) | (numbers < whole) | (numbers > _LARGEST)
            yield self._rule(broken, "a whole number up to 2**53 belongs here")

    @property
    def _most(self) -> float:
        if self.name in _BOUNDS:
            return math.inf
        if self.name == "seconds" or (self.name.endswith("_s") and self.name not in _ANY_TIME):
            return _MOST_A_SECOND
        return _MOST.get(self.name, math.inf)

    def _rule(self, rows: Rows, problem: str) -> Broken:
        return Broken(self.name, rows, lambda row: f"is {quoted(row[self.name])}; {problem}")


def columns_of(row: type[Cell] | type[Round], schema: int = SCHEMA) -> tuple[Column, ...]:
    """The columns of one file of `schema`, in header order; required are those whose fields have a value by default."""
    kinds = {"str": "text", "int": "count", "float": "number"}
    return tuple(
        Column(
            field.name,
            kinds[str(field.type).split()[0]],
            field.default not in ("", None) and field.name not in _MAY_BE_BLANK,
            _FORMER_CHOICES.get((field.name, schema), _CHOICES.get(field.name, ())),
            field.default,
        )
        for field in fields_of(row)
        if since(field) <= schema
    )


def schema_problem(found: int, schema: int) -> str:
    """Why a row of schema `found` is refused in a file of `schema`, another one."""
    if found > SCHEMA:
        return f"is {found:g}, newest known here {SCHEMA}: written by a newer version; update the suite"
    if found < 1:
        return f"is {found}; allowed: {', '.join(map(str, range(1, SCHEMA + 1)))}"
    return f"is {found}, but the file begins with {schema}: rows of one schema belong in one file"


def quoted(value: str) -> str:
    """`value` as it can stand in a one-line message: escaped, and shortened."""
    return repr(value if len(value) <= 40 else value[:37] + "...")
