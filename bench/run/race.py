"""Which arms are due in a round: those of which something asked about is not known yet and can become known.

Each implementation is compared with the baseline and with the leader, the fastest so far.  After a few rounds most
pairs are decided, or more rounds of these processes would tell nothing, since the processes themselves differ more.
The time that this saves goes to the pairs that need it, and to the experiments that follow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.plan.experiments import SHOWING
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence

__all__ = ["CONTROL_ROUNDS", "LEAST_ROUNDS", "Race"]

LEAST_ROUNDS = 5
"""Rounds that every arm gets: of fewer, two are left when the outer ones are trimmed, which hardly tell their error."""
CONTROL_ROUNDS = 10
"""Rounds of copies and of the empty call, in each process, at most: enough to tell 5 % (`bench.judging.ceiling`)."""


class Race:
    """The arms of an experiment in one process of each; `seed` draws the orders."""

    def __init__(self, states: Sequence[ArmState], evidence: Evidence, seed: int) -> None:
        self._states, self.evidence = states, evidence
        self._rng = np.random.default_rng(seed)
        self._order: list[ArmState] = []

    def due(self, number: int) -> list[ArmState]:
        """The arms that run a batch in this round, in their order."""
        due = self._in_play(number)
        if number % 2 and {id(state) for state in due} == {id(state) for state in self._order}:
            self._order = self._order[::-1]  # so that a steady drift hits every pair once in each direction
            return self._order
        drawn = [due[place] for place in self._rng.permutation(len(due))]
        leader = self.evidence.leader(self._states)
        if leader is not None and leader in drawn:
            drawn.remove(leader)
            drawn.insert((len(drawn) + 1) // 2, leader)  # near to everyone it is compared with
        self._order = drawn
        return drawn

    def _in_play(self, number: int) -> list[ArmState]:
        alive = [state for state in self._states if state.alive]
        if number < LEAST_ROUNDS:
            return alive
        wanted = {id(state): state for state in alive if not self.evidence.precise(state)}
        for one, other in self.evidence.undecided(alive):
            wanted |= {id(one): one, id(other): other}
        shown = SHOWING if wanted and number < CONTROL_ROUNDS else ()
        return [state for state in alive if id(state) in wanted or state.arm.role in shown]
