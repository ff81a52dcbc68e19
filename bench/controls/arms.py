"""The arms that show the machine's limits: copies of the same bytes, and a call that does nothing.

They satisfy `kernels.api.Backend` and go the way of any backend, but compute nothing.  A copy reads and writes what the
case's kernel reads and writes, as unsigned integers of the same size.

- forward: ``out = x``; in place, where a copy onto itself would be none, ``x ^= sign bit``.
- backward: ``x ^ dy`` into the result, or into dy in place: as many streams are read and written as by a kernel.

A ceiling must be the fastest copy there is.  So it is called as our fastest kernels are, and the ways to copy are raced
(bench/controls/pick_fastest.py) on the very buffers, as batches call them: by `compile` where they are hot, by `choose`
where they are cold.  Where a kernel returns a `new` array, the ceiling writes into memory that is there already;
`CopyAllocating` is beside it, and what lies between the two is what allocating costs.  `expected` says what has to come
out, bit for bit.

On a CUDA card nothing of Numba for the CPU is imported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from bench.arm.call_loops import Calls
from bench.arrays.call_ring import Slots
from bench.controls import gpu
from bench.controls.gpu import CardCopies, Side
from bench.controls.pick_fastest import Bunch, Race
from bench.controls.results import Results
from bench.plan.experiments import CONTROLS
from kernels.api import Case
from kernels.numbers.floats import bits, format_of

__all__ = ["CONTROLS", "CopyAllocating", "CopyPlain", "CopyStreaming", "EmptyCall"]

Array = np.ndarray[Any, Any]

_BUNCHES = 10
"""Where other memory is written before cold calls, which takes long: probes for which it is written once, about."""


class _Control:
    """What the control arms have in common."""

    name = ""

    def __init__(self) -> None:
        self._side: Side | None = None

    def why_not(self, case: Case) -> str | None:
        """None on the CPU, and on a card that torch or numba.cuda sees.  Later calls are for that device."""
        self._side = None
        if case.device == "cpu":
            return None
        reason = gpu.why_not(self.name, case.device)
        if reason is None:
            self._move_to(case.device)
        return reason

    def _move_to(self, device: str) -> None:
        side = gpu.side_of(device) if device != "cpu" else None
        if isinstance(side, str):
            raise ValueError(side)
        self._side = side

    def set_threads(self, count: int) -> int:
        """Numba's thread count, at most the NUMBA_NUM_THREADS that it started with (also the default).

        On a card, that of the framework that copies there.
        """
        if self._side is not None:
            return int(self._side.backend.set_threads(count))
        from bench.controls import cpu_copies  # noqa: PLC0415  # not for a card

        return cpu_copies.set_threads(count)

    def adopt(self, host: Array, case: Case) -> Any:
        """`host` itself, or a copy on a card."""
        self._move_to(case.device)
        return host if self._side is None else self._side.backend.adopt(host, case)

    def card(self, device: str) -> Any:
        """What the harness needs of the card."""
        side = gpu.side_of(device)
        return None if isinstance(side, str) else side.backend.card(device)

    def sync(self, result: Any) -> None:
        """Wait for the card; on the CPU there is nothing to wait for."""
        if self._side is not None:
            self._side.backend.sync(result)

    def to_numpy(self, result: Any) -> Array:
        """`result` itself, or a copy from a card."""
        return result if self._side is None else np.asarray(self._side.backend.to_numpy(result))

    def versions(self) -> dict[str, str]:
        """The versions of Numba, llvmlite and LLVM."""
        import llvmlite.binding  # type: ignore[import-untyped] # noqa: PLC0415  # it has no type hints; loads LLVM

        llvm = ".".join(map(str, llvmlite.binding.llvm_version_info))
        return {"numba": version("numba"), "llvmlite": version("llvmlite"), "llvm": llvm}


class _Copy(_Control):
    streaming = False
    allocates = False

    def __init__(self) -> None:
        super().__init__()
        self._race, self._results = Race(), Results()
        self._on_card = CardCopies(allocates=self.allocates)

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Callable[[], Any]:
        """The fastest of the ways to copy this case, raced once for a case and its number of threads.

        Of a cold case it is the usual way until `choose` has raced them.  The first execution, on the arrays
        themselves, is part of it.  On a card its own clock decides.
        """
        if isinstance(x, tuple):
            x, dy = x  # two inputs are as many streams as x and dy
        if self._side is not None:
            return self._on_card.compile(self._side, case, x, dy, out)
        ways, key = self._ways(case, x, dy, out), self._same_copy(case)
        if case.cache == "hot" or key in self._race:
            return self._race.winner(key, ways)
        usual = next(iter(ways.values()))
        usual()
        return usual  # until there are cold arrays to race on: see `choose`

    def _ways(
        self, case: Case, x: Array, dy: Array | None, out: Array | None
    ) -> dict[str, Callable[[], Array]]:
        from bench.controls import cpu_copies  # noqa: PLC0415  # not for a card

        if case.placement == "new" and not self.allocates:
            out = self._results.like(x, case)
        return cpu_copies.candidates(case, x, dy, out, self.streaming)

    def choose(self, slots: Slots, calls: Calls) -> None:
        """Race the ways of a cold case over its slots, as `calls` makes those of a batch; leaves them with the fastest.

        Each call finds other arrays, that no cache has.  A hot case was raced when its call was compiled.
        """
        case = slots.case
        if case.cache == "hot" or self.raced(case):
            return
        if self._side is not None:
            self._on_card.choose(self._side, slots)
            return
        ways = {id(slot): self._ways(case, slot.x, slot.dy, slot.out) for slot in slots.ring}

        def bunch(name: str) -> Bunch:
            return partial(calls.bunch, lambda slot: ways[id(slot)][name])

        names = next(iter(ways.values()))
        most = max(1, slots.burst // _BUNCHES) if slots.burst else None
        winner = self._race.decide(self._same_copy(case), {name: bunch(name) for name in names}, most)
        for slot in slots.ring:
            slot.call = ways[id(slot)][winner]

    def raced(self, case: Case) -> bool:
        """Whether `compile` knows the fastest way already; a race beside others' work may go wrong."""
        if case.device != "cpu":
            return self._on_card.raced(case)
        return self._same_copy(case) in self._race

    def way(self, case: Case) -> str:
        """The fastest way to copy this case, so that a later process need not race again; empty on a card."""
        return "" if case.device != "cpu" else self._race.won(self._same_copy(case))

    def go(self, case: Case, way: str) -> None:
        """Copy this case that way, with the present number of threads."""
        if case.device == "cpu":
            self._race.remember(self._same_copy(case), way)

    def _same_copy(self, case: Case) -> tuple[Case, int]:
        """What a race depends on: whatever the op, the bytes are the same; so are they where a result has its place."""
        from bench.controls import cpu_copies  # noqa: PLC0415  # not for a card

        alike = case.layout == "contiguous" and case.cache == "hot" and not self.allocates
        placement = "out" if alike and case.placement == "new" else case.placement
        return dataclasses.replace(
            case, op="relu", params="", data="normal", placement=placement
        ), cpu_copies.threads()

    def expected(self, case: Case, x: Array, dy: Array | None) -> Array:
        """What one call makes of `x` (and `dy`): an array of x's shape and dtype, compared bit for bit."""
        if dy is not None:
            return np.asarray((bits(x) ^ bits(dy)).view(x.dtype))
        if case.placement == "inplace":
            form = format_of(x.dtype)
            return np.asarray((bits(x) ^ form.unsigned.type(form.sign)).view(x.dtype))
        return x


