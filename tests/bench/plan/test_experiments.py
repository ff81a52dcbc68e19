"""Which cases a profile comes to, and who takes part in them."""

from __future__ import annotations

import dataclasses

import pytest

from bench.plan.experiments import Arm, Experiment, Variant, case_label, cases, experiments
from bench.plan.options import parse
from bench.plan.profiles import PROFILES
from kernels.api import AXES, DATA, DTYPES, LAYOUTS, PLACEMENTS, Case

GRID = {axis: (getattr(Case("relu"), axis),) for axis in AXES}


def grid(**axes: tuple[object, ...]) -> dict[str, tuple[object, ...]]:
    return {**GRID, **axes}


def test_cases_are_the_union_of_the_grids_each_once_in_order() -> None:
    found = cases([grid(n=(1, 2), dtype=("float32", "float64")), grid(n=(2, 3))])
    assert [(case.dtype, case.n) for case in found] == [
        ("float32", 1),
        ("float32", 2),
        ("float64", 1),
        ("float64", 2),
        ("float32", 3),
    ]


def test_relu_has_no_slope_and_so_appears_once() -> None:
    found = cases([grid(op=("relu", "leaky_relu"), negative_slope=(0.01, 0.2, 1.5))])
    assert [(case.op, case.negative_slope) for case in found] == [
        ("relu", 0.0),
        ("leaky_relu", 0.01),
        ("leaky_relu", 0.2),
        ("leaky_relu", 1.5),
    ]


def test_every_experiment_has_its_baseline_and_its_controls() -> None:
    (experiment,) = experiments([GRID], ("numba_jit", "numpy_ufunc"), "numpy_ufunc")
    assert [(arm.backend, arm.role) for arm in experiment.arms] == [
        ("numpy_ufunc", "baseline"),
        ("numba_jit", "candidate"),
        ("numpy_ufunc", "twin"),
        ("copy_plain", "ceiling"),
        ("copy_streaming", "ceiling"),
        ("copy_allocating", "allocation"),
        ("empty_call", "floor"),
    ]


@pytest.mark.parametrize(
    ("axes", "elements"),
    [
        ({"placement": ("out",)}, 1024),
        ({"placement": ("out",), "n": (100,)}, 100),
        ({"placement": ("inplace",)}, 1 << 24),  # each call has an input of its own
        ({"cache": ("cold",)}, 1 << 24),  # and here other arrays
    ],
)
def test_an_empty_call_has_small_arrays(axes: dict[str, tuple[object, ...]], elements: int) -> None:
    """It touches none; 16Mi elements would take a second to make."""
    (experiment,) = experiments([grid(**{"n": (1 << 24,), **axes})], ("numpy_ufunc",), "numpy_ufunc")
    cases_of = {arm.role: experiment.case_for(arm) for arm in experiment.arms}
    assert cases_of.pop("floor") == dataclasses.replace(experiment.case, n=elements)
    assert set(cases_of.values()) == {experiment.case}


@pytest.mark.parametrize("placement", ["out", "inplace"])
def test_what_allocating_costs_is_shown_where_there_is_allocating(placement: str) -> None:
    (experiment,) = experiments([grid(placement=(placement,))], ("numpy_ufunc",), "numpy_ufunc")
    assert "allocation" not in {arm.role for arm in experiment.arms}


def test_baseline_takes_part_though_it_is_not_among_the_backends() -> None:
    (experiment,) = experiments([GRID], ("numba_jit",), "torch_eager")
    assert [arm.backend for arm in experiment.arms][:3] == ["torch_eager", "numba_jit", "torch_eager"]


def test_variants_are_arms_beside_the_plain_ones() -> None:
    everywhere, only = Variant("thp", (("A", "1"),)), Variant("mm", (("B", "1"),), "numba_jit")
    (experiment,) = experiments([GRID], ("numpy_ufunc", "numba_jit"), "numpy_ufunc", (everywhere, only))
    labels = [arm.label for arm in experiment.arms if not arm.is_control]
    assert labels == ["numpy_ufunc", "numpy_ufunc[thp]", "numba_jit", "numba_jit[thp]", "numba_jit[mm]"]


