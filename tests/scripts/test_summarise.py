"""`scripts/summarise.py`: the figures, on runs with known answers."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import pytest

from scripts._shared.render import to_terminal
from scripts._shared.sections import Block, Report, Section
from tests.factories import cell, experiment, write_run
from tests.summaries import SIZES, lines, row_of, said, skips


class TestTerminal:
    def test_the_newest_run_without_arguments(
        self, results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(results.parent)
        text = said(capsys)
        assert "Run run1 on test-2c: 12 cells (9 ok, 3 skipped)." in text
        assert "\x1b" not in text

    def test_fastest_set_per_case(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, results / "run1", "--tables", "fastest")
        assert "relu forward new" in text
        small, large = row_of(text, "1Ki"), row_of(text, "16Mi")
        assert small.split() == [
            "float32",
            "1Ki",
            "1.82",
            "us",
            "4.50",
            "1.00x",
            "[1.00,",
            "1.00]",
            "9.0%",
            "numpy_ufunc",
            "-",
        ]
        assert large.endswith("  torch_eager, torch_eager[thp]   -")
        assert "4.00x [3.96, 4.04]" in large
        assert "80%" in large

    def test_every_implementation(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, results / "run1", "--tables", "arms")
        assert "torch_eager[thp] *" in row_of(text, "16Mi", "thp")
        assert "slower" in row_of(text, "1Ki", "torch_eager ")
        assert "2.0%" in row_of(text, "1Mi", "faster")

    def test_calls_of_a_card_that_are_waited_for_once_have_a_column(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A graph of many calls is no faster where each is waited for, and far faster where none is."""
        rows = [
            cell(name, 5e-6, role=role, n=1024, device="cuda", queued_s=queued_s)
            for name, role, queued_s in (
                ("torch_eager", "baseline", 3e-6),
                ("torch_graph", "candidate", 0.5e-6),
            )
        ]
        write_run(tmp_path / "card", rows)
        text = said(capsys, tmp_path / "card", "--tables", "arms")
        assert "queued" in text
        assert "500 ns" in row_of(text, "torch_graph")
        write_run(tmp_path / "cpu", experiment({"numpy_ufunc": 1e-3}))
        assert "queued" not in said(capsys, tmp_path / "cpu", "--tables", "arms")

    def test_what_is_not_known_stands_apart_from_the_set(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        times = {"numpy_ufunc": 4e-3, "torch_eager": 1e-3, "numba_jit": 1.01e-3, "jax_jit": 1.025e-3}
        run = write_run(tmp_path / "r", experiment(times))
        assert row_of(said(capsys, run, "--tables", "fastest"), "1Ki").endswith(
            "  torch_eager, numba_jit   jax_jit (2.0%)"
        )
        assert "torch_eager, numba_jit ?1" in row_of(said(capsys, run, "--tables", "headline"), "1Ki")
        text = said(capsys, run, "--tables", "arms")
        words = {
            "torch_eager *": "leader",
            "numba_jit *": "same",
            "jax_jit ": "unresolved",
            "numpy_ufunc ": "slower",
        }
        for name, word in words.items():
            assert re.search(rf"{re.escape(name)}.*\]   {word} ", text)
        assert "1.03x [1.01, 1.04]   unresolved" in row_of(text, "jax_jit")  # over the leader

    def test_what_stood_in_for_the_baseline_is_named_and_counts_as_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells = experiment({"numpy_ufunc": 4e-3, "jax_jit": 1e-3}, first_call_s=0.1)
        cells[0] = dataclasses.replace(cells[0], role="candidate")
        cells[1] = dataclasses.replace(cells[1], first_call_s=1.1)
        broken = cell("torch_eager", None, role="baseline", status="failed", reason="is broken")
        text = said(capsys, write_run(tmp_path / "r", [broken, *cells]), "--tables", "arms")
        line = (
            "torch_eager, the baseline, could not run in 1 experiment: speed-ups there are over numpy_ufunc."
        )
        assert line in text
        assert row_of(text, "jax_jit").endswith("334")  # calls that pay back its first one, over NumPy's
        assert row_of(text, "numpy_ufunc  ").endswith("-")

    def test_an_older_run_has_no_arm_that_is_the_same(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells = [
            dataclasses.replace(each, leader="", leader_verdict="", over_leader=None, leader_noise_floor=None)
            for each in experiment({"numpy_ufunc": 1e-3, "numba_jit": 1.01e-3, "slow": 2e-3})
        ]
        text = said(capsys, write_run(tmp_path / "r", cells), "--tables", "fastest,arms")
        assert row_of(text, "1Ki").endswith("  numpy_ufunc   numba_jit")
        assert "2.00x   slower" in row_of(text, " slow ")
        assert "run1: no arm was held against the leader" in text

    def test_fitted_latency_and_bandwidth(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, results / "run1", "--tables", "fits")
        assert row_of(text, "numpy_ufunc").split() == [
            "float32",
            "numpy_ufunc",
            "1.00",
            "us",
            "10.0",
            "3",
            "0.0%",
        ]
        assert row_of(text, "torch_eager ").split() == [
            "float32",
            "torch_eager",
            "4.00",
            "us",
            "40.0",
            "3",
            "0.0%",
        ]

    def test_a_line_that_misses_a_size_is_not_shown(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nobody could use its latency and bandwidth; it is still in the CSV, with its worst miss."""
        bent = [
            record
            for n, factor in zip(SIZES, (1.0, 1.5, 1.0), strict=True)
            for record in experiment({"numpy_ufunc": 1e-6 + 8 * n / 10e9, "bent": factor * 8 * n / 10e9}, n=n)
        ]
        run = write_run(tmp_path / "r", bent)
        text = said(capsys, run, "--tables", "fits")
        assert "numpy_ufunc" in text
        assert " bent " not in text
        assert "1 more lines miss a size by 10% or more and are not shown" in text
        assert "bent" in said(capsys, run, "--tables", "fits", "--format", "csv")

    def test_two_sizes_are_no_fit(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run = write_run(tmp_path / "two", [record for record in lines() if record.case.n < SIZES[2]])
        assert "a fit needs at least three sizes" in said(capsys, run, "--tables", "fits")

    @pytest.mark.parametrize("form", ["terminal", "markdown", "latex"])
    def test_a_run_in_which_nothing_was_timed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
    ) -> None:
        run = write_run(tmp_path / "r", skips())
        text = said(capsys, run, "--format", form, "--tables", "all")
        assert text.count("None: nothing was timed.") == 2
        assert said(capsys, run, "--format", form, "--tables", "overview").count("nothing was timed.") == 1
        assert "skipped: " in text

    def test_what_failed_is_listed_once_with_its_reason(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells = [
            *lines(),
            *skips(),
            cell("numba_jit", None, status="incorrect", reason="index 3:\n wants 1\x1b[31m"),
            cell("jax_jit", 1e-3, status="noisy", reason="interval 7.1 %"),
            cell("jax_jit", 1e-3, status="noisy", reason="interval 8.2 %", n=7),
        ]
        text = said(capsys, write_run(tmp_path / "r", cells), "--tables", "all")
        assert "skipped: jax_jit, 3 cells: JAX arrays are immutable: use placement new" in text
        assert "incorrect: numba_jit, 1 cell: index 3: wants 1?[31m" in text
        assert row_of(text, "noisy: ").startswith("noisy: jax_jit, 2 cells: ")
        assert re.findall(r"^(\w+): \w+, \d", text, re.MULTILINE) == ["incorrect", "skipped", "noisy"]
        assert "~1.00 ms" in row_of(text, "jax_jit", "1Ki")

    def test_controls_are_shown_and_not_ranked(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells = [
            *experiment({"numpy_ufunc": 1e-3}),
            cell("numpy_ufunc", 0.9e-3, role="twin"),
            cell("copy_plain", 0.5e-3, role="ceiling"),
            cell("empty_call", 0.0, role="floor", bytes_moved=None, gb_per_s=None, speedup=None),
            cell("empty_call", 5e-8, role="floor", variant="b", bytes_moved=None, gb_per_s=None),
        ]
        text = said(capsys, write_run(tmp_path / "r", cells), "--tables", "all")
        assert "*" not in row_of(text, "copy_plain (ceiling)")
        assert "numpy_ufunc *" in text
        assert "numpy_ufunc (twin)" in text
        assert row_of(text, "empty_call[b] (floor)").split()[3:] == [
            "50.0",
            "ns",
            "-",
            "-",
            "-",
            "-",
            "2.0%",
            *"----",
        ]
        assert row_of(text, "1Ki").endswith("  numpy_ufunc   -")

    def test_axes_that_vary_are_told_apart_and_others_said_once(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells = [
            *experiment({"a": 1e-3}, op="leaky_relu", negative_slope=0.01, threads=1),
            *experiment({"a": 1e-3}, op="leaky_relu", negative_slope=0.2, threads=0),
            *experiment({"a": 1e-3}, op="relu"),
        ]
        text = said(capsys, write_run(tmp_path / "r", cells), "--tables", "fastest")
        assert "All of it: layout contiguous, data normal, cache hot, device cpu." in text
        assert "leaky_relu forward new, threads 1, negative_slope 0.01\n" in text
        assert "leaky_relu forward new, default threads, negative_slope 0.2\n" in text
        assert "relu forward new, default threads\n" in text

    def test_break_even(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        first = {"numpy_ufunc": 0.1, "late": 1.1, "soon": 0.05, "slow": 2.0, "even": 2.0, "unknown": None}
        times = {
            "numpy_ufunc": 2e-3,
            "late": 1e-3,
            "soon": 1e-3,
            "slow": 4e-3,
            "even": 1.999e-3,
            "unknown": 1e-3,
        }
        cells = [
            record
            for name, seconds in first.items()
            for record in experiment(times, first_call_s=seconds)
            if record.backend == name
        ]
        text = said(capsys, write_run(tmp_path / "r", cells), "--tables", "arms")
        expected = {
            "late": "1,000",
            "soon": "at once",
            "slow": "never",
            "even": "-",
            "unknown": "-",
            "numpy_ufunc": "-",
        }
        for name, calls in expected.items():
            assert row_of(text, f" {name} ").endswith(f"  {calls}")

    def test_nothing_is_cut_off_in_a_narrow_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        monkeypatch.setenv("COLUMNS", "40")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", "1")
        section = Section(
            "[bold]title[/bold] :smile:", ("time", "set"), [("12.3 us", "abcde" * 20)], (True, False)
        )
        file = Terminal()
        to_terminal(Report(blocks=[Block("heading", [section])]), file)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())
        assert max(map(len, plain.splitlines())) <= 40
        assert plain.count("a") - plain.count("heading") == 20
        assert "[bold]title[/bold] :smile:" in plain

    def test_long_tables_are_cut_with_a_word_about_it(
        self, results: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = said(capsys, results / "run1", "--limit", "2", "--tables", "all")
        assert "The first 2 of 3 cases" in text
        assert "The first 2 of 9 rows" in text
        assert "The first" not in said(capsys, results / "run1", "--limit", "0", "--tables", "all")
