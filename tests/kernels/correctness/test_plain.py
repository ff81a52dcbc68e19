"""A block of an honest answer is seen to be plain at once: where it is not, judging takes ten times as long."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.api import DTYPES
from kernels.correctness.plain import Workspace
from kernels.correctness.rules import Question
from kernels.numbers.floats import bits, format_of, np_dtype


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
