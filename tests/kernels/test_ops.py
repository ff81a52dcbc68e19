"""An op's file says all of `Op`, and says the same thing in each framework's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS, OPS, PLACEMENTS, Case
from kernels.correctness import bounded, reference
from kernels.correctness.policy import judge
from kernels.numbers.floats import is_nan, np_dtype
from kernels.numbers.host_arrays import specials
from kernels.numbers.ulp import same_bits
from kernels.ops import ExactOp, Op, exact_op, formula, leaky_relu, op_of, relu, scalars
from kernels.ops.formula import Formula

FILES: dict[str, ExactOp] = {"relu": relu, "leaky_relu": leaky_relu}  # where mypy holds them to the protocol
FORMULAS: dict[str, Formula] = {name: op for name in OPS if isinstance(op := op_of(name), Formula)}
AN_OP: Op = FORMULAS["silu"]  # likewise
HELPERS = {"__init__", "scalars", "formula", "learnt"}


def test_every_op_has_a_file_and_every_file_is_an_op() -> None:
    assert tuple(FILES) == MAIN_OPS
    assert all(op_of(name) is op for name, op in FILES.items())
    found = {path.stem for path in Path(str(relu.__file__)).parent.glob("*.py")}
    assert found - HELPERS == {*FILES, *FORMULAS} == set(OPS)


def test_an_unknown_op_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="op is 'gleu'; allowed: relu, leaky_relu"):
        op_of("gleu")


def test_an_op_with_a_bound_has_no_exact_answer() -> None:
    with pytest.raises(ValueError, match="op silu has no exact answer"):
        exact_op("silu")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FILES)
def test_the_formula_of_one_element_is_the_reference(name: str, dtype: str) -> None:
    """As it stands, in NumPy's scalars; what Numba compiles of it is held to the policy with the backends."""
    op, kind = FILES[name], np_dtype(dtype)
    x = specials(dtype)
    dy = np.resize(np.array([1.5, -3.0, np.inf, 0.0], kind), x.shape)
    with np.errstate(all="ignore"):
        slope = (np.float32(kind.type(0.3)) if kind.itemsize == 2 else kind.type(0.3),) if op.scales else ()
        y = np.array([op.scalar(v, *slope) for v in x], kind)
        dx = np.array([op.scalar_derivative(g, v, *slope) for g, v in zip(dy, x, strict=True)], kind)
    wanted, gradient = reference.forward(name, x, 0.3), reference.backward(name, dy, x, 0.3)
    numbers = ~is_nan(x)
    assert same_bits(y[numbers], wanted[numbers])
    assert is_nan(y[~numbers]).all()
    assert same_bits(dx[numbers], gradient[numbers])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", FORMULAS)
def test_the_expression_of_one_element_keeps_the_bound(name: str, direction: str, dtype: str) -> None:
    """As it stands, in NumPy's scalars, of ordinary numbers."""
    op, case = FORMULAS[name], Case(name, direction, dtype=dtype, n=500)
    if op.lacks("numba", name, direction, "new") is not None:
        pytest.skip("has none")
    arrays = [
        np.random.default_rng(seed).normal(0, 4, 500).astype(np_dtype(dtype)) for seed in range(case.arrays)
    ]
    function: Any = op.scalar(direction, Case(name).values)
    ordered = arrays[::-1] if direction == "backward" else arrays
    result = [
        scalars.narrowed(function(*map(scalars.widened, element)), element[0])
        for element in zip(*ordered, strict=True)
    ]
    x, other = arrays[0], arrays[1] if case.arrays == 2 else None
    assert judge(case, x, other, np.array(result, x.dtype)).problem is None


@pytest.mark.parametrize("name", FORMULAS)
def test_an_answer_beyond_the_bound_is_wrong_and_says_where(name: str) -> None:
    case = Case(name, n=2000)
    x = np.linspace(0.5, 5.5, 2000, dtype=np.float32)
    other = x[::-1].copy() if case.arrays == 2 else None
    right = bounded.expected(FORMULAS[name], case, x, other).astype(np.float32)
    assert judge(case, x, other, right).problem is None
    wrong = right.copy()
    wrong.view(np.uint32)[1234] += 40
    problem = judge(case, x, other, wrong).problem or ""
    assert "off by 40 ULP" in problem
    assert "at index 1234 of 2000" in problem
    assert "(1 of 2000 elements wrong)" in problem


