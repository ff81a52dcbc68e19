"""What a plugin does, or writes to the socket that its process is asked on, costs its own cell and nothing else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import psutil
import pytest

from bench.plan.experiments import Arm, Experiment
from bench.records.schema import Cell
from bench.run.experiment import Limits, run
from bench.run.process_pool import ProcessPool
from bench.run.rows import Stamp, cells_of
from kernels.api import Case
from tests.attackers import ATTACKS, LEFT, MARK, Attacker
from tests.meddlers import MEDDLERS
from tests.running import ended

LIMITS = Limits(seconds=0.0, batch_s=0.001, warm_s=0.0, max_rounds=2)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, forked_arms: None) -> tuple[dict[str, Cell], Path]:
    """The cells of an experiment with all attackers, and the file that code of theirs would have written."""
    mark = tmp_path_factory.mktemp("attacked") / "ran"
    foreign = (*ATTACKS, *MEDDLERS)
    arms = [Arm("numpy_ufunc", "baseline"), *(Arm(each.name) for each in foreign), Arm("numpy_ufunc", "twin")]
    experiment = Experiment(Case("relu", n=64), tuple(arms))
    plugins = {each.name: f"{each.__module__}:{each.__name__}" for each in foreign}
    pool = ProcessPool(plugins, cell_timeout=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, str(mark))
        patch.setenv(LEFT, str(mark.with_name("left")))
        try:
            states = run(experiment, pool, LIMITS, seed=0).states
        finally:
            pool.close()
    cells = cells_of(experiment, states, Stamp("r", "m", "now"))
    return {f"{cell.backend} {cell.role}": cell for cell in cells}, mark


@pytest.mark.parametrize("attacker", ATTACKS, ids=lambda each: each.name)
def test_an_attack_costs_its_own_cell(
    attacked: tuple[dict[str, Cell], Path], attacker: type[Attacker]
) -> None:
    cell, (status, says) = attacked[0][f"{attacker.name} candidate"], ATTACKS[attacker]
    assert (cell.status, cell.time_s) == (status, None), cell.reason
    assert re.search(says, cell.reason), cell.reason


@pytest.mark.skipif(sys.platform != "linux", reason="they meddle as Linux lets them")
@pytest.mark.parametrize("meddler", MEDDLERS, ids=lambda each: each.name)
def test_who_meddles_with_its_own_process_is_measured(
    attacked: tuple[dict[str, Cell], Path], meddler: type[Attacker]
) -> None:
    cell = attacked[0][f"{meddler.name} candidate"]
    assert cell.status in ("ok", "noisy"), cell.reason
    assert cell.versions.isprintable()


def test_the_others_are_unharmed_and_no_code_was_run(attacked: tuple[dict[str, Cell], Path]) -> None:
    cells, mark = attacked
    assert {cells[f"numpy_ufunc {role}"].status for role in ("baseline", "twin")} <= {"ok", "noisy"}
    assert not mark.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="strays are adopted by way of Linux's prctl")
def test_nobody_outlives_the_run(attacked: tuple[dict[str, Cell], Path]) -> None:
    left = attacked[1].with_name("left").read_text(encoding="ascii").split()
    assert left
    assert [pid for pid in left if psutil.pid_exists(int(pid)) and not ended(psutil.Process(int(pid)))] == []
