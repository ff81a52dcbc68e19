"""A machine that has little to give: cells are measured or have a reason, and the run ends clearly."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from bench.plan.options import parse
from bench.run.run import plan
from tests.running import ROOT, Outcome, command, environ

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are set as Linux has them")
daily = pytest.mark.daily

OPTIONS = {
    "backends": "numpy_ufunc,numba_jit,torch_eager",
    "ops": "relu",
    "directions": "forward",
    "placements": "new",
    "sizes": "1Ki,1Mi",
}
BACK = "tests.clock_back"
WALL_CLOCK = re.compile(r"\btime\.time\(|\btime_ns\(|\bdatetime\.now\(|\.today\(")


def under(limit: str, results: Path, *options: str, **environment: str) -> Outcome:
    """A run below a shell that has carried out `limit`."""
    typed = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    done = subprocess.run(
        ["sh", "-c", f'{limit}; exec "$@"', "sh", *command(results, "run", [*typed, *options])],
        cwd=ROOT,
        env={**environ(), **environment},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    return Outcome(done.returncode, done.stdout + done.stderr, results / "run")


def check(outcome: Outcome) -> dict[str, str]:
    """Every planned cell has a row, and every status but ok its reason; the worst status of each backend."""
    assert outcome.code in (0, 1), outcome.text[-3000:]
    assert "Traceback" not in outcome.text
    planned = [arm for each in plan(parse({**OPTIONS, "baseline": "numpy_ufunc"})) for arm in each.arms]
    assert len(outcome.cells) == len(planned)
    assert [row["reason"] for row in outcome.cells if row["status"] != "ok" and not row["reason"]] == []
    return {row["backend"]: row["status"] for row in outcome.cells if row["status"] not in ("ok", "noisy")}


@contextmanager
def busy(cpu: int) -> Iterator[None]:
    """Beside something that has nothing else to do."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spins:
        os.sched_setaffinity(spins.pid, {cpu})
        try:
            yield
        finally:
            spins.kill()


@daily
def test_one_cpu_that_is_busy(tmp_path: Path) -> None:
    cpu = min(os.sched_getaffinity(0))
    with busy(cpu):
        outcome = under(f"taskset -p -c {cpu} $$ >&2", tmp_path)
    assert check(outcome) == {}
    announced = re.search(r"\d experiments, about (\d+) s,", outcome.text)
    assert announced is not None, outcome.text
    sittings = json.loads((outcome.folder / "environment.json").read_text(encoding="utf-8"))["sittings"]
    assert sittings[-1]["wall_s"] < 1.5 * int(announced[1])


@daily
def test_64_open_files(tmp_path: Path) -> None:
    assert check(under("ulimit -n 64", tmp_path)) == {}


@daily
def test_little_memory(tmp_path: Path) -> None:
    worst = check(under("ulimit -v 4000000", tmp_path))
    assert set(worst) <= {"torch_eager", "numba_jit"}
    assert set(worst.values()) <= {"skipped", "failed", "oom", "crashed"}


@daily
def test_nowhere_to_keep_anything(tmp_path: Path) -> None:
    nowhere = "/proc/nowhere"
    caches = {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "NUMBA_CACHE_DIR": nowhere, "TORCH_HOME": nowhere}
    assert check(under(":", tmp_path, **caches)) == {}


@daily
def test_a_full_tmpdir(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this system does not let us mount a small disk")
    full = tmp_path / "full"
    full.mkdir()
    fills = f"mount -t tmpfs -o size=64k none {full}; head -c 1000000 /dev/zero > {full}/zeros"
    within = f'set -- unshare -rm sh -c \'{fills}; exec "$@"\' sh "$@"'
    outcome = under(within, tmp_path / "results", TMPDIR=str(full))
    assert check(outcome) == {}


@contextmanager
def half_a_cpu() -> Iterator[Path]:
    """A control group that may use half a CPU; skips where none can be made."""
    group = Path("/sys/fs/cgroup/relu-bench-test")
    try:
        group.mkdir(exist_ok=True)
        (group / "cpu.max").write_text("50000 100000")
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error.strerror}")
    try:
        yield group
    finally:
        with suppress(OSError):  # some systems still count processes that have ended
            group.rmdir()


@daily
def test_half_a_cpu(tmp_path: Path) -> None:
    with half_a_cpu() as group:
        assert check(under(f"echo $$ > {group}/cgroup.procs", tmp_path)) == {}


@daily
def test_a_clock_that_is_set_back(tmp_path: Path) -> None:
    outcome = under(":", tmp_path, "-p", BACK, "--isolation", "inline", "--minutes", "1")
    assert check(outcome) == {}
    assert "this takes longer than was announced" not in outcome.text


def test_what_a_run_waits_for_is_told_by_no_clock_that_can_be_set() -> None:
    """It names runs and stamps rows, and says on the screen when a run will be done."""
    users = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "bench").rglob("*.py")
        if WALL_CLOCK.search(path.read_text(encoding="utf-8"))
    }
    assert users == {"bench/machine/environment.py", "bench/plugin/texts.py", "bench/run/identity.py"}
