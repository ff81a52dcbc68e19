"""A column of many parts, put together as they come: a large file's numbers are in memory once."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from bench.records.columns import Column

__all__ = ["Stack"]


class Stack:
    """The parts of one column, of text as categories or strings, else of numbers; so many rows are `expected`.

    An array that grows leaves holes in memory as large as itself.
    """

    def __init__(self, rule: Column, expected: int = 0) -> None:
        self._rule = rule
        self._texts: list[pd.Series] = []
        self._numbers, self._count = np.empty(0 if rule.kind == "text" else expected, np.float64), 0

    def add(self, part: pd.Series) -> None:
        """Put `part` at the end."""
        if self._rule.kind == "text":
            self._texts.append(part)
            return
        needed = self._count + len(part)
        if needed > len(self._numbers):  # what nothing is written to yet takes no memory
            grown = np.empty(max(needed, 2 * len(self._numbers)), np.float64)
            grown[: self._count] = self._numbers[: self._count]
            self._numbers = grown
        self._numbers[self._count : needed] = part.to_numpy()
        self._count = needed

    def column(self) -> pd.Series:
        """All of it: categories in their order; whole numbers where every row has a count."""
        rule, texts = self._rule, self._texts
        if rule.kind != "text":
            numbers = pd.Series(self._numbers[: self._count])
            return numbers.astype("int64") if rule.kind == "count" and rule.required else numbers
        if texts[0].dtype != "category":
            return pd.concat(texts, ignore_index=True)
        union = union_categoricals(texts)
        others = sorted(set(union.categories).difference(rule.choices))
        return pd.Series(union.set_categories([*rule.choices, *others], ordered=True))
