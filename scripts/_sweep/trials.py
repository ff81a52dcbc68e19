"""What `scripts/fleet.py` measures: sweeps of stand-ins on a fleet that is this machine."""

from __future__ import annotations

import csv
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil

from bench.plan.options import parse
from bench.records.lines import key_of
from bench.text.units import number_text
from scripts._sweep.connecting import connected
from scripts._sweep.hosts import Fleet
from scripts._sweep.lanes import Done
from scripts._sweep.planning import Plan, planned
from scripts._sweep.rehearsal import Rehearsal, rehearse
from scripts._sweep.standin import ROUNDS, names

__all__ = [
    "BETWEEN",
    "MEASURING",
    "PLANNING",
    "Figure",
    "crashes",
    "idle",
    "lost_and_doubled",
    "planning",
    "throughput",
]

BETWEEN = "between two shards, seconds, median"
PLANNING = "planning a cell, CPU microseconds"
MEASURING = "measuring a cell, seconds"
_AT_MOST, _AT_LEAST = "at most", "at least"
_LINEAR = 0.9
_OVERHEAD_S = 0.05
_PLANNED_S = 5.0
_HEARD = 0.005
"""Of a CPU: what is below that drowns in what any machine does by itself."""
_START_S = 60
_SHARDS = 400
_CRASH_S, _CRASH_EXPERIMENTS = 1.0, 4
_BETWEEN_S = (0.5, 2.5)
"""Between two deaths, at random."""
_MOST_SITTINGS = 10
"""Of a sweep whose shards were set aside: three deaths may hit the same one."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One that was measured, and what is wanted of it."""

    what: str
    of: str
    value: float
    sign: str = ""
    wanted: float = math.nan

    @property
    def met(self) -> bool:
        """Whether it is as good as it is wanted; of what others are reckoned from, nothing is."""
        if not self.sign:
            return True
        return self.value <= self.wanted if self.sign == _AT_MOST else self.value >= self.wanted

    @property
    def wanted_text(self) -> str:
        """In a table."""
        return f"{self.sign} {number_text(self.wanted)}" if self.sign else ""

    @property
    def verdict(self) -> str:
        """In a table."""
        return ("yes" if self.met else "no") if self.sign else ""


