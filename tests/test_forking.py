"""Runs that are forked from a Python which has imported what they need are as fresh ones."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import psutil
import pytest

from bench.arm import worker
from bench.messages import Open
from bench.run.process import ArmError, ChildProcess
from tests import forking
from tests.forking import forked_runs
from tests.running import bench, environ

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--collect-only", "-q", "--backends", "numpy_ufunc,numba_parallel", "--sizes", "64"), 0),
        (("--ops", "rely"), 4),
    ],
)
def test_a_forked_run_says_what_a_fresh_one_does(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    fresh, forked = (bench(tmp_path, *options, fresh=each) for each in (True, False))
    assert fresh.code == forked.code == code
    assert re.sub(r" in [\d.]+s", "", forked.text) == re.sub(r" in [\d.]+s", "", fresh.text)


def test_variables_that_are_read_at_the_start_take_a_fresh_process() -> None:
    assert forked_runs().obey(environ())
    assert forked_runs().obey({**environ(), "TMPDIR": "/tmp", "RELU_BENCH_TOLD": "yes"})
    assert not forked_runs().obey({**environ(), "NUMBA_NUM_THREADS": "1"})
    assert not forked_runs().obey({**environ(), "PYTHONPATH": os.sep})


def test_what_a_run_sees_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one does not have its variables."""
    monkeypatch.setenv("COLUMNS", "50")
    narrow = bench(tmp_path, "--help").text
    monkeypatch.setenv("COLUMNS", "200")
    wide = bench(tmp_path, "--help").text
    assert len(narrow.splitlines()) > len(wide.splitlines())


TELLS = """
import os

raise RuntimeError(f"told {os.environ.get('RELU_BENCH_TOLD')}")
"""


@pytest.mark.parametrize(
    ("variables", "module"),
    [
        ({"RELU_BENCH_TOLD": "yes"}, forking.__name__),
        ({"RELU_BENCH_TOLD": "yes", "MALLOC_ARENA_MAX": "2"}, worker.__name__),
    ],
)
@pytest.mark.usefixtures("forked_arms")
def test_an_arm_is_forked_where_a_fork_obeys_its_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], module: str
) -> None:
    """It has them, and what its parent imports from, and ends as any other."""
    (tmp_path / "teller.py").write_text(TELLS)
    monkeypatch.syspath_prepend(tmp_path)
    with contextlib.closing(ChildProcess(worker.__name__, variables)) as child:
        with pytest.raises(ArmError, match="told yes"):
            child.call(Open("teller", "candidate", {"teller": "teller:Backend"}, 0, 0), seconds=60)
        assert module in psutil.Process(child.pid).cmdline()  # while it began, it had none
        assert child.alive
    assert not child.alive
