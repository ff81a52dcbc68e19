"""Groups of rows in frames: their numbers and order, and the rounds of each arm."""

from __future__ import annotations

import math
from pathlib import Path

from bench.records.reading import read_cells, read_rounds
from bench.records.schema import CELL_KEY, Round, record_of, values_of
from bench.stats.frames import arm_key, counted_rounds, group_ids, rounds_by_arm, timed
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


def test_the_rounds_of_each_arm(tmp_path: Path) -> None:
    """Several processes, arms in turn, a slope that is NaN, and a round that stands there twice."""
    cells = [cell("b"), cell("a", op="leaky_relu", negative_slope=math.nan)]
    rounds = []
    for process, number, seconds in ((1, 0, 9.0), (1, 0, 1.0), (1, 1, 2.0), (2, 0, 3.0)):
        for factor, record in enumerate(cells, start=1):
            key = {name: values_of(record)[name] for name in CELL_KEY}
            own = {"round": number, "seconds": seconds * factor, "process": process}
            rounds.append(record_of(Round, key | {"order": 0, "iterations": 1, "contended": 1} | own))
    folder = write_run(tmp_path, cells, rounds)
    frame = read_rounds([folder / "rounds.csv"])
    found = rounds_by_arm(frame, CELL_KEY)
    rows = read_cells([folder / "cells.csv"]).to_dict("records")
    keys = [arm_key(row[name] for name in CELL_KEY) for row in rows]
    assert found == {
        keys[0]: {(1, 0): 1.0, (1, 1): 2.0, (2, 0): 3.0},
        keys[1]: {(1, 0): 2.0, (1, 1): 4.0, (2, 0): 6.0},
    }
    assert timed(frame[frame["backend"] == "a"]) == found[keys[1]]
    assert counted_rounds(frame, CELL_KEY)["seconds"].tolist() == [1.0, 2.0, 2.0, 4.0, 3.0, 6.0]
    assert rounds_by_arm(frame.iloc[:0], CELL_KEY) == {}
