"""Reading cells.csv and rounds.csv: what is right is read right, what is wrong is named by place."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.records import reading
from bench.records.columns import columns_of
from bench.records.parsing import Form, parse, parse_exactly
from bench.records.reading import ReadError, read_cells, read_rounds
from bench.records.schema import CELL_COLUMNS, ROUND_COLUMNS, SCHEMA, VERDICTS, Cell, Round, values_of
from bench.records.writing import RunFiles
from tests.factories import as_csv, cell, experiment, sampled, write_run
from tests.running import ROOT

CELLS = [
    *experiment({"numpy_ufunc": 2e-3, "torch_eager": 1e-3, "numba_tuned[thp]": 5e-4}),
    cell("jax_jit", None, status="skipped", reason='immutable: "out" is refused, always'),
]
GOOD = as_csv(CELLS)
LINES = GOOD.splitlines()
WIDTH = len(CELL_COLUMNS)
FORM = Form(CELL_COLUMNS, columns_of(Cell), SCHEMA)


def save(folder: Path, text: str | bytes) -> Path:
    path = folder / "cells.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def with_field(row: int, column: str, value: str) -> str:
    """GOOD with one field changed; `row` is its line in the file, from 1."""
    rows = list(csv.reader(LINES))
    rows[row - 1][CELL_COLUMNS.index(column)] = value
    return (
        "\n".join(",".join(f'"{v}"' if set(v) & set(',"') else v for v in map(escape, r)) for r in rows)
        + "\n"
    )


def escape(value: str) -> str:
    return value.replace('"', '""')


def refusal(action: Callable[[], object]) -> str | None:
    try:
        action()
    except ReadError as error:
        return str(error)
    return None


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


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("text", "row", "column", "says"),
        [
            ("", 1, "schema", "empty"),
            ("\n", 1, "schema", "empty"),
            (LINES[0] + "\n", 2, "schema", "no row follows the header"),
            (LINES[0] + "\n\n\n", 2, "schema", "no row follows the header"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 9, 1, "schema", "not such a file"),
            (b"PK\x03\x04\0\0\0\0" * 50, 1, "schema", "binary"),
            (GOOD.encode("utf-16"), 1, "schema", "binary"),
            ("a,b\n1,2\n", 1, "schema", "'a', 'b'"),
            ("{'a': 1}", 1, "schema", "not such a file"),
            (GOOD.replace(",", ";"), 1, "schema", "semicolons"),
            (GOOD.replace(",", "\t"), 1, "schema", "tabs"),
            (GOOD.replace("time_lo_s", "time_low_s"), 1, "time_lo_s", "did you mean 'time_low_s'?"),
            (GOOD.replace("time_lo_s,time_hi_s,", ""), 1, "time_lo_s", "missing too: time_hi_s"),
            (GOOD.replace("device_s", "time_s"), 1, "device_s", "not in the header"),
            (
                GOOD.replace("shard\n", "shard,time_s\n"),
                1,
                "time_s",
                "more than once",
            ),
            (GOOD.replace(f"\n{SCHEMA},run1", f"\n{SCHEMA + 1},run1"), 2, "schema", "newer version"),
            (with_field(4, "schema", str(SCHEMA + 1)), 4, "schema", "newer version"),
            (with_field(4, "schema", "0"), 4, "schema", "is 0; allowed: 1, 2"),
            (with_field(2, "schema", "0"), 2, "schema", "is 0; allowed: 1, 2"),
            (with_field(4, "schema", "1"), 4, "schema", f"is 1, but the file begins with {SCHEMA}"),
            (with_field(2, "schema", "x"), 2, "schema", "'x'; a number belongs here"),
            ("\n".join(LINES[:3]) + "\n" + LINES[3][:201], 4, "noise_floor", "ends after speedup_hi, '4.0'"),
            (
                "\n".join([*LINES[:2], "1,run1", *LINES[2:]]),
                3,
                "machine",
                f"2 fields where the header has {WIDTH}",
            ),
            ("\n".join([*LINES[:2], LINES[2] + ",3", *LINES[3:]]), 3, "shard", f"{WIDTH + 1} fields"),
            ("\n".join([LINES[0], LINES[1] + ",3", *LINES[2:]]), 2, "shard", f"{WIDTH + 1} fields"),
            (GOOD.replace("\r\n", "\n").replace("\n", "\r"), 1, "schema", "not a CSV file"),
            (GOOD + '1,"run1', 6, "run_id", "quote never closed"),
            (GOOD.replace(",baseline,relu", ',"base"line,relu'), 2, "role", "is not CSV (',' expected"),
            (with_field(3, "time_s", "fast"), 3, "time_s", "'fast'; a number belongs here"),
            (with_field(3, "time_s", "1,5"), 3, "time_s", "'1,5'"),
            (with_field(3, "time_s", "1_0"), 3, "time_s", "'1_0'"),
            (with_field(3, "time_s", "0x1p3"), 3, "time_s", "'0x1p3'"),
            (with_field(3, "time_s", ""), 3, "time_s", "status is ok"),
            (with_field(3, "time_s", "0.0"), 3, "time_s", "status is ok"),
            (with_field(3, "time_s", "-1e-3"), 3, "time_s", "negative"),
            (with_field(3, "time_s", "inf"), 3, "time_s", "finite"),
            (with_field(3, "gb_per_s", "True"), 3, "gb_per_s", "'True'"),
            (with_field(3, "max_ulp", "many"), 3, "max_ulp", "'many'"),
            (with_field(3, "n", ""), 3, "n", "empty"),
            (with_field(3, "n", "10.5"), 3, "n", "whole number"),
            (with_field(3, "n", "-8"), 3, "n", "negative"),
            (with_field(3, "n", "1e300"), 3, "n", "up to 2**53"),
            (with_field(3, "rounds", "2.5"), 3, "rounds", "whole number"),
            (with_field(3, "backend", ""), 3, "backend", "empty"),
            (with_field(3, "op", "rely"), 3, "op", "did you mean 'relu'?"),
            (
                with_field(3, "params", "alpha"),
                3,
                "params",
                "'alpha' gives no parameters; allowed: NAME=NUMBER",
            ),
            (with_field(3, "params", "alpha=1.0"), 3, "params", "relu has no parameter 'alpha'"),
            (with_field(3, "status", "OK"), 3, "status", "allowed: ok, noisy"),
            (with_field(3, "verdict", "fast"), 3, "verdict", "allowed: faster, slower, same, unresolved"),
            (with_field(3, "verdict", "tie"), 3, "verdict", "allowed: faster, slower, same, unresolved"),
            (with_field(3, "leader_verdict", "sam"), 3, "leader_verdict", "did you mean 'same'?"),
            (with_field(3, "over_leader", "inf"), 3, "over_leader", "finite"),
            (with_field(3, "process_sd", "-0.01"), 3, "process_sd", "negative"),
            (with_field(3, "process_sd", "inf"), 3, "process_sd", "finite"),
            (GOOD.replace("process_sd,", "sd,"), 1, "process_sd", "not in the header"),
            (with_field(3, "time_s", "1e308"), 3, "time_s", "at most 1e+09 can be true"),
            (with_field(3, "gb_per_s", "1e12"), 3, "gb_per_s", "at most 1e+09 can be true"),
            (with_field(3, "speedup", "1e308"), 3, "speedup", "at most 1e+12 can be true"),
            (with_field(3, "over_leader", "1e20"), 3, "over_leader", "at most 1e+12 can be true"),
            (with_field(3, "threads_effective", "-1"), 3, "threads_effective", "negative"),
            (
                with_field(3, "threads_effective", "1" + "0" * 30),
                3,
                "threads_effective",
                "at most 1.04858e+06",
            ),
            (with_field(3, "rounds", "1e-400"), 3, "rounds", "a time has one or more"),
            (with_field(3, "rounds", "0"), 3, "rounds", "is '0', but status is ok: a time has one or more"),
            (with_field(3, "role", "twins"), 3, "role", "did you mean 'twin'?"),
            (with_field(3, "dtype", ""), 3, "dtype", "''"),
            (with_field(3, "reason", "a\0b"), 3, "reason", "NUL"),
            (GOOD.encode().replace(b"torch_eager", b"torch\xff", 1), 3, "backend", "UTF-8"),
        ],
    )
    def test_by_file_row_and_column(
        self, tmp_path: Path, text: str | bytes, row: int, column: str, says: str
    ) -> None:
        path = save(tmp_path, text)
        with pytest.raises(ReadError) as caught:
            read_cells([path])
        message = str(caught.value)
        assert message.startswith(f"{path}: row {row}, column {column}: ")
        assert says in message
        assert len(message.splitlines()) == 1

    @pytest.mark.parametrize("cut", range(1, 6))
    def test_rounds_that_are_cut_within_the_last_field(self, tmp_path: Path, cut: int) -> None:
        _, rounds = sampled({"a": [1.0, 2.0]})
        text = as_csv([dataclasses.replace(each, cpu_reading_s=0.0001) for each in rounds], ROUND_COLUMNS)
        with pytest.raises(ReadError, match="row 3, column cpu_reading_s: may be cut off: no line's end"):
            read_rounds([save(tmp_path, text[:-cut])])
        assert len(read_rounds([save(tmp_path, text)])) == 2

    def test_one_row_of_booleans_is_not_numbers(self, tmp_path: Path) -> None:
        rows = [LINES[0], LINES[1].replace(",1024,", ",True,")]
        with pytest.raises(ReadError, match="row 2, column n: is 'True'"):
            read_cells([save(tmp_path, "\n".join(rows) + "\n")])

    def test_of_several_mistakes_the_first_row_and_the_first_column_is_named(self, tmp_path: Path) -> None:
        later = with_field(4, "backend", "").splitlines()[3]
        text = with_field(3, "n", "-8").replace(",2.0,", ",twice,", 1).splitlines()
        with pytest.raises(ReadError, match="row 3, column n: is '-8'; it cannot be negative"):
            read_cells([save(tmp_path, "\n".join([*text[:3], later, "1,run1"]))])

    def test_the_row_is_the_line_even_after_quoted_newlines(self, tmp_path: Path) -> None:
        odd = cell("jax_jit", None, status="failed", reason="one\ntwo\nthree")
        text = as_csv([odd, cell("numpy_ufunc")]) + "1,run1\n"
        with pytest.raises(ReadError, match="row 6, column machine"):
            read_cells([save(tmp_path, text)])

    @pytest.mark.parametrize("part", [256, 1 << 24])
    @pytest.mark.parametrize("quote", ['"', ""])
    def test_the_row_is_right_in_whatever_parts_the_file_is_searched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int, quote: str
    ) -> None:
        monkeypatch.setattr(reading, "_PART", part)
        odd = [cell(f"b{i}", None, status="failed", reason=f"{i}\n\n, {quote}and") for i in range(12)]
        text = as_csv([*CELLS, *odd, cell("last", n=77)])
        assert len(read_cells([save(tmp_path, text)])) == len(CELLS) + 13
        last = text.count("\n")
        with pytest.raises(ReadError, match=f"row {last}, column n: is 'x7'"):
            read_cells([save(tmp_path, text.replace(",77,", ",x7,"))])
        with pytest.raises(ReadError, match=f"row {last + 1}, column run_id: is missing"):
            read_cells([save(tmp_path, text + "1")])
        with pytest.raises(ReadError, match="row 6, column reason: is not CSV"):
            read_cells([save(tmp_path, text.replace('"0\n\n', '"0"x\n\n'))])

    def test_a_large_file_that_is_right_raises_no_doubt(self, tmp_path: Path) -> None:
        """It does not take the slow way, which is the only one that knows every legal spelling."""
        cells = [
            cell(f"b{i}", None, status="failed", reason=f'"{i}", ' + "and, so, on" * 9) for i in range(3000)
        ]
        path = save(tmp_path, as_csv(cells))
        assert path.stat().st_size > 1 << 19
        frame = parse(path.read_bytes().partition(b"\n")[2], FORM)
        assert frame is not None
        assert list(frame["reason"]) == [record.reason for record in cells]

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match="no such file"):
            read_cells([tmp_path / "none.csv"])

    @pytest.mark.parametrize(
        ("value", "says"),
        [("0", "counted from 1"), ("", "empty"), ("1.5", "whole number"), ("-1", "negative")],
    )
    def test_processes_are_counted_from_one(self, tmp_path: Path, value: str, says: str) -> None:
        text = as_csv(sampled({"a": [1.0]})[1], ROUND_COLUMNS).replace(",0,1,,,,,", f",0,{value},,,,,")
        with pytest.raises(ReadError, match=f"row 2, column process: .*{says}"):
            read_rounds([save(tmp_path, text)])

    def test_rounds_too(self, tmp_path: Path) -> None:
        path = save(tmp_path, as_csv([], ROUND_COLUMNS) + "run1,numpy_ufunc,,baseline,relu\n")
        with pytest.raises(ReadError, match="row 2, column direction"):
            read_rounds([path])
        with pytest.raises(ReadError, match="row 1, column round: is not in the header"):
            read_rounds([save(tmp_path, GOOD)])

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        row=st.integers(2, 4),
        column=st.sampled_from(CELL_COLUMNS),
        value=st.one_of(
            st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=6),
            st.floats().map(repr),
            st.integers(-3, 3).map(str),
            st.sampled_from(
                ["", "nan", "inf", "-inf", "ok", "twin", "tie", "1e999", " 1", "1 ", "+1", "1e-400", "True"]
            ),
        ),
    )
    def test_the_quick_way_and_the_exact_way_agree(
        self, tmp_path: Path, row: int, column: str, value: str
    ) -> None:
        """What the quick way takes the exact way takes, and reads the same."""
        path = save(tmp_path, with_field(row, column, value))
        rest = path.read_bytes().partition(b"\n")[2]
        quick = parse(rest, FORM)
        exact: list[pd.DataFrame] = []
        refused = refusal(lambda: exact.append(parse_exactly(path, 2, rest, FORM)))
        assert (quick is None) >= (refused is not None)
        assert refusal(lambda: read_cells([path])) == refused
        if quick is not None:
            pd.testing.assert_frame_equal(quick, exact[0], check_dtype=False)
