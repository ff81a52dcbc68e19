"""How many times faster one row of the page is than another: arms of one experiment, and one arm in two runs.

The page cannot compute this: within a run the rule is that of `scripts/recommend.py`, between runs that of
`scripts/compare.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from bench.records.schema import VERDICTS
from bench.stats.comparison import compare
from bench.stats.fastest import COMPETING
from bench.stats.frames import arm_key
from bench.stats.run_estimates import MATCH, NEEDED, Side
from bench.stats.verdicts import RESOLVE, Rounds
from scripts._shared.pairs import rounds_vary, timed_of
from scripts._shared.ratios import Row, paired, rows_of
from scripts._shared.run_files import RunName

__all__ = ["Gain", "between_runs", "within_runs"]

MOST_PAIRS = 60_000
"""In a page; each takes about 50 bytes."""
MOST_RUNS = 6
"""That are compared with each other."""
_RUN = ("machine", "run_id")


class Gain(NamedTuple):
    """Row number `now`'s time over row number `row`'s, with its interval; `word` is the verdict on `row`."""

    now: int
    row: int
    value: float
    lo: float
    hi: float
    word: str
    floor: float


def within_runs(
    cells: pd.DataFrame, rounds: Sequence[Rounds], resolves: Mapping[RunName, float], most: int = MOST_PAIRS
) -> tuple[list[Gain], list[str]]:
    """Each ranked arm beside each other of its case, and sentences on what is left out.

    `cells` are the page's, with the `rounds` of each; `resolves` has by run within what arms are the same.
    """
    found, left = list[Gain](), 0
    for rows in _experiments(cells):
        pairs = list(itertools.combinations(rows, 2))
        if len(found) + len(pairs) > most:
            left += 1
            continue
        common = rounds_vary((each, rounds[number]) for number, each in rows)
        for (now, slow), (row, fast) in pairs:
            both = timed_of(rounds[now], slow), timed_of(rounds[row], fast)
            run = str(fast["machine"]), str(fast["run_id"])
            ratio = paired(slow, fast, both, resolves.get(run, RESOLVE), common)
            found.append(Gain(now, row, ratio.value, ratio.lo, ratio.hi, ratio.verdict, ratio.noise_floor))
    return found, [f"Of {left:,} cases the page does not hold how arms compare with each other."] * (left > 0)


def _experiments(cells: pd.DataFrame) -> Iterator[list[tuple[int, Row]]]:
    """The ranked and timed rows of each case of a run, each with its number."""
    ranked = cells["timed"] & cells["role"].isin(COMPETING)
    numbered = cells.assign(number=range(len(cells)))[ranked.to_numpy()]
    for _, some in numbered.groupby(["slice", "n"]):
        yield [(int(row["number"]), row) for row in rows_of(some)]


def between_runs(
    everything: pd.DataFrame, cells: pd.DataFrame, rounds: Sequence[pd.DataFrame], most: int = MOST_RUNS
) -> tuple[list[Gain], list[str]]:
    """Each ranked arm in each run beside the same in the others of its machine, and sentences on what is left out.

    `everything` are all cells of the runs, copies included, and `rounds` their rounds
    (`scripts._shared.run_files.rounds_of_runs`); `cells` those of the page.  At most `most` runs of a machine.
    """
    runs = dict(list(everything.groupby(list(_RUN), observed=True, sort=False)))
    kept = _of_each_machine(list(runs), most)
    sides = {key: Side(runs[key][list(NEEDED)], _own(rounds, key)) for key in kept}
    keys = cells[[*_RUN, *MATCH]].itertuples(index=False, name=None)
    competing = cells["role"].isin(COMPETING)
    ranked = enumerate(zip(keys, competing, strict=True))
    numbers = {arm_key(key): number for number, (key, competes) in ranked if competes}
    found = []
    for (old, its), (new, theirs) in itertools.combinations(sides.items(), 2):
        if old[0] != new[0]:
            continue  # times of two machines are not compared
        for change in compare([its], [theirs]).cells.to_dict("records"):
            now, row = (numbers.get(arm_key([*run, *(change[name] for name in MATCH)])) for run in (old, new))
            word = str(change["change"])
            if now is not None and row is not None and word in VERDICTS:
                value, lo, hi = (1 / change[name] for name in ("ratio", "ratio_hi", "ratio_lo"))
                found.append(Gain(now, row, value, lo, hi, word, change["noise_floor"]))
    left = len(runs) - len(sides)
    return found, [f"{left:,} more runs are not compared with the others."] * (left > 0)


def _of_each_machine(runs: Sequence[Any], most: int) -> list[Any]:
    """At most so many runs, the first, of each machine."""
    by_machine: dict[Any, list[Any]] = {}
    for run in runs:
        by_machine.setdefault(run[0], []).append(run)
    return [run for each in by_machine.values() for run in each[:most]]


def _own(rounds: Sequence[pd.DataFrame], run: Any) -> pd.DataFrame | None:
    """The rounds of that run, by its machine and id."""
    machine, run_id = map(str, run)
    some = [
        own for each in rounds if len(own := each[(each["machine"] == machine) & (each["run_id"] == run_id)])
    ]
    return pd.concat(some) if some else None
