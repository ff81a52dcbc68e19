"""`pytest bench/` from the outside: its rows, its replay, what is selected, skipped and collected."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.plan.networks import network_plan
from bench.plan.options import parse
from bench.records.schema import STATUSES, VERDICTS
from tests.benchmarked import ARMS, FEW, QUIETLY, key, planned, recorded, replayed
from tests.running import INLINE, ROOT, WITHOUT, Outcome, bench

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run to the end, its report kept by pytest-benchmark."""
    folder = tmp_path_factory.mktemp("whole")
    return bench(
        folder,
        *(*ARMS, "--ops", "relu", "--directions", "forward,backward"),
        *("--placements", "new,inplace", "--sizes", "1Ki"),
        *("--benchmark-json", str(folder / "report.json")),
        *(f"--benchmark-storage=file://{folder}/kept", "--benchmark-save=first"),
        *("--run-path", str(folder / "newest"), *INLINE),
    )


def test_every_planned_cell_has_one_row(whole: Outcome) -> None:
    cells = planned(
        backends="numpy_ufunc,numba_jit",
        ops="relu",
        directions="forward,backward",
        placements="new,inplace",
        sizes="1Ki",
    )
    assert Counter(key(row)[1:] for row in whole.cells) == cells
    assert len(whole.cells) == 4 * 6 + 2


def test_rows_agree_with_themselves(whole: Outcome) -> None:
    rounds = recorded(whole)
    for row in whole.cells:
        assert row["status"] in STATUSES
        # beside other tests no copy may have had its CPUs
        unchecked = row["reason"].endswith("is not checked")
        assert (bool(row["reason"]) and not unchecked) == (row["status"] != "ok")
        assert int(row["rounds"]) == len(rounds[key(row)])
        times = [float(row[f"{name}_s"]) for name in ("min", "q25", "median", "q75", "max")]
        assert times == sorted(times)
        assert times[0] == min(rounds[key(row)])
        assert float(row["time_lo_s"]) <= float(row["time_s"]) <= float(row["time_hi_s"])
        if row["role"] != "floor":
            streams = 2 if row["direction"] == "forward" else 3
            assert int(row["bytes_moved"]) == streams * 1024 * 4
            assert float(row["gb_per_s"]) == pytest.approx(streams * 4096 / float(row["time_s"]) / 1e9)
        if row["role"] == "candidate" and row["status"] in ("ok", "noisy"):
            assert row["verdict"] in VERDICTS
            assert float(row["speedup_lo"]) <= float(row["speedup"]) <= float(row["speedup_hi"])
        else:
            assert row["verdict"] == ""


def test_built_ins_and_controls_are_believed(whole: Outcome) -> None:
    assert {row["status"] for row in whole.cells} <= {"ok", "noisy"}, whole.text[-3000:]
    assert whole.code == 0


def test_progress_and_summary_are_printed(whole: Outcome) -> None:
    assert re.search(r"^run run: 4 experiments, about .*; files in .*/run/$", whole.text, re.MULTILINE)
    lines = re.findall(
        r"^\[(\d)/4\] (\S+): .* leads with .*; (?:(?:\d+ (?:s|min)|a moment) left|done)$",
        whole.text,
        re.MULTILINE,
    )
    assert [number for number, _ in lines] == list("1234")
    assert lines[0][1] == "relu-forward-new-float32-1Ki"
    assert re.search(r"^26 cells: ", whole.text, re.MULTILINE)
    assert "go on with" not in whole.text


def test_a_script_is_told_where_the_run_lies(whole: Outcome) -> None:
    """`make bench ARGS="--results DIR"` makes its page of that run."""
    folder = Path((whole.folder.parent / "newest").read_text().rstrip("\n"))
    assert folder.samefile(whole.folder)


def test_environment_says_what_was_asked_and_how_it_went(whole: Outcome) -> None:
    environment = json.loads((whole.folder / "environment.json").read_text())
    assert environment["options"]["backends"] == ["numpy_ufunc", "numba_jit"]
    assert environment["packages"]["numpy"]
    (sitting,) = environment["sittings"]
    assert sitting["experiments"] == 4
    assert 0 < sitting["timed_share"] < sitting["rounds_share"] < 1
    assert sitting["contended_batches"] >= 0


