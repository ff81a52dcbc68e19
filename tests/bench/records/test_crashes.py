"""Whatever ends the process that writes, between two writes or within one: nothing stored is lost or torn."""

from __future__ import annotations

import csv
import itertools
import os
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.records.errors import RunFilesError
from bench.records.writing import RunFiles
from tests.killing import WRITING
from tests.running import INLINE, ROOT, bench, read
from tests.stored import backends, cell, rounds

NAMES = "abcdef"
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.bench.records.test_crashes import experiments
from tests.killing import killed_at

folder, step = Path(sys.argv[1]), 0
while True:
    child = os.fork()
    if child == 0:
        killed_at(step)
        experiments(folder / str(step))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    if ended == 0:
        break
    assert ended == -signal.SIGKILL, f"killed at write {step}, it ended with {ended}"
    step += 1
print(step)
"""


def experiments(folder: Path) -> None:
    """A run of three experiments, which is stopped, goes on, measures one of them again, and ends."""
    files = RunFiles(folder)
    files.open()
    files.write_environment({"sittings": []})
    for name in NAMES[:3]:
        files.append([cell(name, rounds=2), cell(f"{name}2", status="failed")], rounds(name, 1.0, 2.0))
    files = RunFiles(folder)
    files.open()
    files.append([cell("a", rounds=2), cell("a2", rounds=1)], [*rounds("a", 1.5, 2.5), *rounds("a2", 3.5)])
    for name in NAMES[3:]:
        files.append([cell(name, rounds=2)], rounds(name, 1.0, 2.0))
    files.write_environment({"sittings": [1]})


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files need not get to the disk where nothing but a process goes down; that takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def whole(folder: Path) -> list[str]:
    """Check what a run that goes on finds; the backends that are stored."""
    files = RunFiles(folder)
    stored = files.open()
    for each in stored.values():
        assert len(each.rounds) == (each.cell.rounds or 0)
    found = backends(stored)
    assert Counter(row["backend"] for row in read(folder / "cells.csv")) == Counter(found)
    assert sum(each.cell.rounds or 0 for each in stored.values()) == len(read(folder / "rounds.csv"))
    assert not list(folder.glob("*.damaged"))
    for path in folder.glob("*.csv"):
        with path.open(newline="") as file:
            assert len({len(row) for row in csv.reader(file)}) == 1
    return found


def test_killed_between_any_two_writes_and_within_any_of_them(tmp_path: Path, no_disk: None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    steps = int(done.stdout)
    assert steps > 60
    before: set[str] = set()
    for step in range(steps + 1):
        found = whole(tmp_path / str(step))
        assert before <= set(found), f"killed at write {step}: what was stored before is lost"
        before = set(found)
    assert before == {*NAMES, "a2", "b2", "c2"}


def test_killed_by_a_limit_at_any_byte(tmp_path: Path, no_disk: None) -> None:
    """The system kills it within a write, which is cut where the limit is."""
    program = (
        "import resource, signal, sys, os\n"
        "from pathlib import Path\n"
        "from tests.bench.records.test_crashes import experiments\n"
        "for limit in map(int, sys.argv[2:]):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "        os.fsync = lambda _: None\n"
        "        experiments(Path(sys.argv[1]) / str(limit))\n"
        "        os._exit(0)\n"
        "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGXFSZ\n"
    )
    limits = [str(limit) for limit in range(1, 6000, 199)]
    subprocess.run([sys.executable, "-c", program, str(tmp_path), *limits], cwd=ROOT, check=True)
    for limit in limits:
        assert set(whole(tmp_path / limit)) <= {*NAMES, "a2", "b2", "c2"}


def test_a_disk_that_is_full_for_a_moment_costs_one_experiment(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    files.open()
    files.append([cell("a", rounds=1)], rounds("a", 1.0))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(map(len, before.values())) + 50, limits[1]))
    try:
        with pytest.raises(
            RunFilesError, match=r"cannot write .*journal\.jsonl: File too large; what was written"
        ):
            files.append([cell("b", rounds=1)], rounds("b", 2.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    files.append([cell("c", rounds=1)], rounds("c", 3.0))
    assert whole(tmp_path) == ["a", "c"]


def test_an_interrupt_at_any_write_leaves_the_csv_files_as_the_journal_is(
    tmp_path: Path, no_disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the sitting has ended, which it does then: people and scripts read the CSV files."""
    left = [0]
    for name in WRITING:
        monkeypatch.setattr(os, name, interrupted(getattr(os, name), left))
    for step in itertools.count():
        left[0] = sys.maxsize
        files = RunFiles(tmp_path / str(step))
        files.open()
        files.append([cell("a", rounds=1)], rounds("a", 1.0))
        left[0] = step
        try:
            files.append([cell("a", rounds=1), cell("b", rounds=1)], [*rounds("a", 2.0), *rounds("b", 3.0)])
            files.append([cell("c", rounds=1)], rounds("c", 3.0))
        except KeyboardInterrupt:
            files.catch_up()
        else:
            break
        before = [(files.folder / f"{name}.csv").read_bytes() for name in ("cells", "rounds")]
        assert whole(files.folder)[:1] == ["a"]
        assert before == [(files.folder / f"{name}.csv").read_bytes() for name in ("cells", "rounds")]
    assert step > 20


