"""``--callable``: a function is tried in a process of its own, and what is wrong with it is one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.plan.callables import adopted
from bench.plan.options import OptionError, parse
from kernels import op_facts, registry
from kernels.specs.op import is_op_spec
from tests.running import ROOT

pytestmark = pytest.mark.usefixtures("own_registry")

PROGRAM = """
import ctypes
import numpy as np

def good(x): return np.maximum(x, 0)
def raises(x): raise RuntimeError("not\\ntoday")
def narrow(x): return np.maximum(x, 0).astype(np.float16)
def short(x): return x[1:]
def listed(x): return list(x)
def dies(x): ctypes.string_at(0)
def only_double(x):
    assert x.dtype == np.float64
    return np.maximum(x, 0)
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "functions_of_a_test.py"
    path.write_text(PROGRAM)
    return str(path)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        ("raises", "raises called with 1024 elements of float32 raised RuntimeError: not today"),
        ("narrow", r"returned shape \(1024,\), float16; wanted shape \(1024,\), float32"),
        ("short", r"returned shape \(1023,\), float32; wanted shape \(1024,\), float32"),
        ("listed", r"listed\(x\), called with 1024 elements of float32, returned list, wanted ndarray"),
        ("godo", "has no function 'godo'; did you mean 'good'"),
    ],
)
def test_what_cannot_be_measured_is_a_usage_error_of_one_line(mine: str, function: str, wanted: str) -> None:
    with pytest.raises(OptionError, match=f"--callable: .*{wanted}") as caught:
        parse({"callable": [f"{mine}:{function}"]})
    assert "\n" not in str(caught.value)


def test_it_is_measured_beside_the_backends_and_is_not_imported_here(mine: str) -> None:
    settings = parse({"callable": [f"{mine}:good"], "backends": "numpy_ufunc"})
    assert settings.backends == ("numpy_ufunc", "good")
    assert settings.plugins == {"good": f"good=relu@numpy:{mine}:good"}
    assert not [name for name in sys.modules if name.endswith(Path(mine).stem)]


def test_it_is_tried_with_a_dtype_that_is_asked_for(mine: str) -> None:
    with pytest.raises(ValueError, match="AssertionError"):
        adopted([f"{mine}:only_double"], dtypes=("float64", "float32"))
    assert adopted([f"{mine}:only_double"], dtypes=("float64",))


def test_one_that_ends_its_process_is_left_to_its_cell(mine: str) -> None:
    assert "dies" in adopted([f"{mine}:dies"])


@pytest.mark.parametrize("name", ["numpy_ufunc", "copy_plain", "good"])
def test_a_name_that_another_has(mine: str, name: str) -> None:
    if name == "good":
        registry.register(f"good=relu@numpy:{mine}:good", "good")
    with pytest.raises(ValueError, match=f"'{name}' is the name of .*, as in mine={mine}:good"):
        adopted([f"{name}={mine}:good"])


@pytest.mark.parametrize("name", ["a+b", "x" * 65, "-a"])
def test_what_cannot_be_a_name_is_refused(mine: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be a name|is no function"):
        adopted([f"{name}={mine}:good"])


def test_a_function_that_is_called_op_is_no_op(mine: str) -> None:
    (spec,) = adopted([f"op={mine}:good"]).values()
    assert not is_op_spec(spec)


def test_a_function_of_ones_own_op_gets_the_parameters_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(op_facts, "_OWN", {})
    path = tmp_path / "mine.py"
    path.write_text("def swish(x, beta):\n    return x / (1 + (-beta * x).clip(-9, 9))\n")
    settings = parse({"op": [f"{ROOT}/examples/own_op.py:Swish"], "callable": [f"{path}:swish"]})
    assert settings.plugins["swish"] == f"swish=Swish@numpy:{path}:swish"
