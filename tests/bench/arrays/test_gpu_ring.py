"""The harness on a device: clocks, statuses, memory, one arm at a time; by a stand-in that is no CUDA card."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.arm import device_clock
from bench.arm.server import ArmServer
from bench.arm.worker import refusal
from bench.machine import nvidia
from bench.machine.nvidia import CardReading, Watch
from bench.plan.options import parse
from bench.run.pool import SEED
from bench.run.run import Run, plan
from kernels.api import Case
from kernels.gpu.card import ordinal, why_not_there
from tests import standin
from tests.running import ROOT, Outcome, environ
from tests.scripted import FakeSurroundings

pytestmark = pytest.mark.slow

CASE = Case("leaky_relu", "forward", "out", n=64, device="cuda")
PLUGIN = ("--plugin", "tests.standin:QueueRelu", "--backends", "queue_relu", "--baseline", "queue_relu")


@pytest.fixture(autouse=True)
def _settled_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """This device has no clocks that settle: `steady` is tried below."""
    monkeypatch.setattr("bench.arm.server.settles", device_clock.settles_again)


def server(make: type[standin.QueueRelu] = standin.QueueRelu, *, plugin: bool = True) -> ArmServer:
    made = ArmServer(make, SEED, 1 << 16, plugin=plugin)
    made.load()
    return made


# --- names of cards ------------------------------------------------------------------------


def test_cards_are_named_by_what_the_framework_sees() -> None:
    assert [ordinal(name) for name in ("cpu", "cuda", "cuda:0", "cuda:12", "cuda:x")] == [
        None,
        0,
        0,
        12,
        None,
    ]
    assert why_not_there("b", "cuda:1", 2, "") is None
    assert why_not_there("b", "cuda:7", 2, "") == "no CUDA device cuda:7: there are cuda:0, cuda:1"
    assert why_not_there("b", "cuda", 0, "no driver") == "no CUDA device: no driver"


# --- a server on a device ------------------------------------------------------------------


@pytest.mark.parametrize("placement", ["new", "out", "inplace"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_an_honest_arm_passes(direction: str, placement: str) -> None:
    arm = server()
    prepared = arm.prepare(replace(CASE, direction=direction, placement=placement))
    assert prepared.skip is None
    assert prepared.gate.problem is None
    for _ in range(2):
        assert arm.batch(20, 1e-4).problem is None
    finished = arm.finish()
    assert finished.problem is None
    assert finished.device_peak_bytes == 4321


def test_device_time_is_the_device_s_own() -> None:
    arm = server(standin.SlowQueueRelu)
    arm.prepare(CASE)
    device_s = arm.device_time().device_s
    assert device_s is not None
    assert device_s >= 0.95 * standin.SlowQueueRelu.busy_s
    dispatch_s = arm.dispatch()
    assert dispatch_s is not None
    assert dispatch_s < 0.5 * device_s, "a launch returns before the work is done"
    assert arm.batch(4, 0).seconds >= 0.95 * standin.SlowQueueRelu.busy_s


def test_work_that_stops_is_seen_through_the_copies() -> None:
    arm = server(standin.IdleQueueRelu)
    assert arm.prepare(CASE).gate.problem is None
    problems = [arm.batch(20, 1e-4).problem for _ in range(3)] + [arm.finish().problem]
    assert any(problems)


def test_an_input_that_is_written_on_the_device_is_seen() -> None:
    problem = server(standin.MutatingQueueRelu).prepare(CASE).gate.problem
    assert problem is not None
    assert "writes into its input x" in problem


def test_memory_of_the_device_is_guarded() -> None:
    assert server().prepare(CASE).skip is None
    skip = server(standin.FullQueueRelu).prepare(replace(CASE, n=1 << 20)).skip
    assert skip is not None
    assert "0.00 GiB are free" in skip
    assert "--sizes" in skip


def test_a_cold_case_flushes_the_device_s_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANDIN_LOG", str(tmp_path / "log"))
    arm = server()
    arm.prepare(replace(CASE, n=1, cache="cold"))
    arm.batch(4, 0)
    assert f" flush {2 << 12}\n" in (tmp_path / "log").read_text(encoding="utf-8")
    arm.prepare(replace(CASE, n=64, cache="cold"))
    assert len(arm._slots.ring) * 512 > 2 << 12, "slots rotate over twice the device's cache"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8589934592 bytes."),
        MemoryError(),
    ],
)
def test_out_of_memory_is_a_status(error: Exception) -> None:
    assert refusal(error).status == "oom"


# --- clocks that settle, cards that throttle ------------------------------------------------


@pytest.mark.parametrize(
    ("times", "windows", "settled"),
    [((2.0, 1.5, 1.2, 1.1, 1.095, 9.0), 5, True), (tuple(itertools.chain(*[(1.0, 2.0)] * 40)), 20, False)],
)
def test_warm_up_lasts_until_two_windows_agree(times: tuple[float, ...], windows: int, settled: bool) -> None:
    left, now = iter(times), [0.0]

    def window(least_s: float) -> float:
        now[0] += least_s
        return next(left)

    assert device_clock.steady(window, 1.0, clock=lambda: now[0]) is settled
    assert len(times) - len(list(left)) == windows


class Scripted:
    """A gauge that shows one reading after the other, the last for ever."""

    def __init__(self, *throttled: str) -> None:
        self.left = list(throttled)

    def read(self) -> CardReading:
        reason = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return CardReading(1000, 2000, 99.0, 60, reason)

    def sm_mhz(self) -> int:
        return 1000 + len(self.left)

    def slowed_ns(self) -> dict[str, int]:
        return {}


def test_a_watch_tells_of_heat_and_waits() -> None:
    assert Watch(None).throttled() == ""
    gauge = Scripted("heat", "heat", "")
    watch = Watch(gauge)
    assert watch.throttled() == "heat"
    watch.cool(2.0)
    assert gauge.left == [""]


def test_a_throttled_round_is_contended() -> None:
    from bench.machine.surroundings import Surroundings
    from bench.plan.experiments import Arm, Experiment
    from bench.run import experiment
    from bench.run.inline_pool import InlinePool
    from kernels import registry

    registry.register("tests.standin:QueueRelu", "queue_relu")

    class Hot(Surroundings):
        def watch(self, device: str) -> Watch:
            return Watch(Scripted("heat", ""))

        def witness(self, pids: Iterable[int]) -> FakeSurroundings:
            return FakeSurroundings()  # what runs beside this test is not asked about

    pool = InlinePool({"queue_relu": "tests.standin:QueueRelu"})
    limits = experiment.Limits(5.0, 1e-3, 1e-4, 2)
    (state,) = experiment.run(
        Experiment(CASE, (Arm("queue_relu", "baseline"),)), pool, limits, 1, Hot()
    ).states
    assert state.failure is None
    assert state.batches[0].contended
    assert not state.batches[1].contended, "it had cooled down"
    assert [batch.sm_mhz for batch in state.batches] == [1001, 1001], "of each batch"
    assert state.device_s is not None


def test_nothing_is_known_of_a_cpu_and_little_without_a_driver() -> None:
    assert nvidia.describe(["cpu"]) is None
    assert nvidia.watch_of("cpu").throttled() == ""
    cards = nvidia.describe(["cpu", "cuda"])
    assert cards is not None
    (card,) = cards
    assert card["device"] == "cuda:0"


# --- whole runs -----------------------------------------------------------------------------


def run_of(words: dict[str, Any], folder: Path) -> Outcome:
    """A run of this process, without the copies, which would ask each framework for a card; test_arms.py has these."""
    few = {"ops": "relu", "directions": "forward", "placements": "out", "sizes": "64"}
    short = {"max_seconds": "0.02", "processes": "1", "results": str(folder), "run_id": "run"}
    settings = parse({**few, **short, **words})
    backends = words["backends"].split(",")
    experiments = [
        replace(each, arms=tuple(arm for arm in each.arms if arm.backend in backends))
        for each in plan(settings)
    ]
    with Run(settings, experiments) as measured:
        for each in experiments:
            measured.measure(each)
    return Outcome(0, "", folder / "run")


def test_a_run_on_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANDIN_LOG", str(tmp_path / "log"))
    words = {"backends": "queue_relu", "baseline": "queue_relu", "devices": "cuda", "sizes": "64,13"}
    outcome = run_of({**words, "plugin": [PLUGIN[1]]}, tmp_path)
    cells = {(row["role"], row["n"]): row for row in outcome.cells}
    assert cells["baseline", "13"]["status"] == "oom"
    assert cells["baseline", "64"]["status"] in ("ok", "noisy"), cells["baseline", "64"]["reason"]
    assert float(cells["baseline", "64"]["device_s"]) > 0
    about = json.loads((outcome.folder / "environment.json").read_text(encoding="utf-8"))
    assert about["cards"][0]["device"] == "cuda:0"
    assert float(cells["baseline", "64"]["queued_s"]) > 0
    assert about["sittings"][0]["device_peak_bytes"]["relu-forward-out-float32-64-cuda"]["queue_relu"] == 4321
    assert_one_at_a_time(tmp_path / "log")


def assert_one_at_a_time(log: Path) -> None:
    """No process begins to use the device while another does."""
    lines = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    spans = sorted((float(line[2]), line[1], line[0]) for line in lines if line[1] in ("begin", "end"))
    assert len({pid for _, _, pid in spans}) > 1, "two arms"
    for (_, first, pid), (_, second, other) in zip(spans[::2], spans[1::2], strict=True):
        assert (first, second, pid) == ("begin", "end", other)


def test_without_a_card_every_row_is_skipped_with_the_reason(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="asks torch for cards")
    if torch.cuda.is_available():
        pytest.skip("there is a card")
    words = {"devices": "cuda:7", "backends": "torch_eager,torch_graph", "isolation": "inline"}
    cells = run_of({**words, "baseline": "torch_eager"}, tmp_path).cells
    assert {row["status"] for row in cells} == {"skipped"}
    reasons = {row["backend"]: row["reason"] for row in cells}
    assert reasons.keys() == {"torch_eager", "torch_graph"}
    assert reasons["torch_eager"].startswith("no CUDA device: torch ")


def test_nothing_of_cuda_is_imported_for_a_cpu(tmp_path: Path) -> None:
    program = (
        "import sys; from bench.arm.server import ArmServer; from kernels import registry\n"
        "from kernels.api import Case\n"
        "s = ArmServer(lambda: registry.load('numba_jit'), 1, 1 << 16); s.load(); s.prepare(Case('relu'))\n"
        "s.batch(10, 0); s.finish()\n"
        "bad = ('pynvml', 'torch', 'jax', 'triton', 'numba.cuda', 'kernels.gpu.cuda_words')\n"
        "print([name for name in bad if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environ(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
