"""Every trick is caught and named, by the command that users type or by what it starts; no honest arm is accused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from bench.records.schema import RUN_FILES
from kernels.api import Case
from tests.running import INLINE, Outcome, bench
from tests.serving import never_late, problem_of
from tests.tricksters import (
    CAUGHT,
    HARMLESS,
    HONEST_WITHOUT_OUT,
    AllocatesLater,
    CompilesLater,
    CountsCalls,
    Exits,
    Hangs,
    LoudWhyNot,
    Memoised,
    OutOfMemory,
    PatchesClock,
    PatchesHarness,
    PlansByShape,
    RaisesInCompile,
    RaisesInThirdBatch,
    RaisesInWhyNot,
    RecyclingPool,
    ReplacesAFunction,
    ReplacesCode,
    ReturnsInput,
    SegfaultsInBatch,
    SegfaultsInCompile,
    SettlesLate,
    SkipsTail,
    SlowsOthers,
    TrustsTheEnds,
    VagueWhyNot,
    late,
)

pytestmark = pytest.mark.slow

POSITIVE = (ReturnsInput, TrustsTheEnds)
APART = (Hangs, TrustsTheEnds)
NEEDS_A_PROCESS: tuple[type, ...] = (
    PatchesClock, PatchesHarness, ReplacesAFunction, ReplacesCode, SlowsOthers, RaisesInCompile, RaisesInThirdBatch,
    SegfaultsInCompile, SegfaultsInBatch, Exits, OutOfMemory, RaisesInWhyNot, VagueWhyNot, LoudWhyNot,
)  # fmt: skip
"""Tricksters that would harm this one, or whose end the coordinator sees."""
SERVED = [each for each in CAUGHT if each not in (*APART, *NEEDS_A_PROCESS)]
"""All others are found by the server that an arm's process runs, here as there."""
COUNTING = (CountsCalls, AllocatesLater)
"""Who begins only after many calls."""
BESIDE_OTHERS = (CompilesLater, PlansByShape, RecyclingPool, SettlesLate)
"""Harmless ones that test_rushed_tricks.py tries beside a busy program."""
IN_PARADE = (*NEEDS_A_PROCESS, Memoised, SkipsTail, *(each for each in HARMLESS if each not in BESIDE_OTHERS))
"""With much that is honest: who works on while others are measured is seen in the pauses that their batches make."""
AFTER_IT = [*(each for each in SERVED if each not in IN_PARADE), *BESIDE_OTHERS]
ODD = [each for each in IN_PARADE if each in HARMLESS]
TRICKSTERS = [each for each in IN_PARADE if each in CAUGHT]


def plugged(classes: Sequence[type]) -> list[str]:
    plugins = [part for each in classes for part in ("--plugin", f"tests.tricksters:{each.__name__}")]
    return [*plugins, "--backends", ",".join(["numpy_ufunc", *(each.name for each in classes)])]  # type: ignore[attr-defined]


BOTH = ("--placements", "new,out", "--sizes", "64,64Ki", "-k", "new-float32-64Ki or out-float32-64-")
"""One size into memory of their own, and another into a given array."""


def run_of(folder: Path, classes: Sequence[type], *cells: str, fresh: bool = False) -> Outcome:
    """Long enough to show how much an arm uses up while others are measured."""
    one_way = ("--ops", "relu", "--directions", "forward", "--max-seconds", "0.5")
    return bench(folder, *plugged(classes), *one_way, *cells, "--benchmark-quiet", fresh=fresh)


