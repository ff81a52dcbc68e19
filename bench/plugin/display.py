"""What is seen while a run goes on: one live display on a terminal, plain lines elsewhere.

A display is drawn between two requests to arms, when nothing is being timed.  Only where the coordinator waits for long
does a thread draw: a sign of life is worth its milliseconds then.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench.plan.experiments import Arm, Experiment
from bench.plugin import texts
from bench.plugin.promise import Promise
from bench.run.progress import Observer, Silent
from bench.run.run import Run

if TYPE_CHECKING:  # brings NumPy, which collecting a plan must not need
    from bench.run.arm_state import ArmState

__all__ = ["Display", "Doing", "Lines", "Nothing", "ticking"]

_MINUTE_S = 60.0
_TICK_S = 0.5
"""Seconds between two looks of the thread at whether a sign of life is due."""


class Display(Observer, Protocol):
    """Shows a run, from its beginning to its end."""

    def begins(self, run: Run) -> None:
        """The run is about to measure."""

    def tick(self) -> None:
        """Some time has passed.  Called by a thread of its own."""

    def close(self) -> None:
        """Nothing more is shown."""


@dataclass(slots=True)
class Doing:
    """What the run does, in the words of an `Observer`."""

    experiment: Experiment
    process: int
    round: int = 0
    arms: Sequence[Arm] = ()
    doing: str = ""

    def text(self, processes: int) -> str:
        """``relu-forward-new-float32-1Mi, process 1 of 2, round 3: torch_eager being timed``."""
        where = f"{self.experiment.label}, process {self.process} of {max(processes, self.process)}"
        where += f", round {self.round + 1}" if self.round else ""
        return f"{where}: {texts.arms(self.arms)} {self.doing}" if self.arms else where


class Nothing(Silent):
    """Shows nothing."""

    def begins(self, run: Run) -> None:
        """Nothing to do."""

    def tick(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class Lines:
    """One line for each experiment that ended, and one a minute in between."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._run: Run | None = None
        self._promise = Promise(math.inf, clock())
        self._doing: Doing | None = None
        self._latest, self._end = clock(), 0.0
        self._lock = threading.Lock()

    def begins(self, run: Run) -> None:
        """Say what is about to happen."""
        self._run, self._promise = run, Promise(run.seconds_left(), self._clock())
        self._line(texts.announcement(run))

    def _line(self, text: str) -> None:
        with self._lock:
            self._latest = self._clock()
            self._write(text)

    def visit(self, experiment: Experiment, process: int) -> None:
        """Note it."""
        self._doing = Doing(experiment, process)
        self._foresee()
        now = self._clock()
        if self._run is not None and self._promise.visit(self._end - now, self._run.least_left(), now):
            self._line(texts.told_anew(self._run, self._end - now))

    def waits(self, arms: Sequence[Arm], doing: str) -> None:
        """Note it; a line where the last one is a minute old."""
        if self._doing is not None:
            self._doing.arms, self._doing.doing = arms, doing
        self.tick()

    def round(self, number: int, states: Sequence[ArmState]) -> None:
        """Note it."""
        if self._doing is not None:
            self._doing.round = number

    def ended(self, experiment: Experiment) -> None:
        """A line for it."""
        assert self._run is not None, "a run begins first"
        self._foresee()
        self._line(texts.experiment_line(self._run, experiment))

    def _foresee(self) -> None:
        """Asked in the coordinator's thread, which alone may ask."""
        if self._run is not None:
            self._end = self._clock() + self._run.seconds_left()

    def tick(self) -> None:
        """A line where the last one is a minute old."""
        if self._run is not None and self._doing is not None and self._clock() - self._latest >= _MINUTE_S:
            left = texts.time_left(self._end - self._clock())
            self._line(f"  {self._doing.text(self._run.processes)}; {left}")

    def close(self) -> None:
        """Nothing more is shown."""
        self._run = None


@contextmanager
def ticking(display: Display) -> Iterator[None]:
    """Have the display tick until the end of the block, and close it there."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(_TICK_S):
            display.tick()

    thread = threading.Thread(target=tick, name="relu-bench display", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        display.close()
