"""A run's folder is written to by one process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.plan.settings import FORCE
from bench.records.errors import RunFilesError
from bench.records.lock import alone_in, alone_on_this_machine
from tests.running import ROOT, bench, environ

HOLDER = """
import sys
from pathlib import Path
from bench.records.lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path, program: str = HOLDER) -> subprocess.Popen[str]:
    """A process that holds the folder, or what `program` does, until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    process = holder(tmp_path / "run")
    with pytest.raises(RunFilesError, match=r"another process is writing.*choose another --run-id"):
        alone_in(tmp_path / "run").__enter__()
    process.kill()  # it cannot let go by itself
    process.communicate()
    with alone_in(tmp_path / "run"):
        assert list((tmp_path / "run").iterdir()) == []


MACHINE_HOLDER = HOLDER.replace("alone_in", "alone_on_this_machine").replace(
    "Path(sys.argv[1])", "'run\\tfirst'"
)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that no other run here knows."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def test_a_second_run_on_the_machine_is_refused_until_the_first_has_ended(machine: Path) -> None:
    pytest.importorskip("fcntl")
    for _ in range(2):  # what a killed process leaves is of no consequence
        process = holder(machine, MACHINE_HOLDER)
        with pytest.raises(RunFilesError) as caught:
            alone_on_this_machine("run second").__enter__()
        assert f"measured on this machine (process {process.pid}, runfirst)" in str(caught.value)
        assert str(caught.value).endswith("all the same: --force, or RELU_BENCH_FORCE=1")
        process.kill()
        process.communicate()
    with alone_on_this_machine("run second"):
        pass


@pytest.mark.parametrize("kind", ["a link", "a folder", "another user's", "nothing can be made"])
def test_a_place_of_temporary_files_that_is_of_no_use_stops_nobody(machine: Path, kind: str) -> None:
    path, other = machine / "relu-bench.lock", machine / "other"
    other.write_text("kept")
    if kind == "a link":
        path.symlink_to(other)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "another user's":
        path.write_text("")
        path.chmod(0o444)
    else:
        machine.chmod(0o555)
    with alone_on_this_machine("run"):
        assert other.read_text() == "kept"
    machine.chmod(0o755)


@pytest.mark.slow
def test_a_run_waits_for_no_other_and_measures_beside_it_when_it_is_told_to(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fcntl")
    monkeypatch.delenv(FORCE)
    inline = ("--backends", "numpy_ufunc", "--isolation", "inline")
    one = ("--ops", "relu", "--directions", "forward", "--placements", "out", "--sizes", "64")
    options = (*inline, *one)
    process = holder(machine, MACHINE_HOLDER)
    refused = bench(tmp_path, *options)
    assert refused.code == pytest.ExitCode.USAGE_ERROR
    assert "another run is being measured on this machine" in refused.text
    assert "Traceback" not in refused.text
    assert refused.cells == []
    forced = bench(tmp_path, *options, "--force")
    assert forced.code == 0, forced.text[-3000:]
    again = bench(tmp_path, *options)  # nothing is left to measure
    assert again.code == 0, again.text[-3000:]
    process.communicate()


@pytest.mark.parametrize("script", ["intervals.py", "agreement.py"])
def test_a_script_that_measures_beside_a_run_is_refused_in_one_line(
    script: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fcntl")
    monkeypatch.delenv(FORCE)
    process = holder(machine, MACHINE_HOLDER)
    command = [sys.executable, f"scripts/{script}", "--sizes", "64"]
    done = subprocess.run(command, cwd=ROOT, env=environ(), capture_output=True, text=True, check=False)
    process.communicate()
    assert done.returncode == 2
    assert "error: another run is being measured on this machine" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFilesError, match=r"cannot write to .*file/run: .*choose another --results"):
        alone_in(tmp_path / "file" / "run").__enter__()


@pytest.mark.parametrize("without", ["no fcntl", "no locks"])
def test_where_nothing_can_be_held_it_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    """Windows, and file systems whose locks are switched off."""
    fcntl = pytest.importorskip("fcntl")
    process = holder(tmp_path / "run")

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    if without == "no fcntl":
        monkeypatch.setattr("bench.records.lock.fcntl", None)
    else:
        monkeypatch.setattr(fcntl, "flock", refuse)
    with alone_in(tmp_path / "run"):
        pass
    process.communicate()


def test_a_pipe_in_the_place_of_the_lock_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user of the machine may have made it; opening it would wait for a writer for ever."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("RELU_BENCH_FORCE", raising=False)
    os.mkfifo(tmp_path / "relu-bench.lock", 0o444)
    with alone_on_this_machine("run"):
        pass
