"""What page faults make of a prediction, and whether really swapping saved what was predicted."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kernels.recorder.cases_file import Recording, Steps, Used, write_recording
from scripts import recommend, record
from tests.factories import experiment, write_run

N = 1 << 24
TORCH_S, OURS_S, FAULTS = 0.02, 0.004, 16384.0
IN_KERNEL = 0.75
"""Of torch's CPU seconds in the run."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """torch's call takes 20 ms, 15 of them in page faults; ours takes 4 ms and has none."""
    theirs, ours = experiment({"torch_eager": TORCH_S, "numba_tuned": OURS_S}, n=N)
    costs: dict[str, Any] = {"cpu_s": 2 * TORCH_S, "system_s": 2 * IN_KERNEL * TORCH_S, "page_faults": FAULTS}
    none: dict[str, Any] = {"cpu_s": 2 * OURS_S, "system_s": 0.0, "page_faults": 0.0}
    cells = [dataclasses.replace(theirs, **costs), dataclasses.replace(ours, **none)]
    return write_run(tmp_path / "run1", cells)


def asked(
    run: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    fault_s: float | None,
    faults: float | None = FAULTS,
    saved: float | None = None,
) -> dict[str, Any]:
    """The answer for a step of 100 ms with one call; `saved`: what swapping saved of it."""
    used = Used(
        *("relu", "forward", "new", "float32", (N,), "contiguous", "cpu", 0, 0.0, ""),
        calls=1.0,
        seconds=TORCH_S,
        where=("wide",),
        page_faults=faults,
    )
    ours = () if saved is None else ((1 - saved) * 0.1,) * 8
    steps = Steps("optimizer.step", 3, (0.1,) * 8, ours, 2 * FAULTS, FAULTS, fault_s)
    path = run.parent / "cases.json"
    write_recording(path, Recording("train.py", "2.13.0", False, steps, (used,), ()))
    assert recommend.main(["--cases", str(path), str(run), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert recommend.main(["--cases", str(path), str(run)]) == 0
    return found | {"text": capsys.readouterr().out}


def test_dearer_faults_in_the_program_are_saved_too(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    as_run = TORCH_S * IN_KERNEL / FAULTS
    same = asked(run, capsys, fault_s=as_run)["saved"]
    assert same["value"] == pytest.approx(0.16)
    dearer = asked(run, capsys, fault_s=2 * as_run)
    assert dearer["saved"]["value"] == pytest.approx(0.16 + 0.15)
    assert dearer["saved"]["lo"] < 0.16  # the run may still be right
    assert dearer["saved"]["hi"] >= 0.16 + 0.15
    assert "A step has 32,768 page faults, activations 16,384, and 16,384 with ours" in dearer["text"]
    cheaper = asked(run, capsys, fault_s=as_run / 2)["saved"]
    assert cheaper["value"] == pytest.approx(0.16 - 0.075)
    assert cheaper["hi"] > 0.16


@pytest.mark.parametrize("change", [{"fault_s": None}, {"fault_s": 1e-3, "faults": None}])
def test_where_nothing_is_known_of_faults_nothing_changes(
    run: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    assert asked(run, capsys, **change)["saved"]["value"] == pytest.approx(0.16)


@pytest.mark.parametrize(("saved", "held", "word"), [(0.16, True, "within"), (0.6, False, "outside")])
def test_what_swapping_saved_is_within_what_was_predicted_or_outside(
    run: Path, capsys: pytest.CaptureFixture[str], saved: float, held: bool, word: str
) -> None:
    found = asked(run, capsys, fault_s=TORCH_S * IN_KERNEL / FAULTS, saved=saved)
    assert found["held"] is held
    assert f": {word}." in " ".join(found["text"].split())


@pytest.mark.parametrize("statuses", [(0, 0), (0, 1), (3,)])
def test_check_measures_the_recorded_calls_and_then_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statuses: Sequence[int]
) -> None:
    pytest.importorskip("torch", reason="needs PyTorch")
    left, commands = list(statuses), list[str]()

    def ran(command: Sequence[str], **_: Any) -> Any:
        commands.append(" ".join(command[1:]))
        return subprocess.CompletedProcess(command, left.pop(0))

    monkeypatch.setattr("scripts.record.subprocess.run", ran)
    program, cases = tmp_path / "train.py", tmp_path / "cases.json"
    program.write_text("import torch; torch.relu(torch.ones(3))")
    options = ["--check", "--output", str(cases), "--results", str(tmp_path)]
    assert record.main([*options, str(program)]) == statuses[-1]
    assert [command.split()[:3] for command in commands] == [
        ["-m", "pytest", "bench/"],
        ["scripts/recommend.py", "--cases", str(cases)],
    ][: len(statuses)]
    assert all(f"--cases {cases} --results {tmp_path}" in command for command in commands)
