"""What goes on beside the measurements: nothing, or a process that is busy in bursts."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scripts._shared.cli import one_of

__all__ = ["BUSY", "HOURS", "add_beside_option", "beside"]

HOURS = {"nothing": "calm", "busy": "busy"}
"""What may go on beside, and what such an hour is called."""
BUSY = """
import os, random, time
draw, parent = random.Random(7), os.getppid()
while os.getppid() == parent:
    until = time.perf_counter() + draw.uniform(0.6, 1.0)
    while time.perf_counter() < until: pass
    time.sleep(draw.uniform(0.2, 0.5))
"""
"""A program that works and rests in turn, and ends with the process that started it."""


def add_beside_option(parser: argparse.ArgumentParser) -> None:
    """--beside."""
    parser.add_argument(
        "--beside",
        type=one_of(tuple(HOURS)),
        default="nothing",
        help="what goes on beside the measurements: nothing (the default), or a process that is busy in bursts",
    )


@contextmanager
def beside(what: str) -> Iterator[None]:
    """With that (one of `HOURS`) beside."""
    if what != "busy":
        yield
        return
    other = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        other.kill()
        other.wait()
