"""Runs ``pytest bench/`` as its users do, in a process of its own, and reads what it left behind."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.forking import forked_runs

__all__ = [
    "INLINE",
    "REFERENCE",
    "ROOT",
    "WITHOUT",
    "Outcome",
    "bench",
    "ended",
    "environ",
    "equal_python",
    "interrupt",
    "printed_by",
    "python",
    "read",
    "start",
    "wait_until",
    "workers_of",
]

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / re.findall(r"^REFERENCE := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]
"""The run that the tables of README and docs are made of."""
QUICK = ("--max-seconds", "0.02", "--processes", "1", "--baseline", "numpy_ufunc")
"""Figures are of no interest here, only what becomes of them; torch takes seconds to import."""
WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""Plugins that do nothing in a run; Hypothesis, of which that has no test, would take half of a short one."""
INLINE = ("--isolation", "inline")
"""For runs of which it does not matter that each arm has a process: half of what they take is starting those."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, what it printed, and where its files are."""

    code: int
    text: str
    folder: Path

    @property
    def cells(self) -> list[dict[str, str]]:
        return read(self.folder / "cells.csv")

    @property
    def rounds(self) -> list[dict[str, str]]:
        return read(self.folder / "rounds.csv")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def command(results: Path, run_id: str, options: Sequence[str]) -> list[str]:
    fixed = ["--results", str(results), "--run-id", run_id]
    return [sys.executable, "-m", "pytest", "bench/", *WITHOUT, *fixed, *QUICK, *options]


def environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def bench(results: Path, *options: str, run_id: str = "run", fresh: bool = False) -> Outcome:
    """Run to the end, forked or, where that would show something else, in a `fresh` process."""
    if not fresh and forked_runs().obey(environ()):
        return _forked(results, run_id, options)
    done = subprocess.run(
        command(results, run_id, options),
        cwd=ROOT,
        env=environ(),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    return Outcome(done.returncode, done.stdout + done.stderr, results / run_id)


def _forked(results: Path, run_id: str, options: Sequence[str]) -> Outcome:
    arguments = command(results, run_id, options)[3:]
    with tempfile.TemporaryDirectory(prefix="relu-bench-printed-") as folder:
        printed = Path(folder) / "text"
        code = forked_runs().run(arguments, environ(), printed, seconds=300)
        return Outcome(code, printed.read_text(encoding="utf-8", errors="replace"), results / run_id)


def python(program: str, *path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a fresh Python does with `program`, which imports from `path` first and then from here."""
    search = os.pathsep.join(map(str, [*path, ROOT]))
    ours = {
        name: value for name, value in os.environ.items() if name != "NPROC"
    }  # JAX's backend sets it here
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        env={**ours, "PYTHONPATH": search, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def printed_by(program: str, *path: Path, **environment: str) -> str:
    """What `python` prints, which has to end well."""
    done = python(program, *path, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def start(results: Path, *options: str, run_id: str = "run") -> subprocess.Popen[str]:
    """Begin a run, to be interrupted."""
    # A shell's background job ignores interrupts, and so does all that it starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        command(results, run_id, options),
        cwd=ROOT,
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def wait_until(true: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    """Return when it is true; fail if it does not come true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.05)


def workers_of(pid: int) -> list[psutil.Process]:
    """The worker processes of a run, and what they have started."""
    return psutil.Process(pid).children(recursive=True)


def interrupt(
    process: subprocess.Popen[str], number: signal.Signals, cells: Path, rows: int
) -> tuple[str, list[psutil.Process]]:
    """Send the signal when `rows` rows are written; what the run printed, and the workers that it had."""
    wait_until(lambda: cells.exists() and len(read(cells)) >= rows, f"{rows} rows of {cells}")
    workers = workers_of(process.pid)
    process.send_signal(number)
    text, _ = process.communicate(timeout=60)
    return text, workers


def ended(process: psutil.Process) -> bool:
    """Whether the process is gone, or waits only for its parent to notice."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def equal_python(folder: Path) -> Path:
    """An interpreter of an environment of its own, in `folder`, with the packages of this one."""
    venv.create(folder, symlinks=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "these.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "bin" / "python"
