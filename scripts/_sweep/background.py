"""What takes the disk's time is done one after the other in a thread, so that no machine waits for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

__all__ = ["Background"]

Result = TypeVar("Result")


class Background:
    """Use as a context manager; the block ends when all is done.  `wake` is called, in the thread, after each job."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._thread = ThreadPoolExecutor(1)
        self._jobs: deque[tuple[Future[Any], Callable[[Any], None]]] = deque()

    def __enter__(self) -> Background:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def __bool__(self) -> bool:
        """Whether anything is still to be done, or settled."""
        return bool(self._jobs)

    def do(self, job: Callable[[], Result], then: Callable[[Result], None]) -> None:
        """Have `job` done, and `then` called with its result by `settle`."""
        future = self._thread.submit(job)
        future.add_done_callback(lambda _: self._wake())
        self._jobs.append((future, then))

    def settle(self) -> None:
        """Call what was to be called after the jobs that are done.  Raises what a job raised."""
        while self._jobs and self._jobs[0][0].done():
            future, then = self._jobs.popleft()
            then(future.result())
