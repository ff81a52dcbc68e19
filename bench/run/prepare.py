"""The arms of an experiment made ready: imported, compiled and proved right, in processes that are alike.

Where a compiler found nothing in its cache, the arms of that backend start anew and fetch what is there by then (see
`bench.run.process_pool`).  compiles.csv reports what the compiling process saw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from bench.messages import ArmRequest, Loaded, Prepare, Raced
from bench.plan.experiments import Arm, Experiment
from bench.run.arm_state import ArmState
from bench.run.pool import Pool
from bench.run.process import ArmError
from kernels.api import Case

__all__ = ["ask", "prepare"]

A = TypeVar("A")


def ask(
    pool: Pool, states: Sequence[ArmState], request: ArmRequest[A], *, alone: bool = False
) -> list[tuple[ArmState, A]]:
    """Ask all arms that are alive, `alone` one after the other; the answers of those that gave one."""
    alive = [state for state in states if state.alive]
    batches = [[state] for state in alive] if alone else [alive]
    answered = []
    for batch in batches:
        outcomes = pool.call_all([state.arm for state in batch], request)
        for state, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, ArmError):
                state.fail(outcome.status, outcome.reason)
            else:
                answered.append((state, outcome))
    return answered


def prepare(
    experiment: Experiment,
    pool: Pool,
    states: Sequence[ArmState],
    *,
    in_turn: bool = False,
    now: Callable[[], float] = time.monotonic,
) -> float:
    """Bring every arm to where it can be timed, or let it fail; seconds that compilers and starting anew took.

    Where arms start anew, preparing those that compiled counts as compiling, too.
    `in_turn`: an arm has memory only while it is asked, and nobody compiles ahead.
    """
    _open(experiment, pool, states)
    began = now()
    if not in_turn:
        _compile_ahead(experiment, pool, states)
    compiled = now()
    _prove(experiment, pool, states, in_turn=in_turn)
    anew = list(states)
    while anew := _without_past(pool, states, anew):
        _open(experiment, pool, anew)
        compiled = now()
        _prove(experiment, pool, anew, in_turn=in_turn)
    return compiled - began


def _open(experiment: Experiment, pool: Pool, states: Sequence[ArmState]) -> None:
    opened: Mapping[Arm, Loaded | ArmError]
    opened = pool.open([state.arm for state in states], experiment.case.threads)
    for state in states:
        loaded = opened[state.arm]
        if isinstance(loaded, ArmError):
            state.fail(loaded.status, loaded.reason)
        else:
            state.loaded = state.loaded or loaded  # the first one's, as all that the ledger has


def _compile_ahead(experiment: Experiment, pool: Pool, states: Sequence[ArmState]) -> None:
    alive = [state for state in states if state.alive]
    for case in dict.fromkeys(experiment.case_for(state.arm) for state in alive):
        arms = [state.arm for state in alive if experiment.case_for(state.arm) == case]
        took = pool.compile(case, arms)
        for state in alive:
            state.compiled = took.get(state.arm, state.compiled)


def _without_past(pool: Pool, states: Sequence[ArmState], latest: Sequence[ArmState]) -> list[ArmState]:
    """The arms that get a fresh process, since one of the `latest` to be prepared had to compile."""
    compiled = [state.arm for state in latest if state.has_compiled]
    arms = set(pool.renew([state.arm for state in states if state.alive], compiled) if compiled else ())
    anew = [state for state in states if state.arm in arms]
    for state in anew:
        state.compiled = state.prepared
    return anew


def _prove(experiment: Experiment, pool: Pool, states: Sequence[ArmState], *, in_turn: bool) -> None:
    """Have them compile and pass the gate."""
    copies = [state for state in states if state.arm.role in ("ceiling", "allocation")]
    racing = [copy for copy, raced in _ways_known(pool, copies, experiment.case) if not raced]
    at_once: dict[Case, list[ArmState]] = {}
    for state in states:
        if not any(state is copy for copy in racing):
            at_once.setdefault(experiment.case_for(state.arm), []).append(state)
    # a copy alone, as long as it has to choose the fastest way by timing several
    for case, together in [*at_once.items(), *((experiment.case, [copy]) for copy in racing)]:
        alone = in_turn or case.device != "cpu"
        for state, prepared in ask(pool, together, Prepare(case, in_turn), alone=alone):
            state.prepared = prepared
            if prepared.skip is not None:
                state.fail("skipped", prepared.skip)
            elif prepared.gate.problem is not None:
                state.fail("incorrect", prepared.gate.problem)


def _ways_known(pool: Pool, copies: Sequence[ArmState], case: Case) -> list[tuple[ArmState, bool]]:
    """Whether each copy knows its way; those that are to go one are told."""
    told = {way: [copy for copy in copies if copy.way == way] for way in dict.fromkeys(c.way for c in copies)}
    return [answer for way, those in told.items() for answer in ask(pool, those, Raced(case, way))]
