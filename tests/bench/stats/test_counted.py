"""Which rounds count, wherever rounds are read: in a cell's figures, in rounds.csv, and told to pytest-benchmark."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from bench.plan.experiments import Arm, Experiment
from bench.records.schema import CELL_KEY, Round, record_of, values_of
from bench.run.arm_state import ArmState, Batch
from bench.run.rows import cells_of, rounds_of
from bench.run.run import _by_round
from bench.stats.bootstrap import spread_of_rounds
from bench.stats.counted import ENOUGH, Timed, by_round, paired
from bench.stats.frames import counted_rounds, timed
from tests.states import CASE, STAMP, state, states


def rounds_with(contended: Sequence[int], number: int = 10) -> list[Timed]:
    """Round `i` takes 1 + i seconds."""
    return [(i, 1.0 + i, i in contended) for i in range(number)]


def test_contended_rounds_do_not_count_where_enough_others_are_left() -> None:
    assert list(by_round(rounds_with([0, 3, 7, 9]))) == [1, 2, 4, 5, 6, 8]
    assert len(by_round(rounds_with([0, 3, 7, 8, 9]))) == 10  # five would be left
    assert len(by_round(rounds_with(range(10)))) == 10
    assert by_round([]) == {}


def test_a_round_counts_as_measured_last() -> None:
    rounds = [(0, 9.0, False), (0, 1.0, True), *((n, 2.0, False) for n in range(1, 7)), (6, 3.0, False)]
    assert by_round(rounds) == {**dict.fromkeys(range(1, 6), 2.0), 6: 3.0}


def test_of_a_pair_a_round_counts_if_neither_arm_was_disturbed() -> None:
    one, other = rounds_with([0, 1]), rounds_with([8, 9])
    assert paired(one, other).tolist() == [[1.0 + i, 1.0 + i] for i in range(2, 8)]
    assert len(paired(rounds_with([0, 1, 2]), other)) == 10
    assert paired(rounds_with([], 3), rounds_with([], 2)).tolist() == [[1.0, 1.0], [2.0, 2.0]]
    assert paired(one, []).shape == (0, 2)


def disturbed(arm: Arm, seconds: float, contended: Sequence[int], times: float = 50.0) -> ArmState:
    """Ten rounds, of which `contended` took many times as long."""
    made = state(arm, [seconds * (1 + 0.001 * i) for i in range(10)])
    for i in contended:
        batch = made.batches[i]
        made.batches[i] = Batch(i, 0, 10, batch.seconds * times, contended=True)
    made.contended = len(contended)
    return made


def test_a_cells_figures_are_those_of_the_rounds_that_count() -> None:
    base = disturbed(Arm("base", "baseline"), 800e-6, [0, 1])
    arm = disturbed(Arm("fast"), 400e-6, [2, 3])
    cells = cells_of(Experiment(CASE, (base.arm, arm.arm)), [base, arm], STAMP)
    assert [cell.rounds for cell in cells] == [8, 8]
    assert [cell.contended_rounds for cell in cells] == [2, 2]
    assert [cell.status for cell in cells] == ["ok", "ok"]
    assert cells[1].max_s == pytest.approx(400e-6 * 1.009)
    assert cells[1].speedup == pytest.approx(2.0)
    assert (cells[1].speedup_lo, cells[1].speedup_hi) == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("contended", [([0, 1], [2, 3]), ([0, 1, 4], [2, 3]), ([0, 1, 4, 5, 6], [2])])
def test_whoever_reads_the_rounds_counts_the_same(
    contended: tuple[list[int], list[int]], relative: bool
) -> None:
    arms = [disturbed(Arm("base", "baseline"), 800e-6, contended[0])]
    arms += [disturbed(Arm("fast"), 400e-6, contended[1])]
    experiment = Experiment(CASE, tuple(each.arm for each in arms))
    cells = cells_of(experiment, arms, STAMP)
    rows = pd.DataFrame([values_of(row) for row in rounds_of(experiment, arms, STAMP)])
    found = spread_of_rounds(rows, relative=relative).set_index("backend")["rounds_value"]
    for cell, arm in zip(cells, arms, strict=True):
        assert cell.speedup is not None
        assert cell.time_s is not None
        wanted = -np.log(cell.speedup) if relative else np.log(cell.time_s)
        assert found[cell.backend] == pytest.approx(wanted, abs=1e-9)
        own = rows[rows["backend"] == cell.backend]
        assert timed(own) == arm.timed()
        counted = counted_rounds(own, CELL_KEY)
        assert dict(zip(counted["round"], counted["seconds"], strict=True)) == by_round(arm.timed())
        rows_of_text = ({str(name): value for name, value in row.items()} for row in own.to_dict("records"))
        told = _by_round(record_of(Round, row) for row in rows_of_text)
        assert told == tuple(by_round(arm.timed()).values())
        assert len(told) == cell.rounds


def test_enough_rounds_hold_their_median_nineteen_times_in_twenty() -> None:
    """The range of n samples misses it only if all lie on one side."""
    assert 2 / 2**ENOUGH <= 0.05 < 2 / 2 ** (ENOUGH - 1)


def test_contended_copies_accuse_nobody() -> None:
    fast = state(Arm("fast"), [200e-6] * 8)
    accused, spared = states(fast), states(fast)
    copy = next(each for each in spared if each.arm.backend == "copy_plain")
    copy.batches = [dataclasses.replace(batch, contended=True) for batch in copy.batches]
    for measured, status in ((accused, "mistrusted"), (spared, "ok")):
        experiment = Experiment(CASE, tuple(each.arm for each in measured))
        (cell,) = (each for each in cells_of(experiment, measured, STAMP) if each.backend == "fast")
        assert cell.status == status
