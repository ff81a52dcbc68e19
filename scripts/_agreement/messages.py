"""What scripts/agreement.py asks its peers."""

from __future__ import annotations

from dataclasses import dataclass

from bench.channel import Request
from bench.limits import Seconds
from kernels.api import Case
from kernels.networks.case import NetworkCase

__all__ = ["PEER", "TimeOf"]

PEER = f"{__package__}.peer"
"""The module that answers."""


@dataclass(frozen=True, slots=True)
class TimeOf(Request[Seconds]):
    """Seconds per call of that backend, as torch's Timer has it; a peer is asked for one backend only."""

    backend: str
    case: NetworkCase | Case
    turn: int
    """As of `bench.messages.TimeBatch`."""
