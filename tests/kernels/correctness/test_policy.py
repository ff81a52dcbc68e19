"""The judge lets every honest answer pass, and names what it reports."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.api import DATA, DIRECTIONS, DTYPES, LAYOUTS, MAIN_OPS, Case
from kernels.correctness import reference
from kernels.correctness.policy import describe, judge, unchanged
from kernels.numbers import host_arrays
from kernels.numbers.floats import FORMATS, bits, is_nan
from tests.answers import INF, NAN, answer, array, every_pattern, inputs

SLOPES = (0.0, 0.01, 0.2, 1.0, 1.5, -0.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("data", DATA)
def test_every_model_of_the_reference_passes(data: str, layout: str, dtype: str) -> None:
    for op in MAIN_OPS:
        for direction in DIRECTIONS:
            for model in reference.models(dtype):
                case = Case(op, direction, dtype=dtype, n=3000, layout=layout, data=data)
                x, dy = inputs(case)
                judgement = judge(case, x, dy, answer(case, x, dy, model))
                assert judgement.problem is None, (case, model)
                assert judgement.max_ulp == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("slope", [*SLOPES, 1e-6, 1e6, -3.0])
def test_all_16_bit_patterns(slope: float, direction: str, dtype: str) -> None:
    x = every_pattern(dtype)
    dy = None if direction == "forward" else np.roll(x[::-1], 4321)
    for op in MAIN_OPS:
        case = Case(op, direction, dtype=dtype, n=x.size, negative_slope=slope)
        for model in reference.models(dtype):
            right = answer(case, x, dy, model)
            assert judge(case, x, dy, right).problem is None
            wrong = right.copy()
            bits(wrong)[0x3C42] ^= 1  # an ordinary positive number
            problem = judge(case, x, dy, wrong).problem or ""
            assert "off by 1 ULP" in problem
            assert "at index 15426 of 65536" in problem
            assert "(1 of 65536 elements wrong)" in problem


@pytest.mark.parametrize(
    ("dtype", "model", "slope", "named"),
    [
        *((dtype, "A", slope, "exact") for dtype in DTYPES for slope in (0.0, 0.25, 1.0, -2.0)),
        *((dtype, "A", 0.01, "A") for dtype in DTYPES),
        ("float16", "B", 0.01, "B"),
        ("bfloat16", "B", 0.01, "B"),
        ("float32", "C", 0.01, "C"),
    ],
)
def test_the_model_is_named(dtype: str, model: str, slope: float, named: str) -> None:
    case = Case("leaky_relu", dtype=dtype, n=60_000, negative_slope=slope)
    x, _ = inputs(case)
    assert judge(case, x, None, reference.forward("leaky_relu", x, slope, model)).model == named


def test_float16_tells_b_from_c_at_a_slope_whose_products_nearly_tie() -> None:
    x = every_pattern("float16")
    case = Case("leaky_relu", dtype="float16", negative_slope=0.2698)
    for model in reference.models("float16"):
        assert judge(case, x, None, reference.forward("leaky_relu", x, 0.2698, model)).model == model


def test_where_several_models_fit_the_first_to_try_is_named() -> None:
    x = array("float16", 1, -2, -0.0)
    case = Case("leaky_relu", dtype="float16")
    result = reference.forward("leaky_relu", x, 0.01)
    for first in reference.models("float16"):
        fits = (reference.forward("leaky_relu", x, 0.01, first) == result).all()
        assert judge(case, x, None, result, first=first).model == (first if fits else "A")
    assert judge(case, x[:1], None, x[:1], first="B").model == "B"


def test_relu_is_exact_and_has_no_model() -> None:
    x = array("float32", -1, 2)
    judgement = judge(Case("relu"), x, None, array("float32", 0, 2))
    assert (judgement.problem, judgement.model, judgement.notes) == (None, "exact", {})


def flushed(values: np.ndarray) -> np.ndarray:
    tiny = FORMATS[values.dtype.name].tiny
    return np.where(np.abs(values) < tiny, values * values.dtype.type(0), values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_implementations_do_to_subnormals_is_reported(dtype: str) -> None:
    x = host_arrays.specials(dtype)
    x = x[~is_nan(x) & (np.abs(x) < FORMATS[dtype].tiny)]
    relu, leaky = Case("relu", dtype=dtype), Case("leaky_relu", dtype=dtype)
    right = reference.forward("leaky_relu", x, 0.01)
    for case, result, seen in (
        (relu, reference.forward("relu", x, 0), "kept"),
        (relu, flushed(reference.forward("relu", x, 0)), "flushed"),
        (leaky, right, "kept"),
        (leaky, reference.forward("leaky_relu", flushed(x), 0.01), "flushed"),
        (leaky, np.where(x > 0, x * 0, x), "flushed|unscaled"),  # JAX on a CPU
    ):
        judgement = judge(case, x, None, result.astype(x.dtype))
        assert judgement.problem is None
        assert judgement.notes["subnormals"] == seen
    worse = right.copy()
    worse[x > 0] = FORMATS[dtype].tiny * 2
    assert "off by" in str(judge(leaky, x, None, worse).problem)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_that_is_subnormal_may_be_flushed_and_nothing_else(dtype: str) -> None:
    tiny = FORMATS[dtype].tiny
    x, case = (
        array(dtype, -tiny * 4, tiny * 4, -0.0, 0.0),
        Case("leaky_relu", dtype=dtype, negative_slope=0.125),
    )
    for result, seen in ((-tiny / 2, "kept"), (0, "flushed"), (-tiny, "other")):
        judgement = judge(case, x, None, array(dtype, result, tiny * 4, 0, 0))
        assert judgement.problem is None
        assert judgement.notes["subnormals"] == seen
    for wrong in (
        (-tiny * 2, tiny * 4, 0, 0),
        (0, 0, 0, 0),
        (0, tiny * 4, -tiny / 2, 0),
        (0, tiny * 4, 0, tiny / 2),
    ):
        assert judge(case, x, None, array(dtype, *wrong)).problem


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_product_that_is_rounded_up_to_the_smallest_normal_may_be_flushed_before(dtype: str) -> None:
    form = FORMATS[dtype]
    x = np.array([2 * form.smallest_normal - 1 | form.sign], form.unsigned).view(form.dtype)
    case = Case("leaky_relu", dtype=dtype, negative_slope=0.5)
    assert float(reference.forward("leaky_relu", x, 0.5)[0]) == -form.tiny
    for result in (0, -form.tiny):
        assert judge(case, x, None, array(dtype, result)).problem is None
    assert judge(case, x, None, array(dtype, -form.tiny * 1.5)).problem


def test_a_slope_that_the_dtype_cannot_hold_may_be_flushed_or_infinite() -> None:
    small = Case("leaky_relu", negative_slope=1e-40)
    x = array("float32", -1e38, -INF, 1)
    for result in ((reference.forward("leaky_relu", x, 1e-40)[0], -INF, 1), (0, NAN, 1)):
        assert judge(small, x, None, array("float32", *result)).problem is None
    assert judge(small, x, None, array("float32", -1, -INF, 1)).problem
    assert judge(small, x, None, array("float32", 0, 3, 1)).problem
    large = Case("leaky_relu", dtype="float16", negative_slope=1e6)
    x = array("float16", -1, 0, 1)
    for at_zero in (NAN, 0):
        assert judge(large, x, None, array("float16", -INF, at_zero, 1)).problem is None
    assert judge(large, x, None, array("float16", -INF, 5, 1)).problem


def test_notes_are_taken_where_nearly_everything_is_special() -> None:
    x = np.full(1 << 18, -0.0, np.float32)
    judgement = judge(Case("leaky_relu"), x, None, x.copy())
    assert judgement.notes == {"leaky(-0)": "-0"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_numbers_may_not_be_flushed(dtype: str) -> None:
    x = array(dtype, 1, FORMATS[dtype].tiny, FORMATS[dtype].tiny * 2)
    for op in MAIN_OPS:
        assert "at index 1 of 3" in str(
            judge(Case(op, dtype=dtype), x, None, array(dtype, 1, 0, x[2])).problem
        )
        assert "at index 2 of 3" in str(
            judge(Case(op, dtype=dtype), x, None, array(dtype, 1, x[1], 0)).problem
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_signs_of_zero_and_payloads_are_reported(dtype: str) -> None:
    x = array(dtype, -0.0, 0.0, -3.0, NAN)
    quiet = bits(x)[3]
    other = array(dtype, -0.0, -0.0, -0.0, NAN)
    bits(other)[3] = quiet | 1
    judgement = judge(Case("relu", dtype=dtype), x, None, other)
    assert judgement.problem is None
    assert judgement.notes == {
        "relu(-0)": "-0",
        "relu(+0)": "-0",
        "relu(x<0)": "-0",
        "nan payload": "changed",
    }
    judgement = judge(Case("relu", dtype=dtype), x, None, array(dtype, 0, 0, 0, NAN))
    assert judgement.notes == {"relu(-0)": "+0", "nan payload": "kept"}
    signalling = array(dtype, NAN)
    bits(signalling)[0] ^= FORMATS[dtype].quiet | 1
    judgement = judge(
        Case("relu", dtype=dtype), signalling, None, (bits(signalling) | bits(x)[3]).view(x.dtype)
    )
    assert judgement.notes == {"nan payload": "quieted"}
    below = array(dtype, -FORMATS[dtype].tiny / 2)
    assert judge(Case("relu", dtype=dtype), below, None, array(dtype, -0.0)).notes == {}
    leaky = judge(Case("leaky_relu", dtype=dtype, negative_slope=0.5), x[:2], None, x[:2])
    assert leaky.notes == {"leaky(-0)": "-0"}


@pytest.mark.parametrize("given_dtype", DTYPES)
@pytest.mark.parametrize("result", [NAN, 0.0, -0.0])
def test_infinity_times_slope_0_is_reported(result: float, given_dtype: str) -> None:
    x = array(given_dtype, -INF, -1, 1)
    case = Case("leaky_relu", dtype=given_dtype, negative_slope=0)
    judgement = judge(case, x, None, array(given_dtype, result, -0.0, 1))
    assert judgement.problem is None
    assert judgement.notes["leaky(-inf, slope 0)"] == ("nan" if np.isnan(result) else "0")
    assert judge(case, x, None, array(given_dtype, -INF, 0, 1)).problem
    assert judge(case, x, None, array(given_dtype, 0, NAN, 1)).problem


@pytest.mark.parametrize("slope", [INF, -INF, NAN])
def test_slopes_that_are_not_finite_are_reported(slope: float) -> None:
    case = Case("leaky_relu", negative_slope=slope)
    x = array("float32", -1, 0, 2, NAN)
    for below in (NAN, INF, 3.0):
        judgement = judge(case, x, None, array("float32", below, 0, 2, NAN))
        assert judgement.problem is None
        assert f"x<0, slope {slope:g}" in judgement.notes
    for above, seen in ((2, None), (NAN, "nan"), (3, "other")):  # max(x, 0) + slope * min(x, 0)
        judgement = judge(case, x, None, array("float32", INF, 0, above, NAN))
        assert judgement.problem is None
        assert judgement.notes.get(f"x>0, slope {slope:g}") == seen
    unwritten = array("float32", INF, 0, 2, NAN)
    host_arrays.poison(unwritten[2:])
    assert "left unwritten" in str(judge(case, x, None, unwritten).problem)


def test_describe_has_one_order() -> None:
    x = host_arrays.specials("float32")
    judgement = judge(Case("leaky_relu"), x, None, reference.forward("leaky_relu", x, 0.01))
    assert describe(judgement) == "model=A; leaky(-0)=-0; nan payload=kept; subnormals=kept"
    wrong = judge(Case("relu"), x, None, x)
    assert "model" not in describe(wrong)


def test_unchanged_names_the_first_change_and_sees_every_bit() -> None:
    before = array("float32", 1, -0.0, NAN, 4)
    assert unchanged(before, before.copy()) is None
    after = array("float32", 1, 0.0, NAN, 5)
    assert unchanged(before, after) == "at index 1 of 4 -0.0 became 0.0 (2 of 4 elements changed)"
    payload = before.copy()
    bits(payload)[2] |= 1
    assert "at index 2 of 4 nan became nan" in str(unchanged(before, payload))
    assert unchanged(before, before[:2]) == "float32 of shape (4,) became float32 of shape (2,)"
