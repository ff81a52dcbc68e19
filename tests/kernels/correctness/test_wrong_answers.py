"""What is wrong in an answer is found and said: values, shapes, what was never written, whatever the stride."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS, Case
from kernels.correctness import reference
from kernels.correctness.policy import describe, judge, unchanged
from kernels.numbers import host_arrays
from kernels.numbers.floats import FORMATS, bits, is_nan
from tests.answers import INF, NAN, answer, array, inputs


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
    source = (x if dy is None else dy).astype(np.float64)
    # what comes out where a product is subnormal is only reported
    ordinary = np.flatnonzero(np.abs(source * (case.negative_slope or 1)) > 2 * FORMATS[dtype].tiny)
    for model in reference.models(dtype):
        right = answer(case, x, dy, model)
        assert judge(case, x, dy, right).problem is None
        for place in rng.choice(ordinary, 4):
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
