"""A long run: what the coordinator keeps, has open and works for an experiment does not grow meanwhile."""

from __future__ import annotations

import gc
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from bench.messages import Sample
from bench.plan.experiments import Experiment
from bench.plan.options import parse
from bench.records.schema import Cell, Round
from bench.run.arm_state import ArmState, Batch
from bench.run.run import Run
from kernels.api import Case
from tests.machines import ARMS, Machine
from tests.running import ROOT, command, environ
from tests.soaking import LOG, Used, used

EXPERIMENTS = 2000
MOST_GROWTH = 20_000_000
"""Bytes."""
MOST_SLOWER = 1.1
"""How many times as many CPU seconds an experiment may take at the end as at the beginning."""
FIRST = 10
"""Experiments until everything is imported and every buffer is there."""
MEASURED = (ArmState, Batch, Sample, Cell, Round)


def soaked(folder: Path, *options: str) -> list[Used]:
    sizes = ",".join(str(64 * number) for number in range(1, 44))
    wide = (
        "--sizes",
        sizes,
        "--dtypes",
        "float16,bfloat16,float32,float64",
        "--placements",
        "new,out,inplace",
    )
    both = ("--ops", "relu,leaky_relu", "--directions", "forward,backward", "--backends", "numpy_ufunc")
    log = folder / "log"
    done = subprocess.run(
        command(folder, "run", [*wide, *both, "-p", "tests.soaking", *options]),
        cwd=ROOT,
        env={**environ(), LOG: str(log)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return used(log)


def cpu_s(found: list[Used], first: float, last: float) -> float:
    """CPU seconds of an experiment, between these shares of the run."""
    begin, end = (found[int(share * (len(found) - 1))] for share in (first, last))
    return (end.cpu_s - begin.cpu_s) / (end.experiments - begin.experiments)


@pytest.mark.daily
def test_two_thousand_experiments(tmp_path: Path) -> None:
    found = soaked(tmp_path, "-p", "tests.timeless")
    assert len(found) > EXPERIMENTS
    assert found[-1].resident - found[FIRST].resident < MOST_GROWTH
    assert found[-1].files <= found[FIRST].files
    assert cpu_s(found, 0.75, 1.0) <= MOST_SLOWER * cpu_s(found, 0.0, 0.25)


def test_of_what_was_measured_nothing_is_kept_but_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two blocks of ten experiments each; batches are kept until theirs has ended."""
    machine = Machine(0.005)
    monkeypatch.setattr("bench.run.sitting.pool_of", machine.start)
    monkeypatch.setattr("bench.run.visits._BLOCK_S", 20.0)
    chosen = [Experiment(Case("relu", n=n), ARMS) for n in range(64, 84)]
    settings = parse({"results": str(tmp_path), "run_id": "r", "processes": "1", "max_seconds": "0.1"})
    with Run(settings, chosen, machine.around) as run:
        for experiment in chosen:
            run.measure(experiment)
        for _, pool in machine.pools:
            pool.batches.clear()
        assert len(run.rows()) == len(chosen) * len(ARMS)
        gc.collect()
        kept = Counter(type(each).__name__ for each in gc.get_objects() if type(each) in MEASURED)
    assert kept["ArmState"] == len(ARMS) * len(chosen) / 2
    assert kept.keys() <= {"ArmState", "Batch"}
