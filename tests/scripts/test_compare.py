"""`scripts/compare.py` on pairs of runs whose differences are known."""

from __future__ import annotations

import csv
import functools
import io
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.machine.environment import DIFFERS, describe
from bench.records.reading import ReadError
from bench.records.schema import Cell, Round
from bench.stats.comparison import CHANGES
from kernels.api import AXES
from scripts._shared.cli import UsageError
from scripts.compare import main
from tests.factories import as_csv, cell, sampled, write_run
from tests.running import ROOT

SIZES = (1 << 10, 1 << 15, 1 << 20, 1 << 24)
ARMS = ("numpy_ufunc", "torch_eager", "jax_jit", "twin", "copy_plain", "copy_streaming")
ENVIRONMENT = dict.fromkeys(DIFFERS, "x") | {"packages": {"numpy": "2.4.6", "torch": "2.13.0"}}
PROCESSES: Any = {"processes": 1, "process_sd": 0.005, "process_df": 12.0}
Measured = tuple[list[Cell], list[Round]]


def measure(seed: int, factors: Mapping[tuple[str, int], float] | None = None, **changes: Any) -> Measured:
    """Four sizes of relu, 20 rounds with 1 % of noise, processes with 0.5 %; `factors` slow an arm down at a size."""
    return _measure(seed, tuple((factors or {}).items()), tuple(changes.items()))


@functools.cache
def _measure(seed: int, factors: Any, changes: Any) -> Measured:
    rng = np.random.default_rng(seed)
    cells, rounds = [], []
    for n in SIZES:
        rates = {name: 1e-9 * (2 + place) * n for place, name in enumerate(ARMS)}
        seconds = {
            name: rate * dict(factors).get((name, n), 1.0) * np.exp(rng.normal(0, 0.01, 20))
            for name, rate in rates.items()
        }
        found = sampled(seconds, n=n, run_id=f"run{seed}", **(PROCESSES | dict(changes)))
        cells += found[0]
        rounds += found[1]
    return cells, rounds


def everywhere(factor: float, arms: Sequence[str] = ARMS) -> dict[tuple[str, int], float]:
    return {(name, n): factor for name in arms for n in SIZES}


def write(folder: Path, measured: Measured, environment: Any = ENVIRONMENT, *, rounds: bool = True) -> str:
    return str(write_run(folder, measured[0], measured[1] if rounds else None, environment))


@pytest.fixture
def old(tmp_path: Path) -> str:
    return write(tmp_path / "old", measure(1))


