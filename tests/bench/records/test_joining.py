"""Neighbouring columns of few texts are read as one, and come apart again as they were."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.records.columns import columns_of
from bench.records.joining import layout_of
from bench.records.parsing import Form, parse, parse_exactly
from bench.records.schema import CELL_COLUMNS, SCHEMA, Cell
from tests.cells_file import GOOD, save, with_field

COLUMNS = columns_of(Cell)
ROWS = GOOD.partition("\n")[2].encode()


def test_the_names_of_a_cell_are_three_columns() -> None:
    layout = layout_of(ROWS, CELL_COLUMNS, COLUMNS)
    assert layout is not None
    assert layout.rows == ROWS.count(b"\n")
    joined = {name: [column.name for column in group] for name, group in layout.joined.items()}
    assert joined["backend"] == ["backend", "variant", "role", "op", "direction", "placement", "dtype"]
    assert joined["layout"][-2:] == ["params", "status"]
    assert {"n", "time_s", "reason"} <= set(layout.header)
    assert not {"variant", "threads", "negative_slope"} & set(layout.header)


@pytest.mark.parametrize("odd", ['a "b"', "c,d", "e\x1ff", "é", ""])
@pytest.mark.parametrize("column", ["machine", "variant", "reason"])
def test_odd_texts_are_what_they_were(tmp_path: Path, column: str, odd: str) -> None:
    part = with_field(3, column, odd).partition("\n")[2].encode()
    path = save(tmp_path, part)
    form = Form(CELL_COLUMNS, COLUMNS, SCHEMA)
    quick, exact = parse(part, form), parse_exactly(path, 2, part, form)
    if quick is not None:
        pd.testing.assert_frame_equal(quick, exact, check_dtype=False)
    assert exact[column][1] == odd


@pytest.mark.parametrize(
    "part",
    [
        ROWS.replace(b",", b",,", 1),
        ROWS.replace(b",relu,", b",", 1),
        ROWS.replace(b"relu", b'"relu', 1),
        ROWS.rstrip(b"\n"),
        ROWS + b"\n",
        b"",
    ],
)
def test_what_has_not_the_fields_of_the_header_has_no_layout(part: bytes) -> None:
    assert layout_of(part, CELL_COLUMNS, COLUMNS) is None
