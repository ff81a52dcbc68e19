"""The arms' processes: what one of them does costs its own cell, and none of them outlives its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.machine.address_layout import can_be_fixed
from bench.machine.memory import oom_kills
from bench.messages import Open, Prepare, Prepared, Probe
from bench.plan.experiments import Arm, Experiment, Variant
from bench.run import offspring
from bench.run.experiment import Limits, run
from bench.run.inline_pool import InlinePool
from bench.run.process import SHARED, ArmError, ChildProcess, ask_all
from bench.run.process_pool import ProcessPool
from bench.run.rows import Stamp, cells_of
from kernels.api import Case
from tests.forking import forked_guardian
from tests.running import ROOT, ended, wait_until

pytestmark = pytest.mark.slow

CASE = Case("relu", n=64)
PLUGINS = {
    name: f"tests.tricksters:{spec}"
    for name, spec in {
        "segfaults_in_batch": "SegfaultsInBatch",
        "hangs": "Hangs",
        "raises_in_compile": "RaisesInCompile",
        "starts_helper": "StartsHelper",
        "loud_why_not": "LoudWhyNot",
    }.items()
}
LIMITS = Limits(seconds=0.0, batch_s=0.001, warm_s=0.0, max_rounds=2)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arms are forked where that shows the same: what an arm does, and not how it is started."""
    monkeypatch.setattr(offspring, "_current", forked_guardian())


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    made = ProcessPool(PLUGINS, cell_timeout=60)
    yield made
    made.close()


def opened(environ: dict[str, str], backend: str = "numpy_ufunc") -> ChildProcess:
    process = ChildProcess("bench.arm.worker", environ)
    process.call(Open(backend, "candidate", PLUGINS, 0, 1 << 20), seconds=60)
    return process


@pytest.mark.usefixtures("forked")
def test_a_dead_arm_is_replaced_and_the_others_go_on(pool: ProcessPool) -> None:
    good, bad = Arm("numpy_ufunc"), Arm("segfaults_in_batch")
    pool.open((good, bad), threads=0)
    prepared = pool.call_all((good, bad), Prepare(CASE))
    assert [outcome.gate.problem for outcome in prepared if isinstance(outcome, Prepared)] == [None, None]
    first = pool.pid(bad)
    with pytest.raises(
        ArmError, match="crashed: killed by SIGSEGV in 'probe'; it printed: Fatal Python error"
    ):
        pool.call(bad, Probe(0.01))
    assert pool.call(good, Probe(0.001)) > 0
    pool.open((good, bad), threads=0)
    assert pool.pid(bad) != first
    assert pool.call(bad, Prepare(CASE)).gate.problem is None


@pytest.mark.usefixtures("forked")
def test_whatever_arms_do_every_arm_has_its_row(pool: ProcessPool) -> None:
    names = ("segfaults_in_batch", "raises_in_compile", "loud_why_not")
    arms = (Arm("numpy_ufunc", "baseline"), *map(Arm, names), Arm("numpy_ufunc", "twin"))
    experiment = Experiment(CASE, arms)
    cells = cells_of(experiment, run(experiment, pool, LIMITS, seed=0).states, Stamp("r", "m", "now"))
    assert [cell.backend for cell in cells] == [arm.backend for arm in arms]
    assert [cell.status for cell in cells[1:4]] == ["crashed", "failed", "skipped"]
    assert {cells[0].status, cells[4].status} <= {"ok", "noisy"}
    assert all(cell.reason for cell in cells if cell.status != "ok")
    assert not any("\n" in cell.reason or "\0" in cell.reason for cell in cells)
    assert all(cell.time_s is None for cell in cells[1:4])
    for cell in cells:
        cell.reason.encode()


def test_controls_of_what_nobody_serves_are_skipped_and_have_not_failed() -> None:
    case, arms = Case("gelu", n=64), (Arm("numpy_ufunc", "baseline"), Arm("empty_call", "floor"))
    experiment = Experiment(case, arms)
    states = run(experiment, InlinePool({}), LIMITS, seed=0).states
    cells = cells_of(experiment, states, Stamp("r", "m", "now"))
    assert [cell.status for cell in cells] == ["skipped", "skipped"]
    assert "NumPy has no erf" in cells[0].reason
    assert "nothing to show a limit for" in cells[1].reason


