"""The processes that attend to shards beside a worker (`scripts._sweep.runner`): one that waits is always there."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

__all__ = ["Runners"]

_BARE = (sys.executable, "-I", "-S", str(Path(__file__).with_name("runner.py")))


class Runners:
    """Of one worker.  All of them end with their standard input, and so with this process."""

    def __init__(self) -> None:
        self._running: dict[str, set[subprocess.Popen[bytes]]] = defaultdict(set)
        """By sweep."""
        self._waiting: list[subprocess.Popen[bytes]] = []
        """For the next order: a Python takes longer to start than all else between two shards."""

    @contextlib.contextmanager
    def answers(self, sweep: str, order: Mapping[str, Any]) -> Iterator[IO[bytes]]:
        """What the runner of an order says, line by line; it ends with the block."""
        with self._next() as runner:
            assert runner.stdin is not None
            assert runner.stdout is not None
            mine = self._running[sweep]
            mine.add(runner)
            try:
                runner.stdin.write(json.dumps(order).encode() + b"\n")
                runner.stdin.flush()
                self._waiting.append(_started())  # while the command starts, too, and nothing is timed yet
                yield runner.stdout
            finally:
                mine.discard(runner)

    def stop(self, sweep: str) -> None:
        """Have what runs for that sweep stop, as Ctrl-C would."""
        for runner in tuple(self._running[sweep]):
            if runner.stdin is not None:
                runner.stdin.close()

    def _next(self) -> subprocess.Popen[bytes]:
        """The one that waits, or a new one where none does any more."""
        while self._waiting:
            waiting = self._waiting.pop()
            if waiting.poll() is None:
                return waiting
        return _started()


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(_BARE, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
