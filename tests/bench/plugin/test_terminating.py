"""A run that is told to end, by whoever starts and ends jobs, ends soon and keeps what it has."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from bench.plugin.terminating import as_interrupt
from tests.running import ended, read, start, wait_until, workers_of

OPTIONS = (
    *("--backends", "numpy_ufunc", "--ops", "relu", "--directions", "forward", "--placements", "out"),
    *("--sizes", "64,128", "--processes", "2", "--max-seconds", "0.3"),
)


def arms_of(process: subprocess.Popen[str]) -> set[psutil.Process]:
    """The arms' processes; a run starts others, too."""
    return {each for each in workers_of(process.pid) if is_arm(each)}


def is_arm(process: psutil.Process) -> bool:
    try:
        return "bench.arm.worker" in process.cmdline()
    except psutil.Error:  # it has ended
        return False


def stopped(process: subprocess.Popen[str]) -> str:
    """What it prints after a SIGTERM; it ends within seconds, and its arms with it."""
    arms = arms_of(process)
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate(timeout=20)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, text
    assert "Traceback" not in text
    wait_until(lambda: all(map(ended, arms)), "the arms to end", 10)
    return text


@pytest.mark.slow
def test_while_processes_start(tmp_path: Path) -> None:
    process = start(tmp_path, *OPTIONS)
    wait_until(lambda: bool(arms_of(process)), "the first arm")
    assert "2 experiments left: go on with --run-id run" in stopped(process)


@pytest.mark.daily  # test_sitting.py interrupts each process of a run that is played
@pytest.mark.slow
def test_in_the_second_process_of_the_arms_what_the_first_told_is_kept(tmp_path: Path) -> None:
    process = start(tmp_path, *OPTIONS)
    wait_until(lambda: bool(arms_of(process)), "the first arms")
    first = arms_of(process)
    wait_until(lambda: bool(arms_of(process)) and not arms_of(process) & first, "the second ones")
    stopped(process)
    assert {cell["n"] for cell in read(tmp_path / "run" / "cells.csv")} == {"64", "128"}
    assert {row["process"] for row in read(tmp_path / "run" / "rounds.csv")} == {"1"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_is_an_interrupt(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # the tests themselves may run under nohup
    try:
        with pytest.raises(KeyboardInterrupt), as_interrupt():
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_a_run_without_a_terminal_goes_on_when_terminals_close() -> None:
    """``nohup pytest bench/``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_interrupt():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
