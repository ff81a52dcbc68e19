"""torch_compile keeps the policy and the interface, as one kernel a case, and says what it lacks.

Each length, slope and layout takes a second to compile.  So the cases are few, and the tests share them: what one has
compiled, the others fetch from the backend or from Inductor's cache.  All others are tried once a day.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS, PLACEMENTS, Case
from tests import backend_checks
from tests.backend_checks import demand
from tests.calls import Driver, check, load

pytestmark = pytest.mark.slow

NAME = "torch_compile"
LEAKY = Case("leaky_relu", n=71)
USUAL = (
    Case("relu", n=71),
    LEAKY,
    replace(LEAKY, placement="out"),
    replace(LEAKY, direction="backward"),
    replace(LEAKY, direction="backward", placement="inplace"),
)
CASES = [Case(*axes, n=71) for axes in product(MAIN_OPS, DIRECTIONS, PLACEMENTS, DTYPES)]


def of(cases: list[Case], *usual: Case) -> pytest.MarkDecorator:
    """A test of each of these cases, all but the usual ones once a day."""
    axes = ("op", "direction", "placement", "dtype", "layout")
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(
                case,
                marks=() if case in usual else pytest.mark.daily,
                id="-".join(getattr(case, axis) for axis in axes),
            )
            for case in cases
        ],
    )


# --- values --------------------------------------------------------------------------------


@of(CASES, *USUAL)
def test_special_values_at_every_position(case: Case) -> None:
    backend = load(NAME)
    demand(backend, case)
    for n in (1, 71) if case == USUAL[0] else (71,):
        check(backend, replace(case, n=n), step=1 if case.placement == "new" else 5)


@pytest.mark.parametrize(
    ("direction", "slope"),
    [
        pytest.param(*each, marks=() if each == ("forward", 1.5) else pytest.mark.daily)
        for each in product(DIRECTIONS, (1.5, 0.0, 1.0, -0.5))
    ],
)
def test_other_slopes(direction: str, slope: float) -> None:
    check(load(NAME), replace(LEAKY, direction=direction, negative_slope=slope), step=11)


@of(
    [
        replace(case, n=35, layout=layout)
        for layout in ("strided", "transposed")
        for case in CASES
        if (case.op, case.dtype) == ("leaky_relu", "float32")
    ],
    replace(LEAKY, n=35, layout="strided"),
    replace(LEAKY, n=35, layout="transposed"),
)
def test_layouts(case: Case) -> None:
    backend = load(NAME)
    demand(backend, case)
    check(backend, case, step=7)


@of(
    [
        replace(case, n=1 << 16)
        for case in CASES
        if case.placement == "new" and case.dtype.endswith("float16")
    ],
    replace(LEAKY, dtype="bfloat16", n=1 << 16),
)
def test_every_bit_pattern_of_16_bits(case: Case) -> None:
    backend_checks.every_bit_pattern(load(NAME), case)


def test_a_length_that_runs_in_parallel() -> None:
    backend_checks.in_parallel(load(NAME), "forward", "float32")


@pytest.mark.daily
def test_the_examples_of_the_article() -> None:
    backend_checks.examples_of_the_article(load(NAME))


def test_no_elements() -> None:
    backend_checks.no_elements(load(NAME))


# --- memory --------------------------------------------------------------------------------


@of([Case("relu", dtype=dtype, n=71) for dtype in DTYPES], USUAL[0])
def test_adopt_aliases_the_host_array(case: Case) -> None:
    backend_checks.aliases_the_host_array(load(NAME), case)


@pytest.mark.parametrize("op", ["leaky_relu", pytest.param("relu", marks=pytest.mark.daily)])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_results_lie_where_the_placement_says(op: str, direction: str) -> None:
    backend_checks.results_lie_where_the_placement_says(load(NAME), op, direction)


@pytest.mark.daily
def test_a_second_set_of_buffers_gets_its_own_results() -> None:
    backend_checks.a_second_set_of_buffers_gets_its_own_results(load(NAME))


# --- one kernel, compiled once -------------------------------------------------------------


def fresh() -> Any:
    """One that has compiled nothing, beside the files that the other left."""
    return type(load(NAME))()


def test_it_never_recompiles_nor_falls_back() -> None:
    """More lengths of one operation than torch would recompile it for, each with two sets of buffers."""
    dynamo = pytest.importorskip("torch._dynamo")
    backend, drivers = fresh(), []
    with dynamo.config.patch(recompile_limit=1):  # as shipped it is 8, and each length is compiled anew
        for n in (1, 71):
            for driver in (Driver(backend, Case("relu", n=n)) for _ in range(2)):
                driver.call(np.full(n, -1, np.float32), None)
                drivers.append(driver)
            report = backend.compile_report()
            assert {**report, "cache_hit": None} == {
                "cache_hit": None,
                "graphs": 1,
                "recompiles": 0,
                "eager_fallback": False,
            }
    for driver in drivers:
        driver.x[...] = 5
        assert (backend.to_numpy(driver.again()) == 5).all()
    assert backend.compile_report()["recompiles"] == 0


@of([case for case in CASES if case.dtype == "float32"], *USUAL[1:])
def test_a_case_is_one_kernel(case: Case) -> None:
    """Writing into `out` or in place costs no second pass over memory."""
    backend = fresh()
    demand(backend, case)
    from torch._inductor import metrics

    metrics.reset()
    zeros = np.zeros(71, np.float32)  # of a case that is compiled, Inductor's cache keeps the count
    Driver(backend, case).call(zeros, zeros if case.direction == "backward" else None)
    assert metrics.generated_kernel_count == 1


# --- what it lacks -------------------------------------------------------------------------
# torch reads CXX when its compiler is imported, which takes seconds: here that has been done.


def test_a_compiler_that_is_not_there_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, missing = load(NAME), str(tmp_path / "none")
    config = pytest.importorskip("torch._inductor.config")
    monkeypatch.setenv("CXX", missing)
    with config.patch({"cpp.cxx": (None, missing)}):
        said = str(backend.why_not(Case("relu")))
    assert "needs a C++ compiler" in said
    assert "apt-get install g++" in said


def test_a_compiler_with_options_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = load(NAME)
    config = pytest.importorskip("torch._inductor.config")
    monkeypatch.setenv("CXX", "c++ -O2")
    with config.patch({"cpp.cxx": (None, "c++ -O2")}):
        assert "CXX is 'c++ -O2', set it to 'c++'" in str(backend.why_not(Case("relu")))


def test_a_space_in_the_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile does not quote what it hands to the compiler."""
    backend = load(NAME)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a b"))
    assert "set TMPDIR to another folder" in str(backend.why_not(Case("relu")))


def test_switched_off_it_refuses_and_what_made_no_graph_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, case = fresh(), USUAL[0]
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    assert "unset it" in str(backend.why_not(case))
    x = backend.adopt(np.ones(case.n, np.float32), case)
    with pytest.raises(RuntimeError, match="ran eagerly"):
        backend.compile(case, x, None, None)
