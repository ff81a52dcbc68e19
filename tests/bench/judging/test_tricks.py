"""Every trick is caught and named, by the command that users type; and no honest arm is accused."""

from __future__ import annotations

import inspect
import itertools
import pkgutil
import re
import time
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.arm.worker import server_of
from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from bench.judging import tampering
from bench.judging.activation import ActivationGate
from bench.judging.diagnosis import overlap, trick
from bench.judging.plants import Plants
from bench.machine.clocks import clock
from bench.machine.own_usage import Usage
from bench.messages import (
    ArmRequest,
    Finish,
    Finished,
    Loaded,
    Open,
    Prepare,
    Prepared,
    Probe,
    Sample,
    TimeBatch,
)
from bench.plan.experiments import Arm, Experiment
from bench.records.schema import RUN_FILES
from bench.run.experiment import Limits, run
from bench.run.process import ArmError
from kernels import registry
from kernels.api import CACHES, DATA, DIRECTIONS, DTYPES, LAYOUTS, MAIN_OPS, PLACEMENTS, Case
from kernels.backends.numpy_ufunc import NumpyUfunc
from kernels.numbers import host_arrays
from tests import mutants
from tests.mutants import HonestNumpy
from tests.running import INLINE, Outcome, bench
from tests.tricksters import (
    CAUGHT,
    HARMLESS,
    HONEST_WITHOUT_OUT,
    Hangs,
    ReturnsInput,
    TrustsTheEnds,
    WritesAllOnce,
)

pytestmark = pytest.mark.slow

POSITIVE = (ReturnsInput, TrustsTheEnds)
APART = (Hangs, TrustsTheEnds)
CACHE_BYTES = 1 << 16


