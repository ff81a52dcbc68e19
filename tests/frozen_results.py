"""What relu and leaky_relu gave before ops became files, as digests: ``python -m tests.frozen_results`` prints them.

`tests/frozen_results.json` was written by commit 248d0d3, the last one before that.  Every NaN counts as one, and of
NumPy both zeros do: its vectors of different widths disagree on the sign.
"""

from __future__ import annotations

import hashlib
import json
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np

from kernels import registry
from kernels.api import Case
from kernels.correctness import reference

__all__ = ["BACKENDS", "digests"]

BACKENDS = ("numpy_ufunc", "numba_jit", "numba_tuned")
DTYPES: dict[str, Any] = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float32": np.float32,
    "float64": np.float64,
}
SLOPES = (0.01, 1.5, -0.5)
DIRECTIONS = ("forward", "backward")


def digests(*sources: str) -> dict[str, str]:
    """By source (``reference``, or a backend), op, slope, direction and dtype: what comes of many bit patterns."""
    found = {}
    works = [("relu", 0.0), *(("leaky_relu", slope) for slope in SLOPES)]
    for source, (op, slope), direction, dtype in product(sources, works, DIRECTIONS, DTYPES):
        x = _patterns(dtype)
        dy = np.random.default_rng(2).permutation(x)
        name = " ".join((source, op, f"{slope:g}", direction, dtype))
        if source != "reference":
            result = _called(source, Case(op, direction, dtype=dtype, n=x.size, negative_slope=slope), x, dy)
            found[name] = _digest(result, zeros=source != "numpy_ufunc")
            continue
        for model in reference.models(dtype):
            args = (x, slope, model)
            answer = (
                reference.forward(op, *args) if direction == "forward" else reference.backward(op, dy, *args)
            )
            found[f"{name} {model}"] = _digest(answer)
    return found


def _patterns(dtype: str) -> Any:
    kind = np.dtype(DTYPES[dtype])
    if kind.itemsize == 2:
        return np.arange(1 << 16, dtype=np.uint16).view(kind)
    words = np.random.default_rng(1).integers(0, np.iinfo(f"u{kind.itemsize}").max, 4099, f"u{kind.itemsize}")
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0], kind)
    return np.concatenate([words.view(kind), special])


def _called(name: str, case: Case, x: Any, dy: Any) -> Any:
    backend = registry.load(name)
    given = dy.copy() if case.direction == "backward" else None
    call = backend.compile(case, x.copy(), given, None)
    with np.errstate(all="ignore"):
        return call()


def _digest(values: Any, *, zeros: bool = True) -> str:
    values = np.array(values)
    with np.errstate(invalid="ignore"):
        values[np.isnan(values)] = np.nan
        if not zeros:
            values[values == 0] = 0
    return hashlib.sha256(values.tobytes()).hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps(digests("reference", *BACKENDS), indent=0))
