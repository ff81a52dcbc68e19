"""From single calls to kinds of calls: how many in a step, and where."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import fmean

import torch

from kernels.recorder.activations import Call
from kernels.recorder.cases_file import Unmeasured, Used
from kernels.recorder.pages import FEWEST

__all__ = ["Event", "fresh_bytes", "summed"]


@dataclass(frozen=True, slots=True)
class Event:
    """A call, the module that made it, and to which forward pass and step of an optimizer it belongs, from 0."""

    call: Call
    where: str
    forwards: int
    optimized: int
    seconds: float | None
    page_faults: int


def summed(
    events: Iterable[Event], *, by_optimizer: bool, steps: int
) -> tuple[tuple[Used, ...], tuple[Unmeasured, ...]]:
    """Each kind of call once, in the order of first appearance, with its calls in one of `steps` counted steps."""
    kinds: dict[Call, list[Event]] = {}
    for event in events:
        if _step(event, by_optimizer) < steps:
            kinds.setdefault(event.call, []).append(event)
    used: list[Used] = []
    others: dict[tuple[str, str], float] = {}
    for call, made in kinds.items():
        calls = len(made) / steps
        if call.why:
            others[call.op, call.why] = others.get((call.op, call.why), 0.0) + calls
            continue
        fields = {name: value for name, value in asdict(call).items() if name != "why"}
        where = tuple(dict.fromkeys(event.where for event in made))
        least = _least(made, by_optimizer)
        used.append(Used(**fields, calls=calls, seconds=least[0], where=where, page_faults=least[1]))
    return tuple(used), tuple(Unmeasured(op, why, calls) for (op, why), calls in others.items())


def fresh_bytes(events: Iterable[Event]) -> int:
    """Bytes of the largest result for which every call of a kind wrote fresh memory; 0 where none did."""
    least: dict[Call, int] = {}
    for event in events:
        if event.seconds is not None:
            least[event.call] = min(least.get(event.call, event.page_faults), event.page_faults)
    fresh = (call for call, faults in least.items() if faults >= FEWEST)
    return max((math.prod(call.shape) * getattr(torch, call.dtype).itemsize for call in fresh), default=0)


def _step(event: Event, by_optimizer: bool) -> int:
    return event.optimized if by_optimizer else event.forwards


def _least(made: Iterable[Event], by_optimizer: bool) -> tuple[float | None, float | None]:
    """Seconds and page faults of a call on average, each in the counted step where these were least; None: not known.

    The steps that are counted are a program's first, and the first of them get fresh memory and fill caches.
    """
    times: dict[int, list[float]] = {}
    faults: dict[int, list[int]] = {}
    for event in made:
        if event.seconds is not None:
            times.setdefault(_step(event, by_optimizer), []).append(event.seconds)
            faults.setdefault(_step(event, by_optimizer), []).append(event.page_faults)
    return min(map(fmean, times.values()), default=None), min(map(fmean, faults.values()), default=None)
