"""The control arms: they move the right bytes, the way that the case says, and pass the harness's own gate."""

from __future__ import annotations

import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from bench.controls.arms import CONTROLS, CopyAllocating, CopyPlain, CopyStreaming, EmptyCall
from bench.controls.pick_fastest import Race
from bench.controls.results import Results
from bench.judging.activation import ActivationGate
from kernels.api import Backend, Case
from kernels.numbers import host_arrays
from kernels.plugins import instantiate
from kernels.tuned.simd import STREAMING
from tests.copied import arrays_of, bits_of, wanted_of
from tests.running import ROOT, environ
from tests.standin import QueueRelu

pytestmark = pytest.mark.slow

DIRECTIONS = ("forward", "backward")
PLACEMENTS = ("new", "out", "inplace")
SIZES = (1, 63, 1000, 40_000)


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_backends_under_their_own_name(name: str) -> None:
    control = instantiate(CONTROLS[name])
    assert isinstance(control, Backend)
    assert control.name == name
    assert control.set_threads(1) == 1
    assert control.set_threads(0) >= 1
    assert control.versions()["numba"]
    elsewhere = str(control.why_not(Case("relu", device="cuda:99")))  # no machine has so many cards
    without = [] if find_spec("torch") else ["torch_eager is not installed"]
    reasons = ("no CUDA device", "CPUs; copy_plain shows the card's limit", *without)
    assert any(reason in elsewhere for reason in reasons), elsewhere


def test_results_of_new_are_apart_where_they_are_allocated() -> None:
    case = Case("relu", n=4096)
    x, _, _ = arrays_of(case)
    call = CopyAllocating().compile(case, x, None, None)
    first, second = call(), call()
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(first, x)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    ("layout", "cache"),
    [
        *((layout, "hot") for layout in ("contiguous", "strided", "transposed")),
        ("contiguous", "cold"),
        *(pytest.param(layout, "cold", marks=pytest.mark.daily) for layout in ("strided", "transposed")),
    ],
)
def test_a_ceiling_never_allocates(direction: str, layout: str, cache: str) -> None:
    case = Case("relu", direction, "new", n=4096, layout=layout, cache=cache)
    x, dy, _ = arrays_of(case)
    control = CopyPlain()
    call = control.compile(case, x, dy, None)
    first = call()
    assert call() is first
    assert first.strides == np.empty_like(x).strides
    assert not any(np.shares_memory(first, each) for each in (x, dy) if each is not None)
    assert np.array_equal(bits_of(first), wanted_of(case, x, dy))


def test_where_a_ceiling_writes_moves_with_the_inputs() -> None:
    case = Case("relu", n=4096)
    slots = Slots(CopyPlain(), case, InputSource(1).of(case), cache_bytes=1 << 16)
    places = set()
    for _ in range(20):
        slots.move()
        places.add(slots.ring[0].call().ctypes.data % 4096)
    assert len(places) > 5


def test_what_a_ceiling_writes_into_goes_with_its_calls() -> None:
    results, case = Results(), Case("relu", n=1 << 20, cache="cold")
    x = host_arrays.host_array(case)
    first = results.like(x, case)
    same, alive = results.like(x, case) is first, weakref.ref(first)
    assert same
    del first
    assert alive() is None


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
    "control", [CopyPlain(), CopyStreaming(), CopyAllocating(), EmptyCall()], ids=lambda control: control.name
)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("cache", ["hot", "cold"])
def test_the_gate_lets_them_pass(control: Any, direction: str, placement: str, cache: str) -> None:
    case = Case("leaky_relu", direction, placement, n=5000, cache=cache)
    if isinstance(control, CopyAllocating) and placement != "new":
        assert "nothing is allocated here" in str(control.why_not(case))
        return
    slots = Slots(control, case, InputSource(1).of(case), cache_bytes=1 << 16)
    slots.grow()
    assert ActivationGate(slots, control.expected).before().problem is None


def test_an_empty_call_does_nothing() -> None:
    for placement in PLACEMENTS:
        case = Case("relu", placement=placement, n=100)
        x, _, out = arrays_of(case)
        before = bits_of(x).copy()
        result = EmptyCall().compile(case, x, None, out)()
        assert np.array_equal(bits_of(x), before)
        assert result.shape == x.shape
        assert out is None or host_arrays.is_poison(out).all()
        assert np.shares_memory(result, x) == (placement == "inplace")
        expected: Callable[..., object] = EmptyCall().expected
        assert expected(case, x, None) is None


def test_nothing_of_numba_for_the_cpu_is_imported_for_a_card() -> None:
    program = """
import sys
from types import SimpleNamespace
from bench.arm.server import ArmServer
from bench.controls import arms, gpu
from kernels.api import Case
from tests.standin import QueueRelu
gpu.side_of = lambda device: SimpleNamespace(backend=QueueRelu(), like=None, copy=None)
case = Case("relu", placement="out", n=64, device="cuda")
server = ArmServer(arms.EmptyCall, 1, 1 << 16, control=True)
server.load()
assert server.prepare(case).skip is None
server.batch(3, 0)
copy = arms.CopyPlain()
assert copy.why_not(case) is None and not copy.raced(case)
print([name for name in ("numba", "torch", "kernels.tuned.loops") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environ(), capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_second_compile_does_not_race_again(monkeypatch: pytest.MonkeyPatch) -> None:
    control, case = CopyPlain(), Case("relu", placement="out", n=50_000)
    assert not control.raced(case)
    control.compile(case, *arrays_of(case))
    assert control.raced(replace(case, op="leaky_relu"))
    assert control.raced(replace(case, placement="new"))  # into memory that is there: the same copy
    assert not control.raced(replace(case, placement="new", cache="cold"))
    assert not control.raced(replace(case, placement="inplace"))
    assert not control.raced(replace(case, direction="backward"))
    monkeypatch.setattr(Race, "_run", lambda *_: pytest.fail("raced again"))
    x, dy, out = arrays_of(case)
    call = control.compile(case, x, dy, out)
    assert out is not None
    assert np.array_equal(bits_of(call()), bits_of(x))


def test_on_a_card_too_only_one_copy_allocates(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def ways(case: Case, x: object, dy: object, out: object) -> dict[str, Callable[[], None]]:
        told.append((case.placement, out))
        return {"only": lambda: None}

    side = SimpleNamespace(backend=QueueRelu(), like=lambda x: "there already", copies=ways)
    monkeypatch.setattr("bench.controls.gpu.side_of", lambda device: side)
    case = Case("relu", n=64, device="cuda")
    for control in (CopyPlain(), CopyAllocating()):
        assert control.why_not(case) is None
        control.compile(case, "x", None, None)
    assert told == [("out", "there already"), ("new", None)]
