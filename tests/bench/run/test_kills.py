"""A whole run is killed at a system call that writes, and goes on: no cell is lost, doubled, torn or measured again."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.records.schema import CELL_KEY
from bench.records.writing import RunFiles
from tests.killing import AT_THE_KILL, WHOLE
from tests.running import ROOT, environ, read

EXPERIMENTS = 4


def cells(folder: Path) -> Counter[tuple[str, ...]]:
    return Counter(tuple(row[name] for name in CELL_KEY) for row in read(folder / "cells.csv"))


def ended_before(folder: Path) -> int:
    """How many experiments the journal had whole when the run was killed."""
    if not folder.exists():
        return 0
    cases = {key[4:] for key in RunFiles(folder).open()}
    return len(cases)


def measured_after(folder: Path) -> int:
    """How many experiments the sitting after the kill measured; one that has nothing to do is not told of."""
    sittings = json.loads((folder / "environment.json").read_text()).get("sittings", [])
    return int(sittings[-1]["experiments"]) if sittings else 0


def check(folder: Path, whole: Counter[tuple[str, ...]]) -> None:
    run = folder / "run"
    assert cells(run) == whole
    rounds = Counter(
        (*(row[name] for name in CELL_KEY), row["process"], row["round"]) for row in read(run / "rounds.csv")
    )
    assert set(rounds.values()) == {1}
    assert {key[: len(CELL_KEY)] for key in rounds} == set(whole)
    before = ended_before(folder / AT_THE_KILL)
    assert before == EXPERIMENTS or measured_after(run) == EXPERIMENTS - before
    for path in run.glob("*.csv"):
        with path.open(newline="") as file:
            assert len({len(row) for row in csv.reader(file)}) == 1
    assert not list(run.glob("*.part"))


@pytest.mark.parametrize("how_many", ["6", pytest.param("all", marks=pytest.mark.daily)])
def test_a_run_killed_at_a_write_goes_on(tmp_path: Path, how_many: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.killing", str(tmp_path), how_many],
        cwd=ROOT,
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    whole = cells(tmp_path / WHOLE / "run")
    assert set(whole.values()) == {1}
    killed = [path for path in tmp_path.iterdir() if path.name != WHOLE]
    assert len(killed) == int(how_many) if how_many != "all" else len(killed) > 60
    before = Counter(ended_before(path / AT_THE_KILL) for path in killed)
    assert any(0 < ended < EXPERIMENTS for ended in before), (
        before
    )  # else nothing would show what is measured again
    assert how_many != "all" or set(before) == set(range(EXPERIMENTS + 1)), before
    for path in killed:
        check(path, whole)
