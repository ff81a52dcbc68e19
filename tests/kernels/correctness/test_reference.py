"""The reference against exact rational arithmetic: slope and product rounded where the model says so."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS
from kernels.correctness import reference
from kernels.numbers.floats import FORMATS, Format, bits, is_nan
from kernels.numbers.ulp import same_bits

MODELS = [(dtype, model) for dtype in DTYPES for model in reference.models(dtype)]


def rounded(exact: Fraction, form: Format) -> float:
    """To nearest, ties to even, with subnormals and overflow, by the definition."""
    if exact == 0:
        return 0.0
    exponent = math.floor(math.log2(abs(exact.numerator)) - math.log2(exact.denominator)) - 1
    while abs(exact) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    lowest = math.frexp(form.tiny)[1] - 1
    quantum = Fraction(2) ** (max(exponent, lowest) - form.mantissa)
    value = round(exact / quantum) * quantum
    beyond = Fraction(2) ** (2 - lowest)
    return math.copysign(math.inf, value) if abs(value) >= beyond else float(value)


def product(x: float, slope: float, dtype: str, model: str) -> float:
    steps = {"A": [dtype], "B": ["float32", dtype], "C": ["float64", dtype]}[model]
    if dtype == "bfloat16" and model == "A":
        slope = rounded(Fraction(slope), FORMATS["float32"])  # as ml_dtypes does
    narrow = rounded(Fraction(slope), FORMATS[steps[0]])
    if math.isinf(narrow):
        return narrow * x if x else math.nan
    value = Fraction(x) * Fraction(narrow)
    for step in steps:
        result = rounded(value, FORMATS[step])
        if math.isinf(result):
            return result
        value = Fraction(result)
    return result


@pytest.mark.parametrize(("dtype", "model"), MODELS)
@given(st.integers(0, 2**64 - 1), st.floats(-4, 4) | st.sampled_from([0.01, 0.2, 1e-40, 1e5]))
@example(0x3F80 << 48, 1 + 2**-8 + 2**-40)  # bfloat16: a float32 on the way would make a tie of it
@example(0x3C00 << 48, 1 + 2**-11 + 2**-40)
def test_products_are_rounded_as_the_model_says(dtype: str, model: str, word: int, slope: float) -> None:
    form = FORMATS[dtype]
    x = np.array(word >> (64 - form.width), form.unsigned).view(form.dtype)
    if not math.isfinite(float(x)):
        return
    got = float(reference.scale(x, slope, model))
    wanted = product(float(x), slope, dtype, model)
    assert got == wanted or (math.isnan(got) and math.isnan(wanted))


@pytest.mark.parametrize("dtype", DTYPES)
def test_formulas_on_values_that_need_no_rounding(dtype: str) -> None:
    def array(*values: float) -> np.ndarray:
        return np.array(values, FORMATS[dtype].dtype)

    x = array(-math.inf, -2, -1, -0.0, 0, 1, 2, math.inf, math.nan)
    dy = array(1, 2, 3, 4, 5, 6, 7, 8, 9)
    for model in reference.models(dtype):
        relu = reference.forward("relu", x, 0.0, model)
        assert same_bits(relu, array(0, 0, 0, 0, 0, 1, 2, math.inf, math.nan))
        leaky = reference.forward("leaky_relu", x, 0.5, model)
        assert same_bits(leaky, array(-math.inf, -1, -0.5, -0.0, 0, 1, 2, math.inf, math.nan))
        assert same_bits(reference.backward("relu", dy, x, 0.0, model), array(0, 0, 0, 0, 0, 6, 7, 8, 0))
        grad = reference.backward("leaky_relu", dy, x, 0.5, model)
        assert same_bits(grad, array(0.5, 1, 1.5, 2, 2.5, 6, 7, 8, 4.5))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("op", MAIN_OPS)
def test_nan_is_kept_for_every_pattern(op: str, dtype: str) -> None:
    x = np.arange(1 << 16, dtype=np.uint16).view(FORMATS[dtype].dtype)
    y = reference.forward(op, x, 0.01)
    assert (is_nan(y) == is_nan(x)).all()
    positive = (bits(x) < 0x8000) & ~is_nan(x)
    assert (bits(y)[positive] == bits(x)[positive]).all()


@pytest.mark.parametrize("shape", [(), (0,), (5, 0), (70_001,), (301, 457), (3, 50, 700)])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_any_shape_and_stride(direction: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).standard_normal((*shape, 2)).astype(np.float32)[..., 0].T
    dy = x[..., ::-1] if x.ndim else x
    if direction == "forward":
        result, wanted = reference.forward("leaky_relu", x, 0.25), np.where(x > 0, x, x / 4)
    else:
        result, wanted = reference.backward("leaky_relu", dy, x, 0.25), np.where(x > 0, dy, dy / 4)
    assert result.shape == x.shape
    assert result.flags.c_contiguous
    assert np.array_equal(result, wanted)


def test_what_has_no_reference_is_refused() -> None:
    x = np.ones(3, np.float32)
    with pytest.raises(ValueError, match="op is 'gleu'; allowed: relu, leaky_relu"):
        reference.forward("gleu", x, 0.0)
    with pytest.raises(ValueError, match="model is 'D'; allowed for float32: A, B, C"):
        reference.forward("leaky_relu", x, 0.1, "D")
    with pytest.raises(ValueError, match="model is 'B'; allowed for float64: A, C"):
        reference.forward("leaky_relu", np.ones(3), 0.1, "B")
    with pytest.raises(TypeError, match="dtype is int64; allowed"):
        reference.forward("leaky_relu", np.ones(3, int), 0.1)
    with pytest.raises(TypeError, match="dy is float64 and x is float32"):
        reference.backward("relu", np.ones(3), x, 0.0)
    with pytest.raises(ValueError, match="dy has shape"):
        reference.backward("relu", x[:1], x, 0.0)
