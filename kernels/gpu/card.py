"""What the backends on CUDA cards have in common: names of cards, reasons for having none, and `Card`.

Imports no framework.  Each backend asks its own framework how many cards there are: one may see a card that another,
built without CUDA, does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from kernels.api import CARDS, parse_device

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Array", "Card", "Index", "ordinal", "why_not_there"]

Array: TypeAlias = "np.ndarray[Any, Any]"
Index: TypeAlias = "tuple[np.ndarray[Any, Any], ...]"
"""Some elements of an array: whole numbers for each of its dimensions, as ``numpy.unravel_index`` has them."""


class Card(Protocol):
    """What the optional method ``Backend.card(device)`` returns: what a harness needs of a device.

    A backend without that method can be measured on a device, too: its inputs are then handed over anew
    before each batch, and there is no device time.
    """

    def update(self, handle: Any, host: Array) -> bool:
        """Copy `host` into `handle`, which `adopt` made of an array of that shape; False if it cannot."""

    def copy(self, handle: Any, pristine: Any) -> bool:
        """Copy another handle into `handle`, on the device, before the next call; False if it cannot."""

    def put(self, handle: Any, index: Index, values: Array) -> bool:
        """Write `values`, one for each element of `index`, into `handle`, before the next call; False if it cannot."""

    def take(self, handle: Any, index: Index) -> Array:
        """An array on the host of those elements of `handle`, after all that was launched."""

    def waiter(self) -> Callable[[object], None] | None:
        """What waits for all that was launched, with the least that it takes; None where `Backend.sync` is that.

        Only the suite's own backends are asked.
        """

    def hold(self, times: int = 1) -> None:
        """Keep the device busy for some 100 us, `times` over, so that the backend's calls queue up behind it."""

    def mark(self) -> Any:
        """An event after all that was launched so far; None where the framework has no events."""

    def passed(self, mark: Any) -> bool:
        """Whether the device has come to a mark; does not wait."""

    def seconds(self, start: Any, end: Any) -> float:
        """Seconds on the device's own clock between two marks; waits for the second."""

    def profile(self, run: Callable[[], object], calls: int) -> float | None:
        """Seconds that the device worked on the `calls` that `run` makes and waits for, by the framework's profiler.

        None where it did not see them all.  Only asked of a framework without events.
        """

    def flush(self, nbytes: int) -> None:
        """Write `nbytes` of other memory on the device, and wait: what its cache held is gone."""

    def cache_bytes(self) -> int:
        """Bytes of the device's last-level cache."""

    def trim(self) -> None:
        """Give back to the driver what the framework's allocator keeps for reuse: others share the card."""

    def free_bytes(self) -> int | None:
        """Bytes that can still be allocated on the device; None if unknown."""

    def peak_bytes(self, *, reset: bool = False) -> int | None:
        """The most device memory that this process had at once since the last `reset`; None if unknown."""


def ordinal(device: str) -> int | None:
    """The number of the card: 0 for ``cuda``, 1 for ``cuda:1``; None for any other device."""
    try:
        kind, number = parse_device(device)
    except ValueError:
        return None
    return number if kind in CARDS else None


def why_not_there(name: str, device: str, count: int, none: str) -> str | None:
    """None if the framework of backend `name`, which sees `count` cards, sees `device`; else a reason.

    `none` says why it may see none at all.
    """
    number = ordinal(device)
    if number is None:
        return f"{name} runs on CUDA only; device is {device!r}"
    if count == 0:
        return f"no CUDA device: {none}"
    if number >= count:
        there = ", ".join(f"cuda:{each}" for each in range(count))
        return f"no CUDA device {device}: there {'is' if count == 1 else 'are'} {there}"
    return None