def table(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> dict[str, dict[str, str]]:
    """The rows of ``--format csv`` by backend and size; `status` is the exit status wanted."""
    assert main([*arguments, "--format", "csv"]) == status
    rows = csv.DictReader(io.StringIO(capsys.readouterr().out))
    return {f"{row['backend']}{row['variant']} {row['n']}": row for row in rows}


def changes(rows: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What is neither the same nor unresolved."""
    return {name: row["change"] for name, row in rows.items() if row["change"] not in ("same", "unresolved")}


class TestVerdict:
    def test_a_run_against_itself_has_no_change(self, old: str, capsys: pytest.CaptureFixture[str]) -> None:
        for extra in ((), ("--relative",)):
            assert main([old, old, *extra]) == 0
            text = capsys.readouterr().out
            assert "No regression." in text
            assert "0 slower, 0 faster" in text
            assert "1.00x [1.00, 1.00]" in text

    def test_another_run_of_the_same_code_has_no_change(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2))
        for extra in ((), ("--relative",), ("--threshold", "0")):
            assert changes(table(capsys, 0, old, new, *extra)) == {}

    @pytest.mark.parametrize("rounds", [True, False], ids=["from rounds", "from intervals"])
    @pytest.mark.parametrize("extra", [(), ("--relative",)], ids=["seconds", "relative"])
    def test_a_planted_slowdown_is_found_and_nothing_else(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        rounds: bool,
        extra: tuple[str, ...],
    ) -> None:
        first = write(tmp_path / "old", measure(1), rounds=rounds)
        new = write(tmp_path / "new", measure(2, {("torch_eager", 1 << 20): 1.2}), rounds=rounds)
        rows = table(capsys, 1, first, new, *extra)
        assert changes(rows) == {f"torch_eager {1 << 20}": "slower"}
        row = rows[f"torch_eager {1 << 20}"]
        assert row["regression"] == "True"
        assert float(row["ratio_lo"]) < 1.2 < float(row["ratio_hi"])
        assert (
            float(row["ratio_hi"]) - float(row["ratio_lo"]) < 0.16
        )  # what is assumed of processes makes most of it

    def test_the_report_names_the_slow_cell(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, {("torch_eager", 1 << 20): 1.2}))
        assert main([old, new]) == 1
        text = capsys.readouterr().out
        assert "1 regression (1 slower by more than 5.0%)" in text
        line = next(line for line in text.splitlines() if "relu-forward-new-float32-1Mi-torch_eager" in line)
        assert line.rstrip().endswith("slower !")

    def test_the_threshold_decides_what_is_the_same(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, {("torch_eager", 1 << 20): 1.2}))
        name = f"torch_eager {1 << 20}"
        assert table(capsys, 0, old, new, "--threshold", "0.3")[name]["change"] == "same"
        assert table(capsys, 1, old, new, "--threshold", "0.02")[name]["change"] == "slower"
        assert {row["change"] for row in table(capsys, 0, old, old, "--threshold", "0.3").values()} == {
            "same"
        }

    def test_one_run_a_side_suspects_what_may_be_a_jump(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, {("torch_eager", 1 << 20): 1.1}))
        rows = table(capsys, 0, old, new)
        assert [name for name, row in rows.items() if row["suspected"] == "True"] == [
            f"torch_eager {1 << 20}"
        ]
        assert rows[f"torch_eager {1 << 20}"]["change"] == "unresolved"
        assert main([old, new]) == 0
        text = capsys.readouterr().out
        assert "1 cell suspected: --confirm measures what is suspected again" in text
        suspected = text[text.index("Suspected") :].splitlines()
        assert any("1Mi-torch_eager" in line for line in suspected[:6])

    def test_several_runs_a_side_find_it(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        slow = {("torch_eager", 1 << 20): 1.1}
        more = write(tmp_path / "old2", measure(3))
        new = [write(tmp_path / f"new{seed}", measure(seed, slow)) for seed in (2, 4)]
        rows = table(capsys, 1, old, more, "--new", *new)
        assert changes(rows) == {f"torch_eager {1 << 20}": "slower"}
        assert main([old, more, "--new", *new]) == 1
        text = capsys.readouterr().out
        assert [line.split()[2] for line in text.splitlines() if line[:8] in ("Old: Run", "New: Run")] == [
            "run1",
            "run3",
            "run2",
            "run4",
        ]

    def test_a_run_among_several_that_fails_is_a_regression(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = measure(2)
        bad: dict[str, Any] = {"status": "crashed", "reason": "signal 11", "time_s": None}
        broken = [replace(c, **bad) if (c.backend, c.case.n) == ("jax_jit", 1 << 10) else c for c in cells]
        new = [write(tmp_path / "a", (broken, rounds)), write(tmp_path / "b", measure(3))]
        assert changes(table(capsys, 1, old, "--new", *new)) == {f"jax_jit {1 << 10}": "failed"}

    def test_a_speed_up_is_no_regression(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, {("jax_jit", 1 << 15): 1 / 1.3}))
        assert changes(table(capsys, 0, old, new)) == {f"jax_jit {1 << 15}": "faster"}

    def test_processes_that_differ_hide_a_change(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        slow = {("torch_eager", 1 << 20): 1.2}
        paths = [
            write(tmp_path / str(seed), measure(seed, factors, process_sd=0.04))
            for seed, factors in ((1, {}), (2, slow))
        ]
        assert changes(table(capsys, 0, *paths)) == {}

    def test_rounds_that_are_not_the_cells_own_do_not_hide_a_change(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = measure(1)
        slower = [
            replace(record, time_s=1.2 * record.time_s) if record.backend == "jax_jit" else record
            for record in cells
            if record.time_s is not None
        ]
        new = write(tmp_path / "new", (slower, rounds))
        assert set(changes(table(capsys, 1, old, new)).values()) == {"slower"}

    def test_rounds_that_are_not_the_cells_own_give_no_precision(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = measure(1)
        wide = [
            replace(c, time_s=1.2 * c.time_s, time_lo_s=0.8 * c.time_s, time_hi_s=1.6 * c.time_s)
            for c in cells
            if c.time_s is not None
        ]
        paths = [write(tmp_path / str(i), (some, rounds)) for i, some in enumerate((cells, wide))]
        assert changes(table(capsys, 0, *paths)) == {}

    def test_a_baseline_may_become_a_candidate(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, _ = measure(2)
        swapped = {"numpy_ufunc": "candidate", "torch_eager": "baseline"}
        new = [
            replace(c, role=swapped.get(c.backend, c.role), baseline="torch_eager")
            for c in cells
            if c.role != "twin"
        ]
        path = write(tmp_path / "new", (new, []), rounds=False)
        assert changes(table(capsys, 0, old, path)) == {}
        with pytest.raises(UsageError, match="other baseline"):
            main([old, path, "--relative"])


class TestMachine:
    def test_a_slower_machine_is_said_and_cancels_in_relative(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, everywhere(1.3)))
        assert main([old, new]) == 1
        assert "So the machine itself changed; --relative" in capsys.readouterr().out
        assert changes(table(capsys, 0, old, new, "--relative")) == {}

    def test_a_slow_moment_of_one_experiment_is_not_the_cells(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        moment = {(name, 1 << 20): 1.6 for name in ARMS}
        new = write(tmp_path / "new", measure(2, moment))
        assert changes(table(capsys, 0, old, new)) == {}
        worse = write(tmp_path / "worse", measure(2, moment | {("torch_eager", 1 << 20): 1.6 * 1.3}))
        assert changes(table(capsys, 1, old, worse)) == {f"torch_eager {1 << 20}": "slower"}

    def test_scatter_of_the_controls_widens_every_interval(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        signs = np.random.default_rng(0).choice([-1, 1], (4, 3))
        drift = {
            (name, n): float(np.exp(0.2 * signs[i, j]))
            for i, n in enumerate(SIZES)
            for j, name in enumerate(("twin", "copy_plain", "copy_streaming"))
        }
        slow = {("torch_eager", 1 << 20): 1.2}
        quiet = table(capsys, 1, old, write(tmp_path / "quiet", measure(2, slow)))
        drifting = table(capsys, 0, old, write(tmp_path / "drifting", measure(2, slow | drift)))
        name = f"torch_eager {1 << 20}"
        assert float(drifting[name]["ratio_hi"]) > 1.5 * float(quiet[name]["ratio_hi"])

    def test_runs_without_controls_say_what_is_not_known(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        plain: Measured = ([c for c in measure(1)[0] if c.role in ("baseline", "candidate")], [])
        path = write(tmp_path / "old", plain, rounds=False)
        assert main([path, path]) == 0
        assert "how far the machine itself drifted is not known" in capsys.readouterr().out


class TestCells:
    def test_what_stands_in_one_run_only_is_listed(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = measure(2)
        kept = [c for c in cells if (c.backend, c.case.n) != ("jax_jit", 1 << 24)]
        added = cell("numba_jit", 1e-3, n=1 << 10, run_id="run2")
        new = write(tmp_path / "new", ([*kept, added], rounds))
        assert changes(table(capsys, 0, old, new)) == {
            f"jax_jit {1 << 24}": "only old",
            f"numba_jit {1 << 10}": "only new",
        }
        assert main([old, new]) == 0
        text = capsys.readouterr().out
        assert "16Mi-jax_jit" in text
        assert "NEW has no such cell" in text

    @pytest.mark.parametrize("status", ["failed", "mistrusted", "skipped"])
    @pytest.mark.parametrize("extra", [(), ("--relative",)], ids=["seconds", "relative"])
    def test_a_worse_status_is_a_regression(
        self,
        old: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        status: str,
        extra: tuple[str, ...],
    ) -> None:
        cells, rounds = measure(2)
        bad: dict[str, Any] = {
            "status": status,
            "reason": "it broke",
            "time_s": None,
            "time_lo_s": None,
            "time_hi_s": None,
        }
        broken = [replace(c, **bad) if (c.backend, c.case.n) == ("jax_jit", 1 << 10) else c for c in cells]
        new = write(tmp_path / "new", (broken, rounds))
        assert changes(table(capsys, 1, old, new, *extra)) == {f"jax_jit {1 << 10}": "failed"}
        assert changes(table(capsys, 0, new, old, *extra)) == {f"jax_jit {1 << 10}": "recovered"}
        assert main([old, new]) == 1
        text = capsys.readouterr().out
        assert "1 regression (1 with a worse status)" in text
        assert "it broke" in text

    def test_a_baseline_that_fails_is_a_regression_of_its_own_in_relative_too(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = measure(2)
        bad: dict[str, Any] = {"status": "crashed", "reason": "signal 11", "time_s": None, "speedup": None}
        new = write(
            tmp_path / "new", ([replace(c, **bad) if c.role == "baseline" else c for c in cells], rounds)
        )
        found = changes(table(capsys, 1, old, new, "--relative"))
        assert {name for name, change in found.items() if change == "failed"} == {
            f"numpy_ufunc {n}" for n in SIZES
        }

    def test_noisy_is_measured(self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cells, rounds = measure(2, {("torch_eager", 1 << 20): 1.2})
        noisy = [replace(c, status="noisy", reason="±3 %") for c in cells]
        new = write(tmp_path / "new", (noisy, rounds))
        assert changes(table(capsys, 1, old, new)) == {f"torch_eager {1 << 20}": "slower"}

    def test_of_a_repeated_cell_the_last_row_counts(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, _ = measure(2)
        retried = [replace(c, time_s=3 * c.time_s) for c in cells if c.backend == "jax_jit" and c.time_s]
        rows = table(capsys, 0, old, write(tmp_path / "new", ([*retried, *cells], []), rounds=False))
        assert changes(rows) == {}
        assert len(rows) == 12

    def test_variants_are_cells_of_their_own(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        plain, thp = cell("torch_eager", 1e-3), cell("torch_eager", 2e-3, variant="thp")
        first = write(tmp_path / "old", ([plain, thp], []), rounds=False)
        slow = replace(thp, time_s=3e-3, time_lo_s=2.97e-3, time_hi_s=3.03e-3)
        new = write(tmp_path / "new", ([plain, slow], []), rounds=False)
        assert changes(table(capsys, 1, first, new)) == {"torch_eagerthp 1024": "slower"}


class TestEnvironment:
    def test_different_environments_are_refused_with_every_difference(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = ENVIRONMENT | {
            "kernel": "y",
            "packages": {"numpy": "2.5.0", "torch": "2.13.0", "jax": "0.10"},
        }
        new = write(tmp_path / "new", measure(2), other)
        with pytest.raises(UsageError) as caught:
            main([old, new])
        lines = str(caught.value).splitlines()
        assert "--allow-different-environment" in lines[0]
        assert [line.strip() for line in lines[1:]] == [
            "kernel: x in OLD, y in NEW",
            "packages, jax: nothing in OLD, 0.10 in NEW",
            "packages, numpy: 2.4.6 in OLD, 2.5.0 in NEW",
        ]
        assert main([old, new, "--allow-different-environment"]) == 0
        assert "Environments differ: kernel: x in OLD, y in NEW." in capsys.readouterr().out

    @pytest.mark.parametrize("name", DIFFERS)
    def test_every_entry_that_makes_runs_incomparable_is_looked_at(
        self, old: str, tmp_path: Path, name: str
    ) -> None:
        new = write(tmp_path / "new", measure(2), ENVIRONMENT | {name: "another"})
        with pytest.raises(UsageError, match=f"\n  {name}: "):
            main([old, new])

    def test_what_describe_writes_is_comparable_with_itself(self, tmp_path: Path) -> None:
        paths = [write(tmp_path / str(seed), measure(seed), describe({})) for seed in (1, 2)]
        assert main([*paths, "--output", str(tmp_path / "out")]) == 0

    def test_an_environment_on_one_side_only_is_refused(self, old: str, tmp_path: Path) -> None:
        new = write(tmp_path / "new", measure(2), None)
        with pytest.raises(UsageError, match=r"environment\.json: NEW has none"):
            main([old, new])
        with pytest.raises(UsageError, match=r"environment\.json: OLD has none"):
            main([new, old])

    def test_without_any_the_names_of_the_machines_count(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        paths = [write(tmp_path / str(seed), measure(seed), None) for seed in (1, 2)]
        assert main(paths) == 0
        assert "Neither run has an environment.json" in capsys.readouterr().out
        other = write(tmp_path / "other", measure(2, machine="other-8c"), None)
        with pytest.raises(UsageError, match="machine: test-2c in OLD, other-8c in NEW"):
            main([paths[0], other])

    def test_other_settings_are_mentioned(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2), ENVIRONMENT | {"environ": {"OMP_NUM_THREADS": "1"}})
        assert main([old, new]) == 0
        assert 'environ: nothing in OLD, {"OMP_NUM_THREADS": "1"} in NEW' in capsys.readouterr().out


class TestFormats:
    def test_csv_has_every_cell_once(self, old: str, capsys: pytest.CaptureFixture[str]) -> None:
        rows = table(capsys, 0, old, old)
        assert len(rows) == 12
        row = rows[f"torch_eager {1 << 10}"]
        assert set(AXES) <= row.keys()
        assert {row["change"] for row in rows.values()} <= set(CHANGES)
        assert float(row["ratio"]) == 1.0

    def test_markdown_is_a_table(self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        new = write(tmp_path / "new", measure(2, {("torch_eager", 1 << 20): 1.2}))
        assert main([old, new, "--format", "markdown", "--all"]) == 1
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
        figures = [line for line in lines if "relu-" in line]
        assert len(figures) == 12
        assert "torch_eager" in figures[0]
        assert "slower !" in figures[0]

    def test_github_reads_the_new_times(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        measured = measure(2, {("torch_eager", 1 << 20): 1.2})
        assert main([old, write(tmp_path / "new", measured), "--format", "github"]) == 1
        streams = capsys.readouterr()
        entries = json.loads(streams.out)
        assert "1 regression" in streams.err
        assert len({entry["name"] for entry in entries}) == len(entries) == 12
        for entry in entries:
            assert {"name", "unit", "value"} <= entry.keys() <= {"name", "unit", "value", "range", "extra"}
            assert entry["unit"] == "ns"
            assert isinstance(entry["value"], float)
            assert isinstance(entry["range"], str)
        times = {entry["name"]: entry["value"] for entry in entries}
        wanted = next(c.time_s for c in measured[0] if (c.backend, c.case.n) == ("torch_eager", 1 << 20))
        assert times["relu-forward-new-float32-1Mi-torch_eager"] == pytest.approx(1e9 * (wanted or 0))

    def test_bencher_metric_format(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        odd = cell("numba_jit", 1e-6, run_id="run2", variant="thp", time_hi_s=float("inf"))
        cells, rounds = measure(2)
        new = write(tmp_path / "new", ([*cells, odd], rounds))
        assert main([old, new, "--format", "bencher"]) == 0
        found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
        assert len(found) == 13
        for name, measures in found.items():
            assert 0 < len(name) <= 1024
            assert measures.keys() == {"latency"}
            latency = measures["latency"]
            if name.endswith("[thp]"):
                assert latency == {"value": pytest.approx(1000.0)}
            else:
                assert 0 < latency["lower_value"] <= latency["value"] <= latency["upper_value"]

    @pytest.mark.parametrize("form", ["terminal", "markdown", "csv", "github", "bencher"])
    def test_output_goes_to_the_file_and_the_verdict_to_stderr(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
    ) -> None:
        assert main([old, old, "--format", form]) == 0
        text = capsys.readouterr().out
        out = tmp_path / "out.txt"
        assert main([old, old, "--format", form, "--output", str(out)]) == 0
        streams = capsys.readouterr()
        assert streams.out == ""
        assert streams.err.startswith("No regression.")
        assert out.read_text(encoding="utf-8") == text

    def test_long_tables_are_cut_and_say_so(self, old: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([old, old, "--all", "--limit", "5"]) == 0
        text = capsys.readouterr().out
        assert "The first 5 of 12; all with --limit 0." in text
        assert main([old, old, "--all", "--limit", "0"]) == 0
        assert "The first" not in capsys.readouterr().out


class TestBadInput:
    def test_nothing_in_common_is_no_pass(self, old: str, tmp_path: Path) -> None:
        new = write(tmp_path / "new", measure(2, dtype="float64"))
        with pytest.raises(UsageError, match=r"nothing to compare.*12 only old, 12 only new"):
            main([old, new])

    def test_no_interval_is_no_pass(self, tmp_path: Path) -> None:
        bare: Measured = ([cell("torch_eager", 1e-3, time_lo_s=None, time_hi_s=None)], [])
        path = write(tmp_path / "bare", bare, rounds=False)
        with pytest.raises(UsageError, match=r"nothing to compare.*1 unknown"):
            main([path, path])

    def test_a_file_with_several_runs(self, old: str, tmp_path: Path) -> None:
        both = tmp_path / "both.csv"
        both.write_text(as_csv([*measure(1)[0], *measure(2)[0]]))
        with pytest.raises(UsageError, match=r"both\.csv: 2 values of run_id \(run1, run2\)"):
            main([str(both), old])

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "not JSON"),
            ("[]", "a JSON object belongs there"),
            ("\xff", "not JSON"),
            ("[" * 100_000, "not JSON"),
        ],
    )
    def test_a_broken_environment(self, old: str, text: str, said: str) -> None:
        (Path(old) / "environment.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(ReadError, match=said) as caught:
            main([old, old])
        assert "environment.json" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_truncated_rounds_file_is_named(self, old: str) -> None:
        rounds = Path(old) / "rounds.csv"
        rounds.write_bytes(rounds.read_bytes()[:-30])
        with pytest.raises(ReadError, match=r"rounds\.csv: row 481"):
            main([old, old])

    def test_a_header_without_rounds_is_a_run_without_rounds(
        self, old: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rounds = Path(old) / "rounds.csv"
        rounds.write_bytes(rounds.read_bytes().splitlines(keepends=True)[0])
        assert main([old, old]) == 0
        assert "No regression" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--threshold", "5"), "--threshold: 5 is out of range; allowed: a number from 0 to 1"),
            (("--threshold", "-0.1"), "--threshold"),
            (("--threshold", "nan"), "--threshold: nan is out of range"),
            (("--threshold", "much"), "--threshold: 'much' is not a number"),
            (("--format", "git"), "--format: 'git' is not known; allowed: terminal, markdown, csv, github"),
            (("--format", "bench"), "did you mean 'bencher'?"),
            (("--limit", "-1"), "--limit"),
            (("--confirmed",), "--confirmed"),
        ],
    )
    def test_a_bad_option_is_one_line(
        self, old: str, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], said: str
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            main([old, old, *arguments])
        assert caught.value.code == 2
        error = capsys.readouterr().err
        assert said in error
        assert len(error.splitlines()) == 1

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("old",), "1 run and no --new: which are NEW?"),
            (("old", "old", "old"), "3 runs and no --new"),
            (("--new", "old"), "OLD is missing"),
            (("old", "old", "--new", "old"), "a run is named twice on one side"),
        ],
    )
    def test_runs_that_make_no_two_sides(self, old: str, arguments: Sequence[str], said: str) -> None:
        names = [old if name == "old" else name for name in arguments]
        with pytest.raises(UsageError, match=said) as caught:
            main(names)
        assert "\n" not in str(caught.value)

    def test_a_dashboard_takes_one_new_run(self, old: str, tmp_path: Path) -> None:
        new = write(tmp_path / "new", measure(2))
        with pytest.raises(UsageError, match="--format github writes the times of one run"):
            main([old, "--new", old, new, "--format", "github"])

    @pytest.mark.parametrize("name", ["cells.csv", "rounds.csv", "link.csv"])
    def test_output_over_what_is_compared_is_refused(self, old: str, tmp_path: Path, name: str) -> None:
        run = Path(old)
        (run / "link.csv").symlink_to(run / "cells.csv")
        before = {path.name: path.read_bytes() for path in run.iterdir()}
        with pytest.raises(UsageError, match=rf"--output .*{name}: a file of a run; name another"):
            main([old, old, "--output", str(run / name)])
        assert {path.name: path.read_bytes() for path in run.iterdir()} == before

    def test_output_that_cannot_be_written(self, old: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"--output .*: No such file or directory"):
            main([old, old, "--output", str(tmp_path / "no" / "where")])


def command(*arguments: str, shell: str = "") -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(ROOT / "scripts" / "compare.py"), *arguments]
    line: Any = " ".join(script) + shell if shell else script
    return subprocess.run(line, shell=bool(shell), capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.slow
class TestCommand:
    def test_status_and_streams(self, old: str, tmp_path: Path) -> None:
        new = write(tmp_path / "new", measure(2, {("torch_eager", 1 << 20): 1.2}))
        done = command("old", "new", "--results", str(tmp_path))
        assert (done.returncode, done.stderr) == (1, "")
        assert "slower !" in done.stdout
        assert "\x1b" not in done.stdout
        assert command(new, new).returncode == 0

    def test_an_error_is_one_line(self, old: str, tmp_path: Path) -> None:
        done = command(old, "nwe", "--results", str(tmp_path))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("compare.py: error: 'nwe': no such directory, file or run")
        assert len(done.stderr.splitlines()) == 1

    def test_a_reader_that_leaves_early(self, old: str) -> None:
        done = command(old, old, "--all", shell=" | head -n 1")
        assert done.stderr == ""
        assert done.stdout.startswith("Old: Run run1 on test-2c")

    def test_help_has_examples(self) -> None:
        done = command("--help")
        assert done.returncode == 0
        assert "python scripts/compare.py before after" in done.stdout
