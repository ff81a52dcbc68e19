"""The client of a sweep over machines that are not there: what it costs to take what so many would send.

The engine is simulated, in this process: no scheduler, no network, no worker.  Lanes, journals, index and files are
real.
"""

from __future__ import annotations

import itertools
import queue
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from bench.machine.environment import DIFFERS, describe
from bench.records.adopting import adopt
from bench.records.writing import RunFiles
from scripts._sweep.engine import Ended, Engine, Grown
from scripts._sweep.machine import Told
from scripts._sweep.shard import Order, ShardEnd

__all__ = ["Simulated", "journal_like"]


class Simulated(Engine):
    """Machines that have measured a shard as soon as it is handed out: each sends the same lines.

    `began` is when the first was handed out, on the clock of `time.monotonic`.
    """

    def __init__(self, machines: int, lines: Sequence[bytes]) -> None:
        described, commit = _here()
        hosts = [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(machines)]
        self._machines = {host: Told(host, 1.0, described, commit, quiet=True) for host in hosts}
        self._lines, self.began = tuple(lines), 0.0
        self._sent: queue.SimpleQueue[Grown | Ended | None] = queue.SimpleQueue()

    def machines(self) -> tuple[dict[str, Told], list[str]]:
        """All of them, always."""
        return dict(self._machines), []

    def start(self, key: str, order: Order, hosts: Collection[str]) -> None:
        """Send all that there is of that shard, line by line, and its end."""
        (host,) = hosts
        now = time.time()
        self.began = self.began or time.monotonic()
        for number, line in enumerate(self._lines, 1):
            self._sent.put(Grown(order.shard, host, number, line))
        self._sent.put(Ended(key, ShardEnd(host, 0, "", self._lines, now, now)))

    def give_up(self, key: str) -> None:
        """Nothing: a shard ends when it is handed out."""

    def next(self, wait_s: float) -> Grown | Ended | None:
        """What was sent next, or nothing when something is on the disk."""
        try:
            return self._sent.get(timeout=wait_s)
        except queue.Empty:
            return None

    def wake(self) -> None:
        """Have `next` come back."""
        self._sent.put(None)


def _here() -> tuple[dict[str, object], str]:
    found = describe({})
    return {name: found[name] for name in DIFFERS}, found["commit"]


def journal_like(run: Path, folder: Path) -> Sequence[bytes]:
    """What a shard would send that has measured a real run: two lines that say where, and one for each experiment.

    `folder` gets that run's files anew.  Raises RunFilesError for a run of an older version.
    """
    adopted = adopt(run / "cells.csv", run / "rounds.csv", run / "compiles.csv").cells
    files = RunFiles(folder)
    files.open()
    files.write_environment({"machine": run.name, "options": {}})
    for _, group in itertools.groupby(adopted, lambda each: each[0].case):
        cells, rounds, compiles = zip(*group, strict=True)
        files.append(cells, itertools.chain(*rounds), itertools.chain(*compiles))
    return (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