def plugged(classes: Sequence[type]) -> list[str]:
    plugins = [part for each in classes for part in ("--plugin", f"tests.tricksters:{each.__name__}")]
    return [*plugins, "--backends", ",".join(["numpy_ufunc", *(each.name for each in classes)])]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def parade(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """All tricksters, at one size into memory of their own and at another into a given array."""
    classes = [each for each in (*CAUGHT, *HARMLESS) if each not in APART]
    return bench(
        tmp_path_factory.mktemp("parade"),
        *plugged(classes),
        *("--ops", "relu", "--directions", "forward", "--placements", "new,out", "--sizes", "64,64Ki"),
        *("-k", "new-float32-64Ki or out-float32-64-", "--benchmark-quiet"),
    )


ONE_CELL = ("--ops", "relu", "--directions", "forward", "--placements", "new", "--sizes", "64Ki")


@pytest.fixture(scope="module")
def positive(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Those that are right as long as the numbers are positive."""
    folder = tmp_path_factory.mktemp("positive")
    return bench(folder, *plugged(POSITIVE), *ONE_CELL, *INLINE, "--data", "positive", "--benchmark-quiet")


def check(outcome: Outcome, trickster: type, count: int) -> None:
    rows = [row for row in outcome.cells if row["backend"] == trickster.name and row["role"] != "twin"]  # type: ignore[attr-defined]
    assert len(rows) == count, outcome.text[-3000:]
    statuses, says = CAUGHT[trickster]
    for row in rows:
        if trickster in HONEST_WITHOUT_OUT and row["placement"] == "new":
            assert row["status"] in ("ok", "noisy"), row["reason"]
            continue
        assert row["status"] in statuses, row
        assert re.search(says, row["reason"]), row["reason"]
        assert row["verdict"] == ""


@pytest.mark.parametrize(
    "trickster", [each for each in CAUGHT if each not in APART], ids=lambda each: each.name
)
def test_trick_is_caught_and_named(parade: Outcome, trickster: type) -> None:
    check(parade, trickster, count=2)


@pytest.mark.parametrize("trickster", POSITIVE, ids=lambda each: each.name)
def test_trick_is_caught_on_positive_numbers(positive: Outcome, trickster: type) -> None:
    check(positive, trickster, count=1)


def test_an_arm_that_hangs_is_caught_and_named(tmp_path: Path) -> None:
    """In a run of its own: others must not be held to its short time limit."""
    alone = ("--plugin", "tests.tricksters:Hangs", "--backends", "hangs", "--baseline", "hangs")
    outcome = bench(tmp_path, *alone, *ONE_CELL, "--cell-timeout", "3", "--benchmark-quiet")
    (row,) = [row for row in outcome.cells if row["role"] == "baseline"]
    statuses, says = CAUGHT[Hangs]
    assert row["status"] in statuses
    assert says in row["reason"]


@pytest.mark.parametrize("odd", HARMLESS, ids=lambda each: each.name)
def test_odd_but_right_is_not_accused(parade: Outcome, odd: type) -> None:
    rows = [row for row in parade.cells if row["backend"] == odd.name]  # type: ignore[attr-defined]
    assert len(rows) == 2
    assert {row["status"] for row in rows} <= {"ok", "noisy"}, [row["reason"] for row in rows]


def test_baseline_and_controls_are_not_disturbed(parade: Outcome) -> None:
    rows = [row for row in parade.cells if row["role"] not in ("candidate", "twin")]
    assert len(rows) == 4 + 5  # where results are allocated, there is one more
    assert {row["status"] for row in rows} <= {"ok", "noisy", "skipped"}, rows


def test_every_wrong_cell_is_a_failed_item(parade: Outcome) -> None:
    wrong = sum(row["status"] not in ("ok", "noisy", "skipped") for row in parade.cells)
    assert parade.code == 1
    assert re.search(rf"\b{wrong} failed\b", parade.text), parade.text[-500:]


def loaded(backend: Any) -> ArmServer:
    server = ArmServer(lambda: backend, 1, CACHE_BYTES)
    server.load()
    return server


def worked(server: ArmServer, case: Case) -> tuple[Prepared, list[Sample], Finished]:
    """What a server makes of its backend in a few batches."""
    prepared = server.prepare(case)
    if prepared.gate.problem:
        return prepared, [], Finished(None, {})
    server.probe(0.0)
    samples = [server.batch(iterations, 0.0) for iterations in (1, 2, 7, 1)]
    return prepared, samples, server.finish()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # the gate has signalling NaNs
@pytest.mark.parametrize("backend", [HonestNumpy, NumpyUfunc])
@pytest.mark.parametrize(("op", "direction"), [*itertools.product(MAIN_OPS, DIRECTIONS)])
def test_honest_work_is_never_accused(backend: type, op: str, direction: str) -> None:
    cases = [
        Case(op, direction, placement, dtype, n)
        for placement, dtype, n in itertools.product(PLACEMENTS, DTYPES, (1, 17, 1000))
    ]
    cases += [
        Case(op, direction, placement, dtype, 640, layout=layout, data=data)
        for placement, dtype, layout, data in itertools.product(
            PLACEMENTS, ("float16", "float32"), LAYOUTS, DATA
        )
    ]
    cases += [
        Case(op, direction, placement, n=640, cache=cache, negative_slope=slope)
        for placement, cache, slope in itertools.product(PLACEMENTS, CACHES, (0.0, 1.5, -0.5, float("nan")))
    ]
    server = loaded(backend())
    for case in cases:
        prepared, samples, finished = worked(server, case)
        assert prepared.gate.problem is None, case
        assert [sample.problem for sample in samples] == [None] * 4, case
        assert finished.problem is None, case
        server.release()


MUTANTS: dict[type[HonestNumpy], tuple[Case, str]] = {
    mutants.DropsNan: (Case("relu", n=1000), "drops NaN"),
    mutants.DropsNanInTail: (Case("relu", n=1023), "drops NaN"),
    mutants.WrongSlopeSign: (Case("leaky_relu", n=1000), "wanted -inf|wrong sign"),
    mutants.IgnoresSlope: (Case("leaky_relu", n=1000, negative_slope=0.2), "ULP"),
    mutants.SkipsTail: (Case("relu", placement="out", n=1023), r"writes only a part \(7 of 1023 unwritten\)"),
    mutants.SkipsLast: (Case("relu", placement="out", n=1000), r"writes only a part \(1 of 1000 unwritten\)"),
    mutants.MutatesInput: (Case("relu", n=1000), "writes into its input x"),
    mutants.PromotesDtype: (Case("relu", n=1000), "changes the dtype: returned float64"),
    mutants.MaxOfBoth: (Case("leaky_relu", n=1000, negative_slope=1.5), "ULP"),
    mutants.MultipliesByMask: (Case("relu", n=1000), "makes NaN"),
    mutants.NarrowSlope: (Case("leaky_relu", dtype="float64", n=1000), "slope rounded to float32"),
    mutants.OffByOneUlp: (Case("leaky_relu", n=1000), "off by 1 ULP"),
    mutants.MixesModels: (Case("leaky_relu", n=1000), "off by 1 ULP"),
    mutants.IgnoresStrides: (Case("relu", n=1000, layout="strided"), "."),
    mutants.LosesInfinity: (Case("relu", n=1000), "loses an infinity"),
    mutants.GradientIgnoresDy: (Case("relu", "backward", n=1000), "."),
    mutants.SharesResult: (Case("relu", n=1000), "returns an earlier result's memory again"),
    mutants.GradientFromOutput: (Case("leaky_relu", "backward", n=1000, negative_slope=-0.5), "."),
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_mutant_does_not_pass_the_gate(mutant: type[HonestNumpy]) -> None:
    case, says = MUTANTS[mutant]
    assert worked(loaded(HonestNumpy()), case)[2].problem is None
    prepared, _, finished = worked(loaded(mutant()), case)
    problem = prepared.gate.problem or finished.problem
    assert problem is not None
    assert re.search(says, problem), problem


def test_a_part_left_out_is_found_where_every_result_has_new_memory() -> None:
    """More than 32 MiB: such memory is zeros, as much of relu's result is."""
    prepared, _, _ = worked(loaded(WritesAllOnce()), Case("relu", n=9 << 20))
    assert prepared.gate.problem is not None
    assert "elements wrong" in prepared.gate.problem


def test_every_mutant_is_tried() -> None:
    found = {
        each for each in vars(mutants).values() if isinstance(each, type) and issubclass(each, HonestNumpy)
    }
    assert found - {HonestNumpy, mutants.Crashes, mutants.Hangs, mutants.Raises} == set(MUTANTS)


def test_gate_leaves_the_inputs_as_they_were() -> None:
    case = Case("leaky_relu", "backward", n=1000, dtype="float16", layout="transposed")
    inputs = InputSource(3).of(case)
    slots = Slots(HonestNumpy(), case, inputs, CACHE_BYTES)
    assert ActivationGate(slots).before().problem is None
    again = InputSource(3).of(case)
    for was, array in ((again.x, inputs.x), (again.dy, inputs.dy), (again.x, slots.ring[0].x)):
        assert was is not None
        assert array is not None
        assert was.tobytes() == array.tobytes()


def test_plants_are_other_elements_each_time_and_are_taken_out_again() -> None:
    case = Case("relu", n=4096)
    inputs = InputSource(5).of(case)
    slot = Slots(HonestNumpy(), case, inputs, CACHE_BYTES).ring[0]
    plants, places, with_ends = Plants(case, inputs), set(), 0
    for _ in range(40):
        plants.change()
        plants.put(slot)
        changed = np.flatnonzero(slot.x != inputs.x)
        assert changed.size <= len(plants.x) <= 64
        assert set(changed) <= set(plants.index[0])
        places.update(changed.tolist())
        with_ends += {0, 4095} <= set(plants.index[0])
        flipped = np.sign(slot.x) - np.sign(inputs.x)
        assert np.count_nonzero(flipped) > 0
        assert flipped.sum() == 0  # as many each way
    assert len(places) > 1000
    assert 5 < with_ends < 35


def test_plants_see_a_result_that_is_not_of_now() -> None:
    case = Case("relu", n=4096)
    inputs = InputSource(6).of(case)
    slot = Slots(HonestNumpy(), case, inputs, CACHE_BYTES).ring[0]
    plants = Plants(case, inputs)
    plants.change()
    plants.put(slot)
    right = slot.call()
    assert plants.problem(lambda: right) is None
    plants.change()
    plants.put(slot)
    assert "returns an earlier result again" in (plants.problem(lambda: right) or "")
    assert plants.problem(slot.call) is None


def test_only_in_a_controls_role_says_an_arm_itself_what_to_expect() -> None:
    from bench.controls.arms import CopyPlain

    case = Case("relu", n=64)
    for control in (True, False):
        server = ArmServer(CopyPlain, 1, CACHE_BYTES, control=control)
        server.load()
        assert (server.prepare(case).gate.problem is None) is control


class Impostor(HonestNumpy):
    """Takes a control's name, and says what to expect of it."""

    name = "copy_plain"

    def expected(self, case: Case, x: np.ndarray, dy: np.ndarray | None) -> None:
        """Anything."""


def test_the_role_comes_from_the_coordinator(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a plugin that takes a control's name is none, nor does a control serve as a candidate."""
    monkeypatch.setattr(registry, "_plugins", {})
    monkeypatch.setattr(registry, "_loaded", {})
    opened = {
        role: server_of(Open("copy_plain", role, {"copy_plain": f"{__name__}:Impostor"}, 1, CACHE_BYTES))
        for role in ("ceiling", "candidate")
    }
    assert {role: type(server.backend).__name__ for role, server in opened.items()} == {
        "ceiling": "CopyPlain",
        "candidate": "Impostor",
    }


@pytest.mark.parametrize(
    "name",
    [
        "time.perf_counter",
        "bench.arm.timed_loop.timed",
        "bench.arm.workload.workload_of",
        "bench.arm.device_clock.steady",
        "bench.judging.plants.Plants.problem",
        "kernels.api.Case.itemsize",  # a property
        "kernels.correctness.notes.take_notes",
        "kernels.correctness.policy.judge",
        "kernels.gpu.card.Card.mark",
        "kernels.numbers.data._FILLERS",  # a constant
        "kernels.numbers.floats.Format.tiny",  # a cached property
    ],
)
def test_replacing_a_judge_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tampering.snapshot()
    assert tampering.replaced(before) is None
    monkeypatch.setattr(name, lambda *_: None)
    assert tampering.replaced(before) == name


def test_a_library_that_looks_up_the_time_zone_replaces_no_clock() -> None:
    """As pandas does when it is imported, which a function's file may do."""
    before = tampering.snapshot()
    watch = tampering.Watch(before)
    time.tzset()
    assert watch.replaced() is None
    assert tampering.replaced(before) is None


def _code(name: str) -> FunctionType:
    """The function behind a dotted name, out of what wraps it."""
    found: Any = pkgutil.resolve_name(name)
    found = (
        found.fget
        if isinstance(found, property)
        else found.func
        if isinstance(found, cached_property)
        else found
    )
    function = inspect.unwrap(found)
    assert isinstance(function, FunctionType)
    return function


@pytest.mark.parametrize(
    "name",
    [
        "bench.arm.timed_loop.without_gc",  # wrapped by contextmanager
        "bench.arrays.shared_inputs._fill",
        "bench.judging.plants.share_memory",
        "bench.judging.plants.Plants.change",
        "bench.machine.memory.free_bytes",
        "kernels.api.Case.itemsize",
        "kernels.correctness.notes.take_notes",
        "kernels.networks.weights._drawn",  # wrapped by lru_cache
        "kernels.numbers.data.fill",
        "kernels.numbers.floats.Format.tiny",
        "kernels.numbers.floats.bits",
    ],
)
@pytest.mark.parametrize("part", ["__code__", "__defaults__"])
def test_replacing_a_judges_code_is_seen(name: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tampering.snapshot()
    monkeypatch.setattr(_code(name), part, (lambda *_: None).__code__ if part == "__code__" else (None,))
    assert tampering.replaced(before) == name


class SlowClock:
    """A pool whose workers' clock runs at a tenth of the speed."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def open(self, arms: Sequence[Arm], threads: int) -> dict[Arm, Loaded | ArmError]:
        return {arm: Loaded(0.0, "3.11.7", {}) for arm in arms}

    def call(self, arm: Arm, request: ArmRequest[Any]) -> Any:
        assert isinstance(request, TimeBatch)
        began = clock()
        time.sleep(0.001)
        ended = began + (clock() - began) * self.factor
        seconds = ended - began
        return Sample(seconds / 2, (seconds / 2,), 2, began, ended, 0.0, 0.0, Usage(0.0, 0), 0.0, None)

    def call_all(self, arms: Sequence[Arm], request: ArmRequest[Any]) -> list[Any]:
        answers = {Prepare: Prepared(), Probe: 1e-3, Finish: Finished(None, {})}
        return [answers.get(type(request)) for _ in arms]

    def compile(self, case: Case, arms: Sequence[Arm]) -> dict[Arm, Prepared]:
        return {}

    def renew(self, arms: Sequence[Arm], compiled: Collection[Arm]) -> list[Arm]:
        return []

    def pid(self, arm: Arm) -> int:
        return 0

    def trim(self) -> None:
        """Nothing to let go of."""

    def close(self) -> None:
        """Nothing to end."""


@pytest.mark.parametrize(("factor", "believed"), [(1.0, True), (10.0, False), (0.0, False), (-1.0, False)])
def test_a_clock_that_contradicts_the_machines_is_not_believed(factor: float, believed: bool) -> None:
    limits = Limits(seconds=0, batch_s=0.001, warm_s=0, max_rounds=2)
    (state,) = run(
        Experiment(Case("relu"), (Arm("a", "baseline"),)), SlowClock(factor), limits, seed=0
    ).states
    if believed:
        assert state.failure is None
        assert len(state.batches) == 2
    else:
        assert state.failure is not None
        assert state.failure[0] == "mistrusted"
        assert "its clock is not the machine's" in state.failure[1]


def test_overlap_sees_shared_bytes_and_not_neighbours() -> None:
    memory = np.zeros(100, np.float32)
    assert not overlap([memory[:50], memory[50:], np.zeros(100)])
    assert overlap([memory[:51], np.zeros(9), memory[50:]])
    assert overlap([memory, memory])


def test_folder_of_the_parade_has_nothing_but_its_files(parade: Outcome) -> None:
    """Megabytes of chatter go nowhere."""
    names = {path.name: path.stat().st_size for path in Path(parade.folder).iterdir()}
    assert set(names) == set(RUN_FILES)
    assert "chatter" not in parade.text


@pytest.mark.parametrize(
    ("written", "says"),
    [(0, "writes nothing: "), (8, "writes nothing: "), (9, "writes only a part (991 of 1000 ")],
)
def test_what_an_allocator_leaves_in_a_free_block_is_not_written_by_the_arm(written: int, says: str) -> None:
    x = np.linspace(1, 2, 1000, dtype=np.float32)
    result = np.empty_like(x)
    host_arrays.poison(result)
    result[:written] = 0  # 32 bytes are glibc's
    assert trick(Case("relu", n=1000), (x, None), [], lambda: result, "wrong").startswith(says)
