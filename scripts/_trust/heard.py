"""Is what goes on beside heard in the verdicts?  The rates and widths of the rounds with it beside those without."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from scripts._trust.judging import Judged
from scripts._trust.rates import QUESTIONS, Question, cluster_names, drawn_clusters, rate_of

__all__ = ["heard", "stopped"]

_WIDER = 1.1
"""By so much an interval may be wider beside something that is said not to be heard."""
_HEADERS = ("", "stopped", "beside", "wanted", "reached")


@dataclass(frozen=True, slots=True)
class _Two:
    """The same pairs of arms in the two halves of the rounds."""

    stopped: Sequence[Judged]
    other: Sequence[Judged]


def stopped(hour: str) -> str:
    """What the half of that hour is called in which its neighbour is stopped."""
    return f"{hour}, stopped"


def heard(judged: Sequence[Judged]) -> str:
    """A table; of what was not measured in turn, nothing."""
    two = _common(judged)
    if not two.other:
        return ""
    return tabulate(list(_rows(two)), headers=_HEADERS, tablefmt="github", disable_numparse=True)


def _common(judged: Sequence[Judged]) -> _Two:
    """The pairs that both halves have, in one order; a repeated pair counts as often as both have it."""
    known: dict[tuple[str, ...], list[Judged]] = {}
    for each in judged:
        known.setdefault((each.hour, *_name(each)), []).append(each)
    two = []
    for each in judged:
        without = known.get((stopped(each.hour), *_name(each)))
        if without:
            two.append((without.pop(0), each))
    return _Two([one for one, _ in two], [each for _, each in two])


def _name(pair: Judged) -> tuple[str, ...]:
    return pair.profile, pair.base, pair.experiment, pair.first, pair.second


def _rows(two: _Two) -> Iterator[tuple[str, ...]]:
    for question in QUESTIONS:
        if question.at_most is not None:
            yield from _rate_row(question, two)
    yield _width_row(two)


def _rate_row(question: Question, two: _Two) -> Iterator[tuple[str, ...]]:
    without, other = rate_of(question, two.stopped), rate_of(question, two.other)
    if without is None or other is None:
        return
    texts = [f"{each.value:.1%} of {each.of} ({each.lo:.1%} to {each.hi:.1%})" for each in (without, other)]
    yield question.text, *texts, f"at most {without.hi:.1%}", "yes" if other.value <= without.hi else "no"


def _width_row(two: _Two) -> tuple[str, ...]:
    """The median of how many times as wide, and the 95 % interval of it."""
    kept = [
        (math.log(other.half_width / without.half_width), other)
        for without, other in zip(two.stopped, two.other, strict=True)
        if 0 < without.half_width < math.inf and 0 < other.half_width < math.inf
    ]
    what, wanted = "widths of intervals, beside over stopped, median", f"at most {_WIDER:g}"
    if not kept:
        return what, "", "not kept", wanted, "not known"
    logs = np.array([log for log, _ in kept])
    of = np.unique(cluster_names([pair for _, pair in kept]), return_inverse=True)[1]
    places = [np.flatnonzero(of == cluster) for cluster in range(of.max() + 1)]
    medians = [
        np.median(logs[np.concatenate([places[each] for each in drawn])])
        for drawn in drawn_clusters(len(places))
    ]
    value, lo, hi = (math.exp(each) for each in (np.median(logs), *np.quantile(medians, (0.025, 0.975))))
    text = f"{value:.2f} of {len(kept)} ({lo:.2f} to {hi:.2f})"
    return what, "", text, wanted, "yes" if value <= _WIDER else "no"