@pytest.mark.usefixtures("forked")
def test_a_hanging_arm_is_ended_when_its_time_is_up() -> None:
    process = opened({}, "hangs")
    with pytest.raises(ArmError, match="timeout: no answer to 'prepare' within --cell-timeout"):
        process.call(Prepare(CASE), seconds=0.5)
    assert not process.alive
    process.close()


@pytest.mark.usefixtures("forked")
def test_requests_wait_their_turn_and_come_back_in_order() -> None:
    processes = [opened({}) for _ in range(3)]
    outcomes = ask_all([(each, Prepare(CASE)) for each in processes], seconds=60, at_once=1)
    assert [outcome.gate.problem for outcome in outcomes if isinstance(outcome, Prepared)] == [None] * 3
    processes[1].kill()
    probed = ask_all([(each, Probe(0.001)) for each in processes], seconds=60, at_once=2)
    assert [isinstance(outcome, ArmError) for outcome in probed] == [False, True, False]
    dead = probed[1]
    assert isinstance(dead, ArmError)
    assert dead.status == "crashed"
    assert "killed by SIGKILL in 'probe'" in dead.reason
    for each in processes:
        each.close()


def test_environment_is_there_before_the_process_is(pool: ProcessPool) -> None:
    arm = Arm("numpy_ufunc", variant=Variant("v", (("RELU_BENCH_TEST", "yes"), ("PYTHONHASHSEED", "7"))))
    pool.open((arm,), threads=0)
    environ = psutil.Process(pool.pid(arm)).environ()
    assert environ["RELU_BENCH_TEST"] == "yes"
    assert environ["PYTHONHASHSEED"] == "7"
    assert "RELU_BENCH_TEST" not in os.environ


