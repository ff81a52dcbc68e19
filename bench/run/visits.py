"""In which order experiments are measured in one process of their arms after the other.

Processes of the same code differ for as long as they live, so each arm is measured in several.  A block of experiments
is visited in the first process of all arms; then all processes are started anew, and the block is visited again.  So an
interval speaks for a new process, some minutes later.  A block is long enough that starting anew costs little, and so
short that a run which dies loses little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.plan.experiments import Experiment

if TYPE_CHECKING:  # brings NumPy, which collecting a plan must not need
    from bench.run.arm_state import ArmState

__all__ = ["Due", "Visits"]

_BLOCK_S = 240.0
"""Seconds of measuring in one process of a block's arms, about: starting the arms takes some 13 s."""
_LEAST_VISIT_S = 2.0
"""A visit takes this long with preparing the arms, however short its rounds.  So a block has a largest number of
experiments, whose batches are all kept until it ends."""


@dataclass(slots=True, eq=False)
class Due:
    """An experiment that is due in a process of its arms."""

    experiment: Experiment
    process: int = 1
    states: Sequence[ArmState] = ()
    """Of its arms, from the process before."""
    rounds_s: float = 0.0
    """What its rounds took so far."""


class Visits:
    """The visits that a run still has to make; `seconds` tells what all of an experiment's may take together."""

    def __init__(self, chosen: Sequence[Experiment], seconds: Callable[[Experiment], float]) -> None:
        self._blocks: list[list[Due]] = []
        room_s = 0.0
        for experiment in chosen:
            if room_s <= 0:
                self._blocks.append([])
                room_s = _BLOCK_S
            self._blocks[-1].append(Due(experiment))
            room_s -= max(seconds(experiment), _LEAST_VISIT_S)

    @property
    def blocks(self) -> int:
        """How many there are left."""
        return sum(map(bool, self._blocks))

    def block(self, wanted: Experiment) -> Sequence[Due]:
        """All visits that the block of `wanted` still has to come, the next one first; none once it has ended."""
        return tuple(self._block_of(wanted))

    def due(self, wanted: Experiment) -> Due:
        """What to measure next so that `wanted`, which has visits to come, ends."""
        return self._block_of(wanted)[0]

    def begun(self) -> Sequence[Due]:
        """Those of which a process has been measured, and which go on in another."""
        return tuple(due for block in self._blocks for due in block if due.states)

    def end(self, due: Due) -> None:
        """The experiment has ended."""
        self._block_of(due.experiment).remove(due)

    def again(self, due: Due, states: Sequence[ArmState], rounds_s: float) -> None:
        """The experiment goes on in another process, when the others of its block have been visited."""
        block = self._block_of(due.experiment)
        block.remove(due)
        block.append(Due(due.experiment, due.process + 1, states, rounds_s))

    def left(self, processes: int) -> Iterator[tuple[Experiment, int]]:
        """All visits to come, in their order, each with its process, if each experiment is visited in so many.

        One that is due in a process beyond them is visited once more.
        """
        for block in self._blocks:
            last = max([processes, *(due.process for due in block)])
            for process in range(1, last + 1):
                yield from (
                    (due.experiment, process)
                    for due in block
                    if due.process <= process <= max(processes, due.process)
                )

    def _block_of(self, experiment: Experiment) -> list[Due]:
        mine = (block for block in self._blocks if any(due.experiment == experiment for due in block))
        return next(mine, [])
