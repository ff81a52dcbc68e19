"""What goes on beside `scripts/trust.py`: it is there meanwhile, ends with it, and is compared with a calm hour."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from bench.plan.options import parse
from bench.records.lines import Key
from scripts import trust
from scripts._plugins import slowed
from scripts._shared import beside as neighbours
from scripts._shared.beside import HOURS, WORKER
from scripts._shared.cli import UsageError
from scripts._shared.fresh import measured
from scripts._shared.stored import rows_from, rows_text
from scripts._trust import arms
from scripts._trust.heard import heard, stopped
from scripts._trust.in_turn import InTurn, halves
from scripts._trust.judging import Judged, judged_pairs
from tests.running import ROOT, wait_until
from tests.trusted import PAIR, pairs

SCRIPT = """
import sys, time
from scripts._shared.beside import beside
with beside(sys.argv[1]):
    print("beside", flush=True)
    time.sleep(60)
"""


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a process keeps its parent's number there")
@pytest.mark.parametrize(
    ("what", "processes", "how"),
    [
        ("busy", 1, signal.SIGKILL),
        pytest.param(WORKER, 3, signal.SIGKILL, marks=pytest.mark.daily),
        pytest.param(WORKER, 3, signal.SIGINT, marks=pytest.mark.daily),
    ],
)
def test_a_neighbour_ends_with_a_script_that_is_ended(what: str, processes: int, how: signal.Signals) -> None:
    if what == WORKER:
        pytest.importorskip("distributed", reason="the extra fleet")
    command = [sys.executable, "-c", SCRIPT, what]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "beside\n"
        beside_it = psutil.Process(script.pid).children(recursive=True)
        assert len(beside_it) == processes
        script.send_signal(how)
    wait_until(lambda: all(map(_ended, beside_it)), "they have ended")


@pytest.mark.skipif(sys.platform != "linux", reason="what becomes of a stopped group is the system's to say")
def test_a_neighbour_that_is_stopped_ends_with_a_script_that_is_killed() -> None:
    program = SCRIPT.replace("(sys.argv[1]):", "(sys.argv[1]) as neighbour:\n    neighbour.let(go_on=False)")
    command = [sys.executable, "-c", program, "busy"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "beside\n"
        (stopped,) = psutil.Process(script.pid).children()
        wait_until(lambda: stopped.status() == psutil.STATUS_STOPPED, "it is stopped")
        script.kill()
    wait_until(lambda: _ended(stopped), "it has ended")


def test_a_neighbour_that_cannot_be_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_PROGRAMS", {WORKER: ("-c", "print('Dask is not installed')")})
    with pytest.raises(UsageError, match="--beside worker: Dask is not installed"), neighbours.beside(WORKER):
        pass


@pytest.mark.daily  # a busy neighbour ends above, and pairs are judged in test_trust.py
@pytest.mark.slow
def test_pairs_are_judged_beside_a_worker() -> None:
    """A real scheduler and a real worker, there until the last verdict; for half of the rounds they are stopped."""
    pytest.importorskip("distributed", reason="the extra fleet")
    chosen, *_ = arms.passes(("numpy_ufunc",), "1Ki")[0]
    few = dataclasses.replace(chosen, arms=chosen.arms[:3])
    settings = parse({"max_seconds": "0.5"})
    short = dataclasses.replace(settings.profile, batch_s=5e-4, max_rounds=6)
    others = _children()
    with neighbours.beside(WORKER) as neighbour:
        there = [each for each in _children() if each not in others]
        roles = {
            role
            for role in ("scheduler", "worker")
            if any(f"dask_{role}" in str(each.cmdline()) for each in there)
        }
        settings = dataclasses.replace(settings, profile=short, plugins=slowed.PLUGINS)
        fresh = measured(settings, [few], surroundings=InTurn(neighbour))
        assert not any(map(_ended, there))
    assert roles == {"scheduler", "worker"}
    assert all(map(_ended, there))
    (pair,) = judged_pairs(fresh.cells, fresh.rounds, "quick", HOURS[WORKER])
    assert (pair.hour, pair.first, pair.second) == ("worker", "identical-1", "identical-2")
    assert pair.half_width > 0


class TestHalves:
    """Rounds with the neighbour and without it, in turn."""

    def test_whole_blocks_of_each_process_and_never_its_first_round(self) -> None:
        key: Key = ("arm",)
        rounds = {
            (process, number): float(number)
            for process, last in ((1, 9), (2, 5), (3, 4))
            for number in range(last)
        }
        del rounds[2, 2]
        found = halves({key: rounds})
        assert found.beside[key].keys() == {(1, 1), (1, 4), (1, 5), (1, 8)}
        assert found.stopped[key].keys() == {(1, 2), (1, 3), (1, 6), (1, 7)}
        assert sum(found.beside[key].values()) == sum(found.stopped[key].values())  # as late ones

    @pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="nothing can be stopped")
    def test_the_neighbour_is_stopped_in_those_of_the_other_half(self) -> None:
        others = _children()
        with neighbours.beside("busy") as neighbour:
            (there,) = [each for each in _children() if each not in others]
            surroundings = InTurn(neighbour)
            for number, stopped in enumerate((False, False, True, True, False, False, True)):
                surroundings.round_begins(number)
                wait_until(lambda: (there.status() == psutil.STATUS_STOPPED) is stopped, f"round {number}")  # noqa: B023
        assert _ended(there)


class TestHeard:
    """The table of docs/fleet.md."""

    HOURS = ("worker in turn", stopped("worker in turn"))

    def half(self, hour: str, words: dict[str, int], half_width: float) -> list[Judged]:
        found = pairs(arms.IDENTICAL, words, hour=hour, half_width=half_width)
        return [dataclasses.replace(each, experiment=str(place)) for place, each in enumerate(found)]

    def rows(self, *halves: Sequence[Judged]) -> Sequence[list[str]]:
        lines = heard([each for half in halves for each in half]).splitlines()
        return [[word.strip() for word in line.strip("|").split("|")] for line in lines[2:]]

    def test_false_alarms_within_the_interval_of_those_without(self) -> None:
        beside, without = self.HOURS
        for alarms, kept in ((1, "yes"), (40, "no")):
            row = self.rows(
                self.half(beside, {"same": 300 - alarms, "slower": alarms}, 0.02),
                self.half(without, {"same": 299, "faster": 1}, 0.02),
            )[0]
            assert (row[0], row[-1]) == ("identical, called different", kept)
            assert row[2].startswith(f"{alarms / 300:.1%} of 300")

    @pytest.mark.parametrize(("wider", "kept"), [(1.05, "yes"), (1.2, "no")])
    def test_widths_are_of_the_same_pairs(self, wider: float, kept: str) -> None:
        beside, without = self.HOURS
        row = self.rows(
            self.half(beside, {"same": 30}, 0.02 * wider), self.half(without, {"same": 40}, 0.02)
        )[-1]
        assert row[2:] == [f"{wider:.2f} of 30 ({wider:.2f} to {wider:.2f})", "at most 1.1", kept]

    def test_what_was_not_measured_in_turn_is_not_compared(self) -> None:
        assert not heard([*self.half("calm", {"same": 30}, 0.02), *self.half("worker", {"same": 30}, 0.02)])

    def test_studies_that_kept_no_widths_are_read_and_say_so(self) -> None:
        text = rows_text(Judged, [PAIR])
        head, row, *_ = text.splitlines()
        older = f"{head.rpartition(',')[0]}\n{row.rpartition(',')[0]}\n"
        (read,) = rows_from(Judged, older)
        assert dataclasses.replace(read, half_width=0.0) == dataclasses.replace(PAIR, half_width=0.0)
        two = [dataclasses.replace(read, hour=hour) for hour in self.HOURS]
        assert self.rows(two)[-1][-1] == "not known"

    def test_the_command_wants_what_was_measured(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="--heard needs --read DIR"):
            trust.main(["--heard"])
        page = tmp_path / "page.md"
        page.write_text("<!-- heard:begin -->\n<!-- heard:end -->\n")
        asked = ["--read", str(tmp_path / "nothing"), "--heard", "--update", str(page)]
        assert trust.main(asked) == 0
        assert "Not measured" in page.read_text()
        assert trust.main([*asked, "--check"]) == 0
