"""ReLU and LeakyReLU that keep a bit an element for their gradient."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from kernels.api import Case
from kernels.correctness import policy
from kernels.numbers import host_arrays
from kernels.tuned.bind import Mode
from kernels.tuned.mask import backward_mask, forward_mask, mask_bytes
from kernels.tuned.simd import STREAMING

pytestmark = pytest.mark.slow

DTYPES = ("float16", "bfloat16", "float32", "float64")
MODES = {
    "serial": (Mode(), False),
    "parallel": (Mode(2), False),
    "streaming chunks": (Mode(3, 512), True),
    "streaming": (Mode(), True),
}


def _mixed(n: int, dtype: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    array = host_arrays.aligned_empty(n, host_arrays.np_dtype(dtype))
    array[...] = rng.standard_normal(n).astype(array.dtype)
    special = host_arrays.specials(dtype)
    where = rng.random(n) < 0.25
    array[where] = special[rng.integers(0, special.size, int(where.sum()))]
    return array


@pytest.mark.parametrize(
    ("op", "mode"),
    [
        pytest.param(
            op, mode, marks=pytest.mark.daily if op == "relu" and name != "serial" else (), id=f"{op}-{name}"
        )
        for op in ("relu", "leaky_relu")
        for name, mode in MODES.items()
    ],
)  # relu walks memory as leaky_relu does
@pytest.mark.parametrize("dtype", DTYPES)
def test_forward_and_backward(
    mode: tuple[Mode, bool], op: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode[1] and not STREAMING:
        pytest.skip("no streaming stores here")
    monkeypatch.setattr("kernels.tuned.mask.choose", lambda *_: mode)
    slope = 0.0 if op == "relu" else 0.2
    for n in (0, 1, 7, 8, 9, 31, 32, 33, 64, 127, 1023, 3000):
        x, dy = _mixed(n, dtype, n), _mixed(n, dtype, n + 1)
        y, dx = host_arrays.aligned_empty(n, x.dtype), host_arrays.aligned_empty(n, x.dtype)
        bits = np.full(mask_bytes(n) + 1, 0xA5, np.uint8)
        assert forward_mask(x, y, bits, op, slope) is y
        case = Case(op, "forward", "out", dtype, n, negative_slope=slope)
        assert policy.judge(case, x, None, y).problem is None
        with np.errstate(invalid="ignore"):
            passes = (x > 0) | (np.isnan(x) if op == "relu" else False)
        assert np.array_equal(bits[:-1], np.packbits(passes, bitorder="little")), n
        assert bits[-1] == 0xA5
        kept = bits.copy()
        assert backward_mask(dy, bits, dx, op, slope) is dx
        assert np.array_equal(bits, kept)
        case = Case(op, "backward", "out", dtype, n, negative_slope=slope)
        judged = policy.judge(case, x, dy, dx)
        assert judged.problem is None, judged.problem


def test_in_place_and_of_any_shape() -> None:
    x, dy = _mixed(1001, "float32", 1).reshape(7, 11, 13), _mixed(1001, "float32", 2).reshape(7, 11, 13)
    x0, dy0 = x.copy(), dy.copy()
    bits = np.empty(mask_bytes(x.size), np.uint8)
    forward_mask(x, x, bits, "leaky_relu", 0.1)
    backward_mask(dy, bits, dy, "leaky_relu", 0.1)
    assert policy.judge(Case("leaky_relu", n=1001, negative_slope=0.1), x0, None, x).problem is None
    case = Case("leaky_relu", "backward", n=1001, negative_slope=0.1)
    assert policy.judge(case, x0, dy0, dy).problem is None


def test_a_start_off_the_line_is_served() -> None:
    x, y = _mixed(2003, "float32", 1)[3:], host_arrays.aligned_empty(2003, np.float32)[3:]
    bits = np.empty(mask_bytes(2000) + 1, np.uint8)[1:]
    forward_mask(x, y, bits, "relu")
    assert np.array_equal(np.unpackbits(bits, bitorder="little")[:2000], (x > 0) | np.isnan(x))


def test_the_bits_take_a_thirty_second_of_float32() -> None:
    assert mask_bytes(1 << 20) * 32 == (1 << 20) * 4
    assert [mask_bytes(n) for n in (0, 1, 8, 9)] == [0, 1, 1, 2]


_X, _BITS = np.ones(16, np.float32), np.zeros(2, np.uint8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((_X, np.ones(8, np.float32), _BITS, "relu"), "have to agree"),
        ((_X, np.ones(16), _BITS, "relu"), "have to agree"),
        ((_X, _X.copy(), _BITS[:1], "relu"), "at least 2"),
        ((_X, _X.copy(), _BITS.astype(np.int8), "relu"), "uint8"),
        ((np.ones(32, np.float32)[::2], _X.copy(), _BITS, "relu"), "x is not a C-contiguous"),
        ((_X, _X.copy(), _BITS, "gelu"), "allowed: relu, leaky_relu"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        forward_mask(*arguments)


def test_read_only_targets_and_other_dtypes_are_refused() -> None:
    frozen = _X.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        forward_mask(_X, frozen, _BITS, "relu")
    with pytest.raises(TypeError, match="float16, bfloat16"):
        forward_mask(np.ones(16, np.int32), np.ones(16, np.int32), _BITS, "relu")


def test_modes_agree_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    x = _mixed(5000, "float32", 9)
    results = []
    for mode in MODES.values():
        if mode[1] and not STREAMING:
            continue
        monkeypatch.setattr("kernels.tuned.mask.choose", lambda *_, mode=mode: mode)
        y, bits = host_arrays.aligned_empty(5000, np.float32), np.empty(mask_bytes(5000), np.uint8)
        forward_mask(x, y, bits, "leaky_relu", 0.01)
        results.append((y.view(np.uint32), bits))
    for one, other in itertools.pairwise(results):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])
