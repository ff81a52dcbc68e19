"""`bench.stats.confirmation`: suspected cells are judged by the second measurement alone."""

from __future__ import annotations

import numpy as np
import pytest

from bench.stats.comparison import Comparison, compare
from bench.stats.confirmation import Repeated, confirm
from tests.sides import Machine

PROCESSES = 4
FACTOR = 1.1


@pytest.fixture(scope="module")
def found() -> Comparison:
    """One run a side, the first ten cells 10 % slower: they are suspected, and some others."""
    rng, machine = np.random.default_rng(4), Machine(process_sd=(0.01, 0.01), jumping=0.02)
    return compare([machine.run(rng)], [machine.run(rng, range(10), FACTOR)])


def repeated(
    found: Comparison, rng: np.random.Generator, *, both: bool, sd: float = 0.01
) -> dict[int, Repeated]:
    """What is measured again in the suspected cells: the truth, in processes that differ."""
    made = {}
    for row in found.cells.index[found.cells["suspected"]]:
        truth = np.log(FACTOR) if row < 10 else 0.0
        values = truth + rng.normal(0, sd * (np.sqrt(2) if both else 1.0), PROCESSES)
        made[int(row)] = Repeated(
            [float(v) if both else float(v) + np.log(1e-3) for v in values], [1e-5] * 4, both
        )
    return made


def test_changes_are_confirmed_and_jumps_are_not(found: Comparison) -> None:
    rng = np.random.default_rng(0)
    hits, false = 0, 0
    for _ in range(20):
        cells = confirm(found, repeated(found, rng, both=True), 0.05).cells
        hits += int(cells["regression"][:10].sum())
        false += int(cells["change"][10:].isin(("slower", "faster")).sum())
    assert found.cells["suspected"][10:].any()
    assert hits >= 0.9 * 20 * 10
    assert false <= 3


def test_the_interval_of_the_second_measurement_holds_the_truth(found: Comparison) -> None:
    rng, row = np.random.default_rng(1), 0
    held = 0
    for _ in range(100):
        cells = confirm(found, repeated(found, rng, both=True), 0.05).cells
        held += cells["again_lo"][row] <= FACTOR <= cells["again_hi"][row]
    assert held >= 90


def test_new_alone_cannot_tell_a_change_from_a_jump_of_the_old_run(found: Comparison) -> None:
    cells = confirm(found, repeated(found, np.random.default_rng(0), both=False), 0.05).cells
    assert not cells["change"].isin(("slower", "faster")).any()
    assert cells["again_ratio"][:10].to_numpy() == pytest.approx(
        found.cells["ratio"][:10].to_numpy(), rel=0.08
    )


def test_new_alone_finds_what_no_jump_explains() -> None:
    rng, machine = np.random.default_rng(5), Machine(process_sd=(0.01, 0.01), jumping=0.0)
    old, new = machine.run(rng), machine.run(rng, range(10), 1.4)
    large = compare([old], [new])
    again = {row: Repeated([float(np.log(1.4e-3))] * 4, [1e-5] * 4, both=False) for row in range(10)}
    assert set(confirm(large, again, 0.05).cells["change"][:10]) == {"slower"}


def test_what_could_not_be_measured_again_is_unresolved(found: Comparison) -> None:
    cells = confirm(found, {}, 0.05).cells
    assert set(cells["change"][found.cells["suspected"]]) == {"unresolved"}
    assert cells["again_ratio"].isna().all()
    assert not cells["regression"].any()
    unsuspected = ~found.cells["suspected"]
    assert (cells["change"] == found.cells["change"])[unsuspected].all()


def test_processes_that_disagree_are_believed_less(found: Comparison) -> None:
    rows = found.cells.index[found.cells["suspected"]]
    steady = {int(row): Repeated([0.095, 0.094, 0.096, 0.095], [1e-5] * 4, both=True) for row in rows}
    restless = {int(row): Repeated([0.35, -0.16, 0.01, 0.18], [1e-5] * 4, both=True) for row in rows}
    assert set(confirm(found, steady, 0.05).cells["change"][rows]) == {"slower"}
    assert set(confirm(found, restless, 0.05).cells["change"][rows]) == {"unresolved"}
