"""Which rounds count, wherever rounds are read: in a cell's figures, in rounds.csv, and told to pytest-benchmark."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.plan.experiments import Arm, Experiment
from bench.records.lines import key_of
from bench.records.schema import CELL_KEY, values_of
from bench.records.writing import RunFiles
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence
from bench.run.rows import cells_of, rounds_of
from bench.stats.arm_estimates import spread_of_rounds
from bench.stats.counted import by_round, paired
from bench.stats.frames import counted_rounds, rounds_by_arm, timed
from tests.states import CASE, STAMP, state, states


def test_a_round_counts_as_written_last_and_each_process_has_its_own() -> None:
    rounds = [(1, 0, 9.0), (1, 0, 1.0), (1, 1, 2.0), (2, 0, 3.0)]
    assert by_round(rounds) == {(1, 0): 1.0, (1, 1): 2.0, (2, 0): 3.0}
    assert by_round([]) == {}


def test_a_pair_has_the_rounds_that_both_have_in_the_same_process() -> None:
    one = by_round([(1, 0, 1.0), (1, 1, 2.0), (2, 0, 3.0)])
    other = by_round([(2, 0, 30.0), (1, 1, 20.0), (2, 1, 40.0)])
    assert paired(one, other).tolist() == [[2.0, 20.0], [3.0, 30.0]]
    assert paired(one, {}).shape == (0, 2)


def disturbed(arm: Arm, seconds: float, contended: set[int]) -> ArmState:
    """Ten rounds, of which others disturbed those in `contended` and made them longer."""
    made = state(arm, [seconds * (3.0 if i in contended else 1 + 0.001 * i) for i in range(10)])
    made.batches = [dataclasses.replace(batch, contended=batch.round in contended) for batch in made.batches]
    return made


@pytest.mark.parametrize("relative", [True, False])
def test_whoever_reads_the_rounds_counts_all_of_them(tmp_path: Path, relative: bool) -> None:
    arms = [
        disturbed(Arm("base", "baseline"), 800e-6, {0, 1}),
        disturbed(Arm("fast"), 400e-6, {2, 3}),
    ]
    experiment = Experiment(CASE, tuple(each.arm for each in arms))
    cells = cells_of(experiment, arms, STAMP)
    assert [(cell.rounds, cell.contended_rounds) for cell in cells] == [(20, 4)] * 2
    rows = pd.DataFrame([values_of(row) for row in rounds_of(experiment, arms, STAMP)])
    files = RunFiles(tmp_path)
    files.open()
    files.append(cells, rounds_of(experiment, arms, STAMP))
    stored = RunFiles(tmp_path).open()
    found = spread_of_rounds(rows, relative=relative).set_index("backend")["rounds_value"]
    for cell, arm in zip(cells, arms, strict=True):
        assert cell.speedup is not None
        assert cell.time_s is not None
        wanted = -np.log(cell.speedup) if relative else np.log(cell.time_s)
        assert found[cell.backend] == pytest.approx(wanted, abs=1e-9)
        own = rows[rows["backend"] == cell.backend]
        counts = Evidence(CASE.bytes_moved).rounds(arm)
        assert timed(own) == counts
        assert list(rounds_by_arm(own, CELL_KEY).values()) == [counts]
        assert len(counted_rounds(own, CELL_KEY)) == 20
        assert stored[key_of(cell)].rounds == counts


def test_contended_copies_accuse_nobody() -> None:
    fast = state(Arm("fast"), [200e-6] * 8)
    accused, spared = states(fast), states(fast)
    copy = next(each for each in spared if each.arm.backend == "copy_plain")
    copy.batches = [dataclasses.replace(batch, contended=True) for batch in copy.batches]
    for measured, status in ((accused, "mistrusted"), (spared, "ok")):
        experiment = Experiment(CASE, tuple(each.arm for each in measured))
        (cell,) = (each for each in cells_of(experiment, measured, STAMP) if each.backend == "fast")
        assert cell.status == status
