"""Drive a backend by its interface, as the harness does: fill, adopt, compile, call, read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from bench.arrays.call_ring import operands
from kernels import registry
from kernels.api import Backend, Case
from kernels.correctness import learnt, policy
from kernels.correctness.learnt import slope_gradient_of
from kernels.numbers import host_arrays

CPU_BACKENDS = [
    name for name in registry.names() if registry.is_usual(name) and "cpu" in registry.devices(name)
]


def load(name: str) -> Backend:
    """The backend, or a skip where its framework, or a compiler that it needs, is not installed."""
    try:
        backend = registry.load(name)
    except registry.MissingBackendError as error:
        pytest.skip(str(error))
    reason = backend.why_not(Case("relu"))
    if reason is not None:
        pytest.skip(reason)
    return backend


@dataclass(frozen=True)
class Called:
    """The inputs as they were, as they are after the call, and the result."""

    x: np.ndarray
    dy: np.ndarray | None
    x_after: np.ndarray
    dy_after: np.ndarray | None
    result: np.ndarray
    slope_gradient: object = None


class Driver:
    """One backend on one case, with buffers of its own; `call` may be made again and again."""

    def __init__(self, backend: Backend, case: Case) -> None:
        self.backend, self.case = backend, case
        self.x = host_arrays.host_array(case)
        self.dy = host_arrays.host_array(case) if case.arrays == 2 else None
        self.out = host_arrays.output_array(case) if case.placement == "out" else None
        self._run: Callable[[], Any] | None = None

    def call(self, x: np.ndarray, dy: np.ndarray | None) -> Called:
        self._fill(x, dy)
        with np.errstate(all="ignore"):  # signalling NaNs are among the inputs
            if self._run is None or self.case.placement == "inplace":
                handles = [self._adopt(array) for array in (self.x, self.dy, self.out)]
                self._run = self.backend.compile(self.case, *operands(self.case, *handles))
            if self.out is not None:
                host_arrays.poison(self.out)
            self._fill(x, dy)
            answer = self.again()
        self.backend.sync(answer)
        result = self.backend.to_numpy(answer).copy()
        dy_after = None if self.dy is None else self.dy.copy()
        assert self._run is not None, "it was made above"
        beside = slope_gradient_of(self.backend, self._run)
        kept = beside.copy() if isinstance(beside, np.ndarray) else beside  # the next call may overwrite it
        return Called(x, dy, self.x.copy(), dy_after, result, kept)

    def again(self) -> Any:
        """The call once more, on what the arrays hold now."""
        assert self._run is not None, "nothing was called yet"
        return self._run()

    def _adopt(self, array: np.ndarray | None) -> object:
        return None if array is None else self.backend.adopt(array, self.case)

    def _fill(self, x: np.ndarray, dy: np.ndarray | None) -> None:
        self.x[...] = x.reshape(self.x.shape)
        if self.dy is not None and dy is not None:
            self.dy[...] = dy.reshape(self.dy.shape)


def special_rows(case: Case, step: int) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Inputs of `case.n` elements; with step 1, every special value stands at every position once."""
    special = host_arrays.specials(case.dtype)
    places = np.arange(case.n)
    for shift in range(0, special.size, step):
        x = special[(places + shift) % special.size]
        dy = special[(places * 7 + shift * 3 + 5) % special.size]
        yield x, dy if case.arrays == 2 else None


def check(backend: Backend, case: Case, step: int = 1, drive: type[Driver] = Driver) -> policy.Judgement:
    """Judge the results for `special_rows`, and compare the inputs with what they were."""
    driver = drive(backend, case)
    calls = [driver.call(x, dy) for x, dy in special_rows(case, step)]
    for called in calls:
        _check_inputs(case, called)
        if case.two_results and called.dy is not None:
            beside = learnt.judge_slope_gradient(case, called.x, called.dy, called.slope_gradient)
            assert beside.problem is None, f"{backend.name} {case}: {beside.problem}"
    x = np.stack([called.x for called in calls])
    gradients = [called.dy for called in calls if called.dy is not None]
    dy = np.stack(gradients) if gradients else None
    result = np.stack([called.result.reshape(called.x.shape) for called in calls])
    assert calls[0].result.shape == driver.x.shape, case
    judgement = policy.judge(case, x, dy, result)
    assert judgement.problem is None, f"{backend.name} {case}: {judgement.problem}"
    return judgement


def _check_inputs(case: Case, called: Called) -> None:
    keeps_x = case.arrays == 2 or case.placement != "inplace"
    pairs = [(called.x, called.x_after)] if keeps_x else []
    if called.dy is not None and called.dy_after is not None and case.placement != "inplace":
        pairs.append((called.dy, called.dy_after))
    for before, after in pairs:
        assert policy.unchanged(before, after.reshape(before.shape)) is None, case
