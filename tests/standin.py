"""A device that is none: calls queue up behind each other in a thread, with events, and are waited for.

A backend's copies live in memory of their own, launches return at once, and nothing is there before `sync`:
what the harness does for a CUDA card it has to do here, too.  Sizes stand for what else a card can do: a case
of 13 elements runs out of memory, and 1000 bytes are free where 4 MiB and more would be needed.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kernels.api import Case
from kernels.correctness.reference import backward, forward
from kernels.gpu.card import Index

Array = np.ndarray[Any, Any]
Call = Callable[[], Any]
HOLD_S = 300e-6


class Stream:
    """The queue: functions run in the order in which they are put."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            self._queue.get()()

    def put(self, function: Callable[[], object]) -> None:
        self._queue.put(function)

    def wait(self) -> None:
        done = threading.Event()
        self.put(done.set)
        done.wait()


class Event:
    """When the queue came here, on the clock of its thread."""

    def __init__(self, stream: Stream) -> None:
        self._passed, self.at = threading.Event(), 0.0
        stream.put(self._pass)

    def _pass(self) -> None:
        self.at = time.perf_counter()
        self._passed.set()

    def passed(self) -> bool:
        return self._passed.is_set()

    def wait(self) -> float:
        self._passed.wait()
        return self.at


class QueueCard:
    """`kernels.gpu.card.Card` on the queue."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.sent: list[int] = []
        self.fetched: list[int] = []
        """Elements of each copy to the device, and from it."""
        self.held: list[int] = []
        self.waiters = 0
        """How often it was asked for what waits."""

    def update(self, handle: Array, host: Array) -> bool:
        self.sent.append(host.size)
        self._stream.wait()
        handle[...] = host
        return True

    def copy(self, handle: Array, pristine: Array) -> bool:
        self._stream.put(lambda: handle.__setitem__(..., pristine))
        return True

    def put(self, handle: Array, index: Index, values: Array) -> bool:
        self.sent.append(values.size)
        values = values.copy()
        self._stream.put(lambda: handle.__setitem__(index, values))
        return True

    def take(self, handle: Array, index: Index) -> Array:
        self._stream.wait()
        taken = handle[index]
        self.fetched.append(taken.size)
        return taken

    def waiter(self) -> Callable[[object], None]:
        self.waiters += 1
        return lambda _: self._stream.wait()

    def hold(self, times: int = 1) -> None:
        self.held.append(times)
        self._stream.put(lambda: time.sleep(HOLD_S * times))

    def mark(self) -> Event:
        return Event(self._stream)

    def passed(self, mark: Event) -> bool:
        return mark.passed()

    def seconds(self, start: Event, end: Event) -> float:
        return end.wait() - start.wait()

    def profile(self, run: Callable[[], object], calls: int) -> float | None:
        return None

    def flush(self, nbytes: int) -> None:
        note("flush", nbytes)

    def trim(self) -> None:
        note("trim")

    def cache_bytes(self) -> int:
        return 1 << 12

    def free_bytes(self) -> int:
        return 1 << 30

    def peak_bytes(self, *, reset: bool = False) -> int:
        return 4321


class FullCard(QueueCard):
    """A card with next to no free memory."""

    def free_bytes(self) -> int:
        return 1000


class QueueRelu:
    """The reference, at work in the queue's thread; a call keeps its device busy for a while."""

    name = "queue_relu"
    busy_s = 0.0

    def __init__(self) -> None:
        self._stream = Stream()
        self.adopted = self.fetched = 0
        """Whole arrays that were copied to the device by `adopt`, and from it."""

    def why_not(self, case: Case) -> str | None:
        return None if case.device.partition(":")[0] == "cuda" else "queue_relu runs on cuda"

    def set_threads(self, count: int) -> int:
        return 1

    def card(self, device: str) -> QueueCard:
        return QueueCard(self._stream)

    def adopt(self, host: Array, case: Case) -> Array:
        if case.n == 13:
            raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")
        self.adopted += 1
        return host.copy()

    def compile(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Call:
        with busy():
            call = self._bound(case, x, dy, out)
            self.sync(call())
        return call

    def _bound(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Call:
        target = {"new": None, "out": out, "inplace": x if dy is None else dy}[case.placement]
        slope, busy_s = case.negative_slope, self.busy_s

        def call() -> Any:
            result = np.empty_like(x) if target is None else target

            def work() -> None:
                right = forward(case.op, x, slope) if dy is None else backward(case.op, dy, x, slope)
                if busy_s:
                    time.sleep(busy_s)
                result[...] = right

            self._stream.put(work)
            return result

        return call

    def sync(self, result: Array) -> None:
        self._stream.wait()

    def to_numpy(self, result: Array) -> Array:
        self.fetched += 1
        self._stream.wait()
        return result.copy()

    def versions(self) -> dict[str, str]:
        return {"queue": "1"}


class SlowQueueRelu(QueueRelu):
    """As `QueueRelu`, but a call takes a millisecond of the device."""

    name = "slow_queue_relu"
    busy_s = 1e-3


class FullQueueRelu(QueueRelu):
    """On a device with next to no free memory."""

    name = "full_queue_relu"

    def card(self, device: str) -> QueueCard:
        return FullCard(self._stream)


class IdleQueueRelu(QueueRelu):
    """Stops working after the first calls: the results of earlier ones stay where they are."""

    name = "idle_queue_relu"

    def _bound(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Call:
        call, made = super()._bound(case, x, dy, out), list[None]()

        def lazy() -> Any:
            made.append(None)
            return call() if len(made) < 30 else out

        return lazy


class MutatingQueueRelu(QueueRelu):
    """Writes into its input on the device, where the host's array does not show it."""

    name = "mutating_queue_relu"

    def _bound(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Call:
        call = super()._bound(case, x, dy, out)

        def spoiling() -> Any:
            result = call()
            self._stream.put(lambda: x.__setitem__(0, 7))
            return result

        return spoiling


def note(*words: object) -> None:
    """Write to the file that STANDIN_LOG names."""
    path = os.environ.get("STANDIN_LOG")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(" ".join(map(str, (os.getpid(), *words))) + "\n")


class busy:  # noqa: N801  # a context manager, used as a word
    """Notes when the device was at work for this process: two at once would overlap."""

    def __enter__(self) -> None:
        note("begin", time.perf_counter())
        time.sleep(0.002)

    def __exit__(self, *_: object) -> None:
        note("end", time.perf_counter())