@pytest.fixture(scope="module")
def parade(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run_of(tmp_path_factory.mktemp("parade"), IN_PARADE, "--placements", "out", "--sizes", "64")


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Those that need no process, too, each in one of its own all the same."""
    return run_of(tmp_path_factory.mktemp("everybody"), [*IN_PARADE, *AFTER_IT], *BOTH, fresh=True)


ONE_CELL = ("--ops", "relu", "--directions", "forward", "--placements", "new", "--sizes", "1Ki")


@pytest.fixture(scope="module")
def positive(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Those that are right as long as the numbers are positive."""
    folder = tmp_path_factory.mktemp("positive")
    return bench(folder, *plugged(POSITIVE), *ONE_CELL, *INLINE, "--data", "positive", "--benchmark-quiet")


def check(outcome: Outcome, trickster: type, count: int) -> None:
    rows = [row for row in outcome.cells if row["backend"] == trickster.name and row["role"] != "twin"]  # type: ignore[attr-defined]
    assert len(rows) == count, outcome.text[-3000:]
    statuses, says = CAUGHT[trickster]
    for row in rows:
        if trickster in HONEST_WITHOUT_OUT and row["placement"] == "new":
            assert row["status"] in ("ok", "noisy"), row["reason"]
            continue
        assert row["status"] in statuses, row
        assert re.search(says, row["reason"]), row["reason"]
        assert row["verdict"] == ""


def check_not_accused(outcome: Outcome, odd: type, count: int) -> None:
    rows = [row for row in outcome.cells if row["backend"] == odd.name]  # type: ignore[attr-defined]
    assert len(rows) == count
    assert {row["status"] for row in rows} <= {"ok", "noisy"}, [row["reason"] for row in rows]


@pytest.mark.parametrize("trickster", TRICKSTERS, ids=lambda each: each.name)
def test_trick_is_caught_and_named(parade: Outcome, trickster: type) -> None:
    check(parade, trickster, count=1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # tricksters take no care of signalling NaNs
@pytest.mark.parametrize(
    "case", [Case("relu", n=1 << 16), Case("relu", placement="out", n=64)], ids=lambda case: case.placement
)
@pytest.mark.parametrize("trickster", SERVED, ids=lambda each: each.name)
def test_trick_is_found_by_the_server_of_an_arm(trickster: type, case: Case) -> None:
    with nullcontext() if trickster.__module__ == late.__name__ else never_late():
        problem = problem_of(trickster, case, least=200 if trickster in COUNTING else 16)
    if trickster in HONEST_WITHOUT_OUT and case.placement == "new":
        assert problem is None
        return
    assert problem is not None
    assert re.search(CAUGHT[trickster][1], problem), problem


@pytest.mark.daily
@pytest.mark.parametrize("trickster", [*IN_PARADE, *AFTER_IT], ids=lambda each: each.name)
def test_in_all_company_and_into_new_memory_it_makes_no_difference(
    everybody: Outcome, trickster: type
) -> None:
    if trickster in HARMLESS:
        check_not_accused(everybody, trickster, count=2)
    else:
        check(everybody, trickster, count=2)


def test_every_trickster_is_tried() -> None:
    assert {*IN_PARADE, *SERVED, *APART} >= set(CAUGHT)
    assert {*IN_PARADE, *AFTER_IT} == {*CAUGHT, *HARMLESS} - set(APART)


@pytest.mark.parametrize("trickster", POSITIVE, ids=lambda each: each.name)
def test_trick_is_caught_on_positive_numbers(positive: Outcome, trickster: type) -> None:
    check(positive, trickster, count=1)


def test_an_arm_that_hangs_is_caught_and_named(tmp_path: Path) -> None:
    """In a run of its own: others must not be held to its short time limit."""
    alone = ("--plugin", "tests.tricksters:Hangs", "--backends", "hangs", "--baseline", "hangs")
    outcome = bench(tmp_path, *alone, *ONE_CELL, "--cell-timeout", "3", "--benchmark-quiet")
    (row,) = [row for row in outcome.cells if row["role"] == "baseline"]
    statuses, says = CAUGHT[Hangs]
    assert row["status"] in statuses
    assert says in row["reason"]


@pytest.mark.parametrize("odd", ODD, ids=lambda each: each.name)
def test_odd_but_right_is_not_accused(parade: Outcome, odd: type) -> None:
    check_not_accused(parade, odd, count=1)


def test_baseline_and_controls_are_not_disturbed(parade: Outcome) -> None:
    rows = [row for row in parade.cells if row["role"] not in ("candidate", "twin")]
    assert len(rows) == 4
    assert {row["status"] for row in rows} <= {"ok", "noisy", "skipped"}, rows


def test_every_wrong_cell_is_a_failed_item(parade: Outcome) -> None:
    wrong = sum(row["status"] not in ("ok", "noisy", "skipped") for row in parade.cells)
    assert parade.code == 1
    assert re.search(rf"\b{wrong} failed\b", parade.text), parade.text[-500:]


def test_folder_of_the_parade_has_nothing_but_its_files(parade: Outcome) -> None:
    """Megabytes of chatter go nowhere."""
    names = {path.name: path.stat().st_size for path in Path(parade.folder).iterdir()}
    assert set(names) == set(RUN_FILES)
    assert "chatter" not in parade.text
