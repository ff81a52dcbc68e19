"""The plain functions say no in one line: what came, and what is allowed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import kernels
from kernels.api import DTYPES

X = np.array([[-2.0, -1.0, 0.0], [1.0, 2.0, -0.5]], np.float32)
BIG = np.arange(24, dtype=np.float32).reshape(4, 6)
READ_ONLY = np.zeros((2, 3), np.float32)
READ_ONLY.flags.writeable = False
BAD_OUT: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "a list": (X, [0.0] * 6, TypeError, "out is a list"),
    "masked": (X, np.ma.zeros((2, 3), np.float32), TypeError, "out is a MaskedArray"),
    "shape": (X, np.zeros((3, 2), np.float32), ValueError, r"out has the shape \(3, 2\), x has \(2, 3\)"),
    "dtype": (X, np.zeros((2, 3)), TypeError, "out is of dtype float64, x of float32"),
    "read-only": (X, READ_ONLY, ValueError, "read-only"),
    "overlap": (BIG[:, :3], BIG[:, 1:4], ValueError, "out overlaps x in memory; give x itself"),
    "reversed": (BIG[:, :3], BIG[::-1, :3], ValueError, "out overlaps x"),
    "broadcast": (
        X,
        np.lib.stride_tricks.as_strided(np.zeros(3, np.float32), (2, 3), (0, 4)),
        ValueError,
        "one address",
    ),
}


@pytest.mark.parametrize(("x", "out", "error", "message"), BAD_OUT.values(), ids=list(BAD_OUT))
def test_bad_out(x: np.ndarray, out: Any, error: type[Exception], message: str) -> None:
    before = x.copy()
    with pytest.raises(error, match=message):
        kernels.relu(x, backend="numpy_ufunc", out=out)
    assert np.array_equal(x, before)


def test_out_of_a_gradient() -> None:
    x, dy = X.copy(), X.copy()
    with pytest.raises(ValueError, match="out overlaps x in memory; give dy itself"):
        kernels.relu_backward(dy, x, backend="numpy_ufunc", out=x)
    with pytest.raises(ValueError, match="out overlaps x"):
        kernels.relu_backward(x, x, backend="numpy_ufunc", out=x)
    interleaved = BIG.copy()
    kernels.relu(interleaved[:, ::2], backend="numpy_ufunc", out=interleaved[:, 1::2])
    assert np.array_equal(interleaved[:, 1::2], BIG[:, ::2])


# --- wrong arguments -----------------------------------------------------------------------

BAD_X: dict[str, tuple[Any, str]] = {
    "integers": ([1, 2], "x is of dtype int64"),
    "booleans": (np.zeros(3, bool), "x is of dtype bool"),
    "complex": (np.zeros(3, complex), "x is of dtype complex128"),
    "objects": (np.array([1.0, None]), "x is of dtype object"),
    "long double": (np.zeros(3, np.longdouble), r"x is of dtype <f16"),
    "big-endian": (np.zeros(3, ">f4"), "x is of dtype >f4"),
    "masked": (np.ma.zeros(3), "x is a masked array"),
    "text": ("relu", "x is of dtype <U4"),
    "ragged": ([[1.0], [1.0, 2.0]], "x is no array"),
    "None": (None, "x is of dtype object"),
    "another 8-bit float": (np.zeros(3, ml_dtypes.float8_e4m3fn), "x is of dtype float8_e4m3fn"),
}


@pytest.mark.parametrize(("x", "message"), BAD_X.values(), ids=list(BAD_X))
def test_bad_x(x: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        kernels.relu(x, backend="numpy_ufunc")
    assert all(dtype in str(caught.value) for dtype in DTYPES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("slope", ["0.01", 1j, None, [0.01], np.array(0.01), np.array([0.01])])
def test_bad_slope(slope: Any) -> None:
    for function in (kernels.leaky_relu, lambda x, s, **rest: kernels.leaky_relu_backward(x, x, s, **rest)):
        with pytest.raises(TypeError, match=r"negative_slope is .*; it is a real number"):
            function(X, slope, backend="numpy_ufunc")


@pytest.mark.parametrize(
    "slope", [0.5, np.float32(0.5), np.float64(0.5), Fraction(1, 2), ml_dtypes.bfloat16(0.5)]
)
def test_any_real_slope(slope: Any) -> None:
    assert np.array_equal(kernels.leaky_relu(X, slope, backend="numpy_ufunc"), np.where(X > 0, X, X / 2))
    assert kernels.leaky_relu(X, 1, backend="numpy_ufunc").tolist() == X.tolist()


def test_dy_and_x_have_to_agree() -> None:
    with pytest.raises(ValueError, match=r"dy has the shape \(3, 2\), x has \(2, 3\)"):
        kernels.relu_backward(X.T, X, backend="numpy_ufunc")
    with pytest.raises(TypeError, match="dy is of dtype float64, x of float32"):
        kernels.relu_backward(X.astype(float), X, backend="numpy_ufunc")


def test_bad_backend() -> None:
    with pytest.raises(ValueError, match="did you mean 'torch_eager'"):
        kernels.relu(X, backend="torch_eagr")