class CopyPlain(_Copy):
    """Copies with ordinary stores, and with whatever memcpy does here."""

    name = "copy_plain"


class CopyStreaming(_Copy):
    """Copies with streaming stores, past the cache."""

    name = "copy_streaming"
    streaming = True

    def why_not(self, case: Case) -> str | None:
        """None where a streaming store exists and whole lines of the target can be written."""
        if case.device != "cpu":
            return super().why_not(case)
        from bench.controls import cpu_copies  # noqa: PLC0415  # not for a card

        return super().why_not(case) or cpu_copies.out_of_reach(case)


class CopyAllocating(_Copy):
    """Copies with ordinary stores into an array that each call allocates, as NumPy allocates its own."""

    name = "copy_allocating"
    allocates = True

    def why_not(self, case: Case) -> str | None:
        """None for placement `new` where copies can run."""
        if case.placement != "new":
            return "nothing is allocated here; copy_plain shows the limit"
        return super().why_not(case)


class EmptyCall(_Control):
    """A call that returns at once: what the harness itself costs."""

    name = "empty_call"

    def set_threads(self, count: int) -> int:
        """Always 1: the caller's."""
        return 1

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Callable[[], Any]:
        """A function that does nothing and returns the array that the case's kernel would return."""
        if isinstance(x, tuple):
            x, dy = x
        overwritten = {"new": None, "out": out, "inplace": x if dy is None else dy}[case.placement]
        make = np.empty_like if self._side is None else self._side.like
        result = make(x) if overwritten is None else overwritten

        def call() -> Any:
            return result

        return call

    def expected(self, case: Case, x: Array, dy: Array | None) -> None:
        """Nothing is expected."""
