"""Distances in representable values, against a list of all the values there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.api import DTYPES
from kernels.numbers.floats import FORMATS, is_nan
from kernels.numbers.host_arrays import np_dtype
from kernels.numbers.ulp import same_bits, ulp_distance


def every_pattern(dtype: str) -> np.ndarray:
    return np.arange(1 << 16, dtype=np.uint16).view(np_dtype(dtype))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_all_16_bit_values_are_one_apart_from_their_neighbours(dtype: str) -> None:
    values = every_pattern(dtype)
    values = values[~is_nan(values)]
    values = values[np.argsort(values.astype(np.float64), kind="stable")]
    apart = ulp_distance(values[1:], values[:-1])
    same = values[1:].astype(np.float64) == values[:-1].astype(np.float64)
    assert same.sum() == 1  # +0 and -0
    assert (apart[same] == 0).all()
    assert (apart[~same] == 1).all()
    assert ulp_distance(values[:1], values[-1:])[0] == values.size - 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_named_distances(dtype: str) -> None:
    form = FORMATS[dtype]

    def value(word: int) -> np.ndarray:
        return np.array([word], form.unsigned).view(form.dtype)

    def apart(a: int, b: int) -> float:
        assert ulp_distance(value(a), value(b)) == ulp_distance(value(b), value(a))
        return float(ulp_distance(value(a), value(b))[0])

    inf, minus, nan = form.infinity, form.sign, form.infinity | form.quiet
    assert apart(0, minus) == 0
    assert apart(1, minus | 1) == 2
    assert apart(inf, inf - 1) == 1
    assert apart(inf, minus | inf) == float(2 * inf)
    assert apart(form.smallest_normal, form.smallest_normal - 1) == 1
    assert apart(nan, minus | nan | 1) == 0
    assert apart(nan, 0) == apart(minus | nan, inf) == np.inf


@given(st.floats(width=32, allow_nan=False), st.integers(0, 200))
def test_float32_distance_counts_nextafter(start: float, steps: int) -> None:
    a = b = np.float32(start)
    for _ in range(steps):
        with np.errstate(over="ignore"):  # the neighbour of the largest number is inf, and NumPy says so
            b = np.nextafter(b, np.float32(np.inf))
    missing = steps if b < np.inf else int(ulp_distance(np.array(a), np.array(b)))
    assert ulp_distance(np.array(a), np.array(b)) == missing
    assert missing <= steps


def test_float64_distance_is_exact_up_to_the_whole_range() -> None:
    top = np.array(np.finfo(float).max)
    assert float(ulp_distance(top, -top)) == 2.0 * int(top.view(np.uint64))
    a = np.array(1.0)
    assert float(ulp_distance(a, np.array(1.0 + 2**-52 * 12345))) == 12345


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_shape_is_kept(dtype: str, shape: tuple[int, ...]) -> None:
    a = np.ones(shape, np_dtype(dtype))
    assert ulp_distance(a, a).shape == shape
    assert ulp_distance(a, a).dtype == np.float64
    assert ulp_distance(a[..., None][..., ::-1], a[..., None]).shape == (*shape, 1)
    assert same_bits(a, a.copy())


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(TypeError, match="dtypes are float32 and float64; they must be the same"):
        ulp_distance(np.ones(3, np.float32), np.ones(3))
    with pytest.raises(TypeError, match="dtype is int64; allowed: float16"):
        ulp_distance(np.ones(3, int), np.ones(3, int))
    with pytest.raises(ValueError, match="nothing is broadcast"):
        ulp_distance(np.ones(3), np.ones(1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_sees_zero_signs_payloads_and_shapes(dtype: str) -> None:
    form = FORMATS[dtype]
    words = np.array([0, form.infinity | form.quiet, 5], form.unsigned)
    a = words.view(form.dtype)
    assert same_bits(a, words.copy().view(form.dtype))
    for index, word in ((0, form.sign), (1, form.infinity | form.quiet | 1), (2, 4)):
        other = words.copy()
        other[index] = word
        assert not same_bits(a, other.view(form.dtype))
    assert not same_bits(a, a.reshape(3, 1))
    assert not same_bits(a, a[:2])
    assert not same_bits(np.ones(2, np.float32), np.ones(2, np.float64))
    assert same_bits(np.tile(a, (1000, 100)), np.tile(a, (1000, 100)).T.copy().T)