def test_pytest_benchmark_is_told_exactly_the_rounds(whole: Outcome) -> None:
    assert replayed(whole.folder.parent / "report.json") == recorded(whole)


def test_a_finished_run_is_replayed_and_not_measured_again(whole: Outcome) -> None:
    """And compared with what pytest-benchmark kept of it, by its own option."""
    folder = whole.folder.parent
    before = (whole.folder / "cells.csv").read_bytes(), (whole.folder / "rounds.csv").read_bytes()
    again = bench(
        folder,
        *(*ARMS, "--ops", "relu", "--directions", "forward,backward"),
        *(
            "--placements",
            "new,inplace",
            "--sizes",
            "1Ki",
            *INLINE,
            "--benchmark-json",
            str(folder / "again.json"),
        ),
        *(
            f"--benchmark-storage=file://{folder}/kept",
            "--benchmark-compare",
            "--benchmark-compare-fail=median:1%",
        ),
    )
    assert again.code == whole.code, again.text[-3000:]
    assert "run run: 0 of 4 experiments left" in again.text
    assert "Comparing against benchmarks from" in again.text
    assert "(0001_first" in again.text
    assert "(NOW)" in again.text
    assert ((whole.folder / "cells.csv").read_bytes(), (whole.folder / "rounds.csv").read_bytes()) == before
    assert replayed(folder / "again.json") == replayed(folder / "report.json")


def test_inline_required_skips_and_sizes_that_do_not_fit(tmp_path: Path) -> None:
    options = (
        *("--plugin", "tests.tricksters:LoudWhyNot", "--backends", "numpy_ufunc,loud_why_not"),
        *(*FEW[:-1], "64,512Gi", *INLINE, *QUIETLY),
    )
    skipped = bench(tmp_path, *options)
    assert skipped.code == 0, skipped.text[-2000:]
    by_size = {n: [row for row in skipped.cells if row["n"] == n] for n in ("64", str(512 << 30))}
    assert [len(rows) for rows in by_size.values()] == [7, 7]
    for row in by_size[str(512 << 30)]:
        assert row["status"] == "skipped"
        assert re.match(r"needs [\d.]+ GiB for one arm at a time, [\d.]+ GiB are free", row["reason"])
        assert row["time_s"] == ""
    statuses = {(row["backend"], row["role"]): row["status"] for row in by_size["64"]}
    assert statuses["loud_why_not", "candidate"] == "skipped"
    assert statuses["numpy_ufunc", "baseline"] in ("ok", "noisy")
    required = bench(tmp_path, *options, "--require", "loud_why_not")
    assert required.code == 1
    assert 'skipped, but --require names it: not "here"' in required.text
    assert "2 failed" in required.text


def test_selected_items_bring_their_baseline_and_controls(tmp_path: Path) -> None:
    """`-k`, and a variant, whose environment is its own."""
    outcome = bench(
        tmp_path,
        *(*ARMS, "--variant", "v@numba_jit:RELU_BENCH_TOLD=yes", "--ops", "relu", "--sizes", "64"),
        *("-k", "numba_jit-v and backward-out", *QUIETLY),
    )
    assert outcome.code == 0, outcome.text[-2000:]
    assert "1 passed" in outcome.text
    arms = [(row["backend"], row["variant"], row["role"]) for row in outcome.cells]
    assert arms == [
        ("numpy_ufunc", "", "baseline"),
        ("numba_jit", "v", "candidate"),
        ("numpy_ufunc", "", "twin"),
        ("copy_plain", "", "ceiling"),
        ("copy_streaming", "", "ceiling"),
        ("empty_call", "", "floor"),
    ]
    assert {(row["direction"], row["placement"]) for row in outcome.cells} == {("backward", "out")}


@pytest.mark.usefixtures("own_registry")
def test_collecting_imports_no_framework() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-m",
            "pytest",
            "bench/",
            "--collect-only",
            "-qs",
            *WITHOUT,
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    count = re.search(r"^(\d+) tests collected", done.stdout, re.MULTILINE)
    assert count is not None
    networks = sum(len(each.arms) for each in network_plan(parse({}), alone=False))
    assert int(count[1]) == sum(planned().values()) + networks
    imported = {
        line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")
    }
    assert "bench.run.run" in imported
    assert imported.isdisjoint(
        {"numpy", "torch", "jax", "jaxlib", "numba", "llvmlite", "pandas", "ml_dtypes"}
    )
