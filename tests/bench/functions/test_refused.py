"""What `relu_bench.compare` refuses, where it finds functions; and `relu_bench.read_runs`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relu_bench
from bench.functions.located import kind_of_array, located
from bench.functions.runs import read_runs
from kernels.own.loading import GIVEN
from tests import functions
from tests.functions import X, dies, doubled, doubled_into, raises
from tests.running import REFERENCE

compare = relu_bench.compare


# --- refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "x", "more", "wanted"),
    [
        ({"f": lambda x: x}, X, {}, "'f' is a lambda, which no other process can find: put it into a file"),
        ({"a b": doubled}, X, {}, "'a b' is no name of a function"),
        ({"a+b": doubled}, X, {}, r"'a\+b' is no name of a function; a name is"),
        ({"numpy_ufunc": doubled}, X, {}, "is the name of a built-in; choose another"),
        ({"f": "nowhere.py:f"}, X, {}, "there is no file nowhere.py"),
        ({"f": 3}, X, {}, "'f' is a int; allowed: a function, or text"),
        ({}, X, {}, "no mapping of names to functions"),
        ({"f": doubled}, [1.0], {}, "x is a list; allowed: an array of NumPy or JAX, or a torch tensor"),
        ({"f": doubled}, X.astype(int), {}, "x has the dtype int64; allowed: float16"),
        ({"f": doubled}, X.T, {}, "x is not C-contiguous; give np.ascontiguousarray"),
        ({"f": doubled}, X[:0], {}, "x has the shape \\(0, 40\\); allowed: .* one element or more"),
        ({"f": doubled}, X, {"seconds": 0}, "seconds is 0; allowed"),
        ({"f": doubled}, X, {"isolation": "thread"}, "isolation is 'thread'; allowed: 'process', 'inline'"),
        ({"f": raises}, X, {}, "f, which says what is right: RuntimeError: not today"),
        (
            {"f": doubled_into},
            X,
            {},
            "f, which says what is right: writes into out, and there is none; give compare",
        ),
        (
            {"f": doubled},
            X,
            {"out": X[0]},
            r"out has shape \(40,\), float32, and what is right has shape \(30, 40\)",
        ),
        (
            {"f": doubled},
            X,
            {"out": X.astype(float)},
            "out has the dtype float64 and x float32; they must be the same",
        ),
        ({"f": doubled}, X, {"out": 3}, "out is a int; allowed: an array of NumPy or JAX"),
        ({"f": doubled}, X, {"out": X.T}, "out is not C-contiguous; give np.ascontiguousarray.out"),
        ({"f": dies}, X, {}, "f, which says what is right: importing it ended Python, exit status -11"),
    ],
)
def test_what_cannot_be_compared_is_one_line(given: Any, x: Any, more: Any, wanted: str) -> None:
    with pytest.raises((ValueError, TypeError), match=wanted) as caught:
        compare(given, x, **more)
    assert "\n" not in str(caught.value)


# --- where functions are found ----------------------------------------------------------------


def test_a_function_is_found_by_its_module_and_called_with_its_frameworks_arrays() -> None:
    jax, torch = pytest.importorskip("jax"), pytest.importorskip("torch")

    def place(function: Callable[..., Any] | str, inline: bool = False) -> tuple[str, str, str]:
        spec = located("f", function, "numpy", inline=inline)
        return spec.kind, spec.path, spec.function

    assert place(doubled) == ("numpy", functions.__name__, "doubled")
    assert place(torch.relu) == ("torch", "torch", "relu")
    assert place(torch.nn.functional.relu) == ("torch", "torch.nn.functional", "relu")
    assert place(jax.nn.relu)[0] == "jax"
    assert place(np.positive) == ("numpy", "numpy", "positive")
    assert place(lambda x: x, inline=True)[1] == GIVEN
    assert kind_of_array(torch.ones(1)) == "torch"
    assert kind_of_array(jax.numpy.ones(1)) == "jax"


# --- runs that were made -----------------------------------------------------------------------


def test_the_rows_of_a_run_are_tables() -> None:
    runs = read_runs(REFERENCE)
    assert runs.cells["run_id"].nunique() == 1
    assert runs.cells["time_s"].dtype == np.float64
    assert set(runs.rounds["backend"]) <= set(runs.cells["backend"])
    assert relu_bench.read_runs is read_runs


def test_what_is_no_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'nothing': no such directory, file or run; there is no run under"):
        read_runs("nothing", results=tmp_path)