def test_what_shares_a_machine_is_started_so_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Inductor's pool of compilers would look like foreign load, and XLA would take most of a card."""
    for name in SHARED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    process = opened({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"})
    environ = psutil.Process(process.pid).environ()
    process.close()
    assert environ["TORCHINDUCTOR_COMPILE_THREADS"] == "1"
    assert environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true", "the user's own"
    assert environ["CUDA_DEVICE_ORDER"] == "FASTEST_FIRST", "the variant's own"


def test_an_arm_that_cannot_start_says_what_it_printed(pool: ProcessPool) -> None:
    arm = Arm("numpy_ufunc", variant=Variant("v", (("PYTHONIOENCODING", "klingon"),)))
    loaded = pool.open((arm,), threads=0)[arm]
    assert isinstance(loaded, ArmError)
    assert loaded.status == "crashed"
    assert "exit status 1 in 'open'; it printed: Fatal Python error" in loaded.reason


def test_closing_ends_what_an_arm_has_started(pool: ProcessPool) -> None:
    arm = Arm("starts_helper")
    pool.open((arm,), threads=0)
    assert pool.call(arm, Prepare(CASE)).gate.problem is None
    worker = psutil.Process(pool.pid(arm))
    family = [worker, *worker.children(recursive=True)]
    assert len(family) == 2
    pool.close()
    wait_until(lambda: not any(ended(process) is False for process in family), "worker and helper to end")


@pytest.mark.skipif(sys.platform != "linux", reason="the signal at a parent's death is Linux's")
def test_workers_die_with_their_parent() -> None:
    """Also one that is busy and would not notice that nobody listens any more."""
    program = (
        "import sys, time\n"
        "from bench.messages import Open, Prepare\n"
        "from bench.run.process import ChildProcess\n"
        "from kernels.api import Case\n"
        "process = ChildProcess('bench.arm.worker')\n"
        "plugins = {'hangs': 'tests.tricksters:Hangs'}\n"
        "process.call(Open('hangs', 'candidate', plugins, 0, 1 << 20), seconds=60)\n"
        "process.ask(Prepare(Case('relu', n=64)), seconds=60)\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    assert not ended(worker)
    parent.kill()
    parent.communicate()
    wait_until(lambda: ended(worker), "the worker to end with its parent", 10)


def test_inline_arms_fail_alone_too() -> None:
    pool = InlinePool(PLUGINS)
    arms = (Arm("numpy_ufunc", "baseline"), Arm("raises_in_compile"))
    states = run(Experiment(CASE, arms), pool, LIMITS, seed=0).states
    assert states[0].failure is None
    assert states[1].failure == ("failed", "ValueError: no kernel for today nor for tomorrow")
    assert pool.pid(arms[0]) == os.getpid()
    pool.close()


def test_worker_imports_no_framework_but_its_own(pool: ProcessPool) -> None:
    arm = Arm("numpy_ufunc")
    pool.open((arm,), threads=0)
    maps = Path(f"/proc/{pool.pid(arm)}/maps")
    if not maps.exists():
        pytest.skip("loaded libraries are read from Linux's /proc")
    loaded = maps.read_text()
    assert "numpy" in loaded
    assert not any(name in loaded for name in ("libtorch", "jaxlib", "llvmlite"))


def _stack_of(process: ChildProcess) -> int:
    """Where its stack began (proc_pid_stat, field 28), below arguments and environment."""
    stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8")
    return int(stat.rpartition(")")[2].split()[25])


def _may_fix_layouts() -> bool:
    """Asked of the system, not of the code under test; some containers forbid it."""
    program = "import ctypes, sys; sys.exit(ctypes.CDLL(None).personality(0x0040000) == -1)"
    return (
        sys.platform == "linux"
        and subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    )


@pytest.mark.skipif(
    not _may_fix_layouts(), reason="this system does not let a process choose its address layout"
)
def test_arms_begin_with_the_same_address_layout() -> None:
    libc = ctypes.CDLL(None)
    before = libc.personality(0xFFFFFFFF)
    assert can_be_fixed()
    environs: tuple[dict[str, str], ...] = (
        {},
        {},
        {"RELU_BENCH_A": "1"},
        {"RELU_BENCH_A": "22"},
        {"RELU_BENCH_B": "é" * 99, "RELU_BENCH_C": ""},
    )
    arms: list[ChildProcess] = []
    with contextlib.ExitStack() as files:
        for number, environ in enumerate(environs):
            arms.append(ChildProcess("bench.arm.worker", environ))
            for _ in range((1, 10, 100, 0, 0)[number]):  # so that the sockets' numbers get more digits
                files.enter_context(Path(os.devnull).open(encoding="utf-8"))
    try:
        for arm in arms:
            arm.call(Open("numpy_ufunc", "candidate", {}, 1, 1 << 20), seconds=60)
        stacks = {_stack_of(arm) for arm in arms}
        assert len(stacks) == 1
        assert stacks != {0}
        assert len({len(Path(f"/proc/{arm.pid}/cmdline").read_bytes()) for arm in arms}) == 1
    finally:
        for arm in arms:
            arm.close()
    assert libc.personality(0xFFFFFFFF) == before


@pytest.mark.usefixtures("forked")
def test_a_death_for_want_of_memory_is_told_from_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    process = opened({})
    os.kill(process.pid, signal.SIGKILL)
    monkeypatch.setattr("bench.run.process.oom_kills", lambda: 1 + oom_kills())
    with pytest.raises(ArmError, match="oom: ended by the kernel in 'probe', for want of memory"):
        process.call(Probe(0.01), seconds=60)
    process.close()


def test_arms_that_cannot_be_started_have_a_reason_and_the_others_go_on(pool: ProcessPool) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    first, second = Arm("numpy_ufunc"), Arm("hangs")
    pool.open((first,), threads=0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")), hard))  # noqa: PTH208
    try:
        opened = pool.open((first, second), threads=0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    reason = opened[second]
    assert isinstance(reason, ArmError)
    assert (reason.status, reason.reason) == ("failed", "its process cannot be started: Too many open files")
    assert isinstance(pool.call(first, Prepare(CASE)), Prepared)
