"""What a summary says in sentences: the runs, what is the same everywhere, the legend, what failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from bench.plan.experiments import arm_label
from bench.plugin.not_ok import Trouble
from bench.records.baselines import stand_in_lines
from bench.records.grouping import tallied
from bench.records.schema import STATUSES
from bench.stats.fastest import COMPETING, RULE
from bench.text.foreign import plain as clean
from bench.text.installs import install_lines
from bench.text.units import count_text
from kernels.api import AXIS_TABLE, facts_of, is_own
from kernels.networks.case import SLOPED_OPS

__all__ = [
    "LEGEND",
    "NOISY",
    "RARE_AXES",
    "arm_name",
    "axis_text",
    "baseline_lines",
    "clean",
    "constant_lines",
    "matters",
    "older_lines",
    "problem_lines",
    "run_lines",
    "troubles",
    "varies",
]

RARE_AXES = ("machine", *(axis.name for axis in AXIS_TABLE if not axis.always))
"""The columns that are said once where they do not vary, and in every title where they do."""
_TROUBLE = ("status", "backend", "variant", "role", "reason")
"""The columns that say what was not ok."""
_MOST_RUNS = 8
_MOST_PROBLEMS = 20
_GRAVEST_FIRST = (*(status for status in STATUSES if status not in ("skipped", "noisy")), "skipped", "noisy")

NOISY = "a verdict on it is unresolved, or its interval is wider than asked for"
"""Why a cell is noisy."""

LEGEND = (
    ("fastest", RULE),
    (
        "fastest",
        "Not known: those that are unresolved, each with its noise floor, the smallest difference from the leader that"
        " would have been seen in 80 % of such measurements.",
    ),
    ("arms", f"* marks the fastest set. ~ marks a noisy cell: {NOISY}."),
    ("", "Times are seconds per call. GB/s counts each input read once and each output written once."),
    (
        "",
        "Speed-up is the baseline's time over the arm's, paired round by round, with its 95 % interval for a new"
        " process.",
    ),
    (
        "arms",
        "Verdict is that over the baseline: faster, slower, same (within the width asked for) or unresolved. Over"
        " leader is the arm's time over the leader's; beside it, the same words. Each has its noise floor: the smallest"
        " difference that would have been seen in 80 % of such measurements.",
    ),
    ("", "Of copy is the share of the bandwidth at which the same bytes were copied in the same experiment."),
    ("arms", "Break-even is the number of calls that pay back a longer first call than the baseline's."),
    (
        "machines",
        "* marks the machine on which changing from the baseline is worth most: its speed-up is beyond those of all"
        " others. Speed-up and of copy are ratios within a machine.",
    ),
    (
        "speedups",
        "Machines differ: the intervals of two are apart. Where two machines have different baselines, there is nothing"
        " to set side by side.",
    ),
    (
        "scaling",
        "Times as fast: with more threads than the fewest, of different experiments on one machine, so not paired; and"
        " the fastest parallel arm over the fastest serial one of an experiment, which grows with the cores.",
    ),
    (
        "fits",
        "Fits are time = latency + bytes / bandwidth over all sizes, by relative misses. Caches bend the real curve:"
        " a line that misses a size by 10 % or more is left out; scripts/recommend.py reads between the sizes.",
    ),
)
"""(the table that a sentence belongs to, or "" for all; the sentence)."""


def matters(axis: str, operation: str) -> bool:
    """Whether `axis` means anything to `operation`: only the leaky ones have a slope, and few ops have parameters."""
    if axis == "params":
        return is_own(operation) or bool(facts_of(operation).params)
    return axis != "negative_slope" or operation in SLOPED_OPS


def axis_text(axis: str, value: Any) -> str:
    """``cache hot``, ``default threads``, ``negative_slope 0.01``, ``alpha=0.5``."""
    if axis == "threads":
        return f"threads {value}" if value else "default threads"
    if axis == "params":
        return clean(value) or "no parameters"
    return f"{axis} {value:g}" if isinstance(value, float) else f"{axis} {clean(value)}"


def arm_name(backend: str, variant: str, role: str) -> str:
    """``torch_eager``, ``torch_eager[thp]``, ``numpy_ufunc (twin)``."""
    return clean(arm_label(backend, variant, "" if role in COMPETING else role))


def varies(cells: pd.DataFrame, axis: str) -> bool:
    """Whether `cells` differ in `axis`; a slope that is not used does not count, nor that ops have other parameters."""
    if axis == "params":
        return bool(tallied(cells, ("op", axis))["op"].duplicated().any())
    values = cells[axis]
    if axis == "negative_slope":
        values = values[cells["op"].isin(SLOPED_OPS)]
    return bool(values.nunique(dropna=False) > 1)


def run_lines(cells: pd.DataFrame) -> Iterator[str]:
    """One line for each run: where it ran, and how many cells ended how."""
    ends = ["run_id", "machine", "status"]
    counts = tallied(cells, ends).groupby(ends, observed=True)["count"].sum().unstack(fill_value=0)
    for key, statuses in zip(counts.index[:_MOST_RUNS], counts.to_numpy()[:_MOST_RUNS], strict=True):
        run_id, machine = (clean(part) for part in key)
        parts = [f"{n:,} {status}" for status, n in zip(counts.columns, statuses, strict=True) if n]
        where = f" on {machine}" if machine else ""
        yield f"Run {run_id}{where}: {count_text(int(statuses.sum()), 'cell')} ({', '.join(parts)})."
    if len(counts) > _MOST_RUNS:
        yield f"And {count_text(len(counts) - _MOST_RUNS, 'more run')}."
    if "python" in cells:
        yield from _installs(cells)


def _installs(cells: pd.DataFrame) -> Iterator[str]:
    """The versions of arms of one run that have the same backend and differ in them."""
    columns = ["backend", "variant", "python", "versions"]
    for _, run in tallied(cells, ("run_id", *columns)).groupby("run_id", observed=True):
        rows = [tuple(map(str, row)) for row in run[columns].itertuples(index=False)]
        arms = [(row[0], arm_label(row[0], row[1]), row[2], row[3]) for row in rows]
        yield from (f"{clean(line)}." for line in install_lines(arms))


def constant_lines(cells: pd.DataFrame, rare: Sequence[str]) -> Iterator[str]:
    """At most one line: the rare axes that are the same in all of `cells`; `rare` are those that vary."""
    sloped = int(cells["op"].isin(SLOPED_OPS).argmax())  # the first of all, where there is none
    row = next(cells.iloc[sloped : sloped + 1].itertuples())
    constant = [axis for axis in RARE_AXES[1:] if axis not in rare and matters(axis, str(row.op))]
    if "params" in constant and not (row.params and cells["params"].nunique() == 1):
        constant.remove("params")  # not all cells have these
    if constant:
        yield f"All of it: {', '.join(axis_text(axis, getattr(row, axis)) for axis in constant)}."


def older_lines(cells: pd.DataFrame) -> Iterator[str]:
    """At most one line: what arms mean that were ranked without being held against their leader."""
    ranked = cells["timed"] & cells["role"].isin(COMPETING)
    older = [clean(str(name)) for name in cells.loc[ranked & (cells["leader"] == ""), "run_id"].unique()]
    if older:
        named = ", ".join(older[:_MOST_RUNS]) + (" and more" if len(older) > _MOST_RUNS else "")
        yield (
            f"{named}: no arm was held against the leader, as in all runs before schema 2. Intervals and noise floors"
            " leave out how processes differ; what they do not tell apart is unresolved."
        )


def baseline_lines(cells: pd.DataFrame) -> Iterator[str]:
    """One line for each baseline that could not run and was stood in for."""
    planned = cells.loc[(cells["role"] == "baseline") & ~cells["timed"], ["role", "backend", "baseline"]]
    yield from map(clean, stand_in_lines((str(r), str(b), str(o)) for r, b, o in planned.to_numpy()))


def troubles(cells: pd.DataFrame) -> Iterator[Trouble]:
    """What was not ok, by arm, status and reason."""
    for *key, count in tallied(_not_ok(cells), _TROUBLE).itertuples(index=False):
        status, backend, variant, role, reason = map(str, key)
        role = role if role in ("twin", "ablation") else ""
        yield Trouble(status, clean(arm_label(backend, variant, role)), clean(reason), int(count))


def _not_ok(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.loc[cells["status"] != "ok", list(_TROUBLE)]


def problem_lines(cells: pd.DataFrame) -> list[str]:
    """One line for each reason why cells have no time that counts; all noisy cells of an arm are one."""
    bad = _not_ok(cells)
    bad["reason"] = bad["reason"].where(bad["status"] != "noisy", NOISY)
    found = [tuple(map(str, row)) for row in tallied(bad, _TROUBLE).itertuples(index=False)]
    found.sort(key=lambda item: (_GRAVEST_FIRST.index(item[0]), -int(item[-1])))
    lines = [_problem_line(*item) for item in found[:_MOST_PROBLEMS]]
    if len(found) > _MOST_PROBLEMS:
        left = sum(int(item[-1]) for item in found[_MOST_PROBLEMS:])
        rest = len(found) - _MOST_PROBLEMS
        more, others = count_text(left, "more cell"), count_text(rest, "other reason")
        lines.append(f"and {more} for {others}; --format csv has them")
    return lines


def _problem_line(*item: str) -> str:
    status, backend, variant, role, reason, count = item
    arm = arm_name(backend, variant, role)
    return f"{status}: {arm}, {count_text(int(count), 'cell')}: {clean(reason) or 'no reason given'}"
