"""Reading files of former schemas, alone and beside newer ones."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest

from bench.records.columns import columns_of
from bench.records.reading import ReadError, read_cells, read_rounds
from bench.records.schema import ROUND_COLUMNS, SCHEMA, VERDICTS, Cell, Round, values_of
from tests.cells_file import save
from tests.factories import as_csv, cell, experiment, sampled
from tests.running import ROOT


def former(records: list[Cell] | list[Round]) -> str:
    """The file as schema 1 had it: of cells, or of rounds where the records are such."""
    names = [rule.name for rule in columns_of(type(records[0]), 1)]
    rows = [["1" if name == "schema" else values_of(record)[name] for name in names] for record in records]
    text = [["" if value is None else str(value) for value in row] for row in rows]
    return "\n".join(",".join(row) for row in [names, *text]).replace(",unresolved,", ",tie,") + "\n"


class TestFormerSchemas:
    OLD = experiment({"numpy_ufunc": 2e-3, "torch_eager": 1e-3, "numba_jit": 1.95e-3}, run_id="old")
    NEW = experiment({"numpy_ufunc": 2e-3}, run_id="new", leader="numpy_ufunc", leader_verdict="same")

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_they_are_read_beside_newer_ones(self, tmp_path: Path, newest_first: bool) -> None:
        paths = [tmp_path / "old.csv", tmp_path / "new.csv"]
        paths[0].write_text(former(self.OLD))
        paths[1].write_text(as_csv(self.NEW))
        frame = read_cells(paths[::-1] if newest_first else paths).set_index("run_id")
        alone = read_cells([save(tmp_path, as_csv([*self.OLD, *self.NEW]))])
        assert frame.dtypes.astype(str).to_dict() == alone.set_index("run_id").dtypes.astype(str).to_dict()
        old, new = frame.loc["old"], frame.loc[["new"]]
        assert list(old["verdict"]) == ["", "faster", "unresolved"]
        assert list(old["verdict"].cat.categories) == ["", *VERDICTS]
        assert (old["leader_verdict"] == "").all()
        assert old["process_sd"].isna().all()
        assert list(new["leader_verdict"]) == ["same"]
        assert sorted(frame["schema"]) == [1, 1, 1, SCHEMA]

    def test_rounds_too_which_are_of_one_process(self, tmp_path: Path) -> None:
        rounds = sampled({"a": [1.0, 2.0]})[1]
        paths = [tmp_path / "old.csv", tmp_path / "new.csv"]
        paths[0].write_text(former(rounds))
        paths[1].write_text(as_csv([dataclasses.replace(rounds[0], process=2, mean_s=1.5)], ROUND_COLUMNS))
        frame = read_rounds(paths)
        assert list(frame.columns) == list(ROUND_COLUMNS)
        assert list(frame["process"]) == [1, 1, 2]
        assert frame["process"].dtype == np.int64
        assert list(frame["mean_s"].isna()) == [True, True, False]

    def test_an_op_had_its_usual_parameters(self, tmp_path: Path) -> None:
        times = {"numpy_ufunc": 2e-3, "torch_eager": 1e-3}
        paths = [tmp_path / "old.csv", tmp_path / "new.csv"]
        old = [*experiment(times, op="elu", run_id="old"), *experiment(times, run_id="old")]
        paths[0].write_text(former(old))
        new = experiment(times, op="elu", params="alpha=0.5", run_id="new")
        paths[1].write_text(as_csv(new))
        frame = read_cells(paths)
        assert list(frame["params"]) == ["alpha=1.0"] * 2 + [""] * 2 + ["alpha=0.5"] * 2
        assert list(frame["params"].cat.categories) == ["", "alpha=0.5", "alpha=1.0"]
        paths[0].write_text(former(sampled({"a": [1.0]}, op="elu")[1]))
        assert list(read_rounds(paths[:1])["params"]) == ["alpha=1.0"]

    def test_a_run_of_that_time(self) -> None:
        folder = ROOT / "tests" / "schema1"
        assert set(read_cells([folder / "cells.csv"], ["verdict"])["verdict"].cat.categories) == {
            "",
            *VERDICTS,
        }
        assert (read_rounds([folder / "rounds.csv"])["process"] == 1).all()

    def test_a_column_of_ones_own_that_has_a_newer_name_is_ignored(self, tmp_path: Path) -> None:
        lines = former(self.OLD).splitlines()
        text = "\n".join([lines[0] + ",python", *(line + ",three" for line in lines[1:])])
        assert list(read_cells([save(tmp_path, text)])["python"]) == [""] * 3

    def test_the_schema_is_found_behind_lines_in_quotes_and_blank_ones(self, tmp_path: Path) -> None:
        odd = cell("jax_jit", None, status="failed", reason="one\n\ntwo", schema=1)
        names = [rule.name for rule in columns_of(Cell, 1)][::-1]
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(names)
        text.write("\n")
        writer.writerow([values_of(odd)[name] for name in names])
        assert list(read_cells([save(tmp_path, text.getvalue())])["reason"]) == ["one\n\ntwo"]

    @pytest.mark.parametrize("word", ["same", "unresolved"])
    def test_they_have_their_own_words(self, tmp_path: Path, word: str) -> None:
        text = former(self.OLD).replace(",tie,", f",{word},")
        with pytest.raises(ReadError, match=r"row 4, column verdict: .*allowed: faster, slower, tie"):
            read_cells([save(tmp_path, text)])

    def test_rounds_with_some_of_the_newer_columns_lack_the_others(self, tmp_path: Path) -> None:
        text = as_csv(sampled({"a": [1.0]})[1], ROUND_COLUMNS).replace(",waited_s,", ",waited,")
        with pytest.raises(ReadError, match="row 1, column waited_s: is not in the header"):
            read_rounds([save(tmp_path, text)])

    def test_rows_of_a_newer_schema_below(self, tmp_path: Path) -> None:
        text = former(self.OLD).replace("\n1,old,", "\n2,old,").replace("\n2,old,", "\n1,old,", 1)
        with pytest.raises(ReadError, match="row 3, column schema: is 2, but the file begins with 1"):
            read_cells([save(tmp_path, text)])
