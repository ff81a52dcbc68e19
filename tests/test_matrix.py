"""The table of environments in which the tests were run."""

from __future__ import annotations

import runpy
from pathlib import Path

from tests.running import ROOT

MATRIX = runpy.run_path(str(ROOT / ".ci" / "matrix.py"))


def row(python: str, tests: str, passed: str) -> list[str]:
    return [python, "newest", "none", tests, "numpy 2.4", passed, "1", "0", "2026-11-29"]


def page(table: str) -> str:
    return f"| before |\n<!-- matrix:begin -->\n\n{table}\n\n<!-- matrix:end -->\n| after |\n"


def test_a_row_replaces_the_one_of_its_environment_and_no_other() -> None:
    with_row = MATRIX["with_row"]
    text = page("")
    for each in (row("3.13", "all", "5"), row("3.12", "all", "6"), row("3.13", "fast", "4")):
        text = page(with_row(text, each))
    lines = with_row(text, row("3.13", "all", "7")).splitlines()
    assert [line.strip("| ").split(" | ")[0:6:5] for line in lines[2:]] == [
        ["3.12", "6"],
        ["3.13", "7"],
        ["3.13", "4"],
    ]
    assert lines[0].startswith("| Python | packages |")


def test_counts_come_from_pytests_own_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>',
        encoding="utf-8",
    )
    assert MATRIX["counts"](report) == {"passed": 3, "skipped": 3, "failed": 3}
