"""The files of a run: what is in them survives whatever happens to the process or the machine."""

from __future__ import annotations

import codecs
import dataclasses
import json
import math
import os
import re
from pathlib import Path

import pandas as pd
import pytest

from bench.records.errors import RunFilesError
from bench.records.journal import Journal
from bench.records.schema import CELL_COLUMNS, CELL_KEY, ROUND_COLUMNS, SCHEMA, Cell, Compile, Round
from bench.records.stored import Stored
from bench.records.writing import RunFiles
from kernels.api import AXES
from tests.running import ROOT, read
from tests.stored import CASE, backends, cell, rounds


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
    data cache device threads negative_slope params status reason rounds iterations time_s time_lo_s time_hi_s min_s
    q25_s median_s q75_s max_s bytes_moved gb_per_s ceiling_gb_per_s ceiling_fraction baseline speedup
    speedup_lo speedup_hi noise_floor verdict dispatch_s device_s import_s first_call_s second_call_s max_ulp
    special_values contended_rounds threads_effective processes process_sd process_df kind kind_sd leader over_leader
    over_leader_lo over_leader_hi leader_noise_floor leader_verdict resolve_s resolve_processes allocating_gb_per_s
    mean_over_median page_faults system_s cpu_s peak_bytes python versions shard queued_s"""
    assert tuple(design.split()) == CELL_COLUMNS
    design = """run_id backend variant role op direction placement dtype n layout data cache device threads
    negative_slope params round order iterations seconds contended process mean_s part_median_s part_q25_s part_q75_s
    waited_s cpu_reading_s"""
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
    assert backends(again.open()) == ["a"]
    again.append([cell("b")], rounds("b", 2.0))
    assert [row["backend"] for row in read(files.cells_path)] == ["a", "b"]
    assert {key[1]: each.rounds for key, each in RunFiles(files.folder).open().items()} == {
        "a": {(1, 0): 1.0},
        "b": {(1, 0): 2.0},
    }


def test_what_is_read_back_is_what_was_written(files: RunFiles) -> None:
    (first,) = rounds("a", 0.1 + 0.2)
    written = cell("a", reason='"quoted", ±', time_s=1.1e-07, max_ulp=math.inf, rounds=2)
    files.append([written], [first, dataclasses.replace(first, process=2, seconds=5e-324)])
    (stored,) = RunFiles(files.folder).open().values()
    assert stored == Stored(written, {(1, 0): 0.1 + 0.2, (2, 0): 5e-324})


def test_a_cell_that_is_measured_again_takes_the_place_of_its_former_self(files: RunFiles) -> None:
    ledger = [Compile("r", name, "", "candidate", CASE, cache_hit=hit) for name, hit in (("a", 1), ("b", 0))]
    files.append([cell("a", status="failed"), cell("b")], rounds("b", 1.0, 2.0), ledger)
    again = RunFiles(files.folder)
    again.open()
    again.append([cell("a"), cell("b")], [*rounds("b", 3.0), *rounds("a", 4.0)], ledger[:1])
    assert [(row["backend"], row["status"]) for row in read(files.cells_path)] == [("a", "ok"), ("b", "ok")]
    assert [row["seconds"] for row in read(files.rounds_path)] == ["4.0", "3.0"]
    assert [row["backend"] for row in read(files.folder / "compiles.csv")] == ["a"]
    stored = RunFiles(files.folder).open()
    assert [tuple(each.rounds.values()) for each in stored.values()] == [(4.0,), (3.0,)]


@pytest.mark.parametrize("name", ["cells.csv", "rounds.csv", "compiles.csv", "environment.json"])
@pytest.mark.parametrize("harm", ["cut", "gone", "a looping link", "a spreadsheet's", "not text"])
def test_the_files_that_people_read_are_mended_when_a_run_goes_on(
    files: RunFiles, name: str, harm: str
) -> None:
    files.append([cell("a", rounds=2)], rounds("a", 1.0, 2.0))
    files.write_environment({"cpu": "x"})
    path = files.folder / name
    whole = path.read_bytes()
    path.unlink()
    if harm == "a looping link":
        path.symlink_to(path)
    elif harm != "gone":
        path.write_bytes(
            {"cut": whole[:-9], "a spreadsheet's": codecs.BOM_UTF8 + whole, "not text": b"\xff"}[harm]
        )
    again = RunFiles(files.folder)
    assert [each.rounds for each in again.open().values()] == [{(1, 0): 1.0, (1, 1): 2.0}]
    assert again.environment() == {"cpu": "x"}
    assert again.warnings == []
    assert path.read_bytes() == whole
    assert not path.is_symlink()


def test_a_damaged_line_of_the_journal_costs_its_own_experiment(files: RunFiles) -> None:
    for name in "abc":
        files.append([cell(name)], rounds(name, 1.0))
    lines = (files.folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert lines[2].count(b",ok,") == 1
    lines[2] = lines[2].replace(b",ok,", b",oh,")
    (files.folder / "journal.jsonl").write_bytes(b"".join(lines) + b"half a line")
    again = RunFiles(files.folder)
    assert backends(again.open()) == ["a", "c"]
    assert again.warnings == [
        f"{files.folder}/journal.jsonl: damaged in line 3, 5: what stood there is measured again"
    ]
    again.append([cell("b")], rounds("b", 1.0))
    last = RunFiles(files.folder)
    assert backends(last.open()) == ["a", "c", "b"]
    assert last.warnings == []
    assert [row["backend"] for row in read(files.cells_path)] == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("first", "says"),
    [
        (b"", "damaged in its first line; delete it to go on with the CSV files"),
        (b'["c0ffee00",{}]\n', "damaged in its first line"),
        (
            b'["a3a6bf43",{}]\n',
            f"was written by another version: this one writes schema {SCHEMA}; choose another --run-id",
        ),
    ],
)
def test_a_journal_that_is_not_ours_is_refused_and_left_alone(
    tmp_path: Path, first: bytes, says: str
) -> None:
    (tmp_path / "journal.jsonl").write_bytes(first + b"more\n")
    with pytest.raises(RunFilesError, match=says):
        RunFiles(tmp_path).open()
    assert (tmp_path / "journal.jsonl").read_bytes() == first + b"more\n"


def test_a_journal_that_was_emptied_is_made_anew_from_the_files_beside_it(files: RunFiles) -> None:
    files.append([cell("a", rounds=2)], rounds("a", 1.0, 2.0))
    (files.folder / "journal.jsonl").write_bytes(b"")
    assert len(RunFiles(files.folder).open()) == 1
    assert len(read(files.cells_path)) == 1


@pytest.mark.parametrize("entry", [{"cells": 5}, {"cells": [{"name": ["a"]}]}, {"cells": ["x"]}])
def test_a_whole_line_that_is_no_entry_of_ours_is_named(files: RunFiles, entry: object) -> None:
    Journal(files.folder / "journal.jsonl").append(entry)
    with pytest.raises(RunFilesError, match=r"journal.jsonl: line 2: no entry of a run") as caught:
        RunFiles(files.folder).open()
    assert "\n" not in str(caught.value)


def test_a_row_that_this_version_does_not_know_is_named(files: RunFiles) -> None:
    files.append([cell("a")], [])
    journal = Journal(files.folder / "journal.jsonl")
    header, entry = (line.entry for line in journal.lines())
    journal.create([header, json.loads(json.dumps(entry).replace(",relu,", ",gelu2,"))])
    with pytest.raises(RunFilesError, match=r"journal\.jsonl: line 2: op is 'gelu2'; allowed: relu"):
        RunFiles(files.folder).open()


def test_environment_is_written_and_read(files: RunFiles) -> None:
    assert files.environment() is None
    files.write_environment({"cpu": "x"})
    again = RunFiles(files.folder)
    again.open()
    assert again.environment() == json.loads(files.environment_path.read_text()) == {"cpu": "x"}


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFilesError, match=r"cannot write to .*file/r: .*choose another --results"):
        RunFiles(tmp_path / "file" / "r").open()


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="names of open files are read from Linux's /proc"
)
def test_the_journal_is_on_the_disk_after_each_experiment_and_all_files_at_the_end(
    files: RunFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    files.append([cell("a")], rounds("a", 1.0))
    assert synced == ["journal.jsonl"]
    synced.clear()
    files.write_environment({})
    tables = ["rounds.csv", "compiles.csv", "cells.csv"]
    assert synced == ["journal.jsonl", *tables, "environment.json.part", "r"]  # the folder, for the new name


def test_pandas_groups_rows_as_the_readme_of_results_says(files: RunFiles) -> None:
    """A variant that is empty is NaN to pandas, whose groupby drops it."""
    files.append([cell("a"), cell("b")], [])
    words = re.search(r"`frame\.(groupby\(.*dropna.*?\))`", (ROOT / "results" / "README.md").read_text())
    assert words is not None
    grouped = eval(f"frame.{words[1]}", {"frame": pd.read_csv(files.cells_path)})
    assert list(grouped.size()) == [1, 1]
