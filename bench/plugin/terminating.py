"""SIGTERM ends a run as Ctrl-C does: batch systems and containers send it some seconds before they kill."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["as_interrupt"]


@contextmanager
def as_interrupt() -> Iterator[None]:
    """Within the block a SIGTERM raises KeyboardInterrupt.  Nothing changes outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
