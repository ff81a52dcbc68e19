"""The process of one arm: ``python -m scripts._training_step.worker FD``, asked as `_training_step.messages` says."""

from __future__ import annotations

import gc
import sys

from bench.channel import Refusal, Request, inherited, serve
from scripts._training_step.arm import Trainer
from scripts._training_step.messages import Begin, Keep, PeakOf, TimedStep

__all__ = ["main"]


class _Worker:
    def __init__(self) -> None:
        self._trainer: Trainer | None = None

    def answer(self, request: Request[object]) -> object:
        if isinstance(request, Begin):
            self._trainer = Trainer(request.spec)
            return self._trainer.warm_up()
        if self._trainer is None:
            raise TypeError(f"{request.name!r} cannot be answered before a network is begun")
        if isinstance(request, TimedStep):
            return self._trainer.timed_step()
        return self._trainer.peak() if isinstance(request, PeakOf) else self._trainer.kept()


def _refusal(error: BaseException) -> Refusal:
    return Refusal("failed", " ".join(str(error).split()) or type(error).__name__)


def main(fd: int) -> None:
    """Serve until the parent hangs up."""
    gc.disable()
    serve(inherited(fd), (Begin, TimedStep, PeakOf, Keep), _Worker().answer, _refusal)


if __name__ == "__main__":
    main(int(sys.argv[1]))
