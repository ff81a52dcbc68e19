"""A backend's call on arrays of its own, made with one input after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bench.arrays.call_ring import aliases, operands
from bench.arrays.gpu_ring import card_of
from kernels.api import Backend, Case
from kernels.correctness.learnt import slope_gradient_of
from kernels.correctness.policy import unchanged
from kernels.numbers import host_arrays
from kernels.numbers.floats import Array
from kernels.numbers.ulp import same_bits

__all__ = ["Bound"]


class Bound:
    """Host arrays in the case's layout, adopted and compiled for once.

    On a card they are copied into the same handles before each call.  Of a backend whose copies cannot be written to,
    they are adopted each time.  `misaligned` arrays start one element beyond a 64-byte line.
    """

    def __init__(self, backend: Backend, case: Case, *, misaligned: bool = False) -> None:
        self._backend, self._case = backend, case
        self._card = card_of(backend, case)
        self.x = _array(host_arrays.host_array, case, misaligned)
        two, given = case.arrays == 2, case.placement == "out"
        self._dy = _array(host_arrays.host_array, case, misaligned) if two else None
        self._out = _array(host_arrays.output_array, case, misaligned) if given else None
        self._handles: list[Any] = []
        self._run: Callable[[], Any] | None = None
        self._aliased = False
        self._earlier: tuple[Array, Array] | None = None

    def __call__(self, x: Array, dy: Array | None) -> tuple[object, str | None]:
        """What the backend makes of `x` and `dy` (of `self.x`'s shape), and what it did to memory that is not its own.

        The result may lie in memory that the next call overwrites.
        """
        run, in_step = self._ready(x, dy)
        with np.errstate(all="ignore"):
            result = run()
            self._backend.sync(result)
        seen = self._backend.to_numpy(result)
        return seen, self._touched(x, dy, in_step=in_step) or self._overwritten(seen)

    @property
    def slope_gradient(self) -> object:
        """What the last call gave besides dx; None where it gave nothing."""
        return None if self._run is None else slope_gradient_of(self._backend, self._run)

    def _ready(self, x: Array, dy: Array | None) -> tuple[Callable[[], Any], bool]:
        """The call, with the inputs written where it reads them; whether these are copies that can be written to."""
        self._write(x, dy)
        if self._run is not None and (self._aliased or self._sent()):
            return self._run, not self._aliased
        arrays = (self.x, self._dy, self._out)
        self._handles = [
            None if array is None else self._backend.adopt(array, self._case) for array in arrays
        ]
        self._aliased = aliases(self._backend, self.x, self._handles[0])
        with np.errstate(all="ignore"):
            self._run = self._backend.compile(self._case, *operands(self._case, *self._handles))
        self._write(x, dy)  # in place, the first execution has overwritten them
        return self._run, not self._aliased and self._sent()

    def _write(self, x: Array, dy: Array | None) -> None:
        self.x[...] = x
        if self._dy is not None:
            self._dy[...] = dy
        if self._out is not None:
            host_arrays.poison(self._out)

    def _sent(self) -> bool:
        """Copy what is written to the card; False where the backend's copies cannot be written to."""
        card, pairs = self._card, zip(self._handles, (self.x, self._dy, self._out), strict=True)
        return card is not None and all(
            card.update(handle, host) for handle, host in pairs if host is not None
        )

    def _touched(self, x: Array, dy: Array | None, *, in_step: bool) -> str | None:
        inplace = self._case.placement == "inplace"
        for number, (name, before, host) in enumerate((("x", x, self.x), ("dy", dy, self._dy))):
            overwritten = inplace and (name == "dy" or dy is None)
            if before is None or host is None or overwritten:
                continue
            after = self._backend.to_numpy(self._handles[number]) if in_step else host
            change = unchanged(before, after)
            if change is not None:
                return f"writes into its input {name}: {change}"
        return None

    def _overwritten(self, seen: object) -> str | None:
        """Whether this call wrote into the result of the call before, which the caller may still hold."""
        if self._case.placement != "new" or not isinstance(seen, np.ndarray):
            return None
        earlier, self._earlier = self._earlier, (seen, seen.copy())
        if earlier is None or same_bits(*earlier):
            return None
        return f"writes into the result of the call before: {unchanged(*reversed(earlier))}"


def _array(make: Callable[[Case], Array], case: Case, misaligned: bool) -> Array:
    return make(replace(case, n=case.n + 1))[1:] if misaligned else make(case)
