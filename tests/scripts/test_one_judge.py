"""What a run has written of two arms is what every reader of its rounds says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.plan.experiments import Experiment, arm_label
from bench.plan.options import parse
from bench.records.reading import read_cells
from bench.run.run import Run
from bench.stats.moderation import UNKNOWN
from kernels.api import Case
from scripts._recommend.runs import Evidence, gather
from scripts._report.data import COLUMNS, reduce
from scripts._report.gains import within_runs
from scripts._report.rounds import rounds_of
from scripts._shared import pairs
from scripts._shared.measured import Figures
from scripts._shared.ratios import Row, rows_of
from scripts._shared.run_files import rounds_of_runs
from scripts._shared.summary import prepare, ranked
from tests.machines import ARMS, Machine

SIZES = range(64, 94)
BY_LEADER = {"faster": "slower", "slower": "faster"}
Word = tuple[int, str, str, str]
"""A size, an arm, another, and the word on the first beside the second."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few rounds of arms that differ little: much hangs on how their error is judged."""
    folder = tmp_path_factory.mktemp("results")
    machine = Machine(0.035, between=0.004)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.run.sitting.pool_of", machine.start)
        chosen = [Experiment(Case("relu", n=n), ARMS) for n in SIZES]
        settings = parse({"results": str(folder), "run_id": "r", "processes": "2", "minutes": "0.1"})
        with Run(settings, chosen, machine.around) as run:
            run.measure(chosen[0])
    return folder / "r"


@pytest.fixture(scope="module")
def evidence(run: Path) -> Evidence:
    return gather([str(run)], run.parent, Case("relu", n=64))


def written(evidence: Evidence) -> set[Word]:
    """What the cells say of each arm beside the baseline and beside the leader."""
    found: set[Word] = set()
    for row in rows_of(evidence.cells):
        name = _label(row)
        if row["verdict"]:
            found.add((row["n"], name, row["baseline"], row["verdict"]))
        if row["leader_verdict"] and row["leader"] != name:
            found.add((row["n"], name, row["leader"], row["leader_verdict"]))
    return found


def asked(words: set[Word]) -> set[tuple[int, str, str]]:
    return {word[:3] for word in words}


def _label(row: Row) -> str:
    return arm_label(str(row["backend"]), str(row["variant"]))


def recommended(evidence: Evidence, words: set[Word]) -> set[Word]:
    """The same pairs, as recommend has them."""
    rows = {(row["n"], _label(row)): row for row in rows_of(evidence.cells)}
    return {
        (n, one, other, evidence.paired(rows[n, other], rows[n, one]).verdict)
        for n, one, other in asked(words)
    }


def test_recommend_says_what_the_tables_say(evidence: Evidence) -> None:
    words = written(evidence)
    assert {word for *_, word in words} == {"faster", "slower", "same", "unresolved"}
    assert recommended(evidence, words) == words


def test_by_another_error_it_would_not(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above can fail."""
    monkeypatch.setattr("scripts._recommend.runs.rounds_vary", lambda _: UNKNOWN)
    evidence = gather([str(run)], run.parent, Case("relu", n=64))
    assert recommended(evidence, written(evidence)) != written(evidence)


def test_the_page_says_what_the_tables_say(run: Path, evidence: Evidence) -> None:
    cells = reduce(ranked(prepare(read_cells([run / "cells.csv"], COLUMNS)))).cells
    name = str(cells["machine"].iloc[0]), run.name
    found, _ = within_runs(cells, rounds_of(cells, rounds_of_runs({name: run / "cells.csv"})), {})
    rows: list[Any] = rows_of(cells)
    said = {
        (rows[each.now]["n"], _label(rows[each.row]), _label(rows[each.now]), each.word) for each in found
    }
    said |= {(n, other, one, BY_LEADER.get(word, word)) for n, one, other, word in said}
    assert written(evidence) <= said


def test_targets_say_what_the_tables_say(run: Path, evidence: Evidence) -> None:
    figures, words = Figures(str(run), run.parent), written(evidence)
    said = {
        (n, one, other, gain.word)
        for n, one, other in asked(words)
        if (gain := figures.gain(Case("relu", n=n), (one, ""), (other, ""))) is not None
    }
    assert said == words


def test_the_error_of_an_experiment_is_that_of_all_its_timed_arms(evidence: Evidence) -> None:
    """An arm that has no rounds, and a baseline that is not there, say nothing and are in nobody's way."""
    rows = [(row, {(1, i): 1.0 + i / 100 for i in range(6)}) for row in rows_of(evidence.cells)[:4]]
    assert pairs.rounds_vary(rows).df > 0
    assert pairs.rounds_vary([(rows[0][0], {}), *rows[1:]]) == pairs.rounds_vary(rows[1:])
    assert pairs.rounds_vary([]) == UNKNOWN
