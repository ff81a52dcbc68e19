"""What tricksters derive from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.honest import Array, HonestNumpy

Call = Callable[[], Any]


class Trickster(HonestNumpy):
    """Derived classes say in `trick` what a call does, given an honest call."""

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Call:
        honest = super().compile(case, x, dy, out)
        self.case, self.x, self.dy, self.out = case, x, dy, out
        return self.trick(honest, x, out)

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        raise NotImplementedError

    def fresh(self, x: Array, out: Array | None) -> Array:
        """Where the result goes: `out`, or memory as it comes."""
        return np.empty_like(x) if out is None else out
