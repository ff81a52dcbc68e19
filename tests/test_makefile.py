"""What `make` would run, by what it says itself with -n."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT, ended, environ, equal_python, read, wait_until, workers_of


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder as after `git clone`, without a virtual environment."""
    if shutil.which("make") is None:
        pytest.skip("needs make: apt-get install make")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def made(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-n", *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def set_up(folder: Path, *words: str) -> list[str]:
    """The words of the one command that installs."""
    (line,) = (line for line in made(folder, *words).stdout.splitlines() if " -m pip install " in line)
    return line.split()


def test_torch_comes_from_the_usual_index_unless_its_cpu_build_is_asked_for(checkout: Path) -> None:
    assert "--extra-index-url" not in set_up(checkout, "bench")
    words = set_up(checkout, "bench", "TORCH=cpu")
    assert words[words.index("--extra-index-url") + 1].endswith("/whl/cpu")
    assert words[words.index("--constraint") + 1] == "constraints.txt"


def test_an_unknown_torch_is_refused_in_one_line(checkout: Path) -> None:
    done = made(checkout, "bench", "TORCH=gpu")
    assert done.returncode == 2
    assert "TORCH=gpu is unknown; allowed: TORCH=cpu" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_make_alone_lists_the_targets(checkout: Path) -> None:
    done = subprocess.run(["make"], cwd=checkout, capture_output=True, text=True, timeout=60, check=True)
    assert any(line.split()[:2] == ["make", "bench"] for line in done.stdout.splitlines())


def test_a_card_is_measured_in_the_python_that_is_there(checkout: Path) -> None:
    done = made(checkout, "card", "PYTHON=/opt/image/bin/python", "ARGS=--minutes 5")
    assert "/opt/image/bin/python scripts/card.py --minutes 5" in done.stdout.splitlines()
    assert "pip" not in done.stdout
    assert ".venv" not in done.stdout


@pytest.fixture
def measuring(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`make bench` of two small experiments, as a shell's background job has it: without interrupts."""
    if shutil.which("make") is None:
        pytest.skip("needs make: apt-get install make")
    equal_python(tmp_path / "venv")
    (tmp_path / "venv" / ".ready").touch()
    sizes = (
        "--backends numpy_ufunc --ops relu --directions forward --placements out --sizes 64,128 --processes 1"
    )
    options = f"{sizes} --baseline numpy_ufunc --max-seconds 4 --results {tmp_path} --run-id run -p no:cacheprovider"
    words = ["make", "bench", f"VENV={tmp_path / 'venv'}", f"ARGS={options}"]
    ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *words]
    with subprocess.Popen(
        ignoring, cwd=ROOT, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield process
        for each in workers_of(process.pid) if process.poll() is None else ():
            each.kill()


@pytest.mark.slow
def test_to_end_make_ends_the_run_which_keeps_what_was_measured(
    measuring: subprocess.Popen[str], tmp_path: Path
) -> None:
    cells = tmp_path / "run" / "cells.csv"
    wait_until(lambda: cells.exists() and bool(read(cells)), "the first experiment")
    running = workers_of(measuring.pid)
    measuring.terminate()
    text, _ = measuring.communicate(timeout=60)
    wait_until(lambda: all(map(ended, running)), "the run to end", 20)
    assert running
    assert "1 experiment left: go on with --run-id run" in text
    assert {cell["n"] for cell in read(cells)} == {"64"}