def interrupted(real: Callable[..., object], left: list[int]) -> Callable[..., object]:
    """That system call; an interrupt comes with the one before which there are `left`."""

    def call(*arguments: object, **named: object) -> object:
        left[0] -= 1
        try:
            return real(*arguments, **named)
        finally:
            if left[0] == -1:
                raise KeyboardInterrupt

    return call


def test_csv_files_that_could_not_be_written_are_when_the_run_goes_on(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    files.open()
    (tmp_path / "rounds.csv").unlink()
    (tmp_path / "rounds.csv").mkdir()
    with pytest.raises(RunFilesError, match=r"cannot write .*rounds\.csv: Is a directory"):
        files.append([cell("a", rounds=1)], rounds("a", 1.0))
    (tmp_path / "rounds.csv").rmdir()
    assert whole(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["journal.jsonl", "rounds.csv", "cells.csv"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    """Opening one for writing, or for reading, may take for ever."""
    files = RunFiles(tmp_path)
    files.open()
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(RunFilesError, match=rf"cannot write .*{re.escape(name)}: "):
        files.append([cell("a", rounds=1)], rounds("a", 1.0))
    if name != "journal.jsonl":
        (tmp_path / "journal.jsonl").unlink()
        with pytest.raises(RunFilesError, match=rf"{re.escape(name)} cannot be read: Not a file; delete it"):
            RunFiles(tmp_path).open()


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="names of open files are read from Linux's /proc"
)
@pytest.mark.parametrize("torn", ["gone", "half", "zeros"])
def test_a_power_cut_takes_no_experiment_that_was_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: str
) -> None:
    """Of what was not brought down to the disk, all is gone, or its second half, or zeros stand in its place."""
    on_disk: dict[str, bytes] = {}

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_file():
            on_disk[path.name.removesuffix(".part")] = path.read_bytes()

    monkeypatch.setattr(os, "fsync", fsync)
    before, after = tmp_path / "before", tmp_path / "after"
    files = RunFiles(before)
    files.open()
    for name in NAMES[:3]:
        files.append([cell(name, rounds=2)], rounds(name, 1.0, 2.0))
    after.mkdir()
    for name, data in on_disk.items():
        lost = (before / name).read_bytes()[len(data) :]
        left = {"gone": b"", "half": lost[: len(lost) // 2], "zeros": bytes(len(lost))}[torn]
        (after / name).write_bytes(data + left)
    assert len((after / "cells.csv").read_bytes().replace(b"\0", b"")) < (before / "cells.csv").stat().st_size
    files.write_environment({})
    assert on_disk == {path.name: path.read_bytes() for path in before.iterdir()}
    assert whole(after) == list(NAMES[:3])


@pytest.mark.slow
def test_a_run_on_a_full_disk_ends_in_one_line_and_goes_on(tmp_path: Path) -> None:
    options = (
        *("--backends", "numpy_ufunc", "--ops", "relu", "--directions", "forward", "--placements", "out"),
        *("--sizes", "64,128,256", *INLINE),
    )
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))  # of the run, which inherits it
    try:
        full = bench(tmp_path, *options, fresh=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert full.code == pytest.ExitCode.USAGE_ERROR
    (line,) = (line for line in full.text.splitlines() if "File too large" in line)
    assert "go on with the same --run-id" in line
    assert "Traceback" not in full.text
    stored = list(full.cells)
    assert stored
    again = bench(tmp_path, *options)
    assert again.code == 0, again.text[-3000:]
    assert again.cells[: len(stored)] == stored
    assert set(Counter(tuple(row.values()) for row in again.rounds).values()) == {1}
    assert len(again.cells) > len(stored)
