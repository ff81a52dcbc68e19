"""What whole runs print: to a terminal, to a pipe, and as they are asked to."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.running import INLINE, ROOT, Outcome, bench, command, environ

pytestmark = pytest.mark.slow

FEW = (
    *("--backends", "numpy_ufunc,numba_jit", "--ops", "relu", "--directions", "forward"),
    *("--placements", "new,out", "--sizes", "64", *INLINE),
)


def on_a_terminal(folder: Path, *options: str, **environment: str) -> str:
    """What a run writes to a pseudo-terminal."""
    ours, theirs = pty.openpty()
    pieces = []
    process = subprocess.Popen(
        command(folder, "run", options),
        cwd=ROOT,
        env={**environ(), "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **environment},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # nobody is there any more
            break
        pieces.append(piece)
    os.close(ours)
    assert process.wait() == 0
    return b"".join(pieces).decode(errors="replace")


@pytest.fixture(scope="module")
def piped(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run whose output goes to a pipe."""
    folder = tmp_path_factory.mktemp("piped")
    return bench(folder, *FEW, "--benchmark-json", str(folder / "report.json"))


def test_a_terminal_has_a_live_display_that_is_gone_in_the_end(tmp_path: Path) -> None:
    text = on_a_terminal(tmp_path, *FEW)
    assert "\x1b[?25l" in text
    assert text.count("\x1b[?25h") == 1
    assert "experiments ended" in text
    assert "leads" in text
    after = text[text.index("\x1b[?25h") :]
    assert "relu forward float32, over " in after
    assert "leads" not in after
    assert len(after.splitlines()) < 40
    assert "test_activations.py" not in text


def test_a_pipe_has_a_line_for_each_experiment_and_no_dots(piped: Outcome) -> None:
    lines = piped.text.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("run run: "))
    assert lines[first - 1] == "collected 13 items", "none for a file of which nothing is planned"
    assert [line[:5] for line in lines[first + 1 : first + 3]] == ["[1/2]", "[2/2]"]
    assert "\x1b" not in piped.text
    assert "benchmark 'relu" not in piped.text
    assert len(lines) < 40


def test_what_pytest_benchmark_writes_is_said(piped: Outcome) -> None:
    assert "Wrote benchmark data in" in piped.text
    report = json.loads((piped.folder.parent / "report.json").read_text())
    assert len(report["benchmarks"]) == 13


def test_pytests_own_lines_and_its_benchmarks_table_come_back_when_asked_for(piped: Outcome) -> None:
    text = bench(piped.folder.parent, *FEW, "-v", "--benchmark-columns", "median,rounds").text
    assert "numba_jit] PASSED" in text
    assert "benchmark 'relu-forward-new-float32-64'" in text
    assert "StdDev" not in text


def test_tables_has_a_row_for_each_experiment(piped: Outcome) -> None:
    text = bench(piped.folder.parent, *FEW, "--tables").text
    assert re.search(r"^relu-forward-new-float32-64 .* \d+\.\d\dx +\w", text, re.MULTILINE)
    assert "relu forward float32, over " not in text


def test_quiet_has_the_end_alone(piped: Outcome) -> None:
    text = bench(piped.folder.parent, *FEW, "-q").text
    assert "run run: " not in text
    assert "relu forward float32, over " in text


def test_a_dumb_terminal_has_plain_lines(piped: Outcome) -> None:
    text = on_a_terminal(piped.folder.parent, *FEW, TERM="dumb")
    assert "\x1b[?25l" not in text
    assert "run run: 0 of 2 experiments left; files in " in text


def test_it_works_without_a_reporter(piped: Outcome) -> None:
    outcome = bench(piped.folder.parent, *FEW, "-p", "no:terminal")
    assert (outcome.code, outcome.text) == (0, "")
