"""The parent's side of a backend's process: one at a time, started again where it died."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.run.process import ArmError, ChildProcess
from kernels.api import Case
from scripts._crosscheck.checking import About, Outcome
from scripts._crosscheck.messages import Checked, Try

__all__ = ["Limits", "outcomes"]

_MOST_DEATHS = 3
"""After so many a backend's other cases are given up: each death costs a start."""
_LOOK_S = 0.2
"""So soon it is noticed that nothing is to be waited for any more."""


@dataclass(frozen=True)
class Limits:
    """`seconds` after which a case begins no further trial; `timeout`, in seconds, after which it is ended.

    When `stop` is set, nothing is waited for any more.
    """

    seconds: float
    timeout: float
    stop: threading.Event = field(default_factory=threading.Event)


def outcomes(
    name: str, plugins: Mapping[str, str], cases: Sequence[Case], limits: Limits
) -> Iterator[tuple[Case, Outcome, About]]:
    """Each case with its outcome and what the backend says of itself, as they come.

    A process that dies or takes too long over a case costs that case alone; the
    next one gets a fresh process, up to three times.
    """
    process: ChildProcess | None = None
    deaths = 0
    try:
        for case in cases:
            if limits.stop.is_set():
                return
            if deaths == _MOST_DEATHS:
                yield case, Outcome("crashed", f"not tried: its process had ended {deaths} times"), About()
                continue
            process = process or ChildProcess(f"{__package__}.worker")
            checked = _asked(process, Try(name, dict(plugins), case, limits.seconds), limits)
            yield case, checked.outcome, checked.about
            if not process.alive:
                process.close()
                process, deaths = None, deaths + 1
    finally:
        if process is not None:
            process.close()


def _asked(process: ChildProcess, request: Try, limits: Limits) -> Checked:
    """The outcome, also that it died, took too long or sent something else; then the process has been ended."""
    pending = process.ask(request, limits.timeout)
    while not pending.wait(_LOOK_S):
        if limits.stop.is_set():
            process.kill()
    try:
        return pending.answer()
    except ArmError as error:
        late = f"took more than {limits.timeout:g} s (--timeout)"
        reason = late if error.status == "timeout" else error.reason
        return Checked(Outcome(error.status, reason), About())
