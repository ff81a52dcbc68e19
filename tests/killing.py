"""Whole runs that kill themselves at a system call that writes: ``python -m tests.killing FOLDER N``.

A run takes about the same course each time (see `tests.timeless`).  One is made to the end, which counts its writes.
Then, for N of them drawn at random, one from each part of the course, or ``all``, a run is killed there and goes on.
The runs lie in FOLDER by the number of the write, the whole one as ``whole``; what stands beside each as
``at-the-kill`` is its folder as the kill left it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import WITHOUT

__all__ = ["AT_THE_KILL", "OPTIONS", "WHOLE", "WRITING", "killed_at"]

WRITING = ("write", "fsync", "ftruncate", "replace", "rename", "unlink", "mkdir")
OPTIONS = (
    *("--backends", "numpy_ufunc", "--ops", "relu", "--directions", "forward", "--placements", "new,out"),
    *("--sizes", "64,128", "--processes", "2", "--max-seconds", "0.02", "--baseline", "numpy_ufunc"),
)
WHOLE = "whole"
AT_THE_KILL = "at-the-kill"
_NEVER = 1 << 30
_SEED = 25


def killed_at(step: int) -> Callable[[], int]:
    """Let this process kill itself at its system call of that number that writes, which then does half of its work.

    Returns what tells how many there were so far.
    """
    left = [step]

    def deadly(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*arguments: object, **named: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                if name == "write":
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])  # type: ignore[index, arg-type]
                os.kill(os.getpid(), signal.SIGKILL)
            # What is killed needs no disk, which takes most of the time.
            return None if name == "fsync" else real(*arguments, **named)

        return call

    for name in WRITING:
        setattr(os, name, deadly(name))
    return lambda: step - left[0]


def run(folder: Path, step: int = _NEVER) -> int:
    """How a run in that folder ends, in a process of its own; the number of its writes is left there."""
    folder.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        writes = killed_at(step)
        where = ["--results", str(folder), "--run-id", "run", "-p", "tests.timeless", *WITHOUT]
        code = pytest.main(["bench/", *where, *OPTIONS])
        (folder / "writes").write_text(str(writes()), encoding="ascii")
        os._exit(int(code))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder: Path, how_many: str) -> None:
    """Raises AssertionError if a run that is to be killed is not, or one that goes on does not end well."""
    from bench.run import rows, sitting  # noqa: F401  # imported once, and not by each run

    assert run(folder / WHOLE) == 0, (folder / WHOLE / "log").read_text()
    writes = range(int((folder / WHOLE / "writes").read_text()))
    wanted = len(writes) if how_many == "all" else int(how_many)
    draw = random.Random(_SEED)
    for number in range(
        wanted
    ):  # one from each part of the course, so that some strike a run that is partly stored
        part = writes[len(writes) * number // wanted : len(writes) * (number + 1) // wanted]
        any(_is_killed(folder, step) for step in draw.sample(part, len(part)))


def _is_killed(folder: Path, step: int) -> bool:
    """Kill a run at that write and let it go on; False, and nothing is left, if it has fewer writes than that."""
    here = folder / str(step)
    ended = run(here, step)
    if ended == 0 and int((here / "writes").read_text()) <= step:
        shutil.rmtree(here)  # on a busy machine a line less is shown
        return False
    assert ended == -signal.SIGKILL, f"killed at write {step}, it ended with {ended}"
    if (here / "run").exists():
        shutil.copytree(here / "run", here / AT_THE_KILL)
    ended = run(here)
    assert ended == 0, f"after a kill at write {step}: {(here / 'log').read_text()[-3000:]}"
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
