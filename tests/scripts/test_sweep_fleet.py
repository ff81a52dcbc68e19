"""Sweeps on a real scheduler with real workers, each of which has an address of its own; shards only wait."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from bench.records.find_runs import INDEX
from scripts._sweep.engine import Engine
from scripts._sweep.hosts import Fleet
from scripts._sweep.lanes import ANY, EACH
from scripts._sweep.shard import KEPT_IN
from scripts._sweep.standin import names, program
from scripts._sweep.sweeping import problems
from scripts._sweep.trials import crashes, lost_and_doubled
from scripts.summarise import main as summarise
from tests.running import ROOT, bench, environ, read
from tests.swept import Swept

pytest.importorskip("distributed", reason="the extra fleet")
pytestmark = pytest.mark.slow
KILLS_ITS_WORKER = ("-c", "import psutil; psutil.Process().parent().parent().kill()")
TWO = 2
FEW = "--isolation inline --backends numpy_ufunc --ops relu --directions forward --placements out --sizes 64"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet"), TWO) as made:
        yield made


def test_machines_that_are_alike_share_one_run(fleet: Fleet, tmp_path: Path) -> None:
    (lane,) = Swept(fleet, tmp_path / "any", ANY, 4, program(0.3, 2)).lanes.all
    assert lost_and_doubled(tmp_path / "any", 4, 2) == (0, 0)
    assert {done.host for done in lane.done.values()} == set(fleet.hosts)
    for host in fleet.hosts:
        mine = sorted(
            (done for done in lane.done.values() if done.host == host), key=lambda done: done.began_s
        )
        assert all(one.ended_s <= other.began_s for one, other in pairwise(mine))  # never two at once


def test_each_machine_has_a_run_of_its_own(fleet: Fleet, tmp_path: Path) -> None:
    swept = Swept(fleet, tmp_path / "each", EACH, 2, program(0.1, 2))
    assert all(told.quiet for told in swept.machines.values())
    assert [lane.hosts for lane in swept.lanes.all] == [[host] for host in fleet.hosts]
    for lane in swept.lanes.all:
        with (tmp_path / "each" / lane.run / "cells.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == len(list(names("", 2, 2)))
    index = json.loads((tmp_path / "each" / INDEX).read_text())
    assert [(run["hosts"], run["cells"], len(run["done"])) for run in index["runs"]] == [
        ([host], 8, 2) for host in fleet.hosts
    ]
    assert swept.said[-1].startswith("2 machines, 4 of 4 shards, 16 cells")


def test_a_command_that_fails_is_set_aside_with_what_it_said(fleet: Fleet, tmp_path: Path) -> None:
    swept = Swept(
        fleet, tmp_path / "wrong", ANY, 1, ("-c", "import sys; print('no such thing\\n'); sys.exit(1)")
    )
    (line,) = problems(swept.lanes.all)
    assert line.endswith("exit status 1: no such thing")


def test_rows_come_while_a_shard_goes_on(fleet: Fleet, tmp_path: Path) -> None:
    """The command goes on only once the first experiment has arrived where the sweep was started."""
    arrived = tmp_path / "stream" / "stream-x" / "cells.csv"
    waiting = f"""
import glob, sys, time
from scripts._sweep import standin
write = standin.RunFiles.append
def append(self, *rows):
    write(self, *rows)
    end = time.monotonic() + 60
    while not any(len(open(path).readlines()) > 1 for path in glob.glob({str(arrived.parents[1])!r} + "/*/cells.csv")):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.02)
standin.RunFiles.append = append
sys.argv[1:1] = ["--seconds=0", "--experiments=1"]
standin.main()
"""
    swept = Swept(fleet, tmp_path / "stream", ANY, 1, ("-c", waiting))
    (lane,) = swept.lanes.all
    assert (list(lane.done), lane.failed) == ([1], set())


class Deaf(Engine):
    """Hears nothing while a shard goes on."""

    def _grown(self, event: object) -> None:
        pass


def test_what_did_not_come_meanwhile_comes_at_the_end(fleet: Fleet, tmp_path: Path) -> None:
    Swept(fleet, tmp_path / "deaf", ANY, 2, program(0.1, 2), kind=Deaf)
    assert lost_and_doubled(tmp_path / "deaf", 2, 2) == (0, 0)


@pytest.mark.daily  # workers die below, too
def test_what_becomes_of_workers_that_die(tmp_path: Path) -> None:
    """A shard that kills its worker three times is set aside; a machine that does not come back is reported."""
    with Fleet(tmp_path, 4) as fleet:
        (lane,) = Swept(fleet, tmp_path / "deadly", ANY, 1, KILLS_ITS_WORKER).lanes.all
        alive = [host for host, worker in fleet.workers.items() if worker.poll() is None]
        assert lane.missing == {1: "its worker died each time that it was tried"}
        assert len(alive) == 1
        fleet.hosts[:] = alive
        swept = Swept(fleet, tmp_path / "gone", EACH, 2, KILLS_ITS_WORKER, patience_s=0.3)
    (line,) = problems(swept.lanes.all)
    assert f"missing shard 1, 2 of 2: {alive[0]}: gone for" in line


def test_nothing_is_lost_or_doubled_when_workers_and_the_command_die() -> None:
    assert [(each.what, each.value) for each in crashes(1, 1, machines=2)] == [
        ("rows lost", 0),
        ("rows doubled", 0),
    ]


@pytest.mark.daily  # each machine having a run of its own is seen above
@pytest.mark.skipif(shutil.which("taskset") is None, reason="taskset makes a machine of one CPU")
def test_machines_that_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it, through the command: a second machine that has one CPU."""
    with Fleet(tmp_path, 1) as fleet:
        fleet.start("127.0.0.9", "taskset", "-c", "0")
        words = f"--scheduler {fleet.scheduler_file} --machines 2"
        refused = sweep(tmp_path, f"{words} --on any")
        done = sweep(tmp_path, f"{words} --run-id both")
    assert refused.returncode == 2, refused.stderr
    assert "--on each measures them side by side" in refused.stderr.splitlines()[-1]
    assert done.returncode == 0, done.stderr
    runs = [read(path) for path in sorted((tmp_path / "both").glob("*/cells.csv"))]
    one, other = ([cell_of(row) for row in rows] for rows in runs)
    assert sorted(one) == sorted(other)
    assert len({row["machine"] for rows in runs for row in rows}) == 2
    assert summarise([str(tmp_path / "both")]) == 0
    shown = capsys.readouterr().out
    assert all(rows[0]["machine"] in shown for rows in runs)


def test_local_measures_what_the_benchmark_does(tmp_path: Path) -> None:
    done = sweep(tmp_path, "--scheduler local --run-id here --sizes 64")
    assert done.returncode == 0, done.stderr
    assert "can be heard" not in done.stderr
    (folder,) = (tmp_path / "here").glob("*/")
    alone = bench(tmp_path, *FEW.split(), run_id="alone")
    assert Counter(map(cell_of, read(folder / "cells.csv"))) == Counter(map(cell_of, alone.cells))
    environment = json.loads((folder / "environment.json").read_text())
    assert not {"OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_"}.intersection(environment["environ"])


def cell_of(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("backend", "role", "op", "direction", "placement", "n"))


def sweep(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    quick = f"{FEW} --baseline numpy_ufunc --processes 1 --max-seconds 0.02"
    return subprocess.run(
        [sys.executable, "scripts/sweep.py", "--results", str(folder), *quick.split(), *words.split()],
        cwd=ROOT,
        env={**environ(), KEPT_IN: str(folder / "kept")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
