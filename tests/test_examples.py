"""The example plugins: right where they say that they can, and refusing what they cannot do honestly."""

from __future__ import annotations

from typing import Any

import pytest

from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from bench.judging.activation import ActivationGate
from kernels.api import Backend, Case
from kernels.plugins import instantiate
from scripts._crosscheck.checking import check

pytestmark = pytest.mark.slow

_SPECS = {
    "onnxruntime": "examples.onnxruntime_relu:OnnxRuntimeRelu",
    "numexpr": "examples.numexpr_relu:NumexprRelu",
}


def backend(name: str) -> Backend:
    pytest.importorskip(name, reason=f"{name} is not installed: pip install 'relu-bench[examples]'")
    if name == "onnxruntime":
        pytest.importorskip("onnx", reason="onnx is not installed: pip install 'relu-bench[examples]'")
    return instantiate(_SPECS[name])


@pytest.mark.parametrize("name", _SPECS)
def test_they_are_backends_of_that_name(name: str) -> None:
    made = backend(name)
    assert isinstance(made, Backend)
    assert made.name == name
    assert name in made.versions()


@pytest.mark.parametrize(
    ("name", "case", "model"),
    [
        ("onnxruntime", Case("relu", dtype="float64"), {"exact"}),
        ("onnxruntime", Case("leaky_relu", placement="out"), {"A", "exact"}),
        ("onnxruntime", Case("leaky_relu", dtype="float16"), {"B", "exact"}),
        ("numexpr", Case("relu", placement="inplace"), {"exact"}),
        ("numexpr", Case("leaky_relu", placement="out", dtype="float64"), {"A", "exact"}),
        ("numexpr", Case("leaky_relu", "backward", "inplace"), {"A", "exact"}),
        ("numexpr", Case("relu", "backward", dtype="float64"), {"exact"}),
    ],
)
def test_what_they_do_is_right(name: str, case: Case, model: set[str]) -> None:
    outcome = check(backend(name), case, 0.0)
    assert (outcome.status, outcome.reason, outcome.max_ulp) == ("ok", "", 0)
    assert outcome.models <= model


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("onnxruntime", Case("relu", n=1000)),
        ("onnxruntime", Case("leaky_relu", placement="out", n=1000)),
        ("numexpr", Case("leaky_relu", placement="inplace", n=1000)),
        ("numexpr", Case("relu", "backward", "out", n=1000, layout="strided")),
        ("numexpr", Case("leaky_relu", placement="new", n=1000, layout="transposed")),
    ],
)
def test_they_pass_the_gate_with_their_results_where_they_belong(name: str, case: Case) -> None:
    made = backend(name)
    assert made.why_not(case) is None
    slots = Slots(made, case, InputSource(1).of(case), 1 << 20)
    assert slots.ring[0].aliased
    assert ActivationGate(slots).before().problem is None


@pytest.mark.parametrize(
    ("name", "case", "words"),
    [
        ("onnxruntime", Case("relu", "backward"), "no gradients"),
        ("onnxruntime", Case("relu", placement="inplace"), "use placement new or out"),
        ("onnxruntime", Case("relu", dtype="bfloat16"), "bfloat16"),
        ("onnxruntime", Case("relu", layout="strided"), "not contiguous"),
        ("onnxruntime", Case("relu", device="cuda"), "CPU only"),
        ("onnxruntime", Case("leaky_relu", dtype="float64"), "cannot hold 0.01 for float64"),
        ("numexpr", Case("relu", dtype="float16"), "no 16-bit floats"),
        ("numexpr", Case("relu", device="cuda"), "CPU only"),
    ],
)
def test_what_they_refuse(name: str, case: Case, words: str) -> None:
    assert words in str(backend(name).why_not(case))


def test_onnxruntime_takes_a_slope_for_float64_that_a_float32_holds() -> None:
    case = Case("leaky_relu", placement="out", dtype="float64", n=1000, negative_slope=0.25)
    made = backend("onnxruntime")
    assert made.why_not(case) is None
    assert ActivationGate(Slots(made, case, InputSource(1).of(case), 1 << 20)).before().problem is None


def test_the_slope_that_onnxruntime_refuses_would_be_wrong() -> None:
    made: Any = backend("onnxruntime")
    made.why_not = lambda case: None
    outcome = check(made, Case("leaky_relu", dtype="float64"), 0.0)
    assert outcome.status == "incorrect"
    assert "by a slope rounded to float32" in outcome.reason


@pytest.mark.parametrize("name", _SPECS)
def test_threads_are_counted(name: str) -> None:
    made = backend(name)
    assert made.set_threads(1) == 1
    assert made.set_threads(2) == 2
    assert made.set_threads(0) >= 1
