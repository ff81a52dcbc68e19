"""`tests.calls` for backends whose arrays are copies on a card: copied there before a call, and back after it."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.arrays.call_ring import operands
from kernels.api import Case
from kernels.numbers import host_arrays
from tests.calls import Called, Driver

__all__ = ["CardDriver"]


class CardDriver(Driver):
    """One backend on one case, with arrays on the card."""

    def __init__(self, backend: Any, case: Case) -> None:
        super().__init__(backend, case)
        self._card = backend.card(case.device)
        self._hosts = (self.x, self.dy, self.out)
        for array in (self.x, self.dy, self.out):
            if array is not None:
                array[...] = 1
        self._handles = [self._adopt(array) for array in self._hosts]
        self._run = backend.compile(case, *operands(case, *self._handles))

    def call(self, x: np.ndarray, dy: np.ndarray | None) -> Called:
        self._fill(x, dy)
        if self.out is not None:
            host_arrays.poison(self.out)
        for handle, host in zip(self._handles, self._hosts, strict=True):
            if host is not None:
                assert self._card.update(handle, host)
        answer = self.again()
        self.backend.sync(answer)
        x_after, dy_after, _ = (
            None if handle is None else self.backend.to_numpy(handle) for handle in self._handles
        )
        assert x_after is not None, "every case has x"
        return Called(x, dy, x_after, dy_after, self.backend.to_numpy(answer))
