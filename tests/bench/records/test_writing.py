"""The files of a run: what is in them survives whatever happens to the process or the machine."""

from __future__ import annotations

import codecs
import dataclasses
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bench.records.schema import CELL_COLUMNS, CELL_KEY, ROUND_COLUMNS, SCHEMA, Cell, Compile, Round
from bench.records.writing import RunFiles, RunFilesError, key_of
from kernels.api import AXES, Case
from tests.running import ROOT, read

CASE = Case("relu", n=64)


def cell(backend: str, **values: object) -> Cell:
    fixed = {"schema": SCHEMA, "run_id": "r", "machine": "m", "started_utc": "2026-01-01T00:00:00Z"}
    named = {"variant": "", "role": "candidate", "status": "ok"}
    return Cell(backend=backend, case=CASE, **(fixed | named | values))  # type: ignore[arg-type]


def rounds(backend: str, *seconds: float) -> list[Round]:
    return [
        Round("r", backend, "", "candidate", CASE, number, order=0, iterations=10, seconds=each, contended=0)
        for number, each in enumerate(seconds)
    ]


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    made = RunFiles(tmp_path / "r")
    made.open()
    return made


def test_header_is_the_dataclass_field_by_field(files: RunFiles) -> None:
    for path, record in ((files.cells_path, Cell), (files.rounds_path, Round)):
        header = path.read_text().splitlines()
        named = [field.name for field in dataclasses.fields(record)]
        place = named.index("case")
        assert header == [",".join([*named[:place], *AXES, *named[place + 1 :]])]


def test_columns_are_those_of_the_design() -> None:
    design = """schema run_id machine started_utc backend variant role op direction placement dtype n layout
    data cache device threads negative_slope status reason rounds iterations time_s time_lo_s time_hi_s min_s
    q25_s median_s q75_s max_s bytes_moved gb_per_s ceiling_gb_per_s ceiling_fraction baseline speedup
    speedup_lo speedup_hi noise_floor verdict dispatch_s device_s import_s first_call_s second_call_s max_ulp
    special_values contended_rounds threads_effective processes process_sd process_df kind kind_sd leader over_leader
    over_leader_lo over_leader_hi leader_noise_floor leader_verdict resolve_s resolve_processes allocating_gb_per_s
    mean_over_median page_faults system_s cpu_s peak_bytes parameters python versions shard"""
    assert tuple(design.split()) == CELL_COLUMNS
    design = """run_id backend variant role op direction placement dtype n layout data cache device threads
    negative_slope round order iterations seconds contended process mean_s part_median_s part_q25_s part_q75_s waited_s
    cpu_reading_s"""
    assert tuple(design.split()) == ROUND_COLUMNS
    assert ("run_id", "backend", "variant", "role", *AXES) == CELL_KEY


def test_what_is_written_reads_back_the_same(files: RunFiles) -> None:
    reason = 'ein "Grund", mit Komma; ±1 µs'
    written = cell("a", status="failed", reason=reason, time_s=1.1e-07, max_ulp=math.inf, rounds=3)
    files.append([written], rounds("a", 0.1 + 0.2, 5e-324))
    (row,) = read(files.cells_path)
    assert row["reason"] == reason
    assert float(row["time_s"]) == 1.1e-07
    assert float(row["max_ulp"]) == math.inf
    assert row["gb_per_s"] == ""
    assert [float(each["seconds"]) for each in read(files.rounds_path)] == [0.1 + 0.2, 5e-324]


def test_a_run_goes_on_where_it_stopped(files: RunFiles) -> None:
    files.append([cell("a")], rounds("a", 1.0))
    again = RunFiles(files.folder)
    assert [cell.backend for cell in again.open()] == ["a"]
    again.append([cell("b")], rounds("b", 2.0))
    assert [row["backend"] for row in read(files.cells_path)] == ["a", "b"]
    assert {key[1]: len(found) for key, found in again.rounds().items()} == {"a": 1, "b": 1}


def test_rounds_read_back_with_their_process(files: RunFiles) -> None:
    (first,) = rounds("a", 1.0)
    written = [first, dataclasses.replace(first, process=2, mean_s=1.5, waited_s=0.0)]
    files.append([cell("a")], written)
    assert list(files.rounds().values()) == [written]


@pytest.mark.parametrize("name", ["cells.csv", "rounds.csv"])
def test_a_run_of_an_older_version_does_not_go_on(tmp_path: Path, name: str) -> None:
    old = (ROOT / "results" / "reference" / "amd-epyc-2c" / name).read_text().partition("\n")[0] + "\n"
    (tmp_path / name).write_text(old)
    with pytest.raises(
        RunFilesError, match=f"{name} was written by an older version.*choose another --run-id"
    ):
        RunFiles(tmp_path).open()
    assert (tmp_path / name).read_text() == old


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_torn_last_line_is_cut_off(files: RunFiles, cut: int) -> None:
    files.append([cell("a"), cell("b")], rounds("a", 1.0))
    whole = files.cells_path.read_bytes()
    files.cells_path.write_bytes(whole[:-cut])
    assert [cell.backend for cell in RunFiles(files.folder).open()] == ["a"]
    assert files.cells_path.read_bytes() == whole[: whole[:-1].rindex(b"\n") + 1]


