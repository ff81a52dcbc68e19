"""`scripts/summarise.py`: formats, files kept up to date, and the command as it is typed."""

from __future__ import annotations

import io
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.records.reading import ReadError
from bench.records.schema import (
    CELL_COLUMNS,
    ROLES,
    ROUND_COLUMNS,
    STATUSES,
    Cell,
    fields_of,
    since,
)
from scripts._shared.cli import UsageError
from scripts._shared.markers import MarkerError
from scripts.summarise import main
from tests.factories import as_csv, cell, experiment, write_run
from tests.running import ROOT
from tests.summaries import SIZES, lines, row_of, said, skips


class TestFormats:
    def test_csv_reads_back_with_every_figure(
        self, results: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        frame = pd.read_csv(io.StringIO(said(capsys, results / "run1", "--format", "csv")))
        assert len(frame) == 12
        large = frame[(frame["n"] == SIZES[2]) & (frame["status"] == "ok")]
        by_arm = large.set_index(large["backend"] + large["variant"].fillna(""))
        original = {
            record.backend + record.variant: record for record in lines() if record.case.n == SIZES[2]
        }
        for name, record in original.items():
            for column in (
                "time_s",
                "time_lo_s",
                "gb_per_s",
                "speedup",
                "speedup_hi",
                "noise_floor",
                "verdict",
            ):
                value = getattr(record, column)
                found: Any = by_arm.loc[name, column]
                assert found == value or (value == "" and pd.isna(found))
        assert by_arm["fastest"].to_dict() == {
            "numpy_ufunc": False,
            "torch_eager": True,
            "torch_eagerthp": True,
        }
        assert list(frame.loc[frame["status"] == "skipped", "reason"].unique()) == [skips()[0].reason]

    @pytest.mark.parametrize(("table", "rows"), [("arms", 12), ("fastest", 3), ("fits", 3)])
    def test_csv_of_each_table(
        self, results: Path, capsys: pytest.CaptureFixture[str], table: str, rows: int
    ) -> None:
        frame = pd.read_csv(io.StringIO(said(capsys, results / "run1", "--format", "csv", "--tables", table)))
        assert len(frame) == rows
        assert {"op", "direction", "placement", "dtype"} <= set(frame)

    def test_markdown_tables_have_as_many_cells_in_every_row(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        odd = experiment({"numpy_ufunc": 1e-3, "a|b<!-- summary:end -->": 5e-4})
        bad = cell("c", None, status="failed", reason="x | y\n<!-- summary:end -->")
        text = said(capsys, write_run(tmp_path / "r", [*odd, bad]), "--format", "markdown")
        tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
        assert len(tables) == 2
        for table in tables:
            counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
            assert len(counts) == 1
        assert "<!--" not in text

    def test_latex_escapes_and_closes_what_it_opens(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells = [
            *experiment({"numpy_ufunc": 1e-3, "50%_{x}&": 5e-4}),
            cell("c", None, status="oom", reason="#1 \\ ~^"),
        ]
        text = said(capsys, write_run(tmp_path / "r", cells), "--format", "latex")
        assert r"50\%\_\{x\}\&" in text
        assert r"\#1 \textbackslash{} \textasciitilde{}\textasciicircum{}" in text
        for kind in ("tabular", "itemize"):
            assert text.count(rf"\begin{{{kind}}}") == text.count(rf"\end{{{kind}}}") > 0
        assert (
            re.search(r"(?<!\\)[%&_#](?!.*booktabs)", re.sub(r" & |\\\\", "", text).replace("}l", "")) is None
        )

    def test_a_file_of_other_origin(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Their columns stand in another order, with one more, and what can be worked out is left empty."""
        frame = pd.read_csv(io.StringIO(as_csv(lines())), keep_default_na=False)
        blank = ["gb_per_s", "bytes_moved", "speedup", "speedup_lo", "speedup_hi", "machine", "started_utc"]
        frame[blank] = ""
        frame["comment"] = "theirs, not ours"
        path = tmp_path / "theirs.csv"
        frame[sorted(frame.columns)].to_csv(path, index=False)
        text = said(capsys, path, "--tables", "fastest")
        large = row_of(text, "16Mi")
        assert large.split()[:6] == ["float32", "16Mi", "3.36", "ms", "40.0", "4.00x"]
        assert "[" not in large[: large.index("torch")], "no interval where none was given"
        assert large.endswith("  torch_eager, torch_eager[thp]   -")


class TestHeadline:
    def test_has_few_columns_and_no_legend(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, results / "run1", "--tables", "headline", "--format", "markdown")
        header = next(line for line in text.splitlines() if line.startswith("|"))
        assert [name.strip() for name in header.strip("|").split("|")] == ["size", "fastest", "time", "over"]
        assert "relu forward new float32, over numpy_ufunc\n" in text
        assert "How to read it" not in text
        assert "Not ok" not in text
        assert "****" not in text

    def test_sizes_choose_rows(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, results / "run1", "--tables", "headline", "--sizes", "16Mi")
        assert "16Mi" in text
        assert "1Ki" not in text

    def test_a_size_that_was_not_measured_is_one_line(self, results: Path) -> None:
        with pytest.raises(
            UsageError, match=r"^--sizes: no cell has '3' \(after the filters before\); .*16Mi"
        ):
            main([str(results / "run1"), "--sizes", "16Mi,3"])


class TestUpdate:
    BEGIN, END = "<!-- summary:begin -->", "<!-- summary:end -->"

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_puts_the_tables_between_the_markers_and_touches_nothing_else(
        self, results: Path, capsys: pytest.CaptureFixture[str], newline: str
    ) -> None:
        readme = results.parent / "README.md"
        above = newline.join(["# Title", f"`{self.BEGIN}` is a marker.", self.BEGIN, ""])
        below = newline.join([self.END, "", "the end  "])
        readme.write_bytes(f"{above}outdated{newline}{below}".encode())
        command = [results / "run1", "--update", readme]
        assert "updated" in said(capsys, *command)
        written = readme.read_bytes()
        text = written.decode()
        assert text.startswith(above)
        assert text.endswith(below)
        assert "numpy_ufunc" in text
        assert "outdated" not in text
        assert text.count("\n") == text.count(newline)
        stamp = readme.stat().st_mtime_ns
        assert "up to date" in said(capsys, *command)
        assert "up to date" in said(capsys, *command, "--check")
        assert readme.read_bytes() == written
        assert readme.stat().st_mtime_ns == stamp

    def test_check_tells_and_writes_nothing(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        readme = results.parent / "README.md"
        before = f"{self.BEGIN}\n{self.END}\n"
        readme.write_text(before)
        assert main([str(results / "run1"), "--update", str(readme), "--check"]) == 1
        assert "out of date" in capsys.readouterr().out
        assert readme.read_text() == before

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("# Title\n", "no line with just <!-- summary:begin -->"),
            (f"{BEGIN}\n", "no line with just <!-- summary:end -->"),
            (f"{BEGIN}\n{BEGIN}\n{END}\n", r"2 lines \(rows 1, 2\)"),
            (f"{END}\n{BEGIN}\n", "row 1: .* stands before"),
        ],
    )
    def test_without_its_markers_nothing_is_written(self, results: Path, text: str, says: str) -> None:
        readme = results.parent / "README.md"
        readme.write_text(text)
        with pytest.raises(MarkerError, match=says):
            main([str(results / "run1"), "--update", str(readme)])
        assert readme.read_text() == text

    def test_a_symbolic_link_is_not_written_through(self, results: Path) -> None:
        text = f"{self.BEGIN}\n{self.END}\n"
        other = results.parent / "other.md"
        other.write_text(text)
        (results.parent / "README.md").symlink_to(other)
        with pytest.raises(
            UsageError, match=r"README\.md: a symbolic link; name the file itself, .*other\.md"
        ):
            main([str(results / "run1"), "--update", str(results.parent / "README.md")])
        assert other.read_text() == text

    def test_a_disk_that_is_full_leaves_the_file_as_it_was(self, results: Path) -> None:
        readme = results.parent / "README.md"
        text = f"{self.BEGIN}\n{self.END}\n"
        readme.write_text(text)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            with pytest.raises(UsageError, match=r"--update .*README\.md: File too large"):
                main([str(results / "run1"), "--update", str(readme)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert readme.read_text() == text
        assert sorted(path.name for path in results.parent.iterdir()) == ["README.md", "results"]

    def test_a_file_that_is_not_there(self, results: Path) -> None:
        with pytest.raises(UsageError, match="No such file"):
            main([str(results / "run1"), "--update", str(results / "none.md")])


@pytest.mark.slow
class TestCommand:
    def run(self, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "scripts" / "summarise.py"), *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)

    def test_from_any_directory(self, results: Path) -> None:
        done = self.run("run1", cwd=results.parent)
        assert done.returncode == 0
        assert done.stderr == ""
        assert "torch_eager[thp]" in done.stdout

    def test_a_broken_file_is_one_line_and_status_2(self, results: Path) -> None:
        path = results / "run1" / "cells.csv"
        path.write_text(path.read_text()[:-40])
        done = self.run("run1", cwd=results.parent)
        assert done.returncode == 2
        assert done.stdout == ""
        assert re.fullmatch(
            r"summarise.py: error: results/run1/cells.csv: row 13, column \w+: .*\n", done.stderr
        )

    def test_no_run_yet(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(
            ReadError, match=r"^no run under results/: run `pytest bench/` first, or name a run$"
        ):
            main([])

    def test_a_reader_that_leaves_early_ends_it_quietly(self, tmp_path: Path) -> None:
        cells = [record for n in range(1, 900) for record in experiment({"a": 1e-3, "b": 2e-3}, n=n)]
        run = write_run(tmp_path / "r", cells)
        script = f"{sys.executable} {ROOT}/scripts/summarise.py {run}"
        for form in ("terminal", "csv"):
            command = f"set -o pipefail; {script} --format {form} | head -n 1"
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
            assert len(done.stdout.splitlines()) == 1

    def test_an_ascii_log_does_not_end_it(self, tmp_path: Path) -> None:
        run = write_run(tmp_path / "r", [*lines(), cell("c", None, status="failed", reason="± 3 µs")])
        command = [sys.executable, str(ROOT / "scripts" / "summarise.py"), str(run)]
        environment = {"PYTHONIOENCODING": "ascii", "PATH": "", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"failed: 1 cell (c): ? 3 ?s" in done.stdout


def test_the_readme_of_the_results_explains_every_column_status_and_role() -> None:
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    for name in {*CELL_COLUMNS, *ROUND_COLUMNS, *STATUSES, *ROLES}:
        assert f"`{name}`" in text
    first = re.findall(r"^\| (`\w+`(?:, `\w+`)*)(?: \((\d)\))? \|", text, flags=re.MULTILINE)
    told = [(name, int(schema or 1)) for names, schema in first for name in re.findall(r"\w+", names)]
    ages = {field.name: since(field) for field in fields_of(Cell)}
    cells = told[: len(CELL_COLUMNS)]
    assert dict(cells) == ages
    assert [name for name, age in cells if age == 1] == [name for name in CELL_COLUMNS if ages[name] == 1]
