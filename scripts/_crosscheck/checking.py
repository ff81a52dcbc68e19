"""Try one backend on one combination of op, direction, placement and dtype.

Runs in the backend's own process (`scripts._crosscheck.worker`), which sends the `Outcome`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from kernels.api import Backend, Case, facts_of
from kernels.correctness.learnt import judge_slope_gradient
from kernels.correctness.policy import Judgement, judge
from kernels.numbers.floats import Array
from kernels.numbers.host_arrays import ALIGNMENT
from scripts._crosscheck.bound import Bound
from scripts._crosscheck.trials import SLOPES, Trial, trials

__all__ = ["About", "Outcome", "check"]


@dataclass(frozen=True)
class About:
    """What a backend says of itself: its versions, and special values at which it is known to differ, and why."""

    versions: dict[str, str] = field(default_factory=dict)
    deviations: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What came of it.  `status` is ok, skipped, incorrect, failed, crashed, timeout or oom.

    models, notes    as judged; several where trials differ
    slope_share      of the error that the gradient of a slope may have, the largest part that it took
    slopes, lengths, layouts   tried;  untried: the trials that time or the backend did not allow
    """

    status: str = "ok"
    reason: str = ""
    max_ulp: float = 0.0
    slope_share: float | None = None
    models: set[str] = field(default_factory=set)
    notes: dict[str, set[str]] = field(default_factory=dict)
    slopes: list[float] = field(default_factory=list)
    lengths: set[int] = field(default_factory=set)
    layouts: list[str] = field(default_factory=list)
    calls: int = 0
    untried: list[str] = field(default_factory=list)

    def absorb(self, case: Case, judgement: Judgement) -> None:
        """Add what one judgement saw.

        Signs and conventions depend on the slope: those of the ordinary slope count, and of the
        others what is about the slope itself.
        """
        self.max_ulp = max(self.max_ulp, judgement.max_ulp)
        if judgement.model:
            self.models.add(judgement.model)
        ordinary = not facts_of(case.op).sloped or case.negative_slope == SLOPES[0]
        for name, answers in judgement.notes.items():
            if ordinary or "slope" in name or "x<0" in name:
                self.notes.setdefault(name, set()).update(answers.split("|"))

    def count(self, trial: Trial, calls: int) -> None:
        """Add what a trial covers."""
        self.calls += calls
        self.lengths.add(trial.case.n)
        self.slopes = list(dict.fromkeys([*self.slopes, trial.case.negative_slope]))
        self.layouts = list(dict.fromkeys([*self.layouts, trial.case.layout]))


def check(backend: Backend, case: Case, seconds: float) -> Outcome:
    """The outcome of all trials of `case` that must be, and of the others for which there is time in `seconds`."""
    refused = backend.why_not(case)
    if refused is not None:
        return Outcome("skipped", refused)
    outcome, deadline = Outcome(), 0.0
    backend.set_threads(case.threads)
    for trial in trials(case):
        why_not = _why_not(backend, trial)
        if why_not is None and not trial.must:
            deadline = deadline or time.monotonic() + seconds
            why_not = "out of time" if time.monotonic() > deadline else None
        if why_not is not None:
            outcome.untried.append(f"{trial.name} ({why_not})")
            continue
        problem = _tried(backend, trial, outcome)
        if problem is not None:
            outcome.status, outcome.reason = "incorrect", f"{trial.name}: {problem}"
            break
    return outcome


def _why_not(backend: Backend, trial: Trial) -> str | None:
    if trial.misaligned and getattr(backend, "alignment", ALIGNMENT) > trial.case.itemsize:
        return "asks for aligned arrays"
    return "refused" if backend.why_not(trial.case) is not None else None


def _tried(backend: Backend, trial: Trial, outcome: Outcome) -> str | None:
    try:
        return _run(backend, trial, outcome)
    except Exception as error:
        if not trial.reported:
            raise
        outcome.notes.setdefault(trial.name, set()).add(f"raises {type(error).__name__}")
        return None


def _run(backend: Backend, trial: Trial, outcome: Outcome) -> str | None:
    """Call once for each row of the inputs and judge all results together; the first problem."""
    case = trial.case
    xs, dys = trial.make(case)
    bound = Bound(backend, case, misaligned=trial.misaligned)
    shape, results = bound.x.shape, np.empty(xs.shape, xs.dtype)
    for row in range(len(xs)):
        x, dy = xs[row].reshape(shape), None if dys is None else dys[row].reshape(shape)
        result, touched = bound(x, dy)
        if not _fits(result, x):
            judgement = judge(case, x, dy, result)
            outcome.absorb(case, judgement)
            return judgement.problem
        results[row] = np.reshape(result, -1)  # type: ignore[call-overload]  # an array: it fits
        problem = touched or _beside(bound, case, (x, dy), outcome)
        if problem is not None:
            return problem
    outcome.count(trial, len(xs))
    first = next(iter(outcome.models - {"exact"}), "A")
    judgement = judge(case, xs, dys, results, first=first)
    if judgement.problem is None:
        outcome.absorb(case, judgement)
        return None
    return _first_problem(case, (xs, dys, results), shape, outcome)


def _beside(bound: Bound, case: Case, inputs: tuple[Array, Array | None], outcome: Outcome) -> str | None:
    """What is wrong with the gradient of a slope that is learnt."""
    x, dy = inputs
    if not case.two_results or dy is None:
        return None
    judged = judge_slope_gradient(case, x, dy, bound.slope_gradient)
    if judged.share is not None:
        outcome.slope_share = max(judged.share, outcome.slope_share or 0.0)
    for name, answer in judged.notes.items():
        outcome.notes.setdefault(name, set()).add(answer)
    return judged.problem


def _fits(result: object, x: Array) -> bool:
    return isinstance(result, np.ndarray) and (result.shape, result.dtype) == (x.shape, x.dtype)


def _first_problem(
    case: Case, rows: tuple[Array, Array | None, Array], shape: tuple[int, ...], outcome: Outcome
) -> str | None:
    """The problem of the first call that has one; none has if calls merely follow different models."""
    xs, dys, results = rows
    for row in range(len(xs)):
        dy = None if dys is None else dys[row].reshape(shape)
        judgement = judge(case, xs[row].reshape(shape), dy, results[row].reshape(shape))
        outcome.absorb(case, judgement)
        if judgement.problem is not None:
            return judgement.problem
    return None
