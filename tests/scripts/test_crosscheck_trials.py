"""What the equivalence matrix tries of a backend, and what it makes of the outcomes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.api import DIRECTIONS, DTYPES, Case
from kernels.numbers import host_arrays
from kernels.numbers.floats import bits
from scripts._crosscheck.checking import check
from scripts._crosscheck.rows import Row, condensed
from scripts._crosscheck.trials import Trial, trials
from tests.honest import HonestNumpy

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("forked_arms")]


def tried(case: Case) -> dict[str, Trial]:
    return {trial.name: trial for trial in trials(case)}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_special_value_is_tried_at_every_position(dtype: str, direction: str) -> None:
    special = set(bits(host_arrays.specials(dtype)).tolist())
    for n in (1, 7, 16, 17, 1023):
        trial = tried(Case("relu", direction, dtype=dtype))[f"length {n}"]
        for operand in trial.make(trial.case):
            if operand is not None:
                assert all(
                    special <= set(column.tolist()) for column in bits(np.ascontiguousarray(operand)).T
                )


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_all_patterns_of_16_bit_types_are_tried_with_every_slope_that_is_judged(
    dtype: str, direction: str
) -> None:
    for slope in ("0.01", "1.5", "-0.5", "0", "0.2", "1"):
        trial = tried(Case("leaky_relu", direction, dtype=dtype))[f"slope {slope}"]
        for operand in trial.make(trial.case):
            assert operand is None or np.unique(bits(np.ascontiguousarray(operand))).size == 1 << 16


def test_without_time_what_must_be_tried_still_is_and_the_rest_is_named() -> None:
    outcome = check(HonestNumpy(), Case("leaky_relu"), 0.0)
    assert outcome.status == "ok"
    assert outcome.slopes == [0.01, 1.5, -0.5, 0.0]
    assert outcome.lengths == {17, 65_539}
    assert "length 1023 (out of time)" in outcome.untried
    assert "strided (out of time)" in outcome.untried


def test_a_backend_that_wants_aligned_arrays_gets_no_others() -> None:
    class Picky(HonestNumpy):
        alignment = 64

        def adopt(self, host: np.ndarray, case: Case) -> np.ndarray:
            assert host.ctypes.data % 64 == 0
            return host

    outcome = check(Picky(), Case("relu"), 60.0)
    assert outcome.status == "ok"
    assert outcome.untried == ["misaligned (asks for aligned arrays)"]


def test_a_backend_that_takes_any_start_gets_misaligned_arrays() -> None:
    class Easygoing(HonestNumpy):
        alignment = 1

        def __init__(self) -> None:
            self.starts: set[int] = set()

        def adopt(self, host: np.ndarray, case: Case) -> np.ndarray:
            self.starts.add(host.ctypes.data % 64)
            return host

    for placement in ("new", "out", "inplace"):
        backend = Easygoing()
        outcome = check(backend, Case("relu", "backward", placement), 60.0)
        assert (outcome.status, outcome.untried) == ("ok", [])
        assert backend.starts == {0, 4}


def test_a_slope_that_is_only_reported_may_raise() -> None:
    class Strict(HonestNumpy):
        def answer(self, case: Case, x: np.ndarray, dy: np.ndarray | None) -> np.ndarray:
            if not case.slope_is_finite:
                raise ValueError("slope is not finite")
            return super().answer(case, x, dy)

    outcome = check(Strict(), Case("leaky_relu"), 60.0)
    assert outcome.status == "ok"
    assert outcome.notes["slope inf"] == {"raises ValueError"}


def test_on_a_card_more_backends_are_tried_at_a_time() -> None:
    from scripts.crosscheck import _at_once

    assert [_at_once(("cpu",), cpus) for cpus in (1, 2, 16)] == [1, 2, 2]
    assert [_at_once(("cuda",), cpus) for cpus in (1, 2, 16)] == [1, 2, 8]
    assert _at_once(("cpu", "cuda"), 16) == 2


def test_rows_that_differ_only_in_placement_or_dtype_are_shown_as_one() -> None:
    def row(placement: str, dtype: str, **changed: Any) -> Row:
        return Row("mine", "relu", "forward", placement, dtype, "cpu", **{"status": "ok", **changed})

    table = [row(placement, dtype) for dtype in DTYPES for placement in ("new", "out", "inplace")]
    assert [(one.placement, one.dtype) for one in condensed(table)] == [("all", "all")]
    table[0] = row("new", "float16", signed_zero="-0")
    table[-1] = row("inplace", "float64", status="skipped")
    assert [(one.placement, one.dtype) for one in condensed(table)] == [
        ("new", "float16"),
        ("out, inplace", "float16"),
        ("all", "bfloat16, float32"),
        ("new, out", "float64"),
    ]
