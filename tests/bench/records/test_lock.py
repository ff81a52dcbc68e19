"""A run's folder is written to by one process at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.records.errors import RunFilesError
from bench.records.lock import alone_in
from tests.running import ROOT

HOLDER = """
import sys
from pathlib import Path
from bench.records.lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the folder until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
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
