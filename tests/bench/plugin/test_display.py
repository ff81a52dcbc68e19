"""What is seen while a stand-in of a run goes on: plain lines by a clock of the test's own, and a live display."""

from __future__ import annotations

import io
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.plan.experiments import Arm, Experiment
from bench.plugin.display import Lines
from bench.plugin.live import LiveDisplay
from bench.run.arm_state import ArmState
from bench.run.time_account import TimeAccount
from bench.text.units import span_text
from kernels.api import Case
from tests.factories import experiment
from tests.states import batch

ARMS = (Arm("numpy_ufunc", "baseline"), Arm("torch_eager"), Arm("numba_jit"))
LARGE = Experiment(Case("relu", n=1 << 24), ARMS)
SMALL = Experiment(Case("relu", n=64), ARMS)


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class StandInRun:
    """Three experiments, of which one has ended, with 100 s left."""

    def __init__(self, tmp_path: Path) -> None:
        self.run_id, self.chosen, self.left = "run", (SMALL, LARGE, LARGE), (LARGE, LARGE)
        self.files = type("Files", (), {"folder": tmp_path, "warnings": []})()
        self.settings = type("Settings", (), {"baseline_note": ""})()
        self.processes, self.compile_s, self.seconds = 2, 0.0, 100.0
        self.account = TimeAccount(renewed_s=40.0)

    def seconds_left(self) -> float:
        return self.seconds

    def least_left(self) -> float:
        return self.seconds / 2

    def rows(self, _experiments: Any = None) -> Any:
        return experiment({"numpy_ufunc": 4e-3, "torch_eager": 1e-3})

    def statuses(self) -> Counter[str]:
        return Counter(cell.status for cell in self.rows())


@pytest.fixture
def stand_in(tmp_path: Path) -> Any:
    return StandInRun(tmp_path)


def seen(file: io.StringIO) -> str:
    """What stands in a terminal's output, without what moves the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())


class TestLines:
    def test_one_for_each_experiment_and_one_a_minute_in_between(self, stand_in: Any) -> None:
        told: list[str] = []
        now = [0.0]
        lines = Lines(told.append, clock=lambda: now[0])
        lines.begins(stand_in)
        assert re.fullmatch(
            r"run run: 2 of 3 experiments left, about 100 s, done by [\d:]+; files in .*/", told[0]
        )
        lines.visit(LARGE, 2)
        for now[0] in range(59):  # the clock
            lines.waits(ARMS[1:2], "being timed")
        assert len(told) == 1
        lines.round(4, ())
        now[0] = 61.0
        lines.tick()
        assert told[1:] == [
            "  relu-forward-new-float32-16Mi, process 2 of 2, round 5: torch_eager being timed; 39 s left"
        ]
        now[0] = 100.0
        lines.tick()
        assert len(told) == 2
        now[0] = 121.0
        lines.tick()
        assert told.pop().endswith("torch_eager being timed; longer than was foreseen")
        lines.ended(SMALL)
        assert told[2].startswith(
            "[1/3] relu-forward-new-float32-64: torch_eager leads with 1.00 ms, 4.00x numpy_u"
        )
        assert told[2].endswith("; 100 s left")

    def test_what_compilers_take_is_announced(self, stand_in: Any) -> None:
        told: list[str] = []
        stand_in.compile_s = 30.0
        Lines(told.append).begins(stand_in)
        assert "about 100 s" in told[0]
        assert "(30 s of it for compilers" in told[0]
        stand_in.compile_s = 150.0
        Lines(told.append).begins(stand_in)
        assert "(later if it really takes 2 min for compilers alone" in told[1]

    def test_a_promise_that_cannot_be_kept_is_said_anew_once(self, stand_in: Any) -> None:
        told: list[str] = []
        now = [0.0]
        lines = Lines(told.append, clock=lambda: now[0])
        lines.begins(stand_in)
        for now[0], stand_in.seconds in ((0.0, 500.0), (10.0, 100.0), (20.0, 100.0), (24.0, 100.0)):
            lines.visit(LARGE, 1)
        assert len(told) == 1
        for now[0], stand_in.seconds in ((30.0, 170.0), (31.0, 200.0), (50.0, 180.0)):
            lines.visit(LARGE, 1)
        assert len(told) == 2
        assert re.fullmatch(
            r"this takes longer than was announced: about 3 min more, done by [\d:]+; compilers took 40 s so far",
            told[1],
        )

    def test_nothing_after_the_end(self, stand_in: Any) -> None:
        told: list[str] = []
        now = [0.0]
        lines = Lines(told.append, clock=lambda: now[0])
        lines.begins(stand_in)
        lines.visit(LARGE, 1)
        lines.close()
        now[0] = 500.0
        lines.tick()
        assert len(told) == 1


class TestLive:
    def test_it_shows_time_left_what_is_waited_for_leaders_statuses_and_others(
        self, stand_in: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "120")
        file = Terminal()
        live = LiveDisplay(file)
        live.begins(stand_in)
        live.visit(SMALL, 1)
        state = ArmState(ARMS[1])
        state.batches = [batch(number, 1e-3, contended=number == 0) for number in range(4)]
        live.round(4, [state])
        live.visit(LARGE, 1)
        live.ended(SMALL)
        live.close()
        text = seen(file)
        for part in (
            "100 s left, done by ",
            "; 1 of 3 experiments ended",
            "relu-forward-new-float32-16Mi, process 1 of 2",
            "relu-forward-new-float32-64: torch_eager leads so far with 1.00 ms",
            "relu-forward-new-float32-64: torch_eager leads with 1.00 ms, 4.00x numpy_ufunc",
            "cells so far: 2 ok",
            "others use the CPUs: beside 25% of the batches",
        ):
            assert part in text

    def test_no_line_is_longer_than_the_terminal_is_wide(
        self, stand_in: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "40")
        file = Terminal()
        live = LiveDisplay(file)
        live.begins(stand_in)
        live.visit(LARGE, 1)
        live.waits(ARMS, "being timed")
        live.ended(SMALL)
        live.close()
        assert max(map(len, re.split(r"[\r\n]+", seen(file)))) <= 40

    def test_without_colours_where_nobody_wants_them(
        self, stand_in: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "xterm-256color")
        coloured = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;5;\d+)m")
        monkeypatch.delenv("NO_COLOR", raising=False)
        for value in (None, "1"):
            if value:
                monkeypatch.setenv("NO_COLOR", value)
            file = Terminal()
            live = LiveDisplay(file)
            live.begins(stand_in)
            live.visit(LARGE, 1)
            live.close()
            assert bool(coloured.search(file.getvalue())) is not bool(value)

    def test_after_the_end_nothing_is_drawn(self, stand_in: Any) -> None:
        file = Terminal()
        live = LiveDisplay(file)
        live.begins(stand_in)
        live.visit(LARGE, 1)
        live.close()
        drawn = file.getvalue()
        live.tick()
        live.waits(ARMS, "being timed")
        live.close()
        assert file.getvalue() == drawn


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "a moment"), (1.0, "1 s"), (119.0, "119 s"), (150.0, "2 min"), (7800.0, "2 h 10 min")],
)
def test_times_as_people_tell_them(seconds: float, text: str) -> None:
    assert span_text(seconds) == text
