"""What `bench.stats.comparison` calls changed: how often it cries wolf, and what it finds, on known samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.stats.comparison import Comparison, Side, compare
from tests.sides import Machine, run_of_rounds

Noise = Callable[[np.random.Generator, tuple[int, int]], Any]
NOISES: Mapping[str, Noise] = {
    "normal": lambda rng, shape: rng.normal(0, 0.03, shape),
    "skewed": lambda rng, shape: rng.exponential(0.05, shape),
    "heavy-tailed": lambda rng, shape: 0.02 * rng.standard_t(2, shape),
}
COMPARISONS = pytest.mark.parametrize(
    ("comparisons", "most"), [(6, 2), pytest.param(25, 4, marks=pytest.mark.daily)]
)
"""How many, and how many of them may be false alarms: of each 5 % are, and more has a chance of 1 in 100 at most."""


def knowing(side: Side, process_sd: float) -> Side:
    """The run, told how much its processes differ."""
    return replace(
        side,
        cells=side.cells.assign(
            process_sd=process_sd, process_df=12.0, processes=1.0, kind="serial", kind_sd=0.0
        ),
    )


def changed(found: Comparison) -> np.ndarray:
    return found.cells["change"].isin(["slower", "faster"]).to_numpy()


@pytest.mark.parametrize(
    ("noise", "count", "comparisons", "most"),
    [
        ("heavy-tailed", 7, 6, 2),
        *(
            pytest.param(*each, 20, 4, marks=pytest.mark.daily)
            for each in (("heavy-tailed", 7), ("normal", 5), ("skewed", 15))
        ),
    ],
)
def test_the_errors_of_rounds_hold_for_any_noise(noise: str, count: int, comparisons: int, most: int) -> None:
    rng = np.random.default_rng(count)
    alarms, single = 0, 0
    for _ in range(comparisons):
        seconds = [1e-3 * np.exp(NOISES[noise](rng, (300, count))) for _ in range(2)]
        old, new = (knowing(run_of_rounds(each, "r"), 0.0) for each in seconds)
        found = compare([old], [new], threshold=0.0)
        alarms += bool(changed(found).any())
        single += int((found.cells["p_value"] < 0.05).sum())
    # 5 % of 20 is 1, of 6 it is 0.3; more than so many has a chance of 1 in 400 at most.
    assert alarms <= most
    assert single > 10 * comparisons * 300 / 10_000  # not by never calling anything significant


@pytest.mark.parametrize("runs", [2, *(pytest.param(runs, marks=pytest.mark.daily) for runs in (1, 3))])
@COMPARISONS
def test_offsets_of_processes_and_jumps_of_runs_are_no_changes(
    runs: int, comparisons: int, most: int
) -> None:
    rng, machine = np.random.default_rng(runs), Machine()
    alarms = 0
    for _ in range(comparisons):
        old, new = ([machine.run(rng) for _ in range(runs)] for _ in range(2))
        alarms += bool(changed(compare(old, new)).any())
    assert alarms <= most


@COMPARISONS
def test_ten_per_cent_is_found_with_two_runs_a_side(comparisons: int, most: int) -> None:
    rng, machine = np.random.default_rng(1), Machine()
    slower = rng.choice(machine.cells, 10, replace=False).tolist()
    hits, others = 0, 0
    for _ in range(comparisons):
        old, new = [machine.run(rng) for _ in range(2)], [machine.run(rng, slower) for _ in range(2)]
        found = compare(old, new)
        hits += int(found.cells["regression"].to_numpy()[slower].sum())
        others += int(changed(found).sum()) - int(changed(found)[slower].sum())
    assert hits >= 0.9 * 10 * comparisons
    assert others <= most


def test_one_run_a_side_suspects_ten_per_cent_and_calls_only_what_no_jump_explains() -> None:
    rng, machine = np.random.default_rng(2), Machine(jumping=0.0, process_sd=(0.01, 0.01))
    found = compare([machine.run(rng)], [machine.run(rng, range(10))])
    assert found.cells["suspected"].to_numpy()[:10].all()
    assert not changed(found).any()
    assert not found.cells["regression"].any()
    large = compare([machine.run(rng)], [machine.run(rng, range(10), factor=2.5)])
    assert large.cells["regression"].to_numpy()[:10].all()
    assert not large.cells["regression"].to_numpy()[10:].any()


def test_what_is_not_known_well_jumps_further() -> None:
    machine = Machine(cells=140, jumping=0.0, process_sd=(0.08, 0.08))
    found: list[Comparison] = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        found.append(compare([machine.run(rng)], [machine.run(rng, [0], factor=1.55)]))
        large = compare([machine.run(rng)], [machine.run(rng, [0], factor=3.0)])
        assert large.cells["regression"][0]
    assert sum(bool(each.cells["suspected"][0]) for each in found) >= 5
    assert not any(changed(each).any() for each in found)


def test_a_jump_of_one_run_among_several_is_no_change() -> None:
    rng, machine = np.random.default_rng(3), Machine(jumping=0.0, process_sd=(0.003, 0.003))
    old = [machine.run(rng) for _ in range(2)]
    new = [machine.run(rng), machine.run(rng, slower=range(5), factor=1.15)]
    found = compare(old, new)
    assert not changed(found).any()
    both = compare(old, [machine.run(rng, slower=range(5), factor=1.15) for _ in range(2)])
    assert both.cells["regression"].to_numpy()[:5].all()


def test_processes_that_differ_widen_every_interval() -> None:
    seconds = 1e-3 * np.exp(np.random.default_rng(0).normal(0, 0.01, (2, 40, 20)))
    widths = []
    for sd in (0.0, 0.02):
        old, new = (knowing(run_of_rounds(each, "r"), sd) for each in seconds)
        cells = compare([old], [new]).cells
        widths.append(float(np.median(np.log(cells["ratio_hi"] / cells["ratio_lo"]))))
    assert widths[1] > 3 * widths[0]
    # Two processes, one a side, of 2 %, with Student's t of 12 degrees of freedom.
    assert widths[1] == pytest.approx(2 * 2.18 * 0.02 * np.sqrt(2), rel=0.1)


def test_same_is_shown_and_not_assumed() -> None:
    seconds = 1e-3 * np.exp(np.random.default_rng(0).normal(0, 0.01, (2, 40, 20)))

    def shares(sd: float, factor: float, threshold: float) -> Mapping[str, float]:
        old, new = (knowing(run_of_rounds(s, "r"), sd) for s in (seconds[0], factor * seconds[1]))
        change = compare([old], [new], threshold=threshold).cells["change"]
        return dict(change.value_counts(normalize=True))

    assert shares(0.005, 1.0, 0.05)["same"] == 1.0
    assert shares(0.005, 1.2, 0.3)["same"] == 1.0
    assert shares(0.03, 1.0, 0.05)["unresolved"] > 0.9
    assert shares(0.005, 1.0, 0.0)["unresolved"] == 1.0
    assert "same" not in shares(0.005, 1.2, 0.05)


def test_runs_that_differ_among_themselves_widen_every_interval() -> None:
    rng, machine = np.random.default_rng(0), Machine(jumping=0.0, process_sd=(0.005, 0.005))

    def runs(scatter: float) -> list[Side]:
        sides = [machine.run(rng) for _ in range(2)]
        factors = np.exp(rng.normal(0, scatter, (2, machine.cells)))
        return [
            replace(side, cells=side.cells.assign(time_s=side.cells["time_s"] * factor))
            for side, factor in zip(sides, factors, strict=True)
        ]

    calm, restless = compare(runs(0.0), runs(0.0)), compare(runs(0.05), runs(0.05))
    assert calm.drift < 0.005
    assert restless.drift == pytest.approx(0.05, rel=0.2)
    assert not changed(restless).any()


def test_an_arm_that_differs_from_run_to_run_is_known_less_well() -> None:
    rng, machine = np.random.default_rng(0), Machine(jumping=0.0, process_sd=(0.01, 0.01))
    restless = [machine.run(rng, [0], factor) for factor in (1.0, 1.25)]
    cells = compare(restless, [machine.run(rng) for _ in range(2)]).cells
    widths = np.log((cells["ratio_hi"] / cells["ratio_lo"]).to_numpy())
    assert widths[0] > 2 * np.median(widths[1:])


def test_the_geometric_mean_and_its_interval() -> None:
    ratios = np.exp(np.random.default_rng(0).normal(0.1, 0.05, 40))
    old, new = (
        run_of_rounds(np.ones((40, 9)), "old"),
        run_of_rounds(np.ones((40, 9)) * ratios[:, None], "new"),
    )
    found = compare([old], [new])
    assert found.mean is not None
    assert found.mean.value == pytest.approx(np.exp(np.log(ratios).mean()))
    width = np.log(found.mean.hi / found.mean.lo)
    assert width == pytest.approx(2 * 2.02 * np.log(ratios).std(ddof=1) / np.sqrt(40), rel=0.02)
    assert found.controls_mean is None
