"""Reading cells.csv and rounds.csv: what is wrong is named by file, row and column."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.records import reading
from bench.records.columns import columns_of
from bench.records.parsing import DoubtError, Form, parse, parse_exactly
from bench.records.reading import ReadError, read_cells, read_rounds
from bench.records.schema import CELL_COLUMNS, ROUND_COLUMNS, SCHEMA, Cell
from tests.cells_file import CELLS, GOOD, LINES, refusal, save, with_field
from tests.factories import as_csv, cell, sampled

WIDTH = len(CELL_COLUMNS)
FORM = Form(CELL_COLUMNS, columns_of(Cell), SCHEMA)

FIELDS = [
    ("time_s", "fast", "'fast'; a number belongs here"),
    ("time_s", "1,5", "'1,5'"),
    ("time_s", "1_0", "'1_0'"),
    ("time_s", "0x1p3", "'0x1p3'"),
    ("time_s", "", "status is ok"),
    ("time_s", "0.0", "status is ok"),
    ("time_s", "-1e-3", "negative"),
    ("time_s", "inf", "finite"),
    ("gb_per_s", "True", "'True'"),
    ("max_ulp", "many", "'many'"),
    ("n", "", "empty"),
    ("n", "10.5", "whole number"),
    ("n", "-8", "negative"),
    ("n", "1e300", "up to 2**53"),
    ("rounds", "2.5", "whole number"),
    ("backend", "", "empty"),
    ("op", "rely", "did you mean 'relu'?"),
    ("params", "alpha", "'alpha' gives no parameters; allowed: NAME=NUMBER"),
    ("params", "alpha=1.0", "relu has no parameter 'alpha'"),
    ("status", "OK", "allowed: ok, noisy"),
    ("verdict", "fast", "allowed: faster, slower, same, unresolved"),
    ("verdict", "tie", "allowed: faster, slower, same, unresolved"),
    ("leader_verdict", "sam", "did you mean 'same'?"),
    ("over_leader", "inf", "finite"),
    ("process_sd", "-0.01", "negative"),
    ("process_sd", "inf", "finite"),
    ("time_s", "1e308", "at most 1e+09 can be true"),
    ("gb_per_s", "1e12", "at most 1e+09 can be true"),
    ("speedup", "1e308", "at most 1e+12 can be true"),
    ("over_leader", "1e20", "at most 1e+12 can be true"),
    ("threads_effective", "-1", "negative"),
    ("threads_effective", "1" + "0" * 30, "at most 1.04858e+06"),
    ("rounds", "1e-400", "a time has one or more"),
    ("rounds", "0", "is '0', but status is ok: a time has one or more"),
    ("role", "twins", "did you mean 'twin'?"),
    ("dtype", "", "''"),
    ("reason", "a\0b", "NUL"),
]
"""A column, what stands in its field in the third line, and what is said of that."""


def quick(rows: bytes) -> pd.DataFrame | None:
    """What the quick way makes of these few rows; None where it is in doubt."""
    try:
        return pd.concat([frame for frame, _ in parse(io.BytesIO(rows), FORM)])
    except DoubtError:
        return None


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
                GOOD.replace("queued_s\n", "queued_s,time_s\n"),
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
            ("\n".join([*LINES[:2], LINES[2] + ",3", *LINES[3:]]), 3, "queued_s", f"{WIDTH + 1} fields"),
            ("\n".join([LINES[0], LINES[1] + ",3", *LINES[2:]]), 2, "queued_s", f"{WIDTH + 1} fields"),
            (GOOD.replace("\r\n", "\n").replace("\n", "\r"), 1, "schema", "not a CSV file"),
            (GOOD + '1,"run1', 6, "run_id", "quote never closed"),
            (GOOD.replace(",baseline,relu", ',"base"line,relu'), 2, "role", "is not CSV (',' expected"),
            (GOOD.replace("process_sd,", "sd,"), 1, "process_sd", "not in the header"),
            (GOOD.encode().replace(b"torch_eager", b"torch\xff", 1), 3, "backend", "UTF-8"),
            *((with_field(3, column, value), 3, column, says) for column, value, says in FIELDS),
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

    @pytest.mark.parametrize(
        ("part", "quote"),
        [
            (256, '"'),
            *(
                pytest.param(*each, marks=pytest.mark.daily)
                for each in ((256, ""), (1 << 24, '"'), (1 << 24, ""))
            ),
        ],
    )
    def test_the_row_is_right_in_whatever_parts_the_file_is_searched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int, quote: str
    ) -> None:
        monkeypatch.setattr(reading, "_PART", part)
        odd = [cell(f"b{i}", None, status="failed", reason=f"{i}\n\n, {quote}and") for i in range(5)]
        text = as_csv([*CELLS, *odd, cell("last", n=77)])
        assert len(read_cells([save(tmp_path, text)])) == len(CELLS) + 6
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
        frame = quick(path.read_bytes().partition(b"\n")[2])
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

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
        quickly = quick(rest)
        exact: list[pd.DataFrame] = []
        refused = refusal(lambda: exact.append(parse_exactly(path, 2, rest, FORM)))
        assert (quickly is None) >= (refused is not None)
        assert refusal(lambda: read_cells([path])) == refused
        if quickly is not None:
            pd.testing.assert_frame_equal(quickly, exact[0], check_dtype=False)
