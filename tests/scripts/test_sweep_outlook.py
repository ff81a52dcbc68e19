"""A sweep over machines that are simulated, and what a far larger one would take on paper."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path

import pytest

from bench.records.find_runs import INDEX
from scripts._shared.cli import UsageError
from scripts._sweep.lanes import EACH, Lanes
from scripts._sweep.outlook import on_paper, outlook, real_run
from scripts._sweep.planning import Plan
from scripts._sweep.shard import Order
from scripts._sweep.simulated import Simulated, journal_like
from scripts._sweep.sweeping import Asked, Sweep
from scripts._sweep.trials import BETWEEN, MEASURING, PLANNING, Figure
from tests.factories import sampled, write_run
from tests.running import ROOT, read, wait_until

MACHINES = 3


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of two experiments, with two arms each."""
    cells, rounds = [], []
    for n in (1 << 10, 1 << 20):
        some = sampled({"torch_eager": [1e-3] * 4, "numba_tuned": [2e-3] * 4}, n=n)
        cells += some[0]
        rounds += some[1]
    return Path(write_run(tmp_path / "real", cells, rounds))


class Looking(Simulated):
    """Sees which machines the index on the disk knows when the first shard is handed out."""

    def __init__(self, folder: Path, lines: list[bytes]) -> None:
        super().__init__(MACHINES, lines)
        self._folder, self.known = folder, list[str]()

    def _hosts(self) -> list[str]:
        path = self._folder / INDEX
        index = json.loads(path.read_text()) if path.exists() else {"runs": ()}
        return [host for each in index["runs"] for host in each["hosts"]]

    def start(self, key: str, order: Order, hosts: Collection[str]) -> None:
        if not self.began:
            wait_until(lambda: len(self._hosts()) == MACHINES, "no row is sent before that", seconds=10)
            self.known = self._hosts()
        super().start(key, order, hosts)


@pytest.mark.parametrize("placed", [0, MACHINES])
def test_each_simulated_machine_has_its_run(run: Path, tmp_path: Path, placed: int) -> None:
    """Whose a run is stands on the disk before any row of it: a sweep that dies may go on with fewer machines."""
    lines = journal_like(run, tmp_path / "like")[:3]
    folder = tmp_path / "sweep"
    folder.mkdir()
    engine, lanes = Looking(folder, list(lines)), Lanes("sweep", EACH, 1)
    for told in list(engine.machines()[0].values())[:placed]:
        lanes.place(told)
    Sweep(Asked(folder, (), Plan((1.0,), 0), 60), lanes, engine, lambda _: None).run()
    assert sorted(engine.known) == sorted(engine.machines()[0])
    index = json.loads((folder / INDEX).read_text())
    assert [(each["cells"], list(each["done"])) for each in index["runs"]] == [(2, ["1"])] * MACHINES
    for each in index["runs"]:
        rows = read(folder / each["run"] / "cells.csv")
        assert [row["backend"] for row in rows] == ["torch_eager", "numba_tuned"]


def test_figures_of_one_client(run: Path) -> None:
    found = {each.what: each for each in outlook(MACHINES, run)}
    assert found["memory of a cell, bytes"].of == "a run of 4 cells"
    assert found["storing a cell, seconds"].of.startswith("3 simulated machines, 6 cells")
    assert all(each.value > 0 and each.met and not each.verdict for each in found.values())
    assert found["index, MB"].value == pytest.approx(MACHINES * 100 * 1.2e-4, rel=0.3)


def figures(**changes: float) -> list[Figure]:
    values = {
        PLANNING: 10.0,
        MEASURING: 3.6,
        BETWEEN: 0.01,
        "storing a cell, seconds": 0.0018,
        "reading a cell again, seconds": 0.001,
        "memory of a cell, bytes": 500.0,
        "files of a cell, bytes": 8000.0,
        "memory of this machine, GB": 16.0,
        "index, MB": 12.0,
        "writing the index, seconds": 1.0,
        "reading the index, seconds": 0.5,
    }
    return [
        Figure(name, "", changes.get(name.partition(",")[0].replace(" ", "_"), value))
        for name, value in values.items()
    ]


class TestPaper:
    def test_it_is_reckoned_from_what_was_measured(self) -> None:
        text = on_paper(figures())
        for takes in (
            "10.0 h, on all machines at once",
            "0.100 s with each, 100 s with any",
            "278 cells come in a second, 556 can be stored",
            "5.0 GB, of 16.0 GB here",
            "80 GB",
            "0.0028 % of the measuring",
        ):
            assert f"| {takes} " in text

    @pytest.mark.parametrize(
        ("changes", "first"),
        [
            ({}, "storing rows, one experiment after the other: it does for 2.0 times as much"),
            (
                {"storing_a_cell": 0.0072},
                "storing rows, one experiment after the other: it does for 500 machines",
            ),
            ({"memory_of_a_cell": 3200.0}, "the client's memory: it does for 500 machines"),
        ],
    )
    def test_what_gives_way_first(self, changes: dict[str, float], first: str) -> None:
        assert f"What gives way first is {first}." in on_paper(figures(**changes))

    def test_without_a_figure_nothing_is_reckoned(self) -> None:
        assert on_paper(figures()[1:]) == ""

    def test_what_is_wanted_is_still_judged(self) -> None:
        figure = Figure("a", "b", 2.0, "at most", 1.0)
        assert (figure.met, figure.verdict, figure.wanted_text) == (False, "no", "at most 1.00")
        assert dataclasses.replace(figure, value=0.5).met


def test_a_real_run_is_there_to_be_sent(tmp_path: Path) -> None:
    assert (real_run(ROOT / "results" / "reference") / "cells.csv").exists()
    with pytest.raises(UsageError, match="name one with --like"):
        real_run(tmp_path)
