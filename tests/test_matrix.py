"""The table of environments in which the tests were run."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path

import pytest

from scripts._shared.cli import UsageError
from tests.running import ROOT

MATRIX = runpy.run_path(str(ROOT / ".ci" / "matrix.py"))


def row(python: str, tests: str, passed: str) -> list[str]:
    return [python, "newest", "none", tests, "numpy 2.4", passed, "1", "0", "abc", "2026-11-29"]


def page(table: str) -> str:
    return f"| before |\n<!-- matrix:begin -->\n\n{table}\n\n<!-- matrix:end -->\n| after |\n"


def test_a_row_replaces_the_one_of_its_environment_and_no_other() -> None:
    with_row = MATRIX["with_row"]
    text = page("")
    for each in (row("3.13", "all", "5"), row("3.12", "all", "6"), row("3.11", "fast", "4")):
        text = page(with_row(text, each))
    lines = with_row(text, row("3.13", "all", "7")).splitlines()
    assert [line.strip("| ").split(" | ")[0:6:5] for line in lines[2:]] == [
        ["3.11", "4"],
        ["3.12", "6"],
        ["3.13", "7"],
    ]
    assert lines[0].startswith("| Python | packages |")


def test_a_whole_run_takes_the_place_of_a_fast_one_and_of_what_had_failed_in_an_older_one() -> None:
    with_row, again = MATRIX["with_row"], MATRIX["AGAIN"]
    text = page("")
    fast, whole = row("3.13", "fast", "3"), row("3.13", "all", "5")
    for each in (fast, whole, row("3.13", again, "2"), row("3.12", again, "1")):
        text = page(with_row(text, each))
    assert "| fast |" not in text
    assert text.count(again) == 2
    text = page(with_row(text, row("3.13", again, "4")))
    assert text.count(again) == 2
    assert "| 5 |" in text
    text = page(with_row(text, row("3.13", "all", "7")))
    assert text.count(again) == 1
    assert "| 7 |" in text


def test_counts_come_from_pytests_own_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>',
        encoding="utf-8",
    )
    assert MATRIX["counts"](report) == {"passed": 3, "skipped": 3, "failed": 3}


def test_where_no_test_ran_there_is_no_row(tmp_path: Path) -> None:
    """As with --again and a name that pytest does not find."""
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="0" failures="0" errors="0" skipped="0"/></testsuites>',
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match="no test was run"):
        MATRIX["counts"](report)


def test_what_had_failed_is_run_again_alone_and_has_a_row_of_its_own(tmp_path: Path) -> None:
    ask, tested = MATRIX["parser"]().parse_args, MATRIX["tested"]
    which, words = tested(ask(["3.13", "newest"]), tmp_path, tmp_path / "report.xml")
    assert (which, words[:2]) == ("all", ["make", "test"])
    which, words = tested(ask(["3.13", "newest", "--again", "tests/a.py", "tests/b.py"]), tmp_path, tmp_path)
    assert words[0] == str(tmp_path / "bin" / "python")
    assert words[-2:] == ["tests/a.py", "tests/b.py"]
    assert which not in ("all", "fast")


def test_a_row_names_the_commit_that_was_tested() -> None:
    told = subprocess.run(
        ["git", "log", "-1", "--format=%H"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if told.returncode:
        pytest.skip("no git checkout")
    assert told.stdout.startswith(MATRIX["commit"](ROOT))