def test_a_torn_header_is_written_anew(files: RunFiles) -> None:
    whole = files.cells_path.read_bytes()
    files.cells_path.write_bytes(whole[:20])
    assert RunFiles(files.folder).open() == []
    assert files.cells_path.read_bytes() == whole


def test_other_columns_are_refused_and_left_alone(files: RunFiles) -> None:
    foreign = "backend,n,time\nx,1,2\n"
    files.cells_path.write_text(foreign)
    with pytest.raises(RunFilesError, match=r"cells\.csv has other columns.*choose another --run-id"):
        RunFiles(files.folder).open()
    assert files.cells_path.read_text() == foreign


def test_a_row_that_does_not_fit_the_header_is_named(files: RunFiles) -> None:
    files.append([cell("a")], [])
    with files.cells_path.open("a") as file:
        file.write("1,2,3\n")
    with pytest.raises(RunFilesError, match="line 3 has not as many fields"):
        RunFiles(files.folder).open()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [(",64,", ",many,", "line 2: .*'many'"), (",relu,", ",gelu,", "line 2: op is 'gelu'; allowed: relu")],
)
def test_a_row_that_no_run_can_have_written_is_named(files: RunFiles, old: str, new: str, says: str) -> None:
    files.append([cell("a")], [])
    files.cells_path.write_text(files.cells_path.read_text().replace(old, new))
    with pytest.raises(RunFilesError, match=says):
        RunFiles(files.folder).open()


def test_drop_takes_out_the_cells_and_their_rounds(files: RunFiles) -> None:
    files.append([cell("a"), cell("b")], rounds("a", 1.0, 2.0) + rounds("b", 3.0))
    unwanted = {key_of(row) for row in read(files.cells_path) if row["backend"] == "a"}
    files.drop(lambda key: key in unwanted)
    assert [row["backend"] for row in read(files.cells_path)] == ["b"]
    assert [row["backend"] for row in read(files.rounds_path)] == ["b"]


def test_environment_that_is_no_json_is_named(files: RunFiles) -> None:
    assert files.environment() is None
    files.write_environment({"cpu": "x"})
    assert files.environment() == {"cpu": "x"}
    files.environment_path.write_text("{")
    with pytest.raises(RunFilesError, match=r"environment\.json is not JSON"):
        files.environment()


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFilesError, match=r"cannot write to .*file/r: .*choose another --results"):
        RunFiles(tmp_path / "file" / "r").open()


def test_rows_are_on_the_disk_when_append_returns(tmp_path: Path) -> None:
    """A process that appends and is then killed without any chance to flush leaves whole rows."""
    program = (
        "import os, sys, pathlib\n"
        "from bench.records.writing import RunFiles\n"
        "from tests.bench.records.test_writing import cell, rounds\n"
        "files = RunFiles(pathlib.Path(sys.argv[1]))\n"
        "files.open()\n"
        "files.append([cell('a'), cell('b')], rounds('a', 1.0))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "r")], cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == -9
    assert [row["backend"] for row in read(tmp_path / "r" / "cells.csv")] == ["a", "b"]
    assert len(read(tmp_path / "r" / "rounds.csv")) == 1


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="names of open files are read from Linux's /proc"
)
def test_append_asks_the_kernel_to_write_both_files_down(
    files: RunFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    files.append([cell("a")], rounds("a", 1.0))
    assert synced == ["rounds.csv", "cells.csv"]


def test_compile_ledger_is_kept_and_dropped_with_its_cell(files: RunFiles) -> None:
    ledger = [Compile("r", name, "", "candidate", CASE, cache_hit=hit) for name, hit in (("a", 1), ("b", 0))]
    files.append([cell("a"), cell("b")], [], ledger)
    assert [(row["backend"], row["cache_hit"], row["graphs"]) for row in read(files.compiles_path)] == [
        ("a", "1", ""),
        ("b", "0", ""),
    ]
    files.drop(lambda key: key[1] == "a")
    assert [row["backend"] for row in read(files.compiles_path)] == ["b"]


def test_what_a_spreadsheet_has_saved_goes_on(files: RunFiles) -> None:
    """It begins with a byte-order mark, ends its lines in another way, and writes 0.0 as 0."""
    files.append([cell("a"), cell("b")], [*rounds("a", 1.0), *rounds("b", 2.0)])
    for path in (files.cells_path, files.rounds_path):
        text = path.read_text().replace(",0.0,", ",0,")
        path.write_bytes(codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode())
    again = RunFiles(files.folder)
    read_back = again.open()
    assert [each.backend for each in read_back] == ["a", "b"]
    assert set(again.rounds()) == set(map(key_of, read_back))
    again.drop(lambda key: key == key_of(read_back[0]))
    assert [row["backend"] for row in read(files.cells_path)] == ["b"]
    assert [row["backend"] for row in read(files.rounds_path)] == ["b"]


def test_pandas_groups_rows_as_the_readme_of_results_says(files: RunFiles) -> None:
    """A variant that is empty is NaN to pandas, whose groupby drops it."""
    files.append([cell("a"), cell("b")], [])
    words = re.search(r"`frame\.(groupby\(.*dropna.*?\))`", (ROOT / "results" / "README.md").read_text())
    assert words is not None
    grouped = eval(f"frame.{words[1]}", {"frame": pd.read_csv(files.cells_path)})
    assert list(grouped.size()) == [1, 1]
