"""What goes on beside the measurements: nothing, a process that is busy in bursts, or an idle worker of Dask."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts._shared.cli import UsageError, one_of

__all__ = ["BUSY", "HOURS", "READY", "WORKER", "Neighbour", "add_beside_option", "beside"]

WORKER = "worker"
HOURS = {"nothing": "calm", "busy": "busy", WORKER: WORKER}
"""What may go on beside, and what such an hour is called."""
READY = "ready"
"""What a neighbour says once it is as it stays; anything else is why it cannot be."""
BUSY = f"""
import os, random, time
draw, parent = random.Random(7), os.getppid()
print({READY!r}, flush=True)
while os.getppid() == parent:
    until = time.perf_counter() + draw.uniform(0.6, 1.0)
    while time.perf_counter() < until: pass
    time.sleep(draw.uniform(0.2, 0.5))
"""
"""A program that works and rests in turn, and ends with the process that started it."""
_ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = __name__.removesuffix("._shared.beside")
_PROGRAMS: Mapping[str, Sequence[str]] = {
    "busy": ("-c", BUSY),
    WORKER: ("-m", f"{_PACKAGE}._sweep.neighbour"),  # by its name: it belongs to scripts/sweep.py
}
_GRACE_S = 30.0


def add_beside_option(parser: argparse.ArgumentParser) -> None:
    """--beside."""
    parser.add_argument(
        "--beside",
        type=one_of(tuple(HOURS)),
        default="nothing",
        help="what goes on beside the measurements: nothing (the default), a process that is busy in bursts, or "
        "an idle Dask worker and its scheduler, set as for a sweep",
    )


class Neighbour:
    """What goes on beside, with all of its processes; nothing, if there is none."""

    def __init__(self, process: subprocess.Popen[str] | None = None) -> None:
        self._process, self._goes_on = process, True

    def let(self, *, go_on: bool) -> None:
        """Have it go on, or stop it where it is."""
        if self._process is not None and go_on != self._goes_on:
            os.killpg(self._process.pid, signal.SIGCONT if go_on else signal.SIGSTOP)
        self._goes_on = go_on


@contextmanager
def beside(what: str) -> Iterator[Neighbour]:
    """With that (one of `HOURS`) beside, from the moment in which it is ready.  Raises UsageError.

    It ends with the block, and with this process however that ends: its standard input does.
    """
    if what not in _PROGRAMS:
        yield Neighbour()
        return
    with subprocess.Popen(
        [sys.executable, *_PROGRAMS[what]],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is for this process, which ends that one.  No session of its own: where this process is killed while
        # that one is stopped, the system ends a group of the same session, and leaves another's stopped for ever.
        process_group=0,
    ) as other:
        assert other.stdout is not None
        try:
            said = other.stdout.readline().strip()
            if said != READY:
                raise UsageError(f"--beside {what}: {said or 'it ended before it was ready'}")
            neighbour = Neighbour(other)
            try:
                yield neighbour
            finally:
                neighbour.let(go_on=True)
        finally:
            _end(other, at_once=what != WORKER)


def _end(other: subprocess.Popen[str], *, at_once: bool) -> None:
    """What has processes of its own is asked to end them."""
    if at_once:
        other.kill()
    assert other.stdin is not None
    other.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        other.wait(_GRACE_S)
        return
    other.kill()
