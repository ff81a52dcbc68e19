"""Which run `scripts/recommend.py` rests on, and what it says where that has no answer."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.machine.environment import machine_name
from bench.records.reading import ReadError
from bench.records.schema import Cell
from scripts._shared.cli import UsageError
from scripts.recommend import main
from tests.factories import experiment, write_run
from tests.recommending import ENVIRONMENT, asked, one, planted, said, settings_of
from tests.summaries import lines


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return planted(tmp_path / "run1")


class TestWhatIsMissing:
    def test_a_dtype_that_was_not_measured(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        found = asked(capsys, "--n", "4Mi", "--dtype", "bfloat16", "--direction", "backward", run, code=1)
        assert found["answers"] == []
        assert {gap["placement"] for gap in found["missing"]} == {"new", "out"}
        grid, *others = settings_of(found["missing"][0]["measure"]).grids
        assert all(each == grid for each in others)
        wanted = {
            "dtype": ("bfloat16",),
            "n": (1 << 22,),
            "placement": ("new", "out"),
            "direction": ("backward",),
        }
        assert {axis: grid[axis] for axis in wanted} == wanted

    def test_it_says_what_there_is(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, "--n", "4Mi", "--dtype", "bfloat16", run, code=1)
        assert "nothing was timed with dtype bfloat16; there is dtype float32. Measure it, see below." in text
        assert text.splitlines()[-1].startswith("pytest bench/ ")

    def test_one_placement_answers_for_itself_alone(
        self, run: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = said(capsys, "--n", "16Mi", "--now", "numpy_ufunc", run)
        assert text.startswith("Use torch_eager")
        assert (
            "No answer for placement out: nothing was timed with placement out; there is placement new."
            in text
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--n", "16Mi", "--now", "torch_eagre"], "did you mean 'torch_eager'"),
            (["--n", "16Mi", "nowhere"], "no such directory, file or run"),
        ],
    )
    def test_mistakes_are_one_line(self, run: Path, arguments: Sequence[str], message: str) -> None:
        where = [] if "nowhere" in arguments else [str(run)]
        with pytest.raises((UsageError, ReadError), match=message) as caught:
            main([*arguments, *where])
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "arguments", [[], ["--n", "4M"], ["--n", "1Ki,2Ki"], ["--n", "0"], ["--n", "1", "--op", "rleu"]]
    )
    def test_bad_options_end_with_2(
        self, arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


class TestWhichRun:
    def here(self, cells: Sequence[Cell], run_id: str) -> list[Cell]:
        return [dataclasses.replace(cell, machine=machine_name(), run_id=run_id) for cell in cells]

    def test_the_newest_run_of_this_machine_that_has_such_cells(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        environment = {**ENVIRONMENT, "machine": machine_name()}
        half = experiment({"numpy_ufunc": 1e-3, "jax_jit": 2e-4}, dtype="bfloat16")
        for age, (name, cells) in enumerate({"newer": half, "older": lines(), "foreign": lines()}.items()):
            folder = write_run(tmp_path / name, self.here(cells, name), environment=environment)
            os.utime(folder / "cells.csv", ns=(10**18 - age, 10**18 - age))
        write_run(tmp_path / "foreign", lines(), environment={"machine": "another-64c"})
        here = ("--results", tmp_path, "--no-try")
        assert asked(capsys, "--n", "16Mi", *here)["runs"][0]["run_id"] == "older"
        found = asked(capsys, "--n", "1Ki", "--dtype", "bfloat16", *here)
        assert (found["runs"][0]["run_id"], found["warnings"]) == ("newer", [])

    def test_another_machines_reference_comes_with_a_warning(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_run(tmp_path / "reference" / "test-2c", lines(), environment=ENVIRONMENT)
        assert "Mind: measured on test-2c, not on this machine" in said(
            capsys, "--n", "16Mi", "--results", tmp_path
        )
        assert asked(capsys, "--n", "16Mi", "--results", tmp_path)["this_machine"] is False

    def test_no_run_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match="run `pytest bench/` first"):
            main(["--n", "1Ki", "--results", str(tmp_path)])

    def test_a_file_without_rounds_environment_or_first_calls(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As others write it: what is not known is said to be so, and guessed nowhere."""
        bare: dict[str, Any] = {
            "noise_floor": None,
            "time_lo_s": None,
            "time_hi_s": None,
            "speedup_lo": None,
            "speedup_hi": None,
            "verdict": "",
            "leader": "",
            "leader_verdict": "",
            "over_leader": None,
            "leader_noise_floor": None,
        }
        cells = [
            dataclasses.replace(cell, **bare)
            for n in (0, 1, 1024, 1 << 20)
            for cell in experiment({"numpy_ufunc": 1e-6 + n * 1e-9, "theirs": 2e-6 + n * 1e-10}, n=n)
        ]
        run = write_run(tmp_path / "run1", cells)
        text = said(capsys, "--n", "1Mi", "--placement", "new", run / "cells.csv")
        assert text.startswith(
            "Keep numpy_ufunc: whether theirs is faster is not known. It comes out 9.82 times (int"
        )
        assert asked(capsys, "--n", "1Mi", run)["answers"][0]["break_even_calls"] is None
        assert one(capsys, "--n", "100", run)["basis"] == "fitted"

    def test_a_file_of_two_machines_is_not_mixed(self, tmp_path: Path) -> None:
        other = write_run(tmp_path / "run2", [*lines(), *self.here(lines(), "run2")])
        with pytest.raises(UsageError, match="the cells are of 2 machines"):
            main(["--n", "1Ki", str(other)])
