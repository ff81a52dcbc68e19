"""What a run notes of its machine that spoils timings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.machine import spoilers
from bench.plan.options import parse
from bench.run.run import Run, plan


def test_a_number_of_threads_in_the_environment_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (line,) = (each for each in spoilers.warnings() if each.startswith("thread settings: "))
    assert "OMP_NUM_THREADS=1" in line
    assert line.endswith("what is measured as a framework's default is this setting")
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert "OMP_NUM_THREADS" not in " ".join(spoilers.warnings())


def test_a_run_notes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings = parse({"results": str(tmp_path), "run_id": "run"})
    with Run(settings, plan(settings)[:1]):
        pass
    noted = json.loads((tmp_path / "run" / "environment.json").read_text())["warnings"]
    assert any("OMP_NUM_THREADS=1" in line for line in noted), noted
