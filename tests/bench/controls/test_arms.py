"""The control arms: they move the right bytes, the way that the case says, and pass the harness's own gate."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from bench.controls.arms import CONTROLS, CopyPlain, CopyStreaming, EmptyCall
from bench.controls.cpu_copies import candidates
from bench.controls.pick_fastest import Race
from bench.judging.activation import ActivationGate
from bench.machine.clocks import clock
from kernels.api import Backend, Case
from kernels.numbers import host_arrays
from kernels.registry import instantiate
from kernels.tuned.loops import Loop, assembly
from kernels.tuned.simd import STREAMING

DIRECTIONS = ("forward", "backward")
PLACEMENTS = ("new", "out", "inplace")
SIZES = (1, 63, 1000, 40_000)


def _bits(array: np.ndarray) -> np.ndarray:
    return array.view(f"u{array.itemsize}")


def _arrays(case: Case) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    inputs = InputSource(3).of(case)
    out = None
    if case.placement == "out":
        out = host_arrays.output_array(case)
        host_arrays.poison(out)
    return inputs.x, inputs.dy, out


def _wanted(case: Case, x: np.ndarray, dy: np.ndarray | None) -> np.ndarray:
    """What the module's text promises, said once more in NumPy."""
    if dy is not None:
        return _bits(x) ^ _bits(dy)
    if case.placement == "inplace":
        return _bits(x) ^ _bits(np.array(-0.0, x.dtype))
    return _bits(x).copy()


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_backends_under_their_own_name(name: str) -> None:
    control = instantiate(CONTROLS[name])
    assert isinstance(control, Backend)
    assert control.name == name
    assert control.set_threads(1) == 1
    assert control.set_threads(0) >= 1
    assert control.versions()["numba"]
    elsewhere = str(control.why_not(Case("relu", device="cuda:99")))  # no machine has so many cards
    assert "no CUDA device" in elsewhere or "CPUs; copy_plain shows the card's limit" in elsewhere


@pytest.mark.parametrize(
    "streaming",
    [False, pytest.param(True, marks=pytest.mark.skipif(not STREAMING, reason="no streaming stores here"))],
)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("layout", ["contiguous", "strided", "transposed"])
def test_every_way_moves_the_same_bits(streaming: bool, direction: str, placement: str, layout: str) -> None:
    control = CopyStreaming() if streaming else CopyPlain()
    tried = 0
    for dtype, n in itertools.product(("bfloat16", "float32", "float64"), SIZES):
        case = Case("relu", direction, placement, dtype, n, layout)
        if control.why_not(case) is not None:
            continue
        x, dy, out = _arrays(case)
        x0, dy0 = x.copy(), None if dy is None else dy.copy()
        wanted = _wanted(case, x, dy)
        assert np.array_equal(_bits(control.expected(case, x, dy)), wanted)
        for name, call in candidates(case, x, dy, out, streaming).items():
            x[...] = x0
            if dy is not None:
                dy[...] = dy0
            result = call()
            assert result.shape == x.shape
            assert result.dtype == x.dtype
            assert np.array_equal(_bits(result), wanted), (name, case)
            where = {"new": None, "out": out, "inplace": x if dy is None else dy}[placement]
            assert where is None or np.shares_memory(result, where)
            if where is not x:
                assert np.array_equal(_bits(x), _bits(x0)), (name, case)
            if dy is not None and where is not dy:
                assert np.array_equal(_bits(dy), _bits(dy0)), (name, case)
            tried += 1
    assert tried >= 3 or control.why_not(Case("relu", direction, placement, "float32", 1 << 16, layout))


def test_results_of_new_are_apart() -> None:
    case = Case("relu", n=4096)
    x, _, _ = _arrays(case)
    call = CopyPlain().compile(case, x, None, None)
    first, second = call(), call()
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(first, x)


@pytest.mark.skipif(not STREAMING, reason="no streaming stores here")
def test_streaming_and_plain_stores_are_what_they_say() -> None:
    for element, shape in itertools.product(("copy", "xor"), ("line", "pairs", "tiles")):
        assert "vmovnt" in assembly(Loop(element, "uint32", shape, True)), (element, shape)
        assert "movnt" not in assembly(Loop(element, "uint32", shape, False)), (element, shape)
        assert "fence" in assembly(Loop(element, "uint32", shape, True)) or "lock" in assembly(
            Loop(element, "uint32", shape, True)
        )


@pytest.mark.skipif(not STREAMING, reason="no streaming stores here")
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (Case("relu", n=8), "too small"),
        (Case("relu", n=4096, layout="strided", placement="inplace"), "every second element"),
        (Case("relu", n=61 * 67, layout="transposed", placement="out"), "rows of the target"),
    ],
)
def test_streaming_says_why_not(case: Case, reason: str) -> None:
    assert reason in str(CopyStreaming().why_not(case))
    assert CopyPlain().why_not(case) is None


