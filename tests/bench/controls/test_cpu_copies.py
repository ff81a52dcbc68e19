"""The ways to copy on a CPU: each moves the right bytes, with the stores and the calls that it is named for."""

from __future__ import annotations

import itertools
import weakref

import numpy as np
import pytest

from bench.controls.arms import CopyPlain, CopyStreaming
from bench.controls.cpu_copies import candidates
from kernels.api import Case
from kernels.backends.numba_tuned import NumbaTuned
from kernels.tuned.loops import Loop, assembly
from kernels.tuned.simd import STREAMING
from tests.copied import arrays_of, bits_of, wanted_of

pytestmark = pytest.mark.slow

DIRECTIONS = ("forward", "backward")
PLACEMENTS = ("new", "out", "inplace")
SIZES = (1, 63, 1000, 40_000)


@pytest.mark.parametrize(
    "streaming",
    [False, pytest.param(True, marks=pytest.mark.skipif(not STREAMING, reason="no streaming stores here"))],
)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(
    ("layout", "dtypes"),
    [
        ("contiguous", ("bfloat16", "float64")),
        ("strided", ("bfloat16",)),
        ("transposed", ("float64",)),
        *(
            pytest.param(layout, ("bfloat16", "float32", "float64"), marks=pytest.mark.daily)
            for layout in ("contiguous", "strided", "transposed")
        ),
    ],
)
def test_every_way_moves_the_same_bits(
    dtypes: tuple[str, ...], streaming: bool, direction: str, placement: str, layout: str
) -> None:
    """The narrowest and the widest, in a layout of their own each; in between is float32, which the gate sees below."""
    control = CopyStreaming() if streaming else CopyPlain()
    tried = 0
    for dtype, n in itertools.product(dtypes, SIZES):
        case = Case("relu", direction, placement, dtype, n, layout)
        if control.why_not(case) is not None:
            continue
        x, dy, out = arrays_of(case)
        x0, dy0 = x.copy(), None if dy is None else dy.copy()
        wanted = wanted_of(case, x, dy)
        assert np.array_equal(bits_of(control.expected(case, x, dy)), wanted)
        for name, call in candidates(case, x, dy, out, streaming).items():
            x[...] = x0
            if dy is not None:
                dy[...] = dy0
            result = call()
            assert result.shape == x.shape
            assert result.dtype == x.dtype
            assert np.array_equal(bits_of(result), wanted), (name, case)
            where = {"new": None, "out": out, "inplace": x if dy is None else dy}[placement]
            assert where is None or np.shares_memory(result, where)
            if where is not x:
                assert np.array_equal(bits_of(x), bits_of(x0)), (name, case)
            if dy is not None and where is not dy:
                assert dy0 is not None
                assert np.array_equal(bits_of(dy), bits_of(dy0)), (name, case)
            tried += 1
    assert tried >= len(dtypes) or control.why_not(
        Case("relu", direction, placement, "float32", 1 << 16, layout)
    )


@pytest.mark.skipif(not STREAMING, reason="no streaming stores here")
@pytest.mark.parametrize(
    ("element", "shape"),
    [
        pytest.param(
            element, shape, marks=() if (element == "xor") == (shape == "pairs") else pytest.mark.daily
        )
        for element, shape in itertools.product(("copy", "xor"), ("line", "pairs", "tiles"))
    ],
)
def test_streaming_and_plain_stores_are_what_they_say(element: str, shape: str) -> None:
    streaming, plain = (assembly(Loop(element, "uint32", shape, each)) for each in (True, False))
    assert "vmovnt" in streaming
    assert "movnt" not in plain
    assert "fence" in streaming or "lock" in streaming


def test_the_call_keeps_its_arrays_alive() -> None:
    case = Case("relu", "backward", "out", n=1000)
    x, dy, out = arrays_of(case)
    assert dy is not None
    alive = weakref.ref(dy)
    wanted = wanted_of(case, x, dy)
    for call in candidates(case, x, dy, out, False).values():
        assert np.array_equal(bits_of(call()), wanted)
    calls = list(candidates(case, x, dy, out, False).values())
    del x, dy, call
    assert alive() is not None
    assert all(np.array_equal(bits_of(call()), wanted) for call in calls)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_usual_way_has_the_threads_of_our_fastest_kernels(direction: str) -> None:
    threads = CopyPlain().set_threads(0)
    for n, wanted in ((64, "serial"), (1 << 20, "parallel" if threads > 1 else "serial")):
        case = Case("relu", direction, "out", n=n)
        assert next(iter(candidates(case, *arrays_of(case), False))) == wanted


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("placement", ["out", "inplace"])
def test_a_copy_is_called_as_our_fastest_kernels_are(direction: str, placement: str) -> None:
    """At 1Ki a tuple that each call builds anew would take as long as the copy."""
    case = Case("relu", direction, placement, n=1024)
    arrays = arrays_of(case)
    kernel, copy = NumbaTuned().bind(case, *arrays), candidates(case, *arrays, False)["serial"]
    assert copy.__code__ is kernel.__code__
