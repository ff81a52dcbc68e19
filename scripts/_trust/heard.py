"""Is what goes on beside heard in the verdicts?  The rates and widths of such an hour beside those of a calm one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tabulate import tabulate

from scripts._shared.validation import NOT_MEASURED, measured_where
from scripts._trust.arms import INSTALLED
from scripts._trust.judging import Judged
from scripts._trust.rates import QUESTIONS, Question, cluster_names, drawn_clusters, rate_of

__all__ = ["Part", "heard"]

Part = tuple[Sequence[Judged], Mapping[str, Any]]
"""What one study judged, and its environment.json."""
_CALM = "calm"
_WIDER = 1.1
"""By so much an interval may be wider beside something that is said not to be heard."""
_HEADERS = ("", "nothing beside", "beside", "wanted", "reached")


@dataclass(frozen=True, slots=True)
class _Two:
    """The same pairs of arms in two hours."""

    calm: Sequence[Judged]
    other: Sequence[Judged]


def heard(parts: Sequence[Part], hour: str, command: str) -> str:
    """Markdown; what is still to be measured, and how, where the two hours are not there from one machine."""
    for rows, environment in parts:
        calm = _calm_of(parts, rows, environment) if rows[0].hour == hour else None
        if calm is not None:
            two = _common(calm[0], rows)
            lines = [measured_where(each) for each in (calm[1], environment)]
            table = tabulate(list(_rows(two)), headers=_HEADERS, tablefmt="github", disable_numparse=True)
            return "\n\n".join([*lines, table])
    return f"{NOT_MEASURED} The commands, on one machine: `{command}`, and the same with `--beside {hour}`."


def _calm_of(parts: Sequence[Part], rows: Sequence[Judged], environment: Mapping[str, Any]) -> Part | None:
    """The calm hour of that profile on that machine, with a pair that both have."""
    for part in parts:
        first, machine = part[0][0], part[1]["machine"]
        alike = (first.hour, first.profile, machine) == (_CALM, rows[0].profile, environment["machine"])
        if alike and not any(each.kind == INSTALLED for each in part[0]) and _common(part[0], rows).calm:
            return part
    return None


def _common(calm: Sequence[Judged], other: Sequence[Judged]) -> _Two:
    """The pairs that both hours have, in one order; a repeated pair counts as often as both have it."""
    known: dict[tuple[str, ...], list[Judged]] = {}
    for each in calm:
        known.setdefault(_name(each), []).append(each)
    two = [(known[_name(each)].pop(0), each) for each in other if known.get(_name(each))]
    return _Two([one for one, _ in two], [each for _, each in two])


def _name(pair: Judged) -> tuple[str, ...]:
    return pair.base, pair.experiment, pair.first, pair.second


def _rows(two: _Two) -> Iterator[tuple[str, ...]]:
    for question in QUESTIONS:
        if question.at_most is not None:
            yield from _rate_row(question, two)
    yield _width_row(two)


def _rate_row(question: Question, two: _Two) -> Iterator[tuple[str, ...]]:
    calm, other = rate_of(question, two.calm), rate_of(question, two.other)
    if calm is None or other is None:
        return
    texts = [f"{each.value:.1%} of {each.of} ({each.lo:.1%} to {each.hi:.1%})" for each in (calm, other)]
    yield question.text, *texts, f"at most {calm.hi:.1%}", "yes" if other.value <= calm.hi else "no"


def _width_row(two: _Two) -> tuple[str, ...]:
    """The median of how many times as wide, and the 95 % interval of it."""
    kept = [
        (math.log(other.half_width / calm.half_width), other)
        for calm, other in zip(two.calm, two.other, strict=True)
        if 0 < calm.half_width < math.inf and 0 < other.half_width < math.inf
    ]
    what, wanted = "widths of intervals, beside over nothing beside, median", f"at most {_WIDER:g}"
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
