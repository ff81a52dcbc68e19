"""What it takes to bring an array to a card, and back: from which size on is a card worth the way?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kernels.api import Case
from kernels.numbers import host_arrays

__all__ = ["transfers"]

_ROUNDS = 5
"""Times that are taken of each: the shortest counts, since a disturbance makes one longer."""


def transfers(backend: Any, case: Case) -> dict[str, Any]:
    """Seconds that one array of the case takes to the card, into an array that is there, and back, each waited for.

    The host's array is an ordinary one, as users have it: the driver copies it through memory of its own.
    """
    host = host_arrays.host_array(case)
    host_arrays.fill(host, "normal", 1)
    handle, card = backend.adopt(host, case), backend.card(case.device)

    def there() -> None:
        card.update(handle, host)
        backend.sync(handle)

    ways = {"there_s": there, "back_s": lambda: backend.to_numpy(handle)}
    return {
        **{name: getattr(case, name) for name in ("dtype", "n")},
        "bytes": case.n * case.itemsize,
        **{name: _least(way) for name, way in ways.items()},
    }


def _least(way: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        way()
        times.append(time.perf_counter() - began)
    return min(times)
