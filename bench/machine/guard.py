"""Waiting for a quiet machine: when to, and for how long at most.

As long as nobody else is seen, this costs nothing.  Once somebody is, each batch waits until few enough threads are
runnable to leave our CPUs free, and is measured again if others ran beside it.  After some quiet rounds this stops.
The time that it takes is added to the experiment's, up to an allowance.  Waiting that was in vain is given up.
"""

from __future__ import annotations

from bench.machine.foreign_load import ForeignUse, Witness
from bench.machine.surroundings import Surroundings

__all__ = ["Guard"]

_STEP_S = 0.001
"""Seconds between two looks at who is ready to run: far less than any wait, and hardly any load itself."""
_TICKS_WINDOW_S = 0.05
"""Seconds of a window in which CPU time is counted: several ticks of 10 ms."""
_SPIN_S = 0.012
"""Longer than a pool of OpenMP threads spins after its last parallel region: so that our own are not taken for load."""
_LONGEST_S = 0.75
"""Others work in bursts; who goes on for longer than this may go on for ever."""
_IN_VAIN = 2
"""Waits in a row that may be in vain; after so many, whoever works there is taken to work for ever."""
_WITHOUT_HOPE = 1 / 3
"""The share of the allowance that may go into repeating beside somebody who never gives way."""
_QUIET_ROUNDS = 4
"""Rounds without anybody else until batches no longer wait: who works in bursts comes back."""


class Guard:
    """Whether to wait, and to measure again; of one experiment, with its `witness` of what others use."""

    def __init__(self, witness: Witness, allowance_s: float, surroundings: Surroundings) -> None:
        self._witness, self._allowance_s, self._surroundings = witness, allowance_s, surroundings
        self._alarmed_for = 0
        self._in_vain = 0
        self.lost_s = 0.0
        """Seconds that waiting and repeating have cost."""

    @property
    def extra_s(self) -> float:
        """The same, as far as it is allowed."""
        return min(self.lost_s, self._allowance_s)

    @property
    def has_time(self) -> bool:
        """Whether there is time left for repeating."""
        return self.lost_s < self._allowance_s * (1.0 if self._hopes else _WITHOUT_HOPE)

    @property
    def patient(self) -> bool:
        """Whether there is time left for waiting, and hope."""
        return self._hopes and self.has_time

    @property
    def _hopes(self) -> bool:
        return self._in_vain < _IN_VAIN

    @property
    def alarmed(self) -> bool:
        """Whether somebody else was seen a short while ago."""
        return self._alarmed_for > 0 and self.patient

    def spend(self, seconds: float) -> None:
        """Count what was lost."""
        self.lost_s += seconds

    def alarm(self) -> None:
        """Somebody else was seen."""
        self._alarmed_for = _QUIET_ROUNDS

    def after_round(self, *, foreign: bool) -> None:
        """A round is over, in which others used the machine or not."""
        if foreign:
            self.alarm()
        else:
            self._alarmed_for = max(0, self._alarmed_for - 1)

    def others_run(self, for_s: float = _SPIN_S) -> bool:
        """Whether something else is ready to run all through `for_s` seconds; False where nobody can tell."""
        around = self._surroundings
        end = around.monotonic() + for_s
        while (running := around.runnable()) is not None and running - 1 > around.spare_cpus:
            if around.monotonic() >= end:
                return True
            around.sleep(_STEP_S)
        return False

    def wait(self) -> None:
        """Until nobody else uses the machine; not for long, and not if that was in vain before."""
        if not self.patient:
            return
        begin = self._surroundings.monotonic()
        told = self._surroundings.runnable() is not None
        busy = self.others_run(_LONGEST_S) if told else self._ticks_go_on()
        self._in_vain = self._in_vain + 1 if busy else 0
        self.spend(self._surroundings.monotonic() - begin)

    def _ticks_go_on(self) -> bool:
        """The same from the machine's CPU time, which takes longer to tell."""
        foreign = ForeignUse(0.0, 0.0)
        for _ in range(int(_LONGEST_S / _TICKS_WINDOW_S)):
            self._witness.window()
            self._surroundings.sleep(_TICKS_WINDOW_S)
            foreign = self._witness.window()
            if not foreign.contended:
                return False
        return foreign.contended
