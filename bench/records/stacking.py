"""A column of many parts, put together as they come: a large file's values, and each of its texts, are in memory once.

Nothing of a part is kept: a small object of each, among large ones that go, leaves holes as large as these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.records.columns import Column

__all__ = ["Stack"]


class Stack:
    """The parts of one column, of text as categories or strings, else of numbers; so many rows are `expected`."""

    def __init__(self, rule: Column, expected: int = 0) -> None:
        self._rule = rule
        self._values: npt.NDArray[Any] = np.empty(expected, _dtype(rule))
        self._count = 0
        self._codes: dict[str, int] = {}
        self._texts: dict[str, str] = {}

    def add(self, part: pd.Series) -> None:
        """Put `part` at the end."""
        values = part.to_numpy() if self._rule.kind != "text" else self._of_texts(part)
        needed = self._count + len(values)
        self._make_room(needed, values.dtype)
        self._values[self._count : needed] = values
        self._count = needed

    def _of_texts(self, part: pd.Series) -> npt.NDArray[Any]:
        """Free text as strings, of equal ones always the first, since reasons are long and repeat; else as codes."""
        if self._rule.free:
            places, found = pd.factorize(part)
            return np.array([self._texts.setdefault(text, text) for text in found], object)[places]
        codes = [self._codes.setdefault(text, len(self._codes)) for text in part.cat.categories]
        return np.array(codes, _code_dtype(len(self._codes)))[part.cat.codes]

    def _make_room(self, rows: int, dtype: np.dtype[Any]) -> None:
        """Room for so many rows; what nothing is written to yet takes no memory.  More codes may need a wider type."""
        wider = dtype if self._codes and dtype.itemsize > self._values.itemsize else self._values.dtype
        if rows > len(self._values) or wider != self._values.dtype:
            size = len(self._values) if rows <= len(self._values) else max(rows, 2 * len(self._values))
            grown = np.empty(size, wider)
            grown[: self._count] = self._values[: self._count]
            self._values = grown

    def column(self) -> pd.Series:
        """All of it: categories in their order; whole numbers where every row has a count."""
        values = self._values[: self._count]
        if self._rule.free:
            return pd.Series(values, dtype="str", copy=False)
        if self._rule.kind != "text":
            return pd.Series(values, copy=False)
        choices = self._rule.choices
        categories = pd.Index([*choices, *sorted(set(self._codes).difference(choices))], dtype="str")
        places = categories.get_indexer(pd.Index(list(self._codes), dtype="str"))
        codes = places.astype(_code_dtype(len(categories)))[values]
        dtype = pd.CategoricalDtype(categories, ordered=True)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype, validate=False), copy=False)


def _dtype(rule: Column) -> npt.DTypeLike:
    if rule.kind == "text":
        return object if rule.free else _code_dtype(0)
    return np.int64 if rule.kind == "count" and rule.required else np.float64


def _code_dtype(count: int) -> np.dtype[Any]:
    """The smallest signed type for so many codes, -1 besides: what pandas uses, too."""
    return np.dtype(np.int8 if count <= 1 << 7 else np.int16 if count <= 1 << 15 else np.int32)
