"""The control arms on a CUDA card: a device-to-device copy of the same bytes, and a call that launches nothing.

By torch where it sees the card, else by numba.cuda; each only lends its arrays, its clocks and its copies.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from kernels import registry
from kernels.api import Backend, Case

__all__ = ["Side", "side_of", "why_not"]

_SIDES = {"torch_eager": "torch_copies", "numba_cuda": "numba_copies"}
"""Backends that may lend their arrays, and the module of this room that copies them."""


class Side:
    """A framework's arrays on a card: `backend` handles them, `copy` and `like` make calls and arrays."""

    def __init__(self, name: str) -> None:
        copies = importlib.import_module(f"{__package__}.{_SIDES[name]}")
        self.backend: Any = registry.load(name)
        self.copy: Callable[[Case, Any, Any, Any], Callable[[], Any]] = copies.copying
        self.like: Callable[[Any], Any] = copies.like


def side_of(device: str) -> Side | str:
    """The first framework that sees `device`; else why torch, or the last that was asked, does not."""
    reasons = []
    for name in _SIDES:
        try:
            backend: Backend = registry.load(name)
        except ImportError as error:
            reasons.append(str(error))
            continue
        reason = backend.why_not(Case("relu", device=device))
        if reason is None:
            return Side(name)
        reasons.append(reason)
    return reasons[0]


def why_not(name: str, device: str) -> str | None:
    """None if the control arm `name` can work on `device`, else a reason."""
    if name == "copy_streaming":
        return "streaming stores are for the caches of CPUs; copy_plain shows the card's limit"
    side = side_of(device)
    return side if isinstance(side, str) else None
