"""From single calls to kinds of calls: how many in a step, and where."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from kernels.recorder.activations import Call
from kernels.recorder.cases_file import Unmeasured, Used

__all__ = ["Event", "summed"]


@dataclass(frozen=True, slots=True)
class Event:
    """A call, the module that made it, and to which forward pass and step of an optimizer it belongs, from 0."""

    call: Call
    where: str
    forwards: int
    optimized: int
    seconds: float | None


def summed(
    events: Iterable[Event], *, by_optimizer: bool, steps: int
) -> tuple[tuple[Used, ...], tuple[Unmeasured, ...]]:
    """Each kind of call once, in the order of first appearance, with its calls in one of `steps` counted steps."""
    kinds: dict[Call, list[Event]] = {}
    for event in events:
        if (event.optimized if by_optimizer else event.forwards) < steps:
            kinds.setdefault(event.call, []).append(event)
    used: list[Used] = []
    others: dict[tuple[str, str], float] = {}
    for call, made in kinds.items():
        calls = len(made) / steps
        if call.why:
            others[call.op, call.why] = others.get((call.op, call.why), 0.0) + calls
            continue
        fields = {name: value for name, value in asdict(call).items() if name != "why"}
        times = [event.seconds for event in made if event.seconds is not None]
        where = tuple(dict.fromkeys(event.where for event in made))
        used.append(
            Used(**fields, calls=calls, seconds=statistics.median(times) if times else None, where=where)
        )
    return tuple(used), tuple(Unmeasured(op, why, calls) for (op, why), calls in others.items())
