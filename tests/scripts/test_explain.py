"""`scripts/summarise.py --explain CELL`: which cell is meant, and what is said of it."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest

from scripts._shared.cli import UsageError
from scripts.summarise import main
from tests.factories import cell, experiment, sampled, write_run
from tests.summaries import lines, said, skips

LABEL = "relu-forward-new-float32-1Mi-torch_eager"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run1", [*lines(), *skips()])


def refused(run: Path, wanted: str) -> str:
    with pytest.raises(UsageError) as caught:
        main([str(run), "--explain", wanted])
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestWhich:
    @pytest.mark.parametrize("wanted", [LABEL, "1Mi-torch_eager", f"{LABEL}-t"])
    def test_a_label_or_a_part_of_it_is_enough(
        self, run: Path, wanted: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """``…-torch_eager-thp`` has the first two as a part as well."""
        first = said(capsys, run, "--explain", wanted).splitlines()[0]
        name = f"{LABEL}-thp" if wanted.endswith("-t") else LABEL
        assert first == f"{name} of run run1 on test-2c"

    def test_a_wrong_one_gets_the_nearest(self, run: Path) -> None:
        message = refused(run, "relu-forward-new-float32-1Mi-torch_eger")
        assert message.startswith(
            "--explain: no cell is called 'relu-forward-new-float32-1Mi-torch_eger'; the nearest are"
        )
        assert LABEL in message

    def test_a_part_of_several_gets_their_names(self, run: Path) -> None:
        message = refused(run, "torch_eager")
        assert message.startswith("--explain: 'torch_eager' is part of 6 cells: ")
        assert message.endswith("; say more")

    def test_a_cell_of_several_runs_is_not_guessed(self, run: Path, tmp_path: Path) -> None:
        other = write_run(tmp_path / "run2", lines("run2"))
        with pytest.raises(UsageError, match=f"{LABEL} is in the runs run1, run2; read one of them"):
            main([str(run), str(other), "--explain", LABEL])

    def test_formats_are_refused(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main([str(run), "--explain", LABEL, "--format", "csv"])
        assert caught.value.code == 2
        assert "--explain says sentences" in capsys.readouterr().err


class TestWhat:
    def test_verdicts_copy_and_reasons(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cells = experiment({"numpy_ufunc": 4e-3, "torch_eager": 1e-3}, ceiling_gb_per_s=20.0, n=1 << 20)
        cells[0] = dataclasses.replace(cells[0], ceiling_fraction=0.1)
        run = write_run(tmp_path / "r", cells)
        slow = said(capsys, run, "--explain", "numpy_ufunc")
        assert "It is the baseline, which speed-ups are over." in slow
        floor = "a difference of 2.0% would have been seen in 80 % of cases"
        assert f"Beside the leader torch_eager: 4.00x [3.96, 4.04] its time, slower; {floor}." in slow
        assert "It moves 2.10 GB/s: 10% of the fastest copy of the same bytes beside it (20.0 GB/s)." in slow
        assert (
            "Why it is slower than torch_eager: numpy_ufunc moves 2.10 GB/s, and torch_eager 8.39 GB/s"
            in slow
        )
        fast = said(capsys, run, "--explain", "torch_eager")
        assert f"Beside the baseline numpy_ufunc: 4.00x [3.96, 4.04] as fast, faster; {floor}." in fast
        assert "No other has a smaller time: it leads the case." in fast
        assert "Why it is faster than numpy_ufunc: numpy_ufunc moves" in fast

    def test_rounds_processes_and_disturbances(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = sampled({"numpy_ufunc": [1e-3] * 8, "jax_jit": [5e-4] * 8}, processes=2)
        cells = [dataclasses.replace(each, iterations=10, processes=2, contended_rounds=3) for each in cells]
        known: dict[str, Any] = {"part_median_s": 1e-3, "mean_s": 1e-3, "waited_s": 1e-3}
        rounds = [
            dataclasses.replace(each, **(known | {"part_median_s": 1.25e-3} if each.round < 2 else known))
            for each in rounds
        ]
        text = said(capsys, write_run(tmp_path / "r", cells, rounds), "--explain", "numpy_ufunc")
        assert "from 8 rounds of 10 calls in 2 processes." in text
        assert (
            "Disturbances: beside 2 of 8 rounds a CPU was slow, and up to 20% was taken off their times; its threads"
            " waited 8.00 ms in all for a CPU, in 80.0 ms of rounds; others used the CPUs beside 3 of 8 rounds."
            in text
        )

    def test_of_an_older_file_no_more_is_said_than_it_has(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Its noise floors were others, and what it left out it does not say."""
        cells = [
            dataclasses.replace(
                each, leader="", leader_verdict="", over_leader=None, contended_rounds=1, rounds=8
            )
            for each in experiment({"numpy_ufunc": 4e-3, "torch_eager": 1e-3})
        ]
        text = said(capsys, write_run(tmp_path / "r", cells), "--explain", "torch_eager")
        assert "Beside the baseline numpy_ufunc: 4.00x [3.96, 4.04] as fast, faster." in text
        assert "Disturbances: others used the CPUs beside 1 of 8 rounds.\n" in text
        assert "CPU time" not in text

    def test_what_was_not_timed_has_its_reason(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, run, "--explain", "1Mi-jax_jit")
        assert text.splitlines()[1] == "Status: skipped: JAX arrays are immutable: use placement new."
        assert "Time" not in text

    def test_controls_are_not_ranked(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        copy = cell("copy_plain", 1e-3, role="ceiling")
        run = write_run(tmp_path / "r", [*experiment({"numpy_ufunc": 2e-3}), copy])
        text = said(capsys, run, "--explain", "copy_plain")
        assert "It is a control (ceiling), and not ranked." in text
        assert "Why" not in text

    def test_tables_end_with_where_to_ask(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        last = said(capsys, run, "--tables", "fastest").splitlines()[-1]
        assert last.endswith(f"summarise.py {run} --explain relu-forward-new-float32-1Ki-numpy_ufunc")

    @pytest.mark.parametrize("by_name", [False, True])
    def test_what_they_end_with_can_be_typed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], by_name: bool
    ) -> None:
        """Whatever the folder and the arm are called."""
        run = write_run(tmp_path / "tom's runs" / "my run", experiment({"numpy_ufunc[it's]": 1e-3}))
        where = [run.name, "--results", run.parent] if by_name else [run]
        _, _, command = said(capsys, *where, "--tables", "fastest").splitlines()[-1].partition(": ")
        python, script, *words = shlex.split(command)
        assert (python, script) == ("python", "scripts/summarise.py")
        assert "-numpy_ufunc-it's of run run1" in said(capsys, *words)


def test_a_time_without_an_interval_is_told_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = cell("numpy_ufunc", 2e-3, role="baseline", time_lo_s=0.0, time_hi_s=float("inf"))
    told = said(capsys, write_run(tmp_path / "run", [lost]), "--explain", "numpy_ufunc")
    assert "Time: 2.00 ms a call (how far off that may be is not known: " in told
    assert "inf" not in told.splitlines()[0]
