"""Rows of one group have one number, and the numbers are in the order of the groups."""

from __future__ import annotations

from pathlib import Path

from bench.records.reading import read_cells
from bench.stats.frames import group_ids
from tests.factories import cell, write_run


def test_group_ids_are_in_the_order_of_the_columns(tmp_path: Path) -> None:
    cells = [
        cell("b", op="leaky_relu", n=10),
        cell("a", op="leaky_relu", n=9, negative_slope=float("nan")),
        cell("b", op="relu", n=100),
        cell("c", op="leaky_relu", n=9, negative_slope=float("nan")),
    ]
    frame = read_cells([write_run(tmp_path, cells) / "cells.csv"])
    assert list(group_ids(frame, ["op", "n", "negative_slope"])) == [2, 1, 0, 1]
