"""A block of an honest answer is seen to be plain at once: where it is not, judging takes ten times as long."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.api import DIRECTIONS, DTYPES, Case
from kernels.correctness import reference
from kernels.correctness.plain import Workspace
from kernels.correctness.policy import is_reference, judge
from kernels.correctness.rules import Question
from kernels.numbers import host_arrays
from kernels.numbers.floats import bits, format_of, np_dtype
from tests.answers import answer


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_answer_is_plain_and_with_a_wrong_bit_it_is_not(dtype: str, direction: str) -> None:
    x, dy = (
        np.array(values, np_dtype(dtype)) for values in ([1.5, -2.0, 0.25, -0.75], [0.5, 1.0, -3.0, 2.0])
    )
    source = x if direction == "forward" else dy
    answer = np.where(x > np_dtype(dtype).type(0), source, np_dtype(dtype).type(0))
    form = format_of(np_dtype(dtype))
    workspace, question = Workspace(dtype=form.dtype, size=8), Question("relu", direction, 0.0, form, "A")
    assert workspace.plain(question, x, source, answer)
    bits(answer)[1] ^= 1
    assert not workspace.plain(question, x, source, answer)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_what_is_taken_for_the_reference_at_once_is_right(direction: str, dtype: str) -> None:
    """And nothing else: not with a bit changed anywhere, not before it is written, not what another input makes."""
    special = host_arrays.specials(dtype)
    x, dy = (each.reshape(-1) for each in np.meshgrid(special, special))
    given = dy if direction == "backward" else None
    for op, slope in (("relu", 0.0), ("leaky_relu", 0.01), ("leaky_relu", np.inf)):
        case = Case(op, direction, dtype=dtype, n=x.size, negative_slope=slope)
        for model in reference.models(dtype):
            right = answer(case, x, given, model)
            assert is_reference(case, x, given, right)
            assert judge(case, x, given, right).problem is None
        for place in range(0, x.size, 397):
            wrong = right.copy()
            bits(wrong)[place] ^= 1
            assert not is_reference(case, x, given, wrong)
        assert not is_reference(case, x, given, x[:-1])
        assert not is_reference(case, x, given, np.zeros(x.shape, np.complex64))
    unwritten = x.copy()
    host_arrays.poison(unwritten)
    assert not is_reference(Case("relu", direction, dtype=dtype, n=x.size), unwritten, given, unwritten)
