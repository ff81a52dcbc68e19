"""Each mutant is caught by the judge, by name, and the honest backend passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.api import DIRECTIONS, DTYPES, LAYOUTS, MAIN_OPS, Backend, Case
from kernels.correctness.policy import judge, unchanged
from kernels.numbers import host_arrays
from kernels.numbers.floats import bits
from tests import mutants
from tests.answers import inputs
from tests.honest import HonestNumpy


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
        if isinstance(value, type) and issubclass(value, HonestNumpy)
    }
    assert all(isinstance(mutant(), Backend) for mutant in every)
    assert len({mutant.name for mutant in every}) == len(every)
    not_for_a_judge = {
        mutants.Crashes,
        mutants.Hangs,
        HonestNumpy,
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
                    assert run(HonestNumpy(), case, *inputs(case)) == (None, None)


def test_a_signalling_nan_where_none_belongs_is_named() -> None:
    """Arithmetic on one is a warning of NumPy's, which the judge itself must not raise."""
    x = np.array([1, 2, 3], np.float16)
    result = x.copy()
    bits(result)[1] = 0x7C01
    assert "makes NaN: at index 1" in str(judge(Case("relu", dtype="float16", n=3), x, None, result).problem)
