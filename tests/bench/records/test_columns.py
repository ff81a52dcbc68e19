"""What a column may hold: quick looks say the same as the rules, value by value."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from bench.records.columns import Column, columns_of
from bench.records.reading import read_cells
from bench.records.schema import Cell, Round
from tests.many_rows import many_rows

NUMBERS = [rule for rule in (*columns_of(Cell), *columns_of(Round)) if rule.kind != "text"]
VALUES = (
    -math.inf,
    -1.0,
    -0.0,
    0.0,
    0.5,
    1.0,
    2.0**20 + 1,
    1e9,
    2e9,
    1e13,
    2.0**53,
    2.0**54,
    math.inf,
    math.nan,
)
OUTLIERS = (-math.inf, math.inf, 0.5, 2.0**54)


def broken(rule: Column, *values: float) -> bool:
    """Whether the first of `values` breaks a rule."""
    return any(each.rows[0] for each in rule.broken(pd.Series(values, dtype=float)))


@pytest.mark.parametrize("value", VALUES)
def test_a_number_is_judged_alike_alone_and_beside_one_that_is_out_of_bounds(value: float) -> None:
    for rule in NUMBERS:
        beside = any(broken(rule, value, outlier) for outlier in OUTLIERS)
        assert broken(rule, value) == beside, rule.name


def test_a_made_run_of_many_rows_is_one_that_can_be_read(tmp_path: Path) -> None:
    assert len(read_cells([many_rows(tmp_path, 60) / "cells.csv"], ["time_s"])) == 60
