"""A backend that is right: what the mutants and other plugins of the tests derive from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray


class HonestNumpy:
    """Right in every dtype, layout and placement; slow and plain."""

    name = "honest_numpy"

    def why_not(self, case: Any) -> str | None:
        return None if case.device == "cpu" else "runs on the CPU only: use --devices cpu"

    def set_threads(self, count: int) -> int:
        return 1

    def adopt(self, host: Array, case: Any) -> Array:
        return host

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        target = {"new": None, "out": out, "inplace": x if dy is None else dy}[case.placement]

        def run() -> Array:
            with np.errstate(all="ignore"):
                result = self.answer(case, x, dy)
            if target is None:
                return result
            target[...] = result
            return target

        run()
        return run

    def sync(self, result: Array) -> None:
        """Nothing to wait for."""

    def to_numpy(self, result: Array) -> Array:
        return result

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        slope = x.dtype.type(case.negative_slope)
        if dy is None:
            return self.forward(case.op, x, slope)
        return self.backward(case.op, dy, x, slope)

    def forward(self, op: str, x: Array, slope: Any) -> Array:
        return np.where(x <= 0, x.dtype.type(0) if op == "relu" else x * slope, x)

    def backward(self, op: str, dy: Array, x: Array, slope: Any) -> Array:
        return np.where(x > 0, dy, dy.dtype.type(0) if op == "relu" else dy * slope)
