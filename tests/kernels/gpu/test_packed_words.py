"""Two 16-bit floats at once: what PTX says of every pattern, since no card is here to say it."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.api import Case
from kernels.correctness import policy
from kernels.numbers.floats import Array, bits, np_dtype
from tests import ptx

SLOPES = (0.01, 1.0, 1.5, -0.5, 0.0)


def all_patterns(dtype: str) -> Array:
    return np.arange(1 << 16, dtype=np.uint16).view(np_dtype(dtype))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("slope", [None, *SLOPES])
def test_the_words_of_triton_are_right(dtype: str, direction: str, slope: float | None) -> None:
    pytest.importorskip("triton", reason="the words stand beside Triton's kernels")
    from kernels.gpu.triton_kernels import packed_words

    x = all_patterns(dtype)
    dy = np.random.default_rng(5).permutation(x) if direction == "backward" else None
    rounded = None if slope is None else int(bits(np.array(np_dtype(dtype).type(slope))))
    given = [array.view(np.uint32) for array in (dy, x) if array is not None]
    words = ptx.run(
        packed_words(direction, dtype, rounded), {f"${i}": word for i, word in enumerate(given, 1)}
    )
    case = Case(
        "relu" if slope is None else "leaky_relu",
        direction,
        "new",
        dtype,
        x.size,
        negative_slope=slope or 0.0,
    )
    judgement = policy.judge(case, x, dy, words.view(x.dtype))
    assert judgement.problem is None
    assert judgement.model in ("A", "exact")
