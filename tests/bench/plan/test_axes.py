"""An axis is declared once: two lines in kernels/api.py, and everything that users see of it is there."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.api import AXES, AXIS_TABLE, USUAL, Case
from tests.running import ROOT

pytestmark = pytest.mark.slow

LAST = {
    '    params: str = ""\n': '    alignment: str = "line"\n',
    '    Axis("params"': '    Axis("alignment", "alignments", "where inputs lie", ("line", "odd"), since=4),\n',
}
"""The last line of each of the two lists, and what is added behind it."""


def test_the_table_has_the_fields_of_a_case_in_their_order() -> None:
    fields = dataclasses.fields(Case)
    assert tuple(field.name for field in fields) == AXES
    kinds = {
        "word": "str",
        "device": "str",
        "size": "int",
        "count": "int",
        "number": "float",
        "params": "str",
    }
    assert [kinds[axis.kind] for axis in AXIS_TABLE] == [field.type for field in fields]
    assert all(USUAL[axis.name] in axis.values for axis in AXIS_TABLE if axis.values)
    assert len({axis.option for axis in AXIS_TABLE}) == len(AXES)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with an axis more; what Python compiled of the rest is copied, too."""
    copy = tmp_path_factory.mktemp("axis")
    for room in ("kernels", "bench", "scripts"):
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("*.nb?"))
    api = copy / "kernels" / "api.py"
    lines = api.read_text().splitlines(keepends=True)
    found = [(line, new) for line in lines for start, new in LAST.items() if line.startswith(start)]
    assert len(found) == len(LAST)
    api.write_text("".join(line + dict(found).get(line, "") for line in lines))
    return copy


def run(checkout: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=checkout,
        env={"PYTHONPATH": str(checkout), "PATH": "/usr/bin:/bin", "HOME": str(checkout)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


FORMER = f"""
from pathlib import Path
from bench.records.reading import read_cells, read_rounds

run = Path({str(ROOT / "tests" / "schema1")!r})
for frame in (read_cells([run / "cells.csv"]), read_rounds([run / "rounds.csv"])):
    assert set(frame["alignment"]) == {{"line"}}
    assert list(frame["alignment"].cat.categories) == ["line", "odd"]
"""


PROGRAM = """
from bench.plan.experiments import case_label, cases
from bench.plan.options import OptionError, parse
from bench.plan.profiles import PROFILES
from bench.records.columns import columns_of
from bench.records.schema import CELL_COLUMNS, CELL_KEY, COMPILE_COLUMNS, ROUND_COLUMNS, SCHEMA, Cell
from kernels.api import Case
from scripts._report.data import SLICE
from scripts._shared.remarks import RARE_AXES
from scripts._shared.summary import ARM_COLUMNS, CASE

assert {case.alignment for case in cases(parse({"alignments": "odd"}).grids)} == {"odd"}
assert {case.alignment for case in cases(PROFILES["full"].grids)} == {"line", "odd"}
assert parse({"alignments": "odd"}).network.foreign == ("alignments",)
try:
    parse({"alignments": "old"})
except OptionError as error:
    assert str(error) == "--alignments: 'old' is not known; allowed: line, odd; did you mean 'odd'?", error
assert case_label(Case("relu")) == "relu-forward-new-float32-1Ki"
assert case_label(Case("relu", alignment="odd")) == "relu-forward-new-float32-1Ki-odd"
for columns in (CELL_COLUMNS, CELL_KEY, COMPILE_COLUMNS, ROUND_COLUMNS, ARM_COLUMNS):
    assert columns[columns.index("params") + 1 :][:1] == ("alignment",), columns
(rule,) = (rule for rule in columns_of(Cell) if rule.name == "alignment")
assert rule.problem("old") == "is 'old'; allowed: line, odd; did you mean 'odd'?"
assert rule.problem("")
assert SCHEMA == 4
assert all("alignment" in names for names in (CASE, SLICE, RARE_AXES))
"""


def test_two_lines_make_an_axis(checkout: Path) -> None:
    run(checkout, "-c", PROGRAM)


def test_in_files_of_a_former_schema_it_has_its_usual_value(checkout: Path) -> None:
    run(checkout, "-c", FORMER)


HELP = """
import contextlib, importlib
for name in ("summarise", "report", "recommend"):
    print(f"== {name}")
    with contextlib.suppress(SystemExit):
        importlib.import_module(f"scripts.{name}").main(["--help"])
"""


def test_pytest_offers_its_option(checkout: Path) -> None:
    assert "--alignments=A,B" in run(checkout, "-m", "pytest", "bench/", "--help")


def test_scripts_offer_its_option(checkout: Path) -> None:
    _, *shown = run(checkout, "-c", HELP).split("== ")
    assert {text.partition("\n")[0]: re.findall(r"--alignments? [A-Z,]+", text)[0] for text in shown} == {
        "summarise": "--alignments A,B",
        "report": "--alignments A,B",
        "recommend": "--alignment X",
    }
