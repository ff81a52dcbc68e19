"""The gate and the looks after it: honest work is never accused, and no mutant passes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest

from bench.arm.server import ArmServer
from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from bench.judging.activation import ActivationGate
from bench.messages import Finished, Prepared, Sample
from kernels.api import CACHES, DATA, DIRECTIONS, DTYPES, LAYOUTS, MAIN_OPS, PLACEMENTS, Case
from kernels.backends.numpy_ufunc import NumpyUfunc
from tests import mutants
from tests.honest import HonestNumpy
from tests.serving import never_late
from tests.tricksters import WritesAllOnce

pytestmark = pytest.mark.slow

CACHE_BYTES = 1 << 16
LENGTHS = (1, 17, 1000)
SLOPES = (0.0, 1.5, -0.5, float("nan"))


def loaded(backend: Any) -> ArmServer:
    server = ArmServer(lambda: backend, 1, CACHE_BYTES)
    server.load()
    return server


def worked(server: ArmServer, case: Case) -> tuple[Prepared, list[Sample], Finished]:
    """What a server makes of its backend in a few batches."""
    prepared = server.prepare(case)
    if prepared.gate.problem:
        return prepared, [], Finished(None, {})
    server.probe(0.0)
    samples = [server.batch(iterations, 0.0) for iterations in (1, 2, 7, 1)]
    return prepared, samples, server.finish()


def every(op: str, direction: str) -> list[Case]:
    """All lengths, layouts, data, cache states and slopes in every placement."""
    lengths = itertools.product(PLACEMENTS, DTYPES, LENGTHS)
    layouts = itertools.product(PLACEMENTS, ("float16", "float32"), LAYOUTS, DATA)
    caches = itertools.product(PLACEMENTS, CACHES, SLOPES)
    return [
        *(Case(op, direction, placement, dtype, n) for placement, dtype, n in lengths),
        *(
            Case(op, direction, placement, dtype, 640, layout=layout, data=data)
            for placement, dtype, layout, data in layouts
        ),
        *(
            Case(op, direction, placement, n=640, cache=cache, negative_slope=slope)
            for placement, cache, slope in caches
        ),
    ]


def pairs(op: str, direction: str) -> list[Case]:
    """Of those a third, in which every two values of two axes still meet."""
    return [
        *(
            Case(op, direction, placement, dtype, LENGTHS[(i + j) % 3])
            for i, placement in enumerate(PLACEMENTS)
            for j, dtype in enumerate(DTYPES)
        ),
        *(
            Case(op, direction, PLACEMENTS[(i + j) % 3], dtype, 640, layout=layout, data=data)
            for (i, layout), (j, data) in itertools.product(enumerate(LAYOUTS), enumerate(DATA))
            for dtype in ("float16", "float32")
        ),
        *(
            Case(op, direction, PLACEMENTS[(i + j) % 3], n=640, cache=cache, negative_slope=slope)
            for (i, cache), (j, slope) in itertools.product(enumerate(CACHES), enumerate(SLOPES))
        ),
    ]


def test_in_a_third_of_the_cases_every_two_values_meet() -> None:
    some, all_of_them = pairs("relu", "forward"), every("relu", "forward")
    axes = ("placement", "dtype", "n", "layout", "data", "cache")
    for one, other in itertools.combinations(axes, 2):
        wanted = {(getattr(case, one), getattr(case, other)) for case in all_of_them}
        assert {(getattr(case, one), getattr(case, other)) for case in some} == wanted, (one, other)
    assert 3 * len(some) <= len(all_of_them)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # the gate has signalling NaNs
@pytest.mark.parametrize("chosen", [pairs, pytest.param(every, marks=pytest.mark.daily)])
@pytest.mark.parametrize(
    ("op", "direction", "backend"),
    [
        ("leaky_relu", "forward", NumpyUfunc),
        ("relu", "backward", NumpyUfunc),
        *(
            pytest.param(*each, NumpyUfunc, marks=pytest.mark.daily)
            for each in (("relu", "forward"), ("leaky_relu", "backward"))
        ),
        *(  # in make test, this one is honest beside each mutant below
            pytest.param(op, direction, HonestNumpy, marks=pytest.mark.daily)
            for op, direction in itertools.product(MAIN_OPS, DIRECTIONS)
        ),
    ],
)
def test_honest_work_is_never_accused(
    op: str, direction: str, backend: type, chosen: Callable[[str, str], list[Case]]
) -> None:
    server = loaded(backend())
    for case in chosen(op, direction):
        prepared, samples, finished = worked(server, case)
        assert prepared.gate.problem is None, case
        assert [sample.problem for sample in samples] == [None] * 4, case
        assert finished.problem is None, case
        server.release()


MUTANTS: dict[type[HonestNumpy], tuple[Case, str]] = {
    mutants.DropsNan: (Case("relu", n=1000), "drops NaN"),
    mutants.DropsNanInTail: (Case("relu", n=1023), "drops NaN"),
    mutants.WrongSlopeSign: (Case("leaky_relu", n=1000), "wanted -inf|wrong sign"),
    mutants.IgnoresSlope: (Case("leaky_relu", n=1000, negative_slope=0.2), "ULP"),
    mutants.SkipsTail: (Case("relu", placement="out", n=1023), r"writes only a part \(7 of 1023 unwritten\)"),
    mutants.SkipsLast: (Case("relu", placement="out", n=1000), r"writes only a part \(1 of 1000 unwritten\)"),
    mutants.MutatesInput: (Case("relu", n=1000), "writes into its input x"),
    mutants.PromotesDtype: (Case("relu", n=1000), "changes the dtype: returned float64"),
    mutants.MaxOfBoth: (Case("leaky_relu", n=1000, negative_slope=1.5), "ULP"),
    mutants.MultipliesByMask: (Case("relu", n=1000), "makes NaN"),
    mutants.NarrowSlope: (Case("leaky_relu", dtype="float64", n=1000), "slope rounded to float32"),
    mutants.OffByOneUlp: (Case("leaky_relu", n=1000), "off by 1 ULP"),
    mutants.MixesModels: (Case("leaky_relu", n=1000), "off by 1 ULP"),
    mutants.IgnoresStrides: (Case("relu", n=1000, layout="strided"), "."),
    mutants.LosesInfinity: (Case("relu", n=1000), "loses an infinity"),
    mutants.GradientIgnoresDy: (Case("relu", "backward", n=1000), "."),
    mutants.SharesResult: (Case("relu", n=1000), "returns an earlier result's memory again"),
    mutants.GradientFromOutput: (Case("leaky_relu", "backward", n=1000, negative_slope=-0.5), "."),
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.name)
def test_mutant_does_not_pass_the_gate(mutant: type[HonestNumpy]) -> None:
    case, says = MUTANTS[mutant]
    assert worked(loaded(HonestNumpy()), case)[2].problem is None
    with never_late():
        prepared, _, finished = worked(loaded(mutant()), case)
    problem = prepared.gate.problem or finished.problem
    assert problem is not None
    assert re.search(says, problem), problem


def test_a_part_left_out_is_found_where_every_result_has_new_memory() -> None:
    """More than 32 MiB: such memory is zeros, as much of relu's result is."""
    prepared, _, _ = worked(loaded(WritesAllOnce()), Case("relu", n=9 << 20))
    assert prepared.gate.problem is not None
    assert "elements wrong" in prepared.gate.problem


def test_every_mutant_is_tried() -> None:
    found = {
        each for each in vars(mutants).values() if isinstance(each, type) and issubclass(each, HonestNumpy)
    }
    assert found - {HonestNumpy, mutants.Crashes, mutants.Hangs, mutants.Raises} == set(MUTANTS)


def test_gate_leaves_the_inputs_as_they_were() -> None:
    case = Case("leaky_relu", "backward", n=1000, dtype="float16", layout="transposed")
    inputs = InputSource(3).of(case)
    slots = Slots(HonestNumpy(), case, inputs, CACHE_BYTES)
    assert ActivationGate(slots).before().problem is None
    again = InputSource(3).of(case)
    for was, array in ((again.x, inputs.x), (again.dy, inputs.dy), (again.x, slots.ring[0].x)):
        assert was is not None
        assert array is not None
        assert was.tobytes() == array.tobytes()
