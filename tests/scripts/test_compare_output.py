"""What `scripts/compare.py` writes, and what it refuses, in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.records.reading import ReadError
from bench.stats.comparison import CHANGES
from kernels.api import AXES
from scripts._shared.cli import UsageError
from scripts.compare import main
from tests.comparing import (
    Measured,
    measure,
    table,
    write,
)
from tests.factories import as_csv, cell
from tests.running import ROOT


@pytest.fixture
def old(tmp_path: Path) -> str:
    return write(tmp_path / "old", measure(1))


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

    @pytest.mark.parametrize(
        "form",
        [
            *("terminal", "csv"),
            *(pytest.param(each, marks=pytest.mark.daily) for each in ("markdown", "github", "bencher")),
        ],
    )
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
        assert main([new, new]) == 0

    def test_an_error_is_one_line(self, old: str, tmp_path: Path) -> None:
        done = command(old, "nwe", "--results", str(tmp_path))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("compare.py: error: 'nwe': no such directory, file or run")
        assert len(done.stderr.splitlines()) == 1

    def test_a_reader_that_leaves_early(self, old: str) -> None:
        done = command(old, old, "--all", shell=" | head -n 1")
        assert done.stderr == ""
        assert done.stdout.startswith("Old: Run run1 on test-2c")
