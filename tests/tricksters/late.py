"""Tricksters whose results are not there when `sync` returns."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

import numpy as np

from tests.honest import Array
from tests.tricksters.base import Call, Trickster


class Job:
    """A result that is written by another thread, some time."""

    def __init__(self, x: Array, target: Array) -> None:
        self.target, self.done, self._x = target, threading.Event(), x

    def run(self) -> None:
        np.maximum(
            self._x, self._x.dtype.type(0), out=self.target
        )  # quick: thousands of calls are left to it
        self.done.set()


class ReturnsEarly(Trickster):
    """A call only says what is to be done; a thread does it a little later, and `sync` knows nothing."""

    name = "returns_early"

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            job = self._jobs.get()
            if self._jobs.empty():  # else it is late anyway, and what waits for it would take minutes
                time.sleep(0.0001)
            job.run()

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def call() -> Array:
            job = Job(x, self.fresh(x, out))
            self._jobs.put(job)
            return self.handle(job)

        return call

    def handle(self, job: Job) -> Any:
        return job.target


class LiesInSync(ReturnsEarly):
    """`sync` returns at once; the waiting is done where the result is looked at, which is not timed."""

    name = "lies_in_sync"

    def handle(self, job: Job) -> Any:
        return job

    def to_numpy(self, result: Any) -> Array:
        if isinstance(result, Job):
            result.done.wait()
            return result.target
        return result


class LazyToken(Trickster):
    """Returns a promise, and computes when it is looked at."""

    name = "lazy_token"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        return lambda: honest

    def to_numpy(self, result: Any) -> Array:
        return result() if callable(result) else result


class LazyArray(np.ndarray):
    """Computes when it is read."""

    work: Call

    def _now(self) -> Array:
        return np.asarray(self.work())

    def __getitem__(self, key: Any) -> Any:
        return self._now()[key]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(
            *(each._now() if isinstance(each, LazyArray) else each for each in inputs), **kwargs
        )

    def view(self, *args: Any, **kwargs: Any) -> Any:
        return self._now().view(*args, **kwargs)


class LazySubclass(Trickster):
    """Returns an array of a subclass that computes when it is read."""

    name = "lazy_subclass"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def call() -> Any:
            lazy = np.ndarray.view(self.fresh(x, out), LazyArray)
            lazy.work = honest
            return lazy

        return call
