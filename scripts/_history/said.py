"""What a history says: since when an arm is slower or faster, and a table of its times, a run a line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from bench.plan.experiments import arm_label, case_label
from bench.records.columns import TIMED
from bench.stats.change_points import Arm, Change, Course
from bench.stats.estimates import Interval
from bench.text.units import MISSING, count_text, percent_text, ratio_text, seconds_text
from kernels.api import Case
from scripts._history.runs import PastRun
from scripts._shared.remarks import clean
from scripts._shared.sections import Block, Report, Section

__all__ = ["History", "as_report", "day_of", "figures", "name_of"]

_MARKS = {"slower": " !", "faster": " +"}
_MOST_CHANGED = 4
"""Things that changed with a run and are named."""


class History(NamedTuple):
    """The runs of one case, the oldest first, and what they tell of each arm."""

    case: Case
    runs: Sequence[PastRun]
    courses: Mapping[Arm, Course]


def name_of(arm: Arm) -> str:
    """``torch_eager`` or ``torch_eager[thp]``."""
    return clean(arm_label(*arm))


def day_of(run: PastRun) -> str:
    """``2026-11-25 19:59`` of its time in UTC."""
    return clean(run.started)[:16].replace("T", " ")


def as_report(history: History, notes: Sequence[str], threshold: float) -> Report:
    """All that there is to say, the changes first."""
    machine = history.runs[0].machine or "a machine without a name"
    first, last = (day_of(history.runs[place]) for place in (0, -1))
    head = f"{case_label(history.case)} on {machine}: {count_text(len(history.runs), 'run')}, {first} to {last} UTC."
    intro = [head, *_changes(history), *_suspected(history), *_unchanged(history, threshold), *notes]
    return Report(
        intro=intro, blocks=[Block("", [_table(history)])], legend=list(_legend(history, threshold))
    )


def figures(history: History) -> pd.DataFrame:
    """A row for each run and arm: who, when, how long, and the change that begins with it, in plain numbers."""
    rows = []
    for number, run in enumerate(history.runs):
        for row in run.cells.itertuples(index=False):
            arm = str(row.backend), str(row.variant)
            if arm not in history.courses:
                continue
            change = _change_at(history.courses[arm], number)
            ratio = change.ratio if change else Interval(math.nan, math.nan, math.nan)
            who: dict[str, Any] = {"run_id": run.run_id, "machine": run.machine, "started_utc": run.started}
            who |= {"commit": run.commit, "backend": arm[0], "variant": arm[1], "status": str(row.status)}
            times = {name: getattr(row, name) for name in ("time_s", "time_lo_s", "time_hi_s")}
            since: dict[str, Any] = {"change": change.word if change else ""}
            since |= {"ratio": ratio.value, "ratio_lo": ratio.lo, "ratio_hi": ratio.hi}
            rows.append(who | times | since)
    return pd.DataFrame(rows)


def _changes(history: History) -> Iterator[str]:
    """A sentence for each change, in the order of the runs."""
    found = [
        (change.first, arm, change) for arm, course in history.courses.items() for change in course.changes
    ]
    for first, arm, change in sorted(found, key=lambda each: each[0]):
        run = history.runs[first]
        before = [number for number in history.courses[arm].runs if number < first][-1]
        yield (
            f"{name_of(arm)} is {change.word} since run {_named(run)}: its time is"
            f" {_ratio(change)} of that before.{_with_it(history.runs[before], run)}"
        )


def _with_it(before: PastRun, run: PastRun) -> str:
    """What else changed between the two runs."""
    found = run.changed_since(before)
    if not found:
        return ""
    more = f" and {len(found) - _MOST_CHANGED} more" if len(found) > _MOST_CHANGED else ""
    return f" With it: {'; '.join(found[:_MOST_CHANGED])}{more}."


def _suspected(history: History) -> Iterator[str]:
    for arm, course in history.courses.items():
        if course.newest is not None:
            run = history.runs[course.newest.first]
            yield (
                f"{name_of(arm)} is perhaps {course.newest.word} in the newest run, {_named(run)}:"
                f" {_ratio(course.newest)}. One run cannot show it: measure again."
            )


def _unchanged(history: History, threshold: float) -> Iterator[str]:
    """Of all arms in which no change was shown, in one sentence; and what would have been seen."""
    if len(history.runs) < 2:
        yield "One run has no history: name more."
        return
    steady = {arm: course for arm, course in history.courses.items() if not course.changes}
    floors = [course.noise_floor for course in steady.values() if math.isfinite(course.noise_floor)]
    if floors:
        beyond = percent_text(max(*floors, threshold))
        yield (
            f"No change was shown of {', '.join(map(name_of, steady))}: in the middle of the runs one of {beyond} would"
            " have been seen in 80 % of cases."
        )


def _table(history: History) -> Section:
    arms = list(history.courses)
    headers = ("run", "measured (UTC)", "commit", *map(name_of, arms))
    rows = [
        (run.run_id, day_of(run), run.commit or MISSING, *(_time(history, number, arm) for arm in arms))
        for number, run in enumerate(history.runs)
    ]
    return Section("", headers, rows, (False, False, False, *(True for _ in arms)))


def _time(history: History, number: int, arm: Arm) -> str:
    """``~12.3 us !``, or the status where there is no time."""
    cells = history.runs[number].cells
    mine = cells[(cells["backend"] == arm[0]) & (cells["variant"] == arm[1])]
    if mine.empty:
        return MISSING
    row = mine.iloc[-1]
    change = _change_at(history.courses[arm], number)
    mark = _MARKS[change.word] if change else ""
    noisy = "~" if row["status"] == "noisy" else ""
    return f"{noisy}{seconds_text(row['time_s'])}{mark}" if row["status"] in TIMED else str(row["status"])


def _change_at(course: Course, number: int) -> Change | None:
    return next((change for change in course.changes if change.first == number), None)


def _named(run: PastRun) -> str:
    commit = f", commit {run.commit}" if run.commit else ""
    return f"{run.run_id} ({day_of(run)}{commit})"


def _ratio(change: Change) -> str:
    return ratio_text(change.ratio.value, change.ratio.lo, change.ratio.hi)


def _legend(history: History, threshold: float) -> Iterator[str]:
    yield "Times are seconds per call. ~ marks a noisy cell. ! marks the first run of a slower time, + of a faster one."
    if len(history.runs) > 1:
        yield (
            "A change is shown where the runs before it and those after differ beyond what runs, processes and rounds"
            f" explain (5 %, corrected for all places that were tried), and by more than {percent_text(threshold)}:"
            " the rule of scripts/compare.py. The run that it begins with is the likeliest one."
        )
