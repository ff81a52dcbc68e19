"""`scripts/summarise.py`: which runs and which of their cells it shows, and wrong input."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts._shared.cli import UsageError
from scripts.summarise import main
from tests.factories import experiment, write_run
from tests.summaries import lines, row_of, said


class TestSeveralRuns:
    def test_both_are_named_and_told_apart(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write_run(results / "run2", lines("run2", factor=1.5))
        text = said(capsys, "run1", "run2", "--results", results, "--tables", "all")
        assert "Run run1 on" in text
        assert "Run run2 on" in text
        assert {row_of(text, "16Mi", run, "numpy_ufunc").split()[1] for run in ("run1", "run2")} == {
            "run1",
            "run2",
        }
        sets = row_of(text, "16Mi", "torch_eager, ")
        assert sets.endswith("  torch_eager, torch_eager[thp]   -"), "the same arm in two runs is one name"

    def test_machines_are_never_mixed(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        slow = write_run(tmp_path / "slow", experiment({"a": 9e-3}, machine="slow-1c", run_id="slow"))
        fast = write_run(tmp_path / "fast", experiment({"b": 1e-3}, machine="fast-64c", run_id="fast"))
        text = said(capsys, slow, fast, "--tables", "fastest")
        assert row_of(text, "9.00 ms").endswith("  a             -")
        assert row_of(text, "1.00 ms").endswith("  b             -")
        assert "relu forward new, machine slow-1c" in text

    def test_the_same_run_twice_is_one(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, results / "run1", results / "run1" / "cells.csv")
        assert "12 cells" in text


class TestFilters:
    def test_they_leave_what_was_asked_for(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cells = [
            *lines(),
            *experiment({"numpy_ufunc": 1e-3}, dtype="float64"),
            *experiment({"a": 1.0}, op="leaky_relu"),
        ]
        run = write_run(tmp_path / "r", cells)
        text = said(capsys, run, "--ops", "relu", "--dtypes", "float64,float32", "--backends", "numpy_ufunc")
        assert "Run run1 on test-2c: 4 cells" in text
        assert "torch_eager" not in text
        assert "leaky_relu" not in text

    @pytest.mark.parametrize(
        ("words", "left"),
        [
            (["--sizes", "1Ki,1Mi:16Mi:x16"], 9),
            (["--sizes", "3"], 2),
            (["--layouts", "10-5-3"], 0),
            (["--threads", "2", "--cache-states", "cold"], 2),
            (["--negative-slopes", "nan"], 1),
            (["--devices", "cuda:1"], 1),
        ],
    )
    def test_every_axis_can_be_chosen_by(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], left: int
    ) -> None:
        cells = [
            *lines(),
            *experiment({"numpy_ufunc": 1e-3, "numba_jit": 1e-3}, n=3, threads=2, cache="cold"),
            *experiment({"a": 1.0}, op="leaky_relu", n=5, negative_slope=float("nan")),
            *experiment({"a": 1.0}, n=5, device="cuda:1"),
        ]
        run = write_run(tmp_path / "r", cells)
        if left:
            assert f": {left} cell" in said(capsys, run, *words)
        else:
            with pytest.raises(
                UsageError, match=f"{words[0]}: no cell has '{words[1]}' .*there is contiguous"
            ):
                main([str(run), *words])

    def test_break_even_knows_a_baseline_that_is_not_shown(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        base, other = experiment({"numpy_ufunc": 2e-3, "torch_eager": 1e-3}, first_call_s=0.5)
        run = write_run(tmp_path / "r", [base, other])
        assert row_of(
            said(capsys, run, "--backends", "torch_eager", "--tables", "arms"), "1Ki", "faster"
        ).endswith("at once")

    def test_a_value_that_no_cell_has(self, results: Path) -> None:
        with pytest.raises(
            UsageError, match=r"--backends: no cell has 'torch_eagre'.*did you mean 'torch_eager'"
        ):
            main([str(results / "run1"), "--backends", "torch_eagre"])
        with pytest.raises(UsageError, match="--dtypes: no cell has 'float16'"):
            main([str(results / "run1"), "--dtypes", "float16"])

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (
                ["--ops", "rely"],
                "--ops: 'rely' is not known; allowed: relu, leaky_relu, relu6",
            ),
            (["--dtypes", "float32,"], "--dtypes: 'float32,' has an empty item"),
            (["--format", "html"], "--format: 'html' is not known; allowed: terminal, markdown, csv, latex"),
            (["--tables", "arm"], "did you mean 'arms'"),
            (["--limit", "-1"], "--limit"),
            (["--limit", "x"], "--limit: 'x' is not a whole number; allowed: a whole number"),
            (["--check"], "--check needs --update FILE"),
            (["--update", "R.md", "--format", "csv"], "leave out --format csv"),
            (["--format", "csv", "--tables", "arms,fits"], "--format csv writes one table"),
            (["--formt", "csv"], "--formt"),
        ],
    )
    def test_usage_errors_are_one_line_and_status_2(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        error = capsys.readouterr().err
        assert says in error
        assert len(error.splitlines()) == 1