@pytest.mark.parametrize(
    "control", [CopyPlain(), CopyStreaming(), EmptyCall()], ids=lambda control: control.name
)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("cache", ["hot", "cold"])
def test_the_gate_lets_them_pass(control: Any, direction: str, placement: str, cache: str) -> None:
    case = Case("leaky_relu", direction, placement, n=5000, cache=cache)
    slots = Slots(control, case, InputSource(1).of(case), cache_bytes=1 << 16)
    slots.grow()
    assert ActivationGate(slots).before().problem is None


def test_an_empty_call_does_nothing() -> None:
    for placement in PLACEMENTS:
        case = Case("relu", placement=placement, n=100)
        x, _, out = _arrays(case)
        before = _bits(x).copy()
        result = EmptyCall().compile(case, x, None, out)()
        assert np.array_equal(_bits(x), before)
        assert result.shape == x.shape
        assert out is None or host_arrays.is_poison(out).all()
        assert np.shares_memory(result, x) == (placement == "inplace")
        assert EmptyCall().expected(case, x, None) is None


def test_the_call_keeps_its_arrays_alive() -> None:
    case = Case("relu", "backward", "out", n=1000)
    x, dy, out = _arrays(case)
    assert dy is not None
    alive = weakref.ref(dy)
    wanted = _wanted(case, x, dy)
    for call in candidates(case, x, dy, out, False).values():
        assert np.array_equal(_bits(call()), wanted)
    calls = list(candidates(case, x, dy, out, False).values())
    del x, dy, call
    assert alive() is not None
    assert all(np.array_equal(_bits(call()), wanted) for call in calls)


def _ways(log: list[str], durations: dict[str, int]) -> dict[str, Callable[[], None]]:
    def way(name: str, spins: int) -> Callable[[], None]:
        def call() -> None:
            log.append(name)
            for _ in range(spins):
                pass

        return call

    return {name: way(name, spins) for name, spins in durations.items()}


def test_a_race_is_won_by_the_fastest_and_remembered() -> None:
    log: list[str] = []
    race = Race()
    ways = _ways(log, {"slow": 200_000, "fast": 200, "middling": 20_000})
    race.winner("key", ways)
    assert log[-1] == "fast"
    log.clear()
    race.winner("key", ways)()
    assert log == ["fast", "fast"]  # decided: executed once, then handed over
    assert "key" in race
    assert "another" not in race


def test_a_way_whose_threads_have_to_be_woken_wins_by_its_calls_in_a_row() -> None:
    """As in a batch: only the first two calls after another way's pay."""
    log: list[str] = []

    def way(name: str, first_s: float, next_s: float) -> Callable[[], None]:
        def call() -> None:
            until = clock() + (next_s if log[-2:] == [name, name] else first_s)
            log.append(name)
            while clock() < until:
                pass

        return call

    Race().winner("key", {"serial": way("serial", 9e-5, 9e-5), "parallel": way("parallel", 2e-4, 1e-5)})
    assert log[-1] == "parallel"


@pytest.mark.parametrize("disturbed_s", [0.3, 100.0])
def test_a_race_goes_on_until_ways_with_threads_are_undisturbed(
    monkeypatch: pytest.MonkeyPatch, disturbed_s: float
) -> None:
    """Others work for longer than a race takes, and the parallel way waits for a CPU."""
    waited = [0.0]
    begin = clock()

    def parallel() -> None:
        start = clock()
        late = start - begin < disturbed_s
        while clock() - start < (8e-4 if late else 5e-5):
            pass
        waited[0] += 7e-4 * late

    def serial() -> None:
        start = clock()
        while clock() - start < 1e-4:
            pass

    monkeypatch.setattr("bench.controls.pick_fastest.waited_s", lambda: waited[0])
    ways: dict[str, Callable[[], None]] = {"serial": serial, "parallel": parallel}
    winner = Race().winner("key", ways)
    assert winner is ways["parallel" if disturbed_s < 1 else "serial"]
    assert clock() - begin > min(disturbed_s, 1.5)


def test_keys_are_decided_apart_and_cold_races_flush() -> None:
    race = Race()
    log: list[str] = []
    race.winner(1, _ways(log, {"a": 10, "b": 10_000}), cold=True)
    race.winner(2, _ways(log, {"a": 10_000, "b": 10}))
    assert log[-1] == "b"


def test_a_second_compile_does_not_race_again(monkeypatch: pytest.MonkeyPatch) -> None:
    control, case = CopyPlain(), Case("relu", placement="out", n=50_000)
    assert not control.raced(case)
    control.compile(case, *_arrays(case))
    assert control.raced(replace(case, op="leaky_relu"))
    assert not control.raced(replace(case, direction="backward"))
    monkeypatch.setattr(Race, "_run", lambda *_: pytest.fail("raced again"))
    x, dy, out = _arrays(case)
    call = control.compile(case, x, dy, out)
    assert out is not None
    assert np.array_equal(_bits(call()), _bits(x))
