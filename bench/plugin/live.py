"""The live display of a run on a terminal (rich)."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.plan.experiments import Arm, Experiment
from bench.plugin import texts
from bench.plugin.display import Doing
from bench.plugin.promise import Promise
from bench.run.run import Run
from bench.stats.fastest import COMPETING
from bench.text.units import count_text, seconds_text

if TYPE_CHECKING:  # brings NumPy, which collecting a plan must not need
    from bench.run.arm_state import ArmState

__all__ = ["LiveDisplay"]

_OFTEN_S = 1.0
"""Seconds between two drawings, at least: each takes some milliseconds of a CPU."""
_SELDOM_S = 1.4
"""Seconds after which the thread draws, so that a sign of life comes every 2 s."""
_RECENT = 4
"""Experiments whose leaders are shown."""
_BAR = 24
"""Columns of the bar."""


@dataclass(slots=True)
class _Seen:
    """All that is shown."""

    doing: Doing
    since: float
    """When the coordinator began to wait for what it waits for."""
    states: Sequence[ArmState] = ()
    others: str = ""
    statuses: str = ""
    experiments: str = ""
    end: float = 0.0
    """When the run will be done."""
    recent: dict[str, str] = field(default_factory=dict)
    """Who leads, by experiment, the latest last."""


class LiveDisplay:
    """Draws a few lines to a terminal anew, again and again; they are gone when it is closed."""

    def __init__(self, file: TextIO, *, color: bool = True) -> None:
        self._file = file
        self._console = Console(file=file, no_color=None if color else True, highlight=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._promise = Promise(math.inf, time.monotonic())
        self._seen: _Seen | None = None
        self._drawn = self._began = 0.0

    def begins(self, run: Run) -> None:
        """Say what is about to happen, and begin to draw."""
        self._run, self._began = run, time.monotonic()
        self._promise = Promise(run.seconds_left(), self._began)
        self._fit()
        self._console.print(Text(texts.announcement(run)))

    def visit(self, experiment: Experiment, process: int) -> None:
        """Show it; who led in the visit before is known now."""
        with self._lock:
            before = self._seen
            seen = self._seen = _Seen(Doing(experiment, process), time.monotonic())
            if before is not None:
                seen.recent, seen.others = before.recent, _others(before.states) or before.others
                self._note(before.doing.experiment, _so_far(before))
            self._foresee(seen)
            self._tell_anew(seen.end)
        self._draw(0.0)

    def _tell_anew(self, end: float) -> None:
        """Above the display, where it stays."""
        now = time.monotonic()
        if self._run is not None and self._promise.visit(end - now, self._run.least_left(), now):
            self._console.print(Text(texts.told_anew(self._run, end - now)))

    def waits(self, arms: Sequence[Arm], doing: str) -> None:
        """Show it, if it is time."""
        with self._lock:
            if self._seen is not None:
                now = self._seen.doing
                if (list(now.arms), now.doing) != (list(arms), doing):
                    self._seen.since = time.monotonic()
                now.arms, now.doing = arms, doing
        self._draw(_OFTEN_S)

    def round(self, number: int, states: Sequence[ArmState]) -> None:
        """Show it, if it is time."""
        with self._lock:
            if self._seen is not None:
                self._seen.doing.round, self._seen.states = number, states
                if time.monotonic() - self._drawn >= _OFTEN_S:
                    self._seen.others = _others(states)
                    self._foresee(self._seen)
        self._draw(_OFTEN_S)

    def ended(self, experiment: Experiment) -> None:
        """Show who leads."""
        if self._run is None:
            return
        with self._lock:
            self._note(experiment, texts.leader(self._run.rows([experiment])))
            if self._seen is not None:
                self._foresee(self._seen)
        self._draw(0.0)

    def tick(self) -> None:
        """Draw where the last drawing is old."""
        self._draw(_SELDOM_S)

    def close(self) -> None:
        """Take the display away; nothing is drawn from here on."""
        with self._lock:
            self._run = None
            self._live.stop()

    def _note(self, experiment: Experiment, leader: str) -> None:
        if self._seen is not None and leader:
            recent = self._seen.recent
            recent.pop(experiment.label, None)
            recent[experiment.label] = leader
            for label in list(recent)[:-_RECENT]:
                del recent[label]

    def _foresee(self, seen: _Seen) -> None:
        """What only the coordinator's thread may ask the run."""
        run = self._run
        if run is None:
            return
        seen.end = time.monotonic() + run.seconds_left()
        total = len(run.chosen)
        seen.experiments = f"{total - len(run.left)} of {count_text(total, 'experiment')}"
        seen.statuses = texts.statuses(run.statuses())

    def _draw(self, age_s: float) -> None:
        """Draw if the last drawing is so many seconds old."""
        with self._lock:
            now = time.monotonic()
            if self._run is None or self._seen is None or now - self._drawn < age_s:
                return
            self._drawn = now
            self._fit()
            picture = self._picture(self._seen, now, self._run.processes)
            if not self._live.is_started:
                self._live.start()
            self._live.update(picture, refresh=True)

    def _fit(self) -> None:
        """To the terminal's size; while pytest captures, rich would ask a file for it."""
        try:
            size = os.get_terminal_size(self._file.fileno())
        except OSError:
            return
        if size.columns and size.lines:
            self._console.size = ConsoleDimensions(size.columns, size.lines)

    def _picture(self, seen: _Seen, now: float, processes: int) -> RenderableType:
        left_s = max(seen.end - now, 0.0)
        elapsed_s = now - self._began
        bar = ProgressBar(total=elapsed_s + left_s or 1.0, completed=elapsed_s, width=_BAR)
        head = Table.grid(padding=(0, 1))
        head.add_column(no_wrap=True)
        head.add_column(no_wrap=True, overflow="ellipsis")
        until = f", done by {texts.until(left_s)}" if left_s >= 0.5 else ""
        head.add_row(bar, f"{texts.time_left(left_s)}{until}; {seen.experiments} ended")
        waited = f" for {now - seen.since:.0f} s" if now - seen.since >= 1 else ""
        lines = [seen.doing.text(processes) + waited]
        lines += [f"  {label}: {leader}" for label, leader in seen.recent.items()]
        lines += [f"cells so far: {seen.statuses}"] if seen.statuses else []
        lines += [seen.others] if seen.others else []
        return Group(head, *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines))


def _others(states: Sequence[ArmState]) -> str:
    """What others on the machine do, as the batches of a visit have seen it."""
    mine = [batch for state in states for batch in state.batches if batch.process == state.process]
    if not mine:
        return ""
    share = sum(batch.contended for batch in mine) / len(mine)
    if not share:
        return "nobody else uses the CPUs"
    return f"others use the CPUs: beside {share:.0%} of the batches"


def _so_far(seen: _Seen) -> str:
    """Who led when a visit ended."""
    ranked = [state for state in seen.states if state.timed and state.arm.role in COMPETING]
    if not ranked:
        return ""
    times = {id(state): median(batch.seconds for batch in state.batches) for state in ranked}
    best = min(ranked, key=lambda state: times[id(state)])
    return f"{best.arm.label} leads so far with {seconds_text(times[id(best)])}"
