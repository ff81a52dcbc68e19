"""The arms of an experiment made ready: imported, compiled and proved right, in processes that are alike.

A process in which a compiler has worked is not like one that fetched the same code from the compiler's cache:
on cold caches the two of five identical arms that had compiled differed from the other three by 2 to 7 %
(numba_parallel, 1Ki), 2 to 4 % (numba_jit, torch_compile) for as long as they lived; with warm caches all five
lay within 1 %.  So where a compiler found nothing in its cache, the arms of that backend start anew and fetch
what is there by then.  What the compile ledger tells is what the first process saw.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from bench.answers import Loaded
from bench.armstate import ArmState
from bench.plan import Arm, Experiment
from bench.pool import Pool, Request
from bench.process import ArmError

__all__ = ["ask", "prepare"]


def ask(
    pool: Pool, states: Sequence[ArmState], method: str, *arguments: Any, alone: bool = False
) -> list[tuple[ArmState, Any]]:
    """Ask all arms that are alive, `alone` one after the other; the answers of those that gave one."""
    alive = [state for state in states if state.alive]
    requests = [Request(state.arm, method, arguments) for state in alive]
    batches = [[request] for request in requests] if alone else [requests]
    outcomes = [outcome for batch in batches for outcome in pool.call_all(batch)]
    answered = []
    for state, outcome in zip(alive, outcomes, strict=True):
        if isinstance(outcome, ArmError):
            state.fail(outcome.status, outcome.reason)
        else:
            answered.append((state, outcome))
    return answered


def prepare(experiment: Experiment, pool: Pool, states: Sequence[ArmState]) -> float:
    """Bring every arm to where it can be timed, or let it fail; the seconds that starting anew took."""
    _loaded(states, pool.open([state.arm for state in states], experiment.case.threads))
    _compile(experiment, pool, states)
    began = time.monotonic()
    return time.monotonic() - began if _start_anew(experiment, pool, states) else 0.0


def _loaded(states: Sequence[ArmState], opened: Mapping[Arm, Loaded | ArmError]) -> None:
    for state in states:
        loaded = opened[state.arm]
        if isinstance(loaded, ArmError):
            state.fail(loaded.status, loaded.reason)
        else:
            state.loaded = state.loaded or loaded  # the first one's, as all that the ledger has


def _compile(experiment: Experiment, pool: Pool, states: Sequence[ArmState]) -> None:
    copies = [state for state in states if state.arm.role == "ceiling"]
    racing = [copy for copy, raced in ask(pool, copies, "raced", experiment.case) if not raced]
    ablations = [state for state in states if state.arm.role == "ablation"]
    others = [
        state
        for state in states
        if state.arm.role != "ablation" and not any(state is copy for copy in racing)
    ]
    for together in (others, ablations, *([copy] for copy in racing)):
        # a copy alone, as long as it has to choose the fastest way by timing several
        if together:
            case = experiment.case_for(together[0].arm)
            for state, prepared in ask(pool, together, "prepare", case, alone=case.device != "cpu"):
                state.prepared = prepared
                if prepared.skip is not None:
                    state.fail("skipped", prepared.skip)
                elif prepared.gate.problem is not None:
                    state.fail("incorrect", prepared.gate.problem)


def _start_anew(experiment: Experiment, pool: Pool, states: Sequence[ArmState]) -> list[ArmState]:
    """All arms of a backend where one of them has compiled, so that they have one past; those it was done for."""
    backends = {state.arm.backend for state in states if state.has_compiled} - pool.uncached
    anew = [state for state in states if state.alive and state.arm.backend in backends]
    if not anew or not pool.can_renew:
        return []
    for state in anew:
        state.compiled = state.prepared
    _loaded(anew, pool.renew([state.arm for state in anew], experiment.case.threads))
    _compile(experiment, pool, anew)
    pool.uncached |= {state.arm.backend for state in anew if state.has_compiled}
    return anew
