"""Host memory: alignment, layouts, contents, and the mark for what nobody has written."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.api import DATA, DTYPES, LAYOUTS, Case
from kernels.numbers import host_arrays
from kernels.numbers.floats import FORMATS, bits, blocks, flat_index, is_nan

SIGNED_KINDS = ("normal", "alternating", "subnormal")


def made(kind: str, dtype: str, n: int, layout: str = "contiguous", seed: int = 1) -> np.ndarray:
    array = host_arrays.host_array(Case("relu", dtype=dtype, n=n, layout=layout))
    host_arrays.fill(array, kind, seed)
    return array


def in_memory_order(array: np.ndarray) -> np.ndarray:
    return array.T.reshape(-1).astype(np.float64)


@given(st.lists(st.integers(0, 9), max_size=4), st.sampled_from(DTYPES))
def test_aligned_empty_is_aligned_contiguous_and_writable(shape: list[int], dtype: str) -> None:
    array = host_arrays.aligned_empty(tuple(shape), host_arrays.np_dtype(dtype))
    assert array.ctypes.data % host_arrays.ALIGNMENT == 0
    assert array.flags.c_contiguous
    assert array.shape == tuple(shape)
    array[...] = 1
    assert (array == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 2, 7, 12, 97, 1024, 3 * 1031])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_host_array_has_the_layout_and_output_its_shape(layout: str, n: int, dtype: str) -> None:
    case = Case("relu", dtype=dtype, n=n, layout=layout)
    array, out = host_arrays.host_array(case), host_arrays.output_array(case)
    assert array.size == n
    assert array.dtype == out.dtype == host_arrays.np_dtype(dtype)
    assert array.ctypes.data % 64 == out.ctypes.data % 64 == 0
    assert out.shape == array.shape
    assert out.flags.c_contiguous
    if layout == "transposed":
        assert array.T.flags.c_contiguous
        columns, rows = array.shape
        assert rows == min(
            (d for d in range(1, n + 1) if n % d == 0), key=lambda d: abs(d - math.sqrt(n)), default=1
        )
        assert rows * columns == n
        return
    assert array.shape == (n,)
    if n:
        assert array.strides == (array.itemsize * (2 if layout == "strided" else 1),)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", DATA)
def test_fill_depends_on_seed_alone(kind: str, dtype: str) -> None:
    first, again = made(kind, dtype, 1000, seed=3), made(kind, dtype, 1000, seed=3)
    assert (bits(first) == bits(again)).all()
    assert (bits(first) != bits(made(kind, dtype, 1000, seed=4))).any()
    strided = made(kind, dtype, 1000, "strided", seed=3)
    assert (bits(first) == bits(strided)).all()
    assert (bits(first) == bits(made(kind, dtype, 1000, "transposed", seed=3)).T.reshape(-1)).all()


def test_fill_is_the_same_in_another_process() -> None:
    program = (
        "import hashlib, numpy as np; from kernels.numbers import host_arrays; from kernels.api import DATA, DTYPES\n"
        "digest = hashlib.sha256()\n"
        "for dtype in DTYPES:\n"
        "    for kind in DATA:\n"
        "        a = np.empty(150_000, host_arrays.np_dtype(dtype)); host_arrays.fill(a, kind, 7)\n"
        "        digest.update(a.tobytes())\n"
        "print(digest.hexdigest())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    digest = hashlib.sha256()
    for dtype in DTYPES:
        for kind in DATA:
            digest.update(made(kind, dtype, 150_000, seed=7).tobytes())
    assert done.stdout.strip() == digest.hexdigest()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n", [1000, 300_000])
def test_each_kind_is_what_it_says(n: int, layout: str, dtype: str) -> None:
    tiny = FORMATS[dtype].tiny
    values = {kind: in_memory_order(made(kind, dtype, n, layout)) for kind in DATA if kind != "special"}
    for kind, data in values.items():
        assert np.isfinite(data).all(), kind
        assert (data != 0).all(), kind
        assert (np.abs(data) < tiny).all() if kind == "subnormal" else (np.abs(data) >= tiny).all(), kind
    assert (values["positive"] > 0).all()
    assert (values["negative"] < 0).all()
    assert (np.diff(values["sorted"]) >= 0).all()
    assert (np.diff(np.sign(values["alternating"])) != 0).all()
    assert np.mean(values["normal"] < 0) == pytest.approx(0.5, abs=0.001)
    assert np.mean(values["sorted"] < 0) == pytest.approx(0.5, abs=0.001)
    assert 0.4 < np.mean(values["subnormal"] < 0) < 0.6
    for kind in ("normal", "sorted", "alternating"):
        assert values[kind].mean() == pytest.approx(0, abs=0.1), kind
        assert values[kind].std() == pytest.approx(1, abs=0.1), kind


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_data_brings_every_special_value_to_every_vector_lane(dtype: str) -> None:
    data = bits(made("special", dtype, 20_000))
    for word in bits(host_arrays.specials(dtype)):
        lanes = np.flatnonzero(data == word) % 64
        assert np.unique(lanes).size == 64, hex(word)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", SIGNED_KINDS)
def test_copies_of_the_block_change_lanes(kind: str, dtype: str) -> None:
    data = bits(made(kind, dtype, 600_000))
    first = np.flatnonzero(data == data[0])
    assert np.unique(first % 8).size > 1


@pytest.mark.parametrize("kind", DATA)
def test_fill_takes_any_shape(kind: str) -> None:
    for array in (np.empty(()), np.empty(0), np.empty((0, 3)), np.empty((4, 6))[::2, 1:5], np.empty(9)[::-1]):
        array[...] = 0
        host_arrays.fill(array, kind, 1)
        assert (array != 0).all() or kind == "special"


def test_fill_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="data is 'norml'; allowed: normal, positive"):
        host_arrays.fill(np.empty(3), "norml", 1)
    with pytest.raises(TypeError, match="dtype is int64; allowed: float16, bfloat16"):
        host_arrays.fill(np.empty(3, int), "normal", 1)
    with pytest.raises(TypeError, match="native byte order"):
        host_arrays.fill(np.empty(3, np.dtype("f4").newbyteorder()), "normal", 1)
    with pytest.raises(ValueError, match="dtype is 'float8'; allowed"):
        host_arrays.np_dtype("float8")


@pytest.mark.parametrize("dtype", DTYPES)
def test_specials_hold_every_class_of_value(dtype: str) -> None:
    form, special = FORMATS[dtype], host_arrays.specials(dtype)
    assert special.dtype == form.dtype
    words = set(bits(special).tolist())
    nan, small, top = form.infinity | form.quiet, form.smallest_normal, form.infinity
    for magnitude in (0, 1, small - 1, small, top - 1, top, nan, nan | 1, top | 1):
        assert {magnitude, magnitude | form.sign} <= words, hex(magnitude)
    values = special[~is_nan(special)].astype(np.float64)
    assert {1.0, -1.0} <= set(values)
    assert np.any((np.abs(values) >= form.tiny) & (np.abs(values * 0.01) < form.tiny) & (values != 0))
    assert len(words) == special.size
    assert form.poison not in words


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (17,), (3, 5)])
def test_poison_marks_what_nobody_wrote(shape: tuple[int, ...], dtype: str) -> None:
    array = host_arrays.aligned_empty(shape, host_arrays.np_dtype(dtype))
    host_arrays.poison(array)
    assert host_arrays.is_poison(array).shape == shape
    assert host_arrays.is_poison(array).all()
    assert is_nan(array).all()
    with np.errstate(invalid="ignore"):
        computed = np.array(np.inf, array.dtype) * array.dtype.type(0)
    array[...] = computed
    assert not host_arrays.is_poison(array).any()


def test_poison_survives_neither_half_of_a_strided_array() -> None:
    whole = np.zeros(20, np.float32)
    host_arrays.poison(whole[::2])
    assert host_arrays.is_poison(whole).tolist() == [True, False] * 10


@given(st.lists(st.integers(0, 40), max_size=3), st.integers(1, 50))
def test_blocks_cover_a_shape_once(shape: list[int], limit: int) -> None:
    seen = np.zeros(tuple(shape), int)
    flat = np.arange(seen.size).reshape(seen.shape)
    for block in blocks(seen.shape, limit):
        assert seen[block].size <= limit
        seen[block] += 1
        if seen[block].size:
            assert flat_index(seen[block].size - 1, block, seen.shape) == flat[block].reshape(-1)[-1]
    assert (seen == 1).all()
