"""What the arguments of a user's function say: which directions and placements it serves, or why it serves none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kernels.api import Case, facts_of
from kernels.own.signature import takes_of


def _x(x):  # type: ignore[no-untyped-def]
    return np.maximum(x, 0)


def _x_out(x, out):  # type: ignore[no-untyped-def]
    np.maximum(x, 0, out=out)


def _either(values, *, out=None, order="K"):  # type: ignore[no-untyped-def]
    return np.maximum(values, 0, out=out)


def _gradient(dy, x, out=None):  # type: ignore[no-untyped-def]
    return np.multiply(dy, x > 0, out=out)


@pytest.mark.parametrize(
    ("function", "served"),
    [
        (_x, {("forward", "new")}),
        (_x_out, {("forward", "out")}),
        (_either, {("forward", "new"), ("forward", "out")}),
        (_gradient, {("backward", "new"), ("backward", "out")}),
        (np.positive, {("forward", "new"), ("forward", "out")}),
    ],
)
def test_the_arguments_say_what_is_served(function: Callable[..., object], served: set[object]) -> None:
    takes = takes_of(function, facts_of("relu"), ())
    cases = [
        Case("relu", direction, placement)
        for direction in ("forward", "backward")
        for placement in ("new", "out", "inplace")
    ]
    assert {(case.direction, case.placement) for case in cases if takes.why_not(case) is None} == served


def _pair(x, y):  # type: ignore[no-untyped-def]
    return x


def _nothing():  # type: ignore[no-untyped-def]
    return 0


@pytest.mark.parametrize("function", [np.maximum, np.frexp])
def test_a_ufunc_of_other_arrays_is_refused(function: Callable[..., object]) -> None:
    with pytest.raises(
        ValueError, match=r"is a ufunc of . arrays with . results; allowed: one of \(x\) with one"
    ):
        takes_of(function, facts_of("relu"), ())


@pytest.mark.parametrize("function", [_pair, _nothing])
def test_other_arguments_are_refused(function: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match=r"takes \(.*\); allowed: \(x\), \(x, out\), \(dy, x\)"):
        takes_of(function, facts_of("relu"), ())
