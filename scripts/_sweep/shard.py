"""One shard on a worker: `pytest bench/ --shard I/N` in a process of its own, and its journal sent as it grows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts._sweep.machine import dask_set, difference, host_of, tell
from scripts._sweep.runners import Runners

__all__ = ["BENCH", "FAILED", "KEPT_IN", "Order", "ShardEnd", "run_shard", "stop_shards"]

_DONE = (0, 5)
"""How pytest ends when it has done all it was asked: all passed, or there was nothing."""
FAILED = 1
"""The same, and a cell failed; a Python that cannot begin ends so, too, but without rows."""
_NO_ROWS = 2
"""Lines of a journal that tell of no cell: its header, and where it runs."""
_REFUSED, _LOST = -100, -101
"""In place of pytest's exit status: the machine is another by now; or nobody told how the shard ended."""
_ROOT = __name__.rpartition("scripts.")[0]
"""What comes before the packages' names: nothing in a checkout."""
_HERE = Path(__file__).resolve().parents[2] if not _ROOT else Path.cwd()
KEPT_IN = "RELU_BENCH_SWEEPS"
"""The environment variable that says where a machine keeps its part of sweeps (if not, in its checkout)."""
BENCH = ("-m", "pytest", *(("--pyargs", f"{_ROOT}bench") if _ROOT else ("bench/",)), "-p", "no:cacheprovider")
"""What a worker's Python is told for a shard that measures."""
_runners = Runners()


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is asked to do."""

    sweep: str
    shard: str
    """As in 3/16."""
    options: tuple[str, ...]
    """Of `pytest bench/`, as they are typed."""
    machine: Mapping[str, Any] | None = None
    """What the machine has to be like; None: anything."""
    program: tuple[str, ...] = BENCH
    """What is run by the worker's Python, with --shard, --results, --run-id and the options besides."""

    @property
    def topic(self) -> str:
        """Under which the lines of the journal are sent."""
        return f"relu-bench {self.sweep}"


@dataclass(frozen=True, slots=True)
class ShardEnd:
    """How a shard ended on a machine."""

    host: str
    code: int
    """The exit status of pytest; below 0 where it has none."""
    said: str
    """The last that it said, or why there is nothing."""
    lines: tuple[bytes, ...] = ()
    """All of its journal."""
    began_s: float = 0.0
    """On the machine's clock, seconds since 1970, as `ended_s`."""
    ended_s: float = 0.0

    @property
    def done(self) -> bool:
        """Whether it has measured all that belongs to it."""
        return self.code in _DONE or (self.code == FAILED and len(self.lines) > _NO_ROWS)

    @property
    def reason(self) -> str:
        """The last line that says anything."""
        said = [line.strip() for line in self.said.splitlines() if line.strip()]
        return f"exit status {self.code}: {said[-1] if said else 'it said nothing'}"


def run_shard(order: Order) -> ShardEnd:
    """Measure that shard here; a task for Dask, in a thread of a worker."""
    from distributed import get_worker  # noqa: PLC0415  # an extra

    worker = get_worker()
    host = host_of(worker.address)
    unlike = None if order.machine is None else difference(order.machine, tell(worker).described)
    if unlike is not None:
        return ShardEnd(host, _REFUSED, f"{host} is another machine by now: {unlike}")
    lines: list[bytes] = []
    with _runners.answers(order.sweep, _told(order, host)) as answers:
        for answer in answers:
            word, _, rest = answer.partition(b" ")
            if word == b"end":
                end = json.loads(rest)
                return ShardEnd(host, end["code"], end["said"], tuple(lines), end["began_s"], end["ended_s"])
            number = int(word)
            del lines[number - 1 :]
            lines.append(rest)
            message = {"shard": order.shard, "host": host, "number": number, "line": rest}
            worker.log_event(order.topic, message)
    return ShardEnd(host, _LOST, "what attends to the shard was ended", tuple(lines))


def _told(order: Order, host: str) -> dict[str, Any]:
    """The order in the words of the runner; makes the folder of the machine's part of the sweep."""
    sweeps = Path(os.environ.get(KEPT_IN) or _HERE / "results" / "sweeps")
    folder = sweeps.absolute() / order.sweep / host.strip("[]").replace(":", "-")
    folder.mkdir(parents=True, exist_ok=True)
    name = f"shard-{order.shard.replace('/', '-of-')}"
    where = (f"--shard={order.shard}", f"--results={folder}", f"--run-id={name}")
    left_out = dask_set()
    return {
        "command": [sys.executable, *order.program, *where, *order.options],
        "cwd": str(_HERE),
        "environ": {name: value for name, value in os.environ.items() if name not in left_out},
        "journal": str(folder / name / "journal.jsonl"),
        "log": str(folder / f"{name}.log"),
        "lock": str(folder / "lock"),
    }


def stop_shards(sweep: str) -> None:
    """Have what is measured here for that sweep stop, as Ctrl-C would; for `distributed.Client.run`."""
    _runners.stop(sweep)
