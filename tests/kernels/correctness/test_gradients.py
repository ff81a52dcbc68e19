"""The judge on gradients: the conventions at zero and NaN, and what is wrong off them."""

from __future__ import annotations

import pytest

from kernels.api import DTYPES, Case
from kernels.correctness.policy import judge
from kernels.numbers.floats import FORMATS
from tests.answers import INF, NAN, array


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
