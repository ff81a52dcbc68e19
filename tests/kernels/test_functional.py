"""The plain functions: any array in, the right array out, and a clear error for everything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import kernels
from kernels import registry
from kernels.api import DTYPES, Case
from kernels.correctness import policy
from kernels.numbers.host_arrays import np_dtype, specials
from tests.calls import CPU_BACKENDS, load
from tests.honest import HonestNumpy

pytestmark = pytest.mark.slow

QUICK = [name for name in CPU_BACKENDS if name != "torch_compile"]
NATIVE = [name for name in QUICK if name != "jax_jit"]


def once_a_day(name: str, among: list[str]) -> pytest.MarkDecorator:
    """With that backend once a day: it is called as the others are, and compiles for seconds."""
    params = [pytest.param(each, marks=pytest.mark.daily if each == name else ()) for each in among]
    return pytest.mark.parametrize("name", params)


X = np.array([[-2.0, -1.0, 0.0], [1.0, 2.0, -0.5]], np.float32)
LEAKY = np.array([[-0.02, -0.01, 0.0], [1.0, 2.0, -0.005]], np.float32)


def call(case: Case, x: Any, dy: Any, name: str, out: np.ndarray | None = None) -> np.ndarray:
    """The public function that `case` names."""
    if case.op == "relu":
        if case.direction == "forward":
            return kernels.relu(x, backend=name, out=out)
        return kernels.relu_backward(dy, x, backend=name, out=out)
    if case.direction == "forward":
        return kernels.leaky_relu(x, case.negative_slope, backend=name, out=out)
    return kernels.leaky_relu_backward(dy, x, case.negative_slope, backend=name, out=out)


def cases(dtype: str) -> list[Case]:
    return [
        Case("relu", "forward", dtype=dtype),
        Case("relu", "backward", dtype=dtype),
        Case("leaky_relu", "forward", dtype=dtype, negative_slope=0.2),
        Case("leaky_relu", "backward", dtype=dtype, negative_slope=-0.5),
    ]


# --- values, shapes and strides ------------------------------------------------------------


@once_a_day("torch_compile", among=CPU_BACKENDS)
def test_the_examples_of_the_article(name: str) -> None:
    load(name)
    assert kernels.relu([-2.0, -1.0, 0.0, 1.0, 2.0], backend=name).tolist() == [0, 0, 0, 1, 2]
    assert np.array_equal(kernels.leaky_relu(X, backend=name), LEAKY)
    assert np.array_equal(kernels.relu_backward(X, X, backend=name), np.maximum(X, 0))
    assert np.array_equal(kernels.leaky_relu_backward(X, X, backend=name), LEAKY)


def test_the_default_backend_and_slope() -> None:
    assert np.array_equal(kernels.leaky_relu(X), LEAKY)
    assert np.array_equal(kernels.relu(X), np.maximum(X, 0))


@st.composite
def views(draw: st.DrawFn, count: int) -> list[np.ndarray]:
    """`count` arrays of one shape and dtype, each a view with strides of its own."""
    dtype = np_dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
    return [draw(view(shape, dtype)) for _ in range(count)]


@st.composite
def view(draw: st.DrawFn, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    steps = [draw(st.sampled_from((1, 2, 3, -1, -2))) for _ in shape]
    order = draw(st.permutations(range(len(shape))))
    base_shape = [shape[axis] * abs(steps[axis]) for axis in order]
    special = specials({str(np_dtype(name)): name for name in DTYPES}[str(dtype)])
    start = draw(st.integers(0, special.size - 1))
    base = np.resize(np.roll(special, start), int(np.prod(base_shape))).reshape(base_shape)
    array = base.transpose(np.argsort(order)) if shape else base
    every: tuple[Any, ...] = (..., *(slice(None, None, step) for step in steps))
    array = array[every]  # the dots keep 0-d an array
    if draw(st.booleans()):
        array.flags.writeable = False
    return array


@settings(max_examples=60, deadline=None, database=None)
@given(arrays=views(2), number=st.integers(0, 3))
@once_a_day("numba_parallel", among=QUICK)
def test_any_shape_and_strides(name: str, arrays: list[np.ndarray], number: int) -> None:
    load(name)
    x, dy = arrays
    dtype = next(dtype for dtype in DTYPES if np_dtype(dtype) == x.dtype)
    case = cases(dtype)[number]
    given_dy = dy if case.direction == "backward" else None
    before = [array.copy() for array in arrays]
    result = call(case, x, dy, name)
    assert type(result) is np.ndarray
    assert (result.shape, result.dtype) == (x.shape, x.dtype)
    assert result.flags.writeable
    assert result.flags.c_contiguous
    assert not np.shares_memory(result, x)
    assert policy.judge(case, x, given_dy, result).problem is None
    assert all(policy.unchanged(old, new) is None for old, new in zip(before, arrays, strict=True))


@settings(max_examples=60, deadline=None, database=None)
@given(arrays=views(3), number=st.integers(0, 3), in_place=st.booleans())
@once_a_day("numba_parallel", among=NATIVE)
def test_any_strides_of_out(name: str, arrays: list[np.ndarray], number: int, in_place: bool) -> None:
    load(name)
    x, dy, out = (array if array.flags.writeable else array.copy() for array in arrays)
    dtype = next(dtype for dtype in DTYPES if np_dtype(dtype) == x.dtype)
    case = cases(dtype)[number]
    backward = case.direction == "backward"
    if in_place:
        out = dy if backward else x
    x_before, dy_before = x.copy(), dy.copy()
    result = call(case, x, dy, name, out)
    assert result is out
    assert policy.judge(case, x_before, dy_before if backward else None, out).problem is None
    if backward or not in_place:
        assert policy.unchanged(x_before, x) is None
    if backward and not in_place:
        assert policy.unchanged(dy_before, dy) is None


@once_a_day("torch_compile", among=CPU_BACKENDS)
def test_broadcast_misaligned_and_no_dimensions(name: str) -> None:
    load(name)
    broadcast = np.broadcast_to(np.array([-1.0, 1.0], np.float32), (3, 2))
    assert kernels.relu(broadcast, backend=name).tolist() == [[0, 1]] * 3
    misaligned = np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float32)
    assert not misaligned.flags.aligned
    assert kernels.relu(misaligned, backend=name).tolist() == [0, 0, 0, 1, 2, 0]
    for scalar in (np.float32(-2), np.array(-2, np.float32)):
        result = kernels.leaky_relu(scalar, 0.5, backend=name)
        assert isinstance(result, np.ndarray)
        assert (result.shape, float(result)) == ((), -1.0)
    assert kernels.relu(np.empty((0, 3), np.float16), backend=name).shape == (0, 3)


@once_a_day("torch_compile", among=CPU_BACKENDS)
def test_results_are_apart(name: str) -> None:
    load(name)
    one, two = kernels.relu(X, backend=name), kernels.relu(X, backend=name)
    one[...] = 7
    assert np.array_equal(two, np.maximum(X, 0))
    assert not np.shares_memory(one, two)


@once_a_day("numba_parallel", among=QUICK)
def test_warnings_are_not_raised_for_special_values(name: str) -> None:
    """Warnings are errors here: NaN, infinities and overflow are ordinary values to these functions."""
    load(name)
    for dtype in DTYPES:
        for slope in (0.0, 1e9, float("nan"), float("inf")):
            kernels.leaky_relu(specials(dtype), slope, backend=name)


@once_a_day("numba_parallel", among=QUICK)
def test_zeros_of_either_sign_do_not_depend_on_earlier_slopes(name: str) -> None:
    load(name)
    for dtype in DTYPES:
        x = np.full(3, -1, np_dtype(dtype))
        for slope in (0.0, -0.0, 0.0):
            zeros = kernels.leaky_relu(x, slope, backend=name)  # -1 times it
            assert np.signbit(zeros).tolist() == [not np.signbit(slope)] * 3


@pytest.mark.parametrize("name", QUICK)
def test_gradients_at_zero_and_nan_are_one_of_the_conventions(name: str) -> None:
    load(name)
    x = np.array([0.0, -0.0, np.nan], np.float32)
    dy = np.full(3, 8, np.float32)
    at_zero, _, at_nan = kernels.relu_backward(dy, x, backend=name).tolist()
    assert at_zero == 0
    assert at_nan in (0, 8)
    assert set(kernels.leaky_relu_backward(dy, x, 0.5, backend=name).tolist()) <= {4, 8}


class Named(np.ndarray):
    pass


@pytest.mark.parametrize("name", NATIVE)
def test_a_subclass_is_taken_for_its_array_and_out_keeps_its_class(name: str) -> None:
    load(name)
    x, out = X.view(Named), np.empty_like(X).view(Named)
    assert type(kernels.relu(x, backend=name)) is np.ndarray
    assert kernels.relu(x, backend=name, out=out) is out
    assert np.array_equal(out, np.maximum(X, 0))


# --- out -----------------------------------------------------------------------------------


@once_a_day("torch_compile", among=CPU_BACKENDS)
def test_out_and_in_place(name: str) -> None:
    backend = load(name)
    x, dy = X.copy(), X + 1
    if backend.why_not(Case("relu", placement="inplace")) is None:
        assert kernels.leaky_relu(x, backend=name, out=x) is x
        assert np.array_equal(x, LEAKY)
        assert kernels.relu_backward(dy, X, backend=name, out=dy) is dy
        assert np.array_equal(dy, np.where(X > 0, X + 1, 0))
    out = np.empty_like(X)
    if backend.why_not(Case("relu", placement="out")) is None:
        assert kernels.leaky_relu(X, backend=name, out=out) is out
        assert np.array_equal(out, LEAKY)
    else:
        with pytest.raises(ValueError, match="immutable"):
            kernels.leaky_relu(X, backend=name, out=out)


# --- plugins -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_tensor_is_refused_with_the_way_that_takes_it(dtype: str) -> None:
    """No array comes back for a tensor, silently, and no error from within for a dtype that NumPy lacks."""
    torch = pytest.importorskip("torch")
    x = torch.ones(3, dtype=getattr(torch, dtype))
    told = (
        r"^x is a torch.Tensor; allowed are NumPy arrays: give x.numpy\(\), or call kernels.torch_module.relu"
    )
    with pytest.raises(TypeError, match=told):
        kernels.relu(x)
    with pytest.raises(TypeError, match=r"^dy is a torch\.Tensor"):
        kernels.leaky_relu_backward(x, X)
    jax = pytest.importorskip("jax")
    with pytest.raises(TypeError, match=r"^x is a jaxlib\..*allowed are NumPy arrays: give numpy.asarray"):
        kernels.relu(jax.numpy.ones(3, dtype))


@pytest.mark.usefixtures("own_registry")
def test_a_plugin_without_bind_serves_the_functions_too() -> None:
    registry.register("tests.honest:HonestNumpy", name="honest_numpy")
    x, out = X.copy(), np.empty_like(X)
    assert np.array_equal(kernels.leaky_relu(x, backend="honest_numpy"), LEAKY)
    assert kernels.leaky_relu(x, backend="honest_numpy", out=out) is out
    assert np.array_equal(out, LEAKY)
    assert kernels.leaky_relu(x, backend="honest_numpy", out=x) is x
    assert np.array_equal(x, LEAKY), "in place, once and not twice"


class Demanding(HonestNumpy):
    """Says nothing of its alignment, and so gets what the interface promises."""

    name = "demanding"

    def adopt(self, host: np.ndarray, case: Case) -> np.ndarray:
        assert host.ctypes.data % 64 == 0
        assert host.flags.c_contiguous
        assert host.shape == (case.n,)
        return host


@pytest.mark.usefixtures("own_registry")
def test_a_plugin_gets_the_aligned_flat_arrays_that_the_interface_promises() -> None:
    registry.register("tests.kernels.test_functional:Demanding", name="demanding")
    base = np.arange(64, dtype=np.float32) - 32
    for x in (base[1:33].reshape(4, 8), base[::2], base.reshape(8, 8).T, base[:1].reshape(())):
        out = np.empty(x.size + 1, np.float32)[1:].reshape(x.shape)
        assert np.array_equal(kernels.relu(x, backend="demanding", out=out), np.maximum(x, 0))
