"""A run that was stopped, or failed in part, goes on: what was measured stays, and the rest is measured once."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarked import ARMS, FEW, QUIETLY, key, planned, recorded, replayed
from tests.running import INLINE, bench, ended, interrupt, read, start, wait_until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "killed",
    [pytest.param(False, id="by Ctrl-C"), pytest.param(True, id="and killed", marks=pytest.mark.daily)],
)
def test_run_that_is_stopped_goes_on_and_measures_nothing_twice(tmp_path: Path, killed: bool) -> None:
    """Ctrl-C first, then a kill that nobody can catch (see test_kills.py); the last sitting ends it."""
    one_arm = ["--backends", "numpy_ufunc", "--ops", "relu", "--directions", "forward", "--placements", "out"]
    options = (*one_arm, "--sizes", "64,128,256", *QUIETLY)
    slow = (*options, "--max-seconds", "0.4")
    cells = tmp_path / "run" / "cells.csv"

    process = start(tmp_path, *slow)
    text, workers = interrupt(process, signal.SIGINT, cells, rows=5)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, text
    assert re.search(r"^[12] experiments? left: go on with --run-id run$", text, re.MULTILINE), text
    assert "Traceback" not in text
    assert workers
    wait_until(lambda: all(map(ended, workers)), "the workers to end after Ctrl-C", 10)
    first = cells.read_text()
    assert 5 <= len(read(cells)) < 3 * 5

    if killed:
        process = start(tmp_path, *slow)
        text, workers = interrupt(process, signal.SIGKILL, cells, rows=len(read(cells)) + 5)
        assert process.returncode == -signal.SIGKILL
        assert workers
        wait_until(lambda: all(map(ended, workers)), "the workers to end with their parent", 10)
    second = cells.read_text()
    assert second.startswith(first)

    outcome = bench(tmp_path, *options)
    assert outcome.code == 0, outcome.text[-3000:]
    assert cells.read_text().startswith(second)
    assert re.search(r"^run run: [12] of 3 experiments left", outcome.text, re.MULTILINE)
    assert Counter(key(row)[1:] for row in outcome.cells) == planned(
        backends="numpy_ufunc", ops="relu", directions="forward", placements="out", sizes="64,128,256"
    )
    rounds = Counter((*key(row), row["round"]) for row in outcome.rounds)
    assert set(rounds.values()) == {1}
    assert {row[:-1] for row in rounds} == {key(row) for row in outcome.cells}


@pytest.mark.daily  # test_lock.py has two processes want one run's files
def test_a_run_is_not_gone_on_with_twice_at_once(tmp_path: Path) -> None:
    few = (*ARMS, *FEW, *INLINE)
    first = start(tmp_path, *few, "--max-seconds", "1")
    wait_until((tmp_path / "run" / "environment.json").exists, "the first to begin")
    second = bench(tmp_path, *few)
    assert second.code == pytest.ExitCode.USAGE_ERROR, second.text[-2000:]
    assert "another process is writing to" in second.text
    assert "Traceback" not in second.text
    text, _ = first.communicate(timeout=120)
    assert first.returncode == 0, text
    assert bench(tmp_path, *few).code == 0


def test_failed_cells_are_measured_again_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (
        *("--plugin", "tests.tricksters:RaisesUntilTold", "--backends", "numpy_ufunc,raises_until_told"),
        # So wide a target that what is measured counts as ok, and stays.
        *(*FEW, *INLINE, "--target-ci", "1", "--benchmark-json", str(tmp_path / "report.json")),
    )
    failed = bench(tmp_path, *options)
    assert failed.code == 1
    assert "failed: RuntimeError: nobody has told me" in failed.text
    monkeypatch.setenv("RELU_BENCH_TOLD", "yes")
    same = bench(tmp_path, *options)
    assert same.code == 1
    assert "run run: 0 of 1 experiment left" in same.text
    told = bench(tmp_path, *options, "--retry-failed")
    assert told.code == 0, told.text[-2000:]
    assert len(told.cells) == len(failed.cells) == 7
    assert {row["status"] for row in told.cells} <= {"ok", "noisy"}
    assert replayed(tmp_path / "report.json") == recorded(told)


def test_a_run_of_another_machine_is_not_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "environment.json").write_text(json.dumps({"machine": "another"}))
    outcome = bench(tmp_path, *ARMS, *FEW, *QUIETLY)
    assert outcome.code == pytest.ExitCode.USAGE_ERROR
    assert "run run was made under another machine (another then, " in outcome.text
    assert "choose another --run-id" in outcome.text
    assert "Traceback" not in outcome.text
