"""What pytest and pytest-benchmark print of their own, and what of it is left out beside a display of ours.

`-v` brings back pytest's line for each item, an option that is about pytest-benchmark's table brings back the table.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TextIO

import pytest

from bench.plugin.display import Display, Lines, Nothing
from bench.plugin.live import LiveDisplay
from bench.plugin.replay import wants_table

__all__ = ["Quiet", "display_of"]

_OURS = ("test_activations.py", "test_network.py")


class Quiet:
    """Hooks that leave out pytest's dots, file names and list of failures, and pytest-benchmark's table."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reporter: Any = None
        """pytest's own, of what passed tells the number alone."""

    def pytest_sessionstart(self) -> None:
        """Leave out the names of files and, since our end has them, the list of what failed."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self._config.getoption("verbose", 0) > 0:
            return
        reporter.showfspath = False
        if not any(arg.startswith("-r") for arg in self._config.invocation_params.args):
            reporter.reportchars = ""
            if self._config.getoption("durations", None) is None:
                self._reporter = reporter

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> Generator[None, Any, Any]:
        """Counted as ever, but without a letter."""
        category, letter, word = yield
        ours = Path(report.nodeid.partition("::")[0]).name in _OURS
        if not ours or self._config.getoption("verbose", 0) > 0:
            return category, letter, word
        return category, "", ""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The first report of what passed or was skipped stands for all: those of a long run are tens of megabytes."""
        if self._reporter is None:
            return
        for category in ("passed", "skipped", ""):
            kept = self._reporter.stats.get(category)
            if kept and kept[-1] is report:
                kept[-1] = kept[0]

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_benchmark_group_stats(self) -> list[Any] | None:
        """No groups, no table; unless an option is about it."""
        return None if wants_table(self._config) else []


def display_of(config: pytest.Config, stack: contextlib.ExitStack) -> Display:
    """What shows the run on this terminal, or wherever its output goes; `stack` closes what it needs."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.getoption("verbose", 0) < 0:
        return Nothing()
    if config.getoption("verbose", 0) > 0 or config.getoption("usepdb", False):
        return Lines(_beside_items(config, reporter))
    screen = _screen(stack)
    if screen.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
        return LiveDisplay(screen, color=config.getoption("color", "auto") != "no")

    def write(line: str) -> None:
        print(line, file=screen, flush=True)

    return Lines(write)


def _screen(stack: contextlib.ExitStack) -> TextIO:
    """Where pytest prints to; it stays open while pytest captures what tests print."""
    try:
        number = os.dup(sys.__stdout__.fileno() if sys.__stdout__ is not None else 1)
    except (OSError, io.UnsupportedOperation):
        return sys.stdout
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return stack.enter_context(os.fdopen(number, "w", encoding=encoding, errors="replace"))


def _beside_items(config: pytest.Config, reporter: Any) -> Callable[[str], None]:
    """Writes a line between those of pytest."""
    capture = config.pluginmanager.get_plugin("capturemanager")

    def write(line: str) -> None:
        # While a test runs, pytest captures what its own reporter writes too.
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            reporter.ensure_newline()
            reporter.write_line(line)

    return write
