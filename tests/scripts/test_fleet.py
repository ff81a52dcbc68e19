"""Runs of two machines, given to each script that reads several: ratios side by side, times never."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.records.reading import read_cells
from scripts import compare, recommend
from scripts._shared.cli import UsageError
from scripts._shared.fleet import ONLY_RATIOS
from scripts._shared.run_files import paths_of_runs, rounds_of_runs
from tests.comparing import ENVIRONMENT, everywhere, measure, table, write
from tests.factories import experiment, write_run
from tests.fleets import SPEEDUPS, fleet, timed_fleet
from tests.summaries import row_of, said

_SECONDS = re.compile(r"\d (s|ms|us|ns)\b")


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    return fleet(tmp_path)


def test_runs_of_one_id_on_two_machines_are_two(runs: list[str]) -> None:
    cells = read_cells([Path(run) / "cells.csv" for run in runs], ("time_s",))
    assert cells["machine"].value_counts().to_dict() == {"small-2c": 6, "large-8c": 6}


def test_rounds_go_with_the_machine_that_they_are_of(tmp_path: Path) -> None:
    rounds = pd.concat(
        rounds_of_runs(paths_of_runs([Path(run) / "cells.csv" for run in timed_fleet(tmp_path)]))
    )
    tuned = rounds[(rounds["backend"] == "numba_tuned") & (rounds["n"] == 1024)]
    assert tuned.groupby(tuned["machine"].astype(str))["seconds"].median().to_dict() == pytest.approx(
        {"small-2c": 2 * 1024e-9, "large-8c": 0.5 * 1024e-9}, rel=0.02
    )


class TestSummarise:
    def test_each_machine_has_tables_of_its_own(
        self, runs: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = said(capsys, *runs)
        line = f"2 machines (large-8c, small-2c), each with tables of its own: {ONLY_RATIOS}."
        assert text.count(line) == 1
        for machine in SPEEDUPS:
            grid = text.partition(f"relu forward new float32, over torch_eager, on {machine}\n")[2]
            assert [row.split()[0] for row in grid.splitlines()[1:3]] == ["1Ki", "1Mi"]

    def test_which_implementation_on_which_machine_and_where_it_is_worth_most(
        self, runs: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        shown = said(capsys, *runs, "--tables", "machines").partition("Machine beside machine")[2]
        assert not _SECONDS.search(shown)  # no time of any machine
        small, large = (row_of(shown, "1Mi", machine) for machine in ("small-2c", "large-8c"))
        assert large.split()[2:8] == ["numba_tuned", "8.00x", "[7.92,", "8.08]", "*", "torch_eager"]
        assert small.split()[2:7] == ["numba_tuned", "2.00x", "[1.98,", "2.02]", "torch_eager"]
        assert not any(
            "*" in row_of(shown, "1Ki", machine) for machine in SPEEDUPS
        )  # 2.00 and 2.005 are not apart

    def test_speedups_side_by_side(self, runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, *runs, "--tables", "speedups")
        assert row_of(text, "size", "implementation").split()[3:5] == ["large-8c", "small-2c"]
        large, small = ["8.00x", "[7.92,", "8.08]"], ["2.00x", "[1.98,", "2.02]"]
        assert row_of(text, "1Mi", "numba_tuned").split()[3:] == [*large, *small, "yes"]
        assert row_of(text, "1Ki", "numba_tuned").split()[-2:] == ["not", "shown"]

    def test_parallel_over_serial_by_cores(self, runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, *runs, "--tables", "scaling").partition("Scaling")[2]
        rows = [line.split() for line in text.splitlines() if line.lstrip().startswith("1Mi")]
        assert [row[:6] for row in rows] == [
            ["1Mi", "small-2c", "2", "numba_tuned", "torch_eager", "2.00x"],
            ["1Mi", "large-8c", "8", "numba_tuned", "torch_eager", "8.00x"],
        ]

    def test_scaling_over_threads_of_one_machine(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells = [
            each
            for threads, time_s in ((1, 8e-3), (2, 4e-3), (8, 2e-3))
            for each in experiment({"torch_eager": time_s, "numba_jit": 8e-3}, threads=threads)
        ]
        run = write_run(tmp_path / "r", cells)
        text = said(capsys, run, "--tables", "scaling", "--format", "csv")
        found = {
            (row["backend"], row["threads"]): float(row["ratio"]) for row in csv.DictReader(io.StringIO(text))
        }
        assert found == pytest.approx(
            {("torch_eager", "2"): 2, ("torch_eager", "8"): 4, ("numba_jit", "2"): 1, ("numba_jit", "8"): 1}
        )
        assert "4.00x [3.92, 4.08]" in row_of(
            said(capsys, run, "--tables", "scaling"), "torch_eager", "8.00 ms", " 8 "
        )

    def test_different_baselines_are_not_set_side_by_side(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        times = {"torch_eager": 4e-3, "numba_tuned": 1e-3}
        one = write_run(tmp_path / "a", experiment(times, machine="a"))
        other = write_run(
            tmp_path / "b", experiment({"numpy_ufunc": 9e-3, "numba_tuned": 1e-3}, machine="b", run_id="b")
        )
        assert "None: no case was measured" in said(capsys, one, other, "--tables", "speedups")
        assert " * " not in said(capsys, one, other, "--tables", "machines")

    def test_one_machine_is_as_before(self, runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, runs[0])
        assert ONLY_RATIOS not in text
        assert "Machine beside machine" not in text


class TestCompare:
    @pytest.fixture
    def two(self, tmp_path: Path) -> list[str]:
        """All of the other machine takes three times as long, and torch_eager six times."""
        slow = everywhere(3.0) | everywhere(6.0, ["torch_eager"])
        other = ENVIRONMENT | {"machine": "other"}
        return [
            write(tmp_path / "old", measure(1)),
            write(tmp_path / "new", measure(2, slow, machine="other-8c"), other),
        ]

    def test_times_are_refused_in_a_line_that_says_what_to_do(self, two: list[str]) -> None:
        wanted = f"OLD is of test-2c, NEW of other-8c: {ONLY_RATIOS}; add --relative and --allow-different-environment"
        with pytest.raises(UsageError, match=wanted):
            compare.main([*two, "--allow-different-environment"])

    def test_ratios_are_compared(self, two: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        rows = table(capsys, 1, *two, "--relative", "--allow-different-environment")
        assert float(rows["torch_eager 1048576"]["ratio"]) == pytest.approx(2, rel=0.03)
        assert {row["change"] for name, row in rows.items() if name.startswith("torch")} == {"slower"}
        assert {row["change"] for name, row in rows.items() if name.startswith("jax")} <= {
            "same",
            "unresolved",
        }

    def test_a_side_is_of_one_machine(self, two: list[str]) -> None:
        with pytest.raises(UsageError, match="OLD is of 2 machines"):
            compare.main([*two, "--new", two[0]])

    def test_nothing_of_another_machine_is_measured_again(self, two: list[str]) -> None:
        with pytest.raises(UsageError, match="--confirm measures here alone"):
            compare.main([*two, "--relative", "--allow-different-environment", "--confirm"])


class TestRecommend:
    def asked(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
        assert recommend.main([*arguments, "--n", "1Mi", "--placement", "new", "--no-try"]) == 0
        return capsys.readouterr().out

    def test_each_machine_has_its_answer(self, runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        found = json.loads(self.asked(capsys, *runs, "--json"))
        assert found["schema"] == 3
        answers = {each["machine"]: each["answers"][0] for each in found["machines"]}
        assert {name: answer["over_now"]["value"] for name, answer in answers.items()} == pytest.approx(
            {"small-2c": 2.0, "large-8c": 8.0}
        )

    def test_they_stand_side_by_side(self, runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        text = self.asked(capsys, *runs)
        assert [line for line in text.splitlines() if line.startswith("On ")] == [
            "On small-2c:",
            "On large-8c:",
        ]
        shown = text.partition("Machine beside machine")[2]
        assert not _SECONDS.search(shown)
        assert "8.00x" in row_of(shown, "large-8c", "numba_tuned", "faster")
        assert shown.count(ONLY_RATIOS) == 1

    def test_one_machine_has_no_heading(self, runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert self.asked(capsys, runs[0]).startswith("Use numba_tuned")
        assert "machines" not in json.loads(self.asked(capsys, runs[0], "--json"))


def test_the_page_has_the_ratios_side_by_side_and_no_gain_across_machines(tmp_path: Path) -> None:
    pytest.importorskip("altair", reason="the report needs Vega-Altair: pip install altair vl-convert-python")
    from scripts import report
    from tests.reports import Page

    target = tmp_path / "page.html"
    assert report.main([*timed_fleet(tmp_path), "--output", str(target)]) == 0
    source = target.read_text(encoding="utf-8")
    assert 'id="fleet-title"' in source
    assert ONLY_RATIOS in source
    data = Page(source).data
    slice_of = data["columns"]["slice"]
    pairs = zip(data["gains"]["now"], data["gains"]["row"], strict=True)
    assert {slice_of[now] == slice_of[row] for now, row in pairs} == {True}
    machine = next(axis for axis in data["axes"] if axis["name"] == "machine")
    assert machine["offered"]
    assert sorted(machine["texts"]) == ["large-8c", "small-2c"]
    assert all(
        len(cell) == 1 and len(cell[0]) == 8 for cell in data["rounds"]
    )  # its own, not the other's on top