def test_small_tensors_come_first() -> None:
    planned = experiments(
        [grid(n=(1 << 20, 64), dtype=("float64", "float16"))], ("numpy_ufunc",), "numpy_ufunc"
    )
    sizes = [experiment.case.n * experiment.case.itemsize for experiment in planned]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_names_in_a_profile_are_unique(profile: str) -> None:
    settings = parse({"profile": profile, "backends": "numpy_ufunc"})
    planned = experiments(settings.grids, settings.backends, settings.baseline)
    labels = [experiment.label for experiment in planned]
    assert len(set(labels)) == len(labels)
    assert len({experiment.case for experiment in planned}) == len(planned)


def test_slopes_that_differ_little_have_different_names() -> None:
    slopes = (0.123456789, 0.123456788, float("nan"), float("inf"), -0.5)
    planned = experiments([grid(op=("leaky_relu",), negative_slope=slopes)], ("numpy_ufunc",), "numpy_ufunc")
    assert len({experiment.label for experiment in planned}) == len(slopes)


def test_quick_profile_is_what_it_is_said_to_be() -> None:
    found = cases(PROFILES["quick"].grids)
    asked: dict[tuple[str, str], set[int]] = {}
    for case in found:
        asked.setdefault((case.op, case.direction), set()).add(case.n)
    assert asked == {
        ("relu", "forward"): {1 << 10, 1 << 15, 1 << 20, 1 << 24},
        ("relu", "backward"): {1 << 20},
        ("leaky_relu", "forward"): {1 << 20},
    }
    assert len(found) == 2 * (4 + 1 + 1)
    assert {case.dtype for case in found} == {"float32"}
    assert {case.placement for case in found} == {"new", "out"}


def test_full_profile_reaches_every_value_of_every_axis() -> None:
    found = cases(PROFILES["full"].grids)
    assert {case.data for case in found} == set(DATA)
    assert {case.dtype for case in found} == set(DTYPES)
    assert {case.layout for case in found} == set(LAYOUTS)
    assert {case.placement for case in found} == set(PLACEMENTS)
    assert {case.cache for case in found} == {"hot", "cold"}
    assert {1, 0} <= {case.threads for case in found}
    slopes = {case.negative_slope for case in found}
    assert min(slopes) < 0
    assert max(slopes) > 1


def test_card_profile_is_what_it_is_said_to_be() -> None:
    found = cases(PROFILES["card"].grids)
    assert {case.device for case in found} == {"cuda"}
    assert {case.placement for case in found} == {"new", "out"}
    assert {(case.dtype, case.n >> 10, case.cache) for case in found} == {
        *(("float32", n, "hot") for n in (1, 64, 1 << 10, 16 << 10, 256 << 10)),
        ("float32", 1 << 10, "cold"),
        *((dtype, 256 << 10, "hot") for dtype in ("float16", "bfloat16")),
    }
    assert len(found) == 8 * 8, "each with both ops, directions and placements"
    backends = parse({"profile": "card"}).backends
    assert {"torch_eager", "torch_graph", "numba_cuda", "triton_jit", "jax_jit"} <= set(backends)
    assert "numpy_ufunc" not in backends


def test_label_names_what_is_unusual() -> None:
    usual = Experiment(Case("leaky_relu", n=1 << 20), (Arm("numpy_ufunc"),))
    assert usual.label == "leaky_relu-forward-new-float32-1Mi"
    odd = dataclasses.replace(
        usual, case=Case("leaky_relu", n=1000, layout="strided", cache="cold", threads=2, negative_slope=0.2)
    )
    assert odd.label == "leaky_relu-forward-new-float32-1000-strided-cold-t2-slope0.2"


def test_each_op_is_measured_with_the_parameters_that_are_its_own() -> None:
    found = cases([grid(op=("relu", "elu", "prelu"), params=("alpha=0.5", "alpha=2.0"))])
    assert [(case.op, case.params) for case in found] == [
        ("relu", ""),
        ("elu", "alpha=0.5"),
        ("elu", "alpha=2.0"),
        ("prelu", "slope=0.25"),
    ]
    labels = [case_label(case) for case in found]
    assert [label.rpartition("1Ki")[2] for label in labels] == ["", "-alpha0.5", "-alpha2.0", ""]
