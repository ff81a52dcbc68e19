"""numexpr as a plugin: one compiled expression over blocks of the arrays, on all threads.

    pip install 'relu-bench[examples]'
    pytest bench/ --plugin examples.numexpr_relu:NumexprRelu --sizes 1Mi
    python scripts/crosscheck.py --plugin examples.numexpr_relu:NumexprRelu --backends numexpr

It has float32 and float64, forward and backward, and all placements and layouts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numexpr
import numpy as np

Array = np.ndarray[Any, Any]

_EXPRESSIONS = {
    # A NaN fails every comparison, so x <= 0 lets it through and x > 0 sends it to the product.
    ("relu", "forward"): "where(x <= 0, 0, x)",
    ("leaky_relu", "forward"): "where(x > 0, x, x * slope)",
    ("relu", "backward"): "where(x > 0, dy, 0)",
    ("leaky_relu", "backward"): "where(x > 0, dy, dy * slope)",
}
_TYPES = {"float32": float, "float64": np.float64}
"""numexpr's own names: its ``float`` has 32 bits."""

_DEFAULT_THREADS = int(numexpr.get_num_threads())


class NumexprRelu:
    """Expressions compiled once (`numexpr.NumExpr`); a call runs the virtual machine over them."""

    name = "numexpr"
    distribution = "numexpr"
    alignment = 1

    def why_not(self, case: Any) -> str | None:
        """None on the CPU for the two types that the virtual machine has."""
        if case.device != "cpu":
            return "runs on the CPU only; use --devices cpu"
        if case.itemsize == 2:
            return f"numexpr has no 16-bit floats; {case.dtype} would be computed as another type"
        return None

    def set_threads(self, count: int) -> int:
        """Set numexpr's threads; 0 is the count that it started with (NUMEXPR_NUM_THREADS, else the CPUs)."""
        numexpr.set_num_threads(min(count or _DEFAULT_THREADS, numexpr.MAX_THREADS))
        return int(numexpr.get_num_threads())

    def adopt(self, host: Array, case: Any) -> Array:
        """`host` itself."""
        return host

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        """Compile the expression, bind the arrays, run once."""
        expression = _EXPRESSIONS[case.op, case.direction]
        # The slope goes in as a number of the data's type: a constant in the text would make all float64.
        values = {"x": x, "dy": dy, "slope": x.dtype.type(case.negative_slope)}
        names = [name for name in values if name in expression]
        run = numexpr.NumExpr(expression, [(name, _TYPES[case.dtype]) for name in names])
        target = {"new": None, "out": out, "inplace": x if dy is None else dy}[case.placement]
        arguments = [values[name] for name in names]
        call = partial(run, *arguments, out=target, order="K", casting="no", ex_uses_vml=False)
        call()
        return call

    def sync(self, result: Array) -> None:
        """Nothing to wait for."""

    def to_numpy(self, result: Array) -> Array:
        """`result` itself."""
        return result

    def versions(self) -> dict[str, str]:
        """numexpr's version, and whether it was built with Intel's vector library."""
        return {"numexpr": numexpr.__version__, "numexpr_vml": str(numexpr.use_vml)}
