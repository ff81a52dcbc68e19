"""The judge: lets every honest answer pass, names what it reports, and catches each mutant."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.api import DATA, DIRECTIONS, DTYPES, LAYOUTS, MAIN_OPS, Backend, Case
from kernels.correctness import reference
from kernels.correctness.policy import describe, judge, unchanged
from kernels.numbers import host_arrays
from kernels.numbers.floats import FORMATS, bits, is_nan
from tests import mutants

NAN = float("nan")
INF = float("inf")
SLOPES = (0.0, 0.01, 0.2, 1.0, 1.5, -0.5)


def array(dtype: str, *values: float) -> np.ndarray:
    return np.array(values, FORMATS[dtype].dtype)


def every_pattern(dtype: str) -> np.ndarray:
    return np.arange(1 << 16, dtype=np.uint16).view(FORMATS[dtype].dtype)


def answer(case: Case, x: np.ndarray, dy: np.ndarray | None, model: str = "A") -> np.ndarray:
    if dy is None:
        return reference.forward(case.op, x, case.negative_slope, model)
    return reference.backward(case.op, dy, x, case.negative_slope, model)


def inputs(case: Case, seed: int = 1) -> tuple[np.ndarray, np.ndarray | None]:
    x = host_arrays.host_array(case)
    host_arrays.fill(x, case.data, seed)
    if case.direction == "forward":
        return x, None
    dy = host_arrays.host_array(case)
    host_arrays.fill(dy, case.data, seed + 1)
    return x, dy


# --- honest answers ------------------------------------------------------------------------


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


# --- gradients -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("op", "at_zero", "at_nan", "names"),
    [
        ("relu", 0, 3, ("0", "1")),  # torch relu
        ("relu", 0, 0, ("0", "0")),  # jax.nn.relu
        ("relu", 3, 0, ("1", "0")),  # torch clamp_min
        ("relu", 1.5, 0, ("0.5", "0")),  # jnp.maximum
        ("relu", 0, NAN, ("0", "nan")),
        ("relu", 0, 17, ("0", "other")),
        ("leaky_relu", 0.75, 0.75, ("slope", "slope")),  # torch
        ("leaky_relu", 3, 0.75, ("1", "slope")),  # jax.nn.leaky_relu
    ],
)
def test_gradient_conventions_are_named(
    op: str, at_zero: float, at_nan: float, names: tuple[str, str], dtype: str
) -> None:
    case = Case(op, "backward", dtype=dtype, negative_slope=0.25)
    x, dy = array(dtype, 0, -0.0, NAN, 1, -1), array(dtype, 3, 3, 3, 3, 3)
    below = 0 if op == "relu" else 0.75
    judgement = judge(case, x, dy, array(dtype, at_zero, at_zero, at_nan, 3, below))
    assert judgement.problem is None
    assert judgement.notes == {"grad(0)": names[0], "grad(nan)": names[1]}


def test_a_convention_that_depends_on_the_sign_of_zero_shows_both() -> None:
    x, dy = array("float32", 0, -0.0), array("float32", 3, 5)
    judgement = judge(Case("relu", "backward"), x, dy, array("float32", 3, 0))
    assert judgement.notes["grad(0)"] == "0|1"


def test_gradients_are_judged_off_zero_and_nan() -> None:
    x, dy = array("float32", 1, -1, 0), array("float32", 3, 3, 3)
    case = Case("leaky_relu", "backward", negative_slope=0.5)
    problem = judge(case, x, dy, array("float32", 3, 3, 0)).problem
    assert problem == (
        "off by 8388608 ULP: at index 1 of 3 x=-1.0 dy=3.0 gave 3.0, wanted 1.5 (1 of 3 elements wrong)"
    )
    assert judge(case, x, dy, array("float32", 1.5, 1.5, 0)).problem
    nan_dy = array("float32", NAN, NAN, NAN)
    assert "drops NaN" in str(judge(case, x, nan_dy, array("float32", 0, NAN, 0)).problem)


def test_relu_gradient_of_a_dy_that_is_not_finite_is_reported() -> None:
    x, dy = array("float32", -1, -1, 1), array("float32", INF, NAN, INF)
    case = Case("relu", "backward")
    for below, seen in ((0, "0"), (NAN, "nan")):
        judgement = judge(case, x, dy, array("float32", below, below, INF))
        assert judgement.problem is None
        assert judgement.notes["grad(x<0, dy not finite)"] == seen
    assert judge(case, x, dy, array("float32", INF, 0, INF)).problem


def test_the_gradient_at_a_subnormal_x_may_be_that_of_zero_or_of_its_sign() -> None:
    tiny = FORMATS["float32"].tiny
    x, dy = array("float32", tiny / 4, -tiny / 4), array("float32", 3, 3)
    case = Case("leaky_relu", "backward", negative_slope=0.25)
    for result, seen in (
        ((3, 0.75), {}),
        ((0.75, 0.75), {"grad(subnormal)": "slope"}),
        ((0, 0), {"grad(subnormal)": "0"}),
        ((3, 3), {"grad(subnormal)": "1"}),
        ((1.5, 1.5), {"grad(subnormal)": "0.5"}),
    ):
        judgement = judge(case, x, dy, array("float32", *result))
        assert judgement.problem is None
        assert judgement.notes == seen
    assert judge(case, x, dy, array("float32", 2, 0.75)).problem
    assert judge(case, x, dy, array("float32", NAN, 0.75)).problem
    infinite = array("float32", INF, INF)
    assert judge(Case("relu", "backward"), x, infinite, array("float32", NAN, NAN)).problem is None
    assert judge(Case("relu", "backward"), x, infinite, array("float32", 3, 0)).problem


def test_a_subnormal_dy_tells_nothing_about_conventions_nor_they_about_it() -> None:
    tiny = FORMATS["float32"].tiny
    x, dy = array("float32", 0, NAN, -1), array("float32", tiny / 2, tiny / 2, 3)
    case = Case("leaky_relu", "backward", negative_slope=0.25)
    for first in (0, tiny / 2):
        judgement = judge(case, x, dy, array("float32", first, first, 0.75))
        assert judgement.problem is None
        assert judgement.notes == {}


# --- wrong answers -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("values", "result", "words"),
    [
        ((1, NAN, 3), (1, 0, 3), "drops NaN: at index 1 of 3 x=nan gave 0"),
        ((1, -2, 3), (1, NAN, 3), "makes NaN: at index 1 of 3 x=-2"),
        ((1, 2, INF), (1, 2, 3), "loses an infinity: at index 2 of 3 x=inf"),
        ((1, 2, 3), (INF, 2, 3), "makes an infinity: at index 0 of 3 x=1"),
        ((1, 2, 3), (1, 2, -3), "has the wrong sign: at index 2 of 3"),
        ((-INF, 2, 3), (NAN, 2, 3), "makes NaN: at index 0 of 3 x=-inf"),
    ],
)
def test_what_is_wrong_is_said(
    values: tuple[float, ...], result: tuple[float, ...], words: str, dtype: str
) -> None:
    judgement = judge(Case("relu", dtype=dtype), array(dtype, *values), None, array(dtype, *result))
    assert str(judgement.problem).startswith(words)
    assert judgement.model == ""
    assert "\n" not in str(judgement.problem)


def test_one_line_holds_everything() -> None:
    x = array("float32", *range(17))
    x[[5, 6, 16]] = NAN
    problem = judge(Case("relu"), x, None, np.where(is_nan(x), np.float32(0), x)).problem
    assert problem == "drops NaN: at index 5 of 17 x=nan gave 0.0, wanted nan (3 of 17 elements wrong)"


def test_a_negative_nan_among_many_special_values_is_not_overlooked() -> None:
    x = np.zeros(1 << 18, np.float32)
    x[77_777] = -NAN
    problem = judge(Case("relu"), x, None, np.zeros_like(x)).problem
    assert str(problem).startswith("drops NaN: at index 77777 of 262144 x=nan")


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_ulp_off_every_model_is_wrong(dtype: str) -> None:
    case = Case("leaky_relu", dtype=dtype, n=2000, negative_slope=0.3)
    x, _ = inputs(case)
    result = reference.forward("leaky_relu", x, 0.3)
    bits(result)[int(np.flatnonzero(x < -0.5)[7])] += 2
    judgement = judge(case, x, None, result)
    assert "(1 of 2000 elements wrong)" in str(judgement.problem)
    assert judgement.max_ulp == 2


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_two_models_in_one_array_are_wrong(dtype: str) -> None:
    case = Case("leaky_relu", dtype=dtype, n=4000)
    x, _ = inputs(case)
    result = reference.forward("leaky_relu", x, 0.01)
    result[2000:] = reference.forward("leaky_relu", x, 0.01, "C")[2000:]
    problem = str(judge(case, x, None, result).problem)
    assert problem.startswith("off by 1 ULP from rounding model ")
    assert "the nearest" in problem


def test_a_float32_slope_on_float64_data_is_named() -> None:
    case = Case("leaky_relu", dtype="float64", n=100)
    x, _ = inputs(case)
    judgement = judge(case, x, None, np.where(x > 0, x, x * np.float64(np.float32(0.01))))
    assert "by a slope rounded to float32" in str(judgement.problem)
    assert 1e7 < judgement.max_ulp < 1e9


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_poison_left_over_is_named(direction: str, dtype: str) -> None:
    case = Case("relu", direction, dtype=dtype, n=17)
    x, dy = inputs(case)
    x[16] = NAN  # even where a NaN is wanted
    for index in (0, 16):
        result = answer(case, x, dy)
        host_arrays.poison(result[index : index + 1])
        problem = str(judge(case, x, dy, result).problem)
        assert problem.startswith(f"left unwritten: at index {index} of 17 x=")
        assert "was never written" in problem


def test_shape_and_dtype_are_judged() -> None:
    x = array("float32", 1, 2)
    for result, words in (
        (x.astype(np.float64), "changes the dtype: returned float64, wanted float32"),
        (x.reshape(2, 1), "changes the shape: returned (2, 1), wanted (2,)"),
        (x[:1], "changes the shape"),
        ([1.0, 2.0], "returned list, wanted ndarray of float32"),
        (x.astype(np.dtype("f4").newbyteorder()), "changes the dtype"),
    ):
        judgement = judge(Case("relu"), x, None, result)
        assert str(judgement.problem).startswith(words)
        assert judgement.max_ulp == INF


def test_inputs_that_do_not_fit_the_case_are_the_callers_error() -> None:
    x = array("float32", 1, 2)
    with pytest.raises(ValueError, match="dy is missing"):
        judge(Case("relu", "backward"), x, None, x)
    with pytest.raises(ValueError, match="dy is given"):
        judge(Case("relu"), x, x, x)
    with pytest.raises(ValueError, match="x is float32; the case says float64"):
        judge(Case("relu", dtype="float64"), x, None, x)
    with pytest.raises(ValueError, match="dy has shape"):
        judge(Case("relu", "backward"), x, x[:1], x)


# --- shapes --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", MAIN_OPS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_empty_and_0d(direction: str, op: str, dtype: str) -> None:
    case = Case(op, direction, dtype=dtype)
    for shape in ((0,), (3, 0), ()):
        x = np.full(shape, -2, FORMATS[dtype].dtype)
        dy = None if direction == "forward" else x
        assert judge(case, x, dy, answer(case, x, dy)).problem is None
        assert unchanged(x, x.copy()) is None
    wrong = judge(case, x, dy, np.full((), 7, x.dtype)).problem
    assert "in the 0-d array x=-2" in str(wrong)
    assert "(1 of 1 elements wrong)" in str(wrong)


@given(st.data())
def test_one_wrong_element_is_found_in_any_shape_and_stride(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=3)))
    steps = [data.draw(st.sampled_from([1, 2, -1])) for _ in shape]
    whole = np.random.default_rng(1).standard_normal([2 * length for length in shape]).astype(np.float32)
    index: Any = tuple(
        slice(None, length, 1)
        if step == 1
        else slice(None, 2 * length, 2)
        if step == 2
        else slice(length - 1, None, -1)
        for length, step in zip(shape, steps, strict=True)
    )
    x = whole[index].transpose(data.draw(st.permutations(range(len(shape)))))
    case = Case("leaky_relu", negative_slope=0.3)
    result = reference.forward("leaky_relu", x, 0.3)
    assert judge(case, x, None, result).problem is None
    place = tuple(data.draw(st.integers(0, length - 1)) for length in x.shape)
    result[place] *= 2
    problem = str(judge(case, x, None, result).problem)
    assert f"at index {place[0] if len(place) == 1 else place} of" in problem
    assert f"(1 of {x.size} elements wrong)" in problem


def test_the_first_of_several_wrong_elements_is_named_across_blocks() -> None:
    x = np.ones((700, 900), np.float32).T
    result = x.copy()
    result[899, 3] = result[450, 699] = result[450, 698] = result[899, 699] = 5
    problem = str(judge(Case("relu"), x, None, result).problem)
    assert "at index (450, 698) of shape (900, 700)" in problem
    assert "(4 of 630000 elements wrong)" in problem
    assert "at index (450, 698) of shape" in str(unchanged(x, result))


def test_big_arrays_need_little_memory() -> None:
    case = Case("leaky_relu", n=1 << 22)
    x, _ = inputs(case)
    result = reference.forward("leaky_relu", x, 0.01, "C")
    tracemalloc.start()
    try:
        assert judge(case, x, None, result).model == "C"
        assert tracemalloc.get_traced_memory()[1] < x.nbytes / 2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("op", MAIN_OPS)
def test_one_bit_among_ordinary_numbers_is_seen(op: str, direction: str, dtype: str) -> None:
    case, rng = Case(op, direction, dtype=dtype, n=150_000), np.random.default_rng()
    x, dy = inputs(case)
    for model in reference.models(dtype):
        right = answer(case, x, dy, model)
        assert judge(case, x, dy, right).problem is None
        for place in rng.integers(0, case.n, 4):
            wrong, bit = (
                right.copy(),
                FORMATS[dtype].unsigned.type(1 << int(rng.integers(FORMATS[dtype].width))),
            )
            bits(wrong)[place] ^= bit
            if wrong[place] != right[place]:  # the sign of a zero is only reported
                assert "(1 of 150000 elements wrong)" in str(judge(case, x, dy, wrong).problem), (
                    model,
                    place,
                    bit,
                )


@pytest.mark.parametrize("value", [NAN, INF, -INF, -0.0])
def test_one_special_value_among_ordinary_numbers_is_seen(value: float) -> None:
    case = Case("relu", n=200_000)
    x, _ = inputs(case)
    x[123_456] = value
    result = np.where(x > 0, x, np.float32(0))
    judgement = judge(case, x, None, result)
    if np.isnan(value):
        assert "drops NaN: at index 123456" in str(judgement.problem)
    else:
        assert judgement.problem is None
        assert describe(judgement) == "model=exact" + ("; relu(-0)=+0" if value == 0 else "")


class Finished(np.ndarray):
    """Zeros while it is read for the first time, and the right answer from then on."""

    answer: np.ndarray

    def __getitem__(self, item: Any) -> Any:
        seen = np.asarray(self)[item].copy()
        np.asarray(self)[item] = self.answer[item]
        return seen


@pytest.mark.parametrize("op", MAIN_OPS)
def test_what_is_finished_while_it_is_judged_is_not_right(op: str) -> None:
    """Under whatever model is tried next."""
    case = Case(op, n=1000)
    x, _ = inputs(case)
    late = np.zeros_like(x).view(Finished)
    late.answer = answer(case, x, None)
    assert "elements wrong" in str(judge(case, x, None, late).problem)


# --- words ---------------------------------------------------------------------------------


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


# --- mutants -------------------------------------------------------------------------------


def run(backend: Any, case: Case, x: np.ndarray, dy: np.ndarray | None) -> tuple[str | None, str | None]:
    """The judge's problem with the backend's answer, and what it did to its input."""
    own_x, own_dy = x.copy("K"), None if dy is None else dy.copy("K")
    if case.layout == "strided":
        own_x = host_arrays.host_array(case)
        own_x[...] = x
    out = host_arrays.output_array(case) if case.placement == "out" else None
    if out is not None:
        host_arrays.poison(out)
    result = backend.to_numpy(backend.compile(case, own_x, own_dy, out)())
    return judge(case, x, dy, result).problem, unchanged(x, own_x)


CAUGHT = [
    (mutants.DropsNan, Case("relu", data="special", n=300), "drops NaN"),
    (mutants.DropsNan, Case("leaky_relu", dtype="bfloat16", data="special", n=300), "drops NaN"),
    (mutants.DropsNanInTail, Case("relu", data="special", n=151), "drops NaN"),
    (mutants.WrongSlopeSign, Case("leaky_relu"), "has the wrong sign"),
    (mutants.WrongSlopeSign, Case("leaky_relu", "backward"), "has the wrong sign"),
    (mutants.IgnoresSlope, Case("leaky_relu", negative_slope=0.2), "off by"),
    (mutants.IgnoresSlope, Case("leaky_relu", "backward", negative_slope=1.5), "off by"),
    (mutants.SkipsTail, Case("relu", n=1023), "off by"),
    (mutants.SkipsTail, Case("relu", placement="out", n=17), "left unwritten"),
    (mutants.SkipsLast, Case("leaky_relu", placement="out", n=1024), "left unwritten"),
    (mutants.SkipsLast, Case("relu", "backward", "out", n=1024), "left unwritten"),
    (mutants.PromotesDtype, Case("relu", dtype="float16"), "changes the dtype"),
    (mutants.PromotesDtype, Case("leaky_relu", dtype="float32"), "changes the dtype"),
    (mutants.MaxOfBoth, Case("leaky_relu", negative_slope=1.5), "off by"),
    (mutants.MaxOfBoth, Case("leaky_relu", negative_slope=-0.5, data="negative"), None),
    (mutants.MultipliesByMask, Case("relu", data="special", n=300), "makes NaN"),
    (mutants.NarrowSlope, Case("leaky_relu", dtype="float64"), "slope rounded to float32"),
    (mutants.NarrowSlope, Case("leaky_relu", "backward", dtype="float64"), "slope rounded to float32"),
    (mutants.OffByOneUlp, Case("leaky_relu"), "off by 1 ULP"),
    (mutants.MixesModels, Case("leaky_relu"), "off by 1 ULP"),
    (mutants.IgnoresStrides, Case("relu", layout="strided"), ""),
    (mutants.IgnoresStrides, Case("relu", layout="transposed"), ""),
    (mutants.LosesInfinity, Case("relu", data="special", n=300), "loses an infinity"),
    (mutants.GradientIgnoresDy, Case("relu", "backward"), "off by"),
    (mutants.GradientFromOutput, Case("leaky_relu", "backward", negative_slope=-0.5), "has the wrong sign"),
]


@pytest.mark.parametrize(("mutant", "case", "words"), CAUGHT, ids=lambda value: getattr(value, "name", None))
def test_each_mutant_is_caught_by_name(mutant: type, case: Case, words: str | None) -> None:
    x, dy = inputs(case)
    problem, _ = run(mutant(), case, x, dy)
    if words is None:  # where a wrong formula happens to be right, it passes
        assert problem is None
    else:
        assert problem is not None
        assert words in problem


def test_a_mutated_input_is_caught() -> None:
    for placement in ("new", "out"):
        case = Case("relu", placement=placement)
        problem, touched = run(mutants.MutatesInput(), case, *inputs(case))
        assert problem is None
        assert "became 0.0" in str(touched)


def test_every_mutant_is_a_backend_and_tried() -> None:
    every = {
        value
        for value in vars(mutants).values()
        if isinstance(value, type) and issubclass(value, mutants.HonestNumpy)
    }
    assert all(isinstance(mutant(), Backend) for mutant in every)
    assert len({mutant.name for mutant in every}) == len(every)
    not_for_a_judge = {
        mutants.Crashes,
        mutants.Hangs,
        mutants.HonestNumpy,
        mutants.Raises,
        mutants.SharesResult,
    }
    tried = {mutant for mutant, _, _ in CAUGHT} | {mutants.MutatesInput} | not_for_a_judge
    assert tried == every


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_honest_backend_passes_everywhere(layout: str, dtype: str) -> None:
    for op in MAIN_OPS:
        for direction in DIRECTIONS:
            for placement in ("new", "out"):
                for data in ("normal", "special"):
                    case = Case(op, direction, placement, dtype=dtype, layout=layout, data=data)
                    assert run(mutants.HonestNumpy(), case, *inputs(case)) == (None, None)


def test_a_signalling_nan_where_none_belongs_is_named() -> None:
    """Arithmetic on one is a warning of NumPy's, which the judge itself must not raise."""
    x = np.array([1, 2, 3], np.float16)
    result = x.copy()
    bits(result)[1] = 0x7C01
    assert "makes NaN: at index 1" in str(judge(Case("relu", dtype="float16", n=3), x, None, result).problem)
