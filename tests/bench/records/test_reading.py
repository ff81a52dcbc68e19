"""Reading cells.csv and rounds.csv: what is right is read right, however it is spelled."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.records import parsing
from bench.records.columns import columns_of
from bench.records.parsing import Form, parse
from bench.records.reading import read_cells, read_rounds
from bench.records.schema import CELL_COLUMNS, SCHEMA, Cell, Round
from bench.records.writing import RunFiles
from tests.cells_file import CELLS, GOOD, LINES, refusal, save, with_field
from tests.factories import as_csv, cell, experiment, sampled, write_run

FORM = Form(CELL_COLUMNS, columns_of(Cell), SCHEMA)


class TestWhatIsRead:
    def test_every_column_of_every_row(self, tmp_path: Path) -> None:
        frame = read_cells([save(tmp_path, GOOD)])
        assert list(frame.columns) == list(CELL_COLUMNS)
        assert list(frame["backend"]) == ["numpy_ufunc", "torch_eager", "numba_tuned", "jax_jit"]
        assert list(frame["time_s"])[:3] == [2e-3, 1e-3, 5e-4]
        assert np.isnan(frame["time_s"][3])
        assert frame["n"].dtype == np.int64
        assert frame["reason"][3] == 'immutable: "out" is refused, always'
        assert list(frame["variant"]) == ["", "", "thp", ""]

    def test_what_the_suite_writes(self, tmp_path: Path) -> None:
        files = RunFiles(tmp_path / "run1")
        files.open()
        slope = cell("torch_eager", 1e-3, op="leaky_relu", negative_slope=float("nan"), max_ulp=float("inf"))
        unbounded = dict.fromkeys(("time_hi_s", "over_leader_hi", "leader_noise_floor"), float("inf"))
        lowest = {"time_lo_s": float("-inf"), "speedup_lo": 0.0, "over_leader_lo": 0.0}
        one_round = cell("jax_jit", 1e-3, n=2048, **lowest, **unbounded)
        rounds = [Round("run1", "torch_eager", "", "candidate", slope.case, 0, 1, 20, 1e-3, 0)]
        files.append([*CELLS, slope, one_round], rounds)
        frame = read_cells([files.cells_path])
        assert len(frame) == len(CELLS) + 2
        assert np.isnan(frame["negative_slope"][4])
        assert (frame.loc[5, list(unbounded)] == np.inf).all()
        assert list(read_rounds([files.rounds_path])["seconds"]) == [1e-3]

    def test_an_interval_of_two_rounds_that_differ_has_any_end(self, tmp_path: Path) -> None:
        """As a busy machine leaves it: the suite reads what it wrote itself."""
        cells, _ = sampled({"numpy_ufunc": [1e-3, 1e-1], "jax_jit": [1e-1, 1e-3]})
        found = read_cells([save(tmp_path, as_csv(cells))])
        assert found["time_hi_s"].min() > 1e9
        assert found["speedup_hi"].max() > 1e12

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda text: text.replace("\n", "\r\n"), id="CRLF"),
            pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
            pytest.param(lambda text: text.rstrip("\n"), id="no newline at the end"),
            pytest.param(lambda text: text + "\n\n", id="blank lines at the end"),
            pytest.param(lambda text: text.replace("\n", "\n\n", 2), id="blank lines between"),
            pytest.param(lambda text: text.replace("relu,forward", '"relu","forward"'), id="quoted fields"),
            pytest.param(
                lambda text: text.replace(",1024,", ",1024.0,"), id="counts as a data frame writes them"
            ),
        ],
    )
    def test_spellings_of_the_same_file(self, tmp_path: Path, change: Callable[[str], str]) -> None:
        expected = read_cells([save(tmp_path, GOOD)])
        assert read_cells([save(tmp_path, change(GOOD))]).equals(expected)

    def test_other_order_and_more_columns(self, tmp_path: Path) -> None:
        rows = list(csv.reader(LINES))
        text = "\n".join(",".join(["note", *reversed(row), "", "1"]) for row in rows[:4]) + "\n"
        text = text.replace(",,1\n", ",mine,theirs\n", 1)
        frame = read_cells([save(tmp_path, text)])
        assert frame.equals(read_cells([save(tmp_path, "\n".join(LINES[:4]) + "\n")]))

    @pytest.mark.parametrize("name", ["007", "1", "1e3", "true", "inf", "nan"])
    @pytest.mark.parametrize("column", ["run_id", "machine", "variant", "shard"])
    def test_names_that_could_be_numbers_are_text(self, tmp_path: Path, column: str, name: str) -> None:
        named: dict[str, Any] = {column: name}
        cells = [dataclasses.replace(each, **named) for each in CELLS]
        assert list(read_cells([save(tmp_path, as_csv(cells))])[column]) == [name] * len(CELLS)

    def test_a_run_with_a_number_for_a_name_is_not_in_doubt(self, tmp_path: Path) -> None:
        named = [dataclasses.replace(each, run_id="007", machine="12") for each in CELLS]
        path = save(tmp_path, as_csv(named))
        with path.open("rb") as file:
            file.readline()
            assert sum(len(frame) for frame, _ in parse(file, FORM)) == len(CELLS)

    @pytest.mark.parametrize("rows", [1, 3])
    def test_some_rows_at_a_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
        odd = cell("triton_jit", None, status="failed", reason='line one,\n"two"')
        path = save(tmp_path, as_csv([*CELLS, odd]))
        expected = read_cells([path])
        monkeypatch.setattr(parsing, "_ROWS", rows)
        assert read_cells([path]).equals(expected)
        torn = path.read_bytes().replace(b",skipped,", b",", 1)
        path.write_bytes(torn)
        assert "row 5, column queued_s: is missing" in str(refusal(lambda: read_cells([path])))

    def test_newlines_and_commas_inside_quotes(self, tmp_path: Path) -> None:
        odd = cell("triton_jit", None, status="failed", reason='line one,\nline "two",\r\nthree')
        frame = read_cells([save(tmp_path, as_csv([odd, *CELLS]))])
        assert frame["reason"][0] == odd.reason
        assert len(frame) == 1 + len(CELLS)

    def test_a_repeated_cell_counts_once_and_the_last_wins(self, tmp_path: Path) -> None:
        again = cell("torch_eager", 7e-4, rounds=9)
        frame = read_cells([save(tmp_path, as_csv([*CELLS, again]))])
        assert len(frame) == len(CELLS)
        assert list(frame.loc[frame["backend"] == "torch_eager", "time_s"]) == [7e-4]

    def test_the_same_arm_in_another_run_is_another_cell(self, tmp_path: Path) -> None:
        paths = [
            write_run(tmp_path / run, experiment({"a": 1.0, "b": 2.0}, run_id=run)) / "cells.csv"
            for run in "xy"
        ]
        frame = read_cells(paths)
        assert list(zip(frame["run_id"], frame["backend"], strict=True)) == [
            *(("x", "a"), ("x", "b")),
            *(("y", "a"), ("y", "b")),
        ]

    def test_relu_has_no_slope(self, tmp_path: Path) -> None:
        frame = read_cells([save(tmp_path, with_field(3, "negative_slope", "0.01"))])
        assert list(frame["negative_slope"]) == [0.0] * len(CELLS)

    def test_only_some_columns(self, tmp_path: Path) -> None:
        frame = read_cells([save(tmp_path, GOOD)], ["time_s"])
        assert {"time_s", "run_id", "n"} <= set(frame)
        assert "speedup" not in frame

    def test_what_is_not_kept_is_not_judged_but_has_to_be_there(self, tmp_path: Path) -> None:
        spoilt = with_field(3, "speedup", "fast")
        assert len(read_cells([save(tmp_path, spoilt)], ["time_s"])) == len(CELLS)
        assert refusal(lambda: read_cells([tmp_path / "cells.csv"], ["speedup"]))
        for wrong in (with_field(3, "status", "OK"), spoilt.replace(",fast,", ",", 1)):
            save(tmp_path, wrong)
            assert refusal(lambda: read_cells([tmp_path / "cells.csv"], ["time_s"]))