@pytest.mark.parametrize("name", FORMULAS)
def test_a_lost_nan_and_one_that_is_made_are_wrong(name: str) -> None:
    case = Case(name, n=4)
    x = np.array([1.0, np.nan, 2.0, 3.0], np.float32)
    other = np.ones(4, np.float32) if case.arrays == 2 else None
    right = bounded.expected(FORMULAS[name], case, x, other).astype(np.float32)
    lost, made = np.nan_to_num(right), right.copy()
    made[3] = np.nan
    assert "drops NaN" in (judge(case, x, other, lost).problem or "")
    assert "makes NaN" in (judge(case, x, other, made).problem or "")
    made.view(np.uint32)[3] = 0x7FE5A5A5
    assert "left unwritten" in (judge(case, x, other, made).problem or "")


@pytest.mark.parametrize("x", [7.0, 3e38, float("inf")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_number_is_so_large_that_a_wrong_answer_is_excused(x: float, dtype: str) -> None:
    """An op that forms no power of x is judged everywhere."""
    given = np.array([x], np_dtype(dtype))
    case = Case("relu6", dtype=dtype, n=1)
    assert judge(case, given, None, np.array([6], given.dtype)).problem is None
    assert judge(case, given, None, np.array([5], given.dtype)).problem is not None


@pytest.mark.parametrize(("factor", "is_right"), [(1.0, True), (0.0, True), (0.5, False), (2.0, False)])
def test_a_subnormal_gradient_may_be_taken_for_zero_and_nothing_between(
    factor: float, is_right: bool
) -> None:
    """However large the derivative that it meets."""
    case = Case("elu", "backward", params="alpha=100", n=1)
    x, dy = np.array([-1e-3], np.float32), np.array([5.9e-39], np.float32)
    right = bounded.expected(FORMULAS["elu"], case, x, dy)
    problem = judge(case, x, dy, (factor * right).astype(np.float32)).problem
    assert (problem is None) is is_right


@pytest.mark.parametrize("name", [name for name, op in FORMULAS.items() if op.derivative is not None])
def test_the_derivative_is_that_of_the_reference(name: str) -> None:
    """By central differences in float64, away from kinks."""
    op, values = FORMULAS[name], Case(name).values
    x, h = np.linspace(-8.05, 8.05, 322), 1e-5
    assert op.derivative is not None
    difference = (op.reference(x + h, **values) - op.reference(x - h, **values)) / (2 * h)
    away = (
        np.all([np.abs(x - kink) > 1e-3 for kink in op.kinks], axis=0) if op.kinks else np.full(x.shape, True)
    )
    np.testing.assert_allclose(op.derivative(x, **values)[away], difference[away], rtol=1e-6, atol=1e-8)


def test_what_an_expression_lacks_is_a_sentence() -> None:
    every = [
        op.lacks(framework, name, direction, placement)
        for name, op in FORMULAS.items()
        for framework in ("numpy", "numba", "jax", "torch", "compiled")
        for direction in DIRECTIONS
        for placement in PLACEMENTS
    ]
    said = {reason for reason in every if reason is not None}
    assert all(len(reason.split()) > 5 for reason in said)
    assert any("NumPy has no erf" in reason for reason in said)
    assert any("use placement new" in reason for reason in said)


def test_a_call_writes_in_place_into_the_last_array_that_it_reads() -> None:
    assert formula.target_of("inplace", "x", None, None) == "x"
    assert formula.target_of("inplace", "x", "dy", None) == "dy"
    assert formula.target_of("inplace", ("x", "r"), None, None) == "r"
    assert formula.target_of("out", "x", None, "out") == "out"


@pytest.mark.parametrize(
    ("op", "x", "got"),
    [("relu6", -1000, 0.2), ("relu6", -5, 0.0012), ("relu6", -60000, 14), ("relu_squared", -60000, 14),
     ("sigmoid", -100, 0.02), ("elu", -60000, 0.5)],
)  # fmt: skip
def test_in_float16_no_ordinary_number_passes_for_zero(op: str, x: float, got: float) -> None:
    given, result = np.array([x], np.float16), np.array([got], np.float16)
    assert judge(Case(op, dtype="float16", n=1), given, None, result).problem is not None
