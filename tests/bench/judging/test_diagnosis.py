"""What a wrong result was right for: arrays that share memory, and what was never written."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judging.diagnosis import overlap, trick
from kernels.api import Case
from kernels.numbers import host_arrays


def test_overlap_sees_shared_bytes_and_not_neighbours() -> None:
    memory = np.zeros(100, np.float32)
    assert not overlap([memory[:50], memory[50:], np.zeros(100)])
    assert overlap([memory[:51], np.zeros(9), memory[50:]])
    assert overlap([memory, memory])


@pytest.mark.parametrize(
    ("written", "says"),
    [(0, "writes nothing: "), (8, "writes nothing: "), (9, "writes only a part (991 of 1000 ")],
)
def test_what_an_allocator_leaves_in_a_free_block_is_not_written_by_the_arm(written: int, says: str) -> None:
    x = np.linspace(1, 2, 1000, dtype=np.float32)
    result = np.empty_like(x)
    host_arrays.poison(result)
    result[:written] = 0  # 32 bytes are glibc's
    assert trick(Case("relu", n=1000), (x, None), [], lambda: result, "wrong").startswith(says)
