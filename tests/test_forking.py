"""Runs that are forked from a Python which has imported what they need are as fresh ones."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

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
