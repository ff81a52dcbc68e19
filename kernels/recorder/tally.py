"""From single calls to kinds of calls: how many in a step, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import fmean

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
        used.append(Used(**fields, calls=calls, seconds=_seconds(made, by_optimizer), where=where))
    return tuple(used), tuple(Unmeasured(op, why, calls) for (op, why), calls in others.items())


def _step(event: Event, by_optimizer: bool) -> int:
    return event.optimized if by_optimizer else event.forwards


def _seconds(made: Iterable[Event], by_optimizer: bool) -> float | None:
    """Of a call on average, in the counted step where these took least; None where that is not known.

    The steps that are counted are a program's first, and the first of them get fresh memory and fill caches.
    """
    times: dict[int, list[float]] = {}
    for event in made:
        if event.seconds is not None:
            times.setdefault(_step(event, by_optimizer), []).append(event.seconds)
    return min(map(fmean, times.values()), default=None)