def planning(cells: int) -> list[Figure]:
    """CPU time from options as they are typed to shards, for so many cells at least; and what a cell takes then."""
    few = 16
    sizes = -(-cells * few // _planned(few).cells)
    began = time.process_time()
    plan = _planned(sizes)
    took = time.process_time() - began
    of = f"{plan.cells:,} cells in {plan.count} shards"
    each_s = sum(plan.seconds) / plan.cells
    return [
        Figure("planning, CPU seconds", of, took, _AT_MOST, _PLANNED_S),
        Figure(PLANNING, of, 1e6 * took / plan.cells),
        Figure(MEASURING, "full profile, as it is planned", each_s),
    ]


def _planned(sizes: int) -> Plan:
    text = ",".join(map(str, range(1024, 1024 + sizes)))
    return planned(parse({"profile": "full", "sizes": text}), _SHARDS)


def throughput(machines: int, shards: int, seconds: float) -> list[Figure]:
    """The share of so many machines' time that shards had, and what lies between two shards of a machine."""
    wanted = Rehearsal(
        machines=machines, shards=machines * shards, seconds=seconds, experiments=1, folder=Path("stand-ins")
    )
    with _rehearsing(machines) as (fleet, folder):
        wanted.scheduler, wanted.folder = str(fleet.scheduler_file), folder / "stand-ins"
        (lane,) = rehearse(wanted, say=lambda _: None).all
    of = f"{machines} machines, {shards} shards of {seconds:g} s each"
    spans = list(lane.done.values())
    wall_s = max(each.ended_s for each in spans) - min(each.began_s for each in spans)
    share = sum(each.ended_s - each.began_s for each in spans) / (machines * wall_s)
    between = list(_between(spans))
    return [
        Figure("throughput, share of linear", of, share, _AT_LEAST, _LINEAR),
        Figure(BETWEEN, of, median(between), _AT_MOST, _OVERHEAD_S),
    ]


def idle(seconds: float) -> Figure:
    """What a worker with nothing to do takes of a CPU, once it has started."""
    with _rehearsing(1) as (fleet, _), connected(str(fleet.scheduler_file)) as client:
        client.wait_for_workers(1, timeout=_START_S)
        worker = psutil.Process(fleet.workers[fleet.hosts[0]].pid)
        before = worker.cpu_times()
        time.sleep(seconds)  # this is what is measured
        after = worker.cpu_times()
    used = after.user + after.system - before.user - before.system
    return Figure("an idle worker, share of a CPU", f"{seconds:g} s", used / seconds, _AT_MOST, _HEARD)


def _between(spans: Sequence[Done]) -> Iterator[float]:
    """Seconds from the end of a shard to the beginning of the next on its machine."""
    for host in {each.host for each in spans}:
        mine = sorted((each for each in spans if each.host == host), key=lambda each: each.began_s)
        for one, other in pairwise(mine):
            yield other.began_s - one.ended_s


def crashes(worker_kills: int, client_kills: int, machines: int = 4) -> list[Figure]:
    """Rows that are lost or doubled while workers and the command that sweeps are killed at random."""
    deaths = ["worker"] * worker_kills + ["client"] * client_kills
    chance = random.Random(len(deaths))
    chance.shuffle(deaths)
    shards = max(8, round(len(deaths) * sum(_BETWEEN_S) / 2 * machines / _CRASH_S))
    with _rehearsing(machines) as (fleet, folder):
        client = _client(fleet, folder, shards)
        for death in deaths:
            time.sleep(chance.uniform(*_BETWEEN_S))  # nothing is waited for: this is when the next one dies
            if death == "worker":
                host = chance.choice(fleet.hosts)
                fleet.kill(host)
                fleet.start(host)
            else:
                client.kill()
                client.wait()
                client = _client(fleet, folder, shards)
        sittings = 1
        while client.wait() != 0 and sittings < _MOST_SITTINGS:
            client, sittings = _client(fleet, folder, shards), sittings + 1
        lost, doubled = lost_and_doubled(folder / "stand-ins", shards, _CRASH_EXPERIMENTS)
    rows = 2 * (1 + ROUNDS) * shards * _CRASH_EXPERIMENTS
    of = f"{rows:,} rows, {worker_kills} dead workers, {client_kills} dead commands"
    return [Figure("rows lost", of, lost, _AT_MOST, 0.0), Figure("rows doubled", of, doubled, _AT_MOST, 0.0)]


def _client(fleet: Fleet, folder: Path, shards: int) -> subprocess.Popen[bytes]:
    words = {
        "scheduler": fleet.scheduler_file,
        "folder": folder / "stand-ins",
        "machines": len(fleet.hosts),
        "shards": shards,
        "seconds": _CRASH_S,
        "experiments": _CRASH_EXPERIMENTS,
    }
    options = [f"--{name}={value}" for name, value in words.items()]
    with (folder / "client.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", Rehearsal.__module__, *options],
            cwd=Path(__file__).resolve().parents[2],
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def lost_and_doubled(folder: Path, shards: int, experiments: int) -> tuple[int, int]:
    """Of the cells and rounds of a rehearsal: how many are not there, and how many are there again."""
    found: Counter[tuple[str, ...]] = Counter()
    for path in (*folder.glob("*/cells.csv"), *folder.glob("*/rounds.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found.update((*key_of(row)[1:], row.get("round", "")) for row in csv.DictReader(file))
    wanted = {
        (*name[1:], each)
        for name in names("", shards, experiments)
        for each in ("", *map(str, range(ROUNDS)))
    }
    return len(wanted - found.keys()), sum(found.values()) - len(found)


@contextmanager
def _rehearsing(machines: int) -> Iterator[tuple[Fleet, Path]]:
    """A fleet, and a folder for all that is written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Fleet(folder, machines) as fleet:
            yield fleet, folder
