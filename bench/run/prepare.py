"""The arms of an experiment made ready: imported, compiled and proved right, in processes that are alike.

A process in which a compiler has worked is not like one that fetched the same code from the compiler's cache:
on cold caches the two of five identical arms that had compiled differed from the other three by 2 to 7 %
(numba_parallel, 1Ki), 2 to 4 % (numba_jit, torch_compile) for as long as they lived; with warm caches all five
lay within 1 %.  So where a compiler found nothing in its cache, the arms of that backend start anew and fetch
what is there by then; the process that compiled stays as a scout, which goes ahead with the cases to come.
What the compile ledger tells is what the process saw that compiled.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from bench.messages import Loaded
from bench.plan.experiments import Arm, Experiment
from bench.run.arm_state import ArmState
from bench.run.pool import Pool, ProcessPool, Request
from bench.run.process import ArmError
from kernels.api import Case

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
    """Bring every arm to where it can be timed, or let it fail; seconds that scouts and starting anew took."""
    _loaded(states, pool.open([state.arm for state in states], experiment.case.threads))
    if not isinstance(pool, ProcessPool):
        _compile(experiment, pool, states)
        return 0.0
    began = time.monotonic()
    for case in dict.fromkeys(experiment.case_for(state.arm) for state in states):
        _scout(case, pool, [state for state in states if experiment.case_for(state.arm) == case])
    scouted = time.monotonic()
    _compile(experiment, pool, states)
    compiled = time.monotonic()
    _give_up_in_vain(pool, states)
    _start_anew(experiment, pool, states)
    return scouted - began + time.monotonic() - compiled


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


def _scout_of(arm: Arm) -> Arm:
    return Arm(arm.backend, "scout", arm.variant)


def _scout(case: Case, pool: ProcessPool, states: Sequence[ArmState]) -> None:
    """Have the scouts compile the case, before the arms that they go ahead of ask for it."""
    arms = {_scout_of(state.arm) for state in states if state.alive} & pool.scouts
    scouts = [ArmState(arm) for arm in sorted(arms, key=lambda arm: arm.label)]
    if not scouts:
        return
    _loaded(scouts, pool.open([scout.arm for scout in scouts], case.threads))
    for scout, prepared in ask(pool, scouts, "prepare", case, alone=case.device != "cpu"):
        scout.prepared = prepared
        if prepared.compile_report.get("cache_hit") == 1:  # from here on there is nothing to do for it
            pool.end(scout.arm)
    _rest(pool)
    compiled = {scout.arm: scout.prepared for scout in scouts if scout.has_compiled}
    for state in states:
        state.compiled = compiled.get(_scout_of(state.arm))


def _rest(pool: ProcessPool) -> None:
    """Scouts keep nothing while others are measured, and one that has ended is none."""
    for method in ("release", "trim"):
        pool.call_all([Request(scout, method) for scout in pool.scouts if pool.has(scout)])
    pool.scouts = {scout for scout in pool.scouts if pool.has(scout)}


def _start_anew(experiment: Experiment, pool: ProcessPool, states: Sequence[ArmState]) -> None:
    """Where an arm has compiled, all arms of its backend, so that they have one past."""
    compiled = [state for state in states if state.has_compiled]
    backends = {state.arm.backend for state in compiled} - pool.uncached
    anew = [state for state in states if state.alive and state.arm.backend in backends]
    for state in sorted(anew, key=lambda state: not state.has_compiled):
        state.compiled = state.prepared
        pool.pass_on(state.arm, _scout_of(state.arm))
        pool.scouts.add(_scout_of(state.arm))
    if anew:
        _rest(pool)
        _loaded(anew, pool.open([state.arm for state in anew], experiment.case.threads))
        _compile(experiment, pool, anew)
        _give_up_in_vain(pool, anew)


def _give_up_in_vain(pool: ProcessPool, states: Sequence[ArmState]) -> None:
    """Backends that have to compile what a process before has compiled: their compilers keep nothing."""
    vain = {state.arm.backend for state in states if state.compiled is not None and state.has_compiled}
    pool.uncached |= vain
    for scout in pool.scouts:
        if scout.backend in vain:
            pool.end(scout)
    pool.scouts = {scout for scout in pool.scouts if scout.backend not in vain}
