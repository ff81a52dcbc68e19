"""A system that lacks what measuring needs, as Windows does, as far as that can be played here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.running import ROOT, python

pytestmark = pytest.mark.slow

_LIKE_WINDOWS = """
import os, select, subprocess, sys
import psutil  # it needs none of this there
del select.poll, os.killpg
sys.modules["fcntl"] = sys.modules["resource"] = None
"""
_RUN = "import runpy, sys; sys.argv = [{name!r}, '--help']; runpy.run_path({path!r}, run_name='__main__')"
_MISSING = "(select.poll, os.killpg, the module fcntl, the module resource): measure on Linux"


@pytest.fixture
def like_windows(tmp_path: Path) -> Path:
    (tmp_path / "sitecustomize.py").write_text(_LIKE_WINDOWS)
    return tmp_path


@pytest.mark.parametrize("name", ["crosscheck.py", "doctor.py"])
def test_a_command_that_measures_says_so_in_one_line(name: str, like_windows: Path) -> None:
    done = python(_RUN.format(name=name, path=str(ROOT / "scripts" / name)), like_windows)
    assert done.returncode != 0
    assert _MISSING in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_runs_are_read_from_python_and_functions_are_not_compared(like_windows: Path) -> None:
    program = """
        import relu_bench
        print(len(relu_bench.read_runs("results/reference/amd-epyc-2c").cells) > 0)
        try:
            relu_bench.compare
        except ImportError as error:
            print(error)
    """
    done = python(program, like_windows)
    assert done.stdout.splitlines()[:1] == ["True"], done.stderr
    assert "relu_bench.compare needs" in done.stdout
    assert _MISSING in done.stdout


def test_where_all_of_it_is_there_nobody_is_refused() -> None:
    from bench.machine import needed

    assert (needed.refusal("x") is None) == (sys.platform != "win32")
