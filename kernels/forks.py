"""Whether this process was forked: a framework's threads do not survive that, and calls would wait for them."""

from __future__ import annotations

import os
from collections.abc import Callable

__all__ = ["Fork", "refusal"]


def _always() -> bool:
    return True


class Fork:
    """Made as a framework is imported; `happened` tells whether this process was forked since, after its first use."""

    def __init__(self, used: Callable[[], bool] = _always) -> None:
        self.happened = False
        self._used = used
        if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
            os.register_at_fork(after_in_child=self._note)

    def _note(self) -> None:
        self.happened = self.happened or self._used()


def refusal(framework: str, first: str = "") -> str:
    """Why a backend does not run in a forked process, and what to do; `first` is what helps besides, with a comma."""
    return (
        f"this process was forked, and {framework}'s threads do not survive a fork; {first}start processes with "
        "'spawn' or 'forkserver', or use numba_tuned, which then runs serially"
    )
