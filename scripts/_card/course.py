"""All steps, one after the other: whatever fails costs itself, and is told."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.text.units import span_text
from scripts._card.asked import Asked, environ
from scripts._card.running import Ended, ended
from scripts._card.steps import Step
from scripts._card.timing import limit_of

__all__ = ["DONE", "FAILED", "FOUND", "INTERRUPTED", "LATE", "LEFT_OUT", "LOGS", "Outcome", "carry_out"]

DONE = "done"
FOUND = "found problems"
LATE = "out of time"
FAILED = "failed"
LEFT_OUT = "left out"
INTERRUPTED = "interrupted"
LOGS = "logs"
"""The folder of what the steps print, one file each, while they run."""
_TICK_S = 15.0
"""So often it is said how much time is left."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a step; `told` are lines of markdown."""

    name: str
    asks: str
    status: str
    reason: str = ""
    seconds: float = 0.0
    limit_s: float = 0.0
    command: str = ""
    exit_status: int | None = None
    told: tuple[str, ...] = ()


def carry_out(asked: Asked, steps: Sequence[Step], until: float, say: Say) -> list[Outcome]:
    """Make the steps in their order, by `until` on the monotonic clock; `say` is told how it goes.

    Ctrl-C ends the step under way, and those after it are left out.
    """
    outcomes: list[Outcome] = []
    interrupted = False
    (asked.folder / LOGS).mkdir(parents=True, exist_ok=True)
    for place, step in enumerate(steps):
        left_s = until - time.monotonic()
        limit_s = 0.0 if interrupted else limit_of(steps[place:], left_s)
        why_not = (
            "interrupted" if interrupted else "no time is left for it" if not limit_s else step.why_not(asked)
        )
        if why_not:
            outcomes.append(Outcome(step.name, step.asks, LEFT_OUT, why_not))
        else:
            say(
                f"step {place + 1} of {len(steps)}, {step.name}: at most {span_text(limit_s)}; {_left(until)}"
            )
            outcomes.append(_carried_out(asked, step, limit_s, lambda text: say(f"  {text}; {_left(until)}")))
            interrupted = outcomes[-1].status == INTERRUPTED
        say(f"  {step.name}: {_ending(outcomes[-1])}")
    return outcomes


def _carried_out(asked: Asked, step: Step, limit_s: float, say: Say) -> Outcome:
    command = step.command(asked, limit_s)
    outcome = Outcome(step.name, step.asks, INTERRUPTED, limit_s=limit_s, command=shlex.join(command))
    last = 0.0

    def tick(passed_s: float) -> None:
        nonlocal last
        if passed_s - last >= _TICK_S:
            last = passed_s
            say(f"{step.name}: {span_text(passed_s)} of at most {span_text(limit_s)}")

    log, into = asked.folder / LOGS / f"{step.name}.txt", asked.folder / step.into if step.into else None
    began = time.monotonic()
    try:
        found = ended(command, environ(os.environ), limit_s, log=log, into=into, tick=tick)
        status, reason = _status(asked, step, found)
        outcome = replace(outcome, status=status, reason=reason, exit_status=found.code)
    except KeyboardInterrupt:
        outcome = replace(outcome, reason="Ctrl-C, or a signal that asks to end")
    return replace(outcome, seconds=time.monotonic() - began, told=_told(asked, step))


def _status(asked: Asked, step: Step, found: Ended) -> tuple[str, str]:
    """What the way a child ended says, and why: exit status 1 is an answer, if there is one."""
    made = asked.folder / step.makes
    answered = made.exists() and made.stat().st_size > 0
    if found.late:
        return LATE, "its limit was over; what it had until then is kept"
    if found.code == 0 and answered:
        return DONE, ""
    if found.code == 1 and answered:
        return FOUND, found.said if "Error" in found.said else ""  # else its last line is one of many
    if found.code is not None and found.code < 0:
        return FAILED, f"ended by signal {-found.code}; it said last: {found.said}"
    return FAILED, f"exit status {found.code}; it said last: {found.said}"


def _told(asked: Asked, step: Step) -> tuple[str, ...]:
    """What the step's files say; files that are no such thing are told as that."""
    try:
        return tuple(step.told(asked.folder))
    except (KeyError, TypeError, ValueError) as error:
        return (f"- what it left cannot be read: {type(error).__name__} {error}",)


def _ending(outcome: Outcome) -> str:
    took = f" after {span_text(outcome.seconds)}" if outcome.seconds else ""
    return f"{outcome.status}{took}" + (f": {outcome.reason}" if outcome.reason else "")


def _left(until: float) -> str:
    return f"{span_text(max(until - time.monotonic(), 0.0))} left in all"
