"""How a row came about, in words: rounds and processes, disturbances, verdicts, the copy beside it, what calls cost."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.plan.experiments import cell_label
from bench.stats.fastest import COMPETING
from bench.text.units import number_text, percent_text, ratio_text, seconds_text
from kernels.api import AXES
from kernels.networks.case import case_of
from scripts._shared.cli import UsageError
from scripts._shared.remarks import arm_name, clean
from scripts._shared.summary import NEEDED
from scripts._shared.why import WHY_COLUMNS, costs, reasons

__all__ = ["EXPLAINED", "explained", "labels"]

EXPLAINED = tuple(
    dict.fromkeys(
        (
            *NEEDED,
            *WHY_COLUMNS,
            *("processes", "min_s", "max_s", "max_ulp"),
        )
    )
)
"""The columns of cells.csv that an explanation is made of."""

Row = Mapping[str, Any]
_MOST_NAMED = 8
"""Labels that a message names."""
_TAKEN_OFF = 0.005
"""A smaller share of a time that slow CPUs explain is not worth a word."""


def labels(cells: pd.DataFrame) -> list[str]:
    """What names each of `cells` in a run: see `bench.plan.experiments.cell_label`."""
    columns = [cells[name].tolist() for name in (*AXES, "backend", "variant", "role")]
    found = []
    for *axes, backend, variant, role in zip(*columns, strict=True):
        case = case_of(**dict(zip(AXES, axes, strict=True)))
        found.append(cell_label(case, str(backend), str(variant), str(role)))
    return found


def explained(cells: pd.DataFrame, wanted: str, rounds: pd.DataFrame | None) -> list[str]:
    """Sentences on the cell whose label is `wanted`, or has it as a part that no other has.

    `cells` is as `scripts._shared.summary.ranked` leaves it, `rounds` the rounds of its runs.  Raises UsageError.
    """
    place = _place(cells, labels(cells), wanted)
    rows = [
        {str(name): value for name, value in row.items()}
        for row in cells[(cells["case"] == cells["case"].iloc[place])].to_dict("records")
    ]
    row = {str(name): value for name, value in cells.iloc[place].to_dict().items()}
    return list(_sentences(labels(cells.iloc[[place]])[0], row, rows, _own_rounds(rounds, row)))


def _place(cells: pd.DataFrame, found: list[str], wanted: str) -> int:
    named = _meant(list(dict.fromkeys(found)), wanted)
    if len(named) > 1:
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        raise UsageError(
            f"--explain: {wanted!r} is part of {len(named)} cells: {', '.join(named[:_MOST_NAMED])}{more}; say more"
        )
    if not named:
        near = difflib.get_close_matches(wanted, dict.fromkeys(found), n=3, cutoff=0.0)
        raise UsageError(f"--explain: no cell is called {wanted!r}; the nearest are {', '.join(near)}")
    places = [place for place, label in enumerate(found) if label == named[0]]
    runs = list(dict.fromkeys(str(cells["run_id"].iloc[place]) for place in places))
    if len(runs) > 1:
        raise UsageError(
            f"--explain: {named[0]} is in the runs {', '.join(map(clean, runs))}; read one of them"
        )
    return places[-1]


def _meant(found: list[str], wanted: str) -> list[str]:
    """The label itself; else the one that begins with it, ends with it or has it; else all that have it."""
    having = [label for label in found if wanted.strip() and wanted in label]
    for fits in (str.__eq__, str.startswith, str.endswith):
        named = [label for label in having if fits(label, wanted)]
        if len(named) == 1:
            return named
    return having


def _own_rounds(rounds: pd.DataFrame | None, row: Row) -> pd.DataFrame | None:
    if rounds is None:
        return None
    own = pd.Series(True, rounds.index)
    for name in ("run_id", "backend", "variant", "role", *AXES):
        own &= rounds[name] == row[name]
    return rounds[own] if own.any() else None


def _sentences(label: str, row: Row, case: Sequence[Row], rounds: pd.DataFrame | None) -> Iterator[str]:
    where = f" on {clean(row['machine'])}" if row["machine"] else ""
    reason = f": {clean(row['reason'])}" if row["reason"] else ""
    yield f"{clean(label)} of run {clean(row['run_id'])}{where}"
    yield f"Status: {row['status']}{reason}."
    if row["max_ulp"] >= 0:
        yield f"Before it was timed, its results were {row['max_ulp']:g} representable values off, at most."
    if not row["timed"]:
        return
    yield from _times(row)
    yield from _disturbances(row, rounds)
    yield from _verdicts(row, case)
    yield from _copy(row)
    yield from costs(row)
    yield from _reasons(row, case)


def _times(row: Row) -> Iterator[str]:
    low, high = (seconds_text(row[name]) for name in ("time_lo_s", "time_hi_s"))
    interval = f" (for a new process {low} to {high}, with 95 % confidence)" if row["time_hi_s"] > 0 else ""
    if math.isinf(row["time_hi_s"]):
        interval = " (how far off that may be is not known: too few rounds, which differ too much)"
    processes = (
        "" if math.isnan(row["processes"]) else f" in {_count(row['processes'], 'process', 'processes')}"
    )
    made_of = ""
    if row["rounds"] > 0:
        made_of = f", from {_count(row['rounds'], 'round', 'rounds')} of {_count(row['iterations'], 'call', 'calls')}"
    yield f"Time: {seconds_text(row['time_s'])} a call{interval}{made_of}{processes}."
    if row["min_s"] > 0:
        yield f"The fastest round took {seconds_text(row['min_s'])} a call, the slowest {seconds_text(row['max_s'])}."


def _disturbances(row: Row, rounds: pd.DataFrame | None) -> Iterator[str]:
    contended = row["contended_rounds"]
    busy = (
        f"others used the CPUs beside {contended:.0f} of {row['rounds']:.0f} rounds" if contended > 0 else ""
    )
    if rounds is None or rounds["part_median_s"].isna().any():  # what an older file left out it does not say
        if busy:
            yield f"Disturbances: {busy}."
        return
    said = [*_slow_cpus(rounds), *_waits(rounds), *([busy] if busy else [])]
    yield f"Disturbances: {'; '.join(said) or 'none was seen'}. Every round counts."


def _slow_cpus(rounds: pd.DataFrame) -> Iterator[str]:
    taken_off = 1 - rounds["seconds"] / rounds["part_median_s"]
    slowed = taken_off[taken_off > _TAKEN_OFF]
    if len(slowed):
        yield (
            f"beside {len(slowed)} of {len(rounds)} rounds a CPU was slow, and up to {percent_text(slowed.max())} was"
            " taken off their times"
        )


def _waits(rounds: pd.DataFrame) -> Iterator[str]:
    waited_s, timed_s = rounds["waited_s"].sum(), (rounds["mean_s"] * rounds["iterations"]).sum()
    if waited_s >= _TAKEN_OFF * timed_s:
        yield f"its threads waited {seconds_text(waited_s)} in all for a CPU, in {seconds_text(timed_s)} of rounds"


def _verdicts(row: Row, case: Sequence[Row]) -> Iterator[str]:
    if row["role"] not in COMPETING:
        yield f"It is a control ({row['role']}), and not ranked."
        return
    if row["role"] == "baseline":
        yield "It is the baseline, which speed-ups are over."
    elif not math.isnan(row["speedup"]):
        ratio = ratio_text(row["speedup"], row["speedup_lo"], row["speedup_hi"])
        over = clean(row["baseline"]) or "the baseline"
        yield f"Beside the baseline {over}: {ratio} as fast{_word(row, row['verdict'], 'noise_floor')}."
    if row["standing"] == "leader":
        yield "No other has a smaller time: it leads the case."
    else:
        ratio = ratio_text(row["over_leader"], row["over_leader_lo"], row["over_leader_hi"])
        leader = _leader(case)
        named = f" {_name(leader)}" if leader else ""
        yield f"Beside the leader{named}: {ratio} its time{_word(row, row['standing'], 'leader_noise_floor')}."


def _word(row: Row, word: str, floor: str) -> str:
    """A verdict, with the smallest difference that would have been seen; before schema 2 the floor was another one."""
    known = row["leader"] != "" and not math.isnan(row[floor])
    seen = (
        f"; a difference of {percent_text(row[floor])} would have been seen in 80 % of cases" if known else ""
    )
    return f", {word or 'without a verdict'}{seen}"


def _copy(row: Row) -> Iterator[str]:
    if not math.isnan(row["ceiling_fraction"]):
        ours, copy = number_text(row["gb_per_s"]), number_text(row["ceiling_gb_per_s"])
        share = percent_text(row["ceiling_fraction"])
        yield f"It moves {ours} GB/s: {share} of the fastest copy of the same bytes beside it ({copy} GB/s)."
    elif not math.isnan(row["gb_per_s"]):
        yield f"It moves {number_text(row['gb_per_s'])} GB/s; no copy was timed beside it."


def _reasons(row: Row, case: Sequence[Row]) -> Iterator[str]:
    """Beside the leader; of the leader beside the baseline."""
    if row["role"] not in COMPETING:
        return
    leads = row["standing"] == "leader"
    other = _baseline(case, row) if leads else _leader(case)
    found = [] if other is None else reasons(other, row) if leads else reasons(row, other)
    if found and other is not None:
        yield f"Why it is {'faster' if leads else 'slower'} than {_name(other)}: {'; '.join(found)}."


def _leader(case: Sequence[Row]) -> Row | None:
    return next((other for other in case if other["standing"] == "leader"), None)


def _baseline(case: Sequence[Row], row: Row) -> Row | None:
    same = (other for other in case if other["run_id"] == row["run_id"] and other["timed"])
    return next((other for other in same if other["role"] == "baseline"), None)


def _name(row: Row) -> str:
    return arm_name(str(row["backend"]), str(row["variant"]), str(row["role"]))


def _count(number: float, one: str, several: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,.0f} {several}"
