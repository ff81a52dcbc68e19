"""The runs of one machine that measured a case, the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.records.columns import TIMED
from bench.records.reading import read_cells
from bench.stats.fastest import COMPETING
from bench.stats.run_estimates import NEEDED, Side
from bench.text.hints import did_you_mean
from bench.text.units import count_text
from kernels.api import Case
from scripts._shared.cli import UsageError
from scripts._shared.environments import Environment, differences, read_environment
from scripts._shared.filters import matching
from scripts._shared.fleet import ONLY_RATIOS
from scripts._shared.remarks import clean
from scripts._shared.run_files import rounds_beside

__all__ = ["PastRun", "load"]

_COLUMNS = (*NEEDED, "started_utc")


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run: its arms of the case, and all of its copies, which tell how the machine itself moved."""

    run_id: str
    machine: str
    started: str
    """When the case was measured, UTC, ISO 8601."""
    cells: pd.DataFrame
    """The case's arms that are ranked, with the columns of `bench.stats.run_estimates.NEEDED`."""
    side: Side
    environment: Environment | None

    @property
    def commit(self) -> str:
        """Of the suite; empty where the run does not say."""
        return clean(str((self.environment or {}).get("commit") or ""))

    def changed_since(self, before: PastRun) -> list[str]:
        """What else is another than in the run `before`: ``commit a -> b``, ``packages, numba: 0.60 -> 0.61``."""
        if self.environment is None or before.environment is None:
            return []
        found = [f"commit {before.commit or 'unknown'} -> {self.commit or 'unknown'}"]
        unlike = [_arrow(line) for line in differences(before.environment, self.environment)]
        return found * (before.commit != self.commit) + unlike


def load(paths: Sequence[Path], case: Case, machine: str | None) -> tuple[list[PastRun], list[str]]:
    """The runs in these files that timed `case` on `machine`, the oldest first; and sentences on what is left out.

    Raises ReadError, and UsageError where nothing is left, where the runs are of several machines and none is named,
    where a run does not say when it was, and where one is there twice.
    """
    having: list[PastRun] = []
    lacking: list[str] = []
    for path in paths:
        for run in _runs_in(path, case):
            if run.cells["status"].isin(TIMED).any():
                having.append(run)
            else:
                lacking.append(run.run_id)
    if not having:
        raise UsageError(
            f"no run timed this case ({count_text(len(lacking), 'run')} read); name others, or ask for another case:"
            " scripts/summarise.py shows what a run has"
        )
    chosen = _of_one_machine(having, machine)
    _check(chosen)
    notes = [f"Without this case: {', '.join(lacking)}."] if lacking else []
    left = len(having) - len(chosen)
    notes += [f"Left out: {count_text(left, 'run')} of other machines."] if left else []
    return sorted(chosen, key=lambda run: run.started), notes


def _runs_in(path: Path, case: Case) -> list[PastRun]:
    """Usually one: a file that somebody made may hold several."""
    everything, rounds = read_cells([path], _COLUMNS), rounds_beside(path)
    environment = read_environment(path)
    found = []
    for (run_id, machine), cells in everything.groupby(["run_id", "machine"], observed=True, sort=False):
        arms = matching(cells[cells["role"].isin(COMPETING)], case)
        own = pd.concat([arms, cells[cells["role"] == "ceiling"]])
        started = min((text for text in arms["started_utc"] if text), default="")
        names = clean(str(run_id)), clean(str(machine))
        side = Side(own, None if rounds is None else _rounds_of(rounds, str(run_id), case))
        found.append(PastRun(*names, started, arms, side, environment))
    return found


def _rounds_of(rounds: pd.DataFrame, run_id: str, case: Case) -> pd.DataFrame:
    own = rounds[rounds["run_id"] == run_id]
    return own[(own["role"] == "ceiling") | own.index.isin(matching(own, case).index)]


def _of_one_machine(runs: Sequence[PastRun], machine: str | None) -> list[PastRun]:
    names = list(dict.fromkeys(run.machine for run in runs))
    if machine is None and len(names) > 1:
        raise UsageError(
            f"the runs are of {len(names)} machines ({', '.join(names)}); {ONLY_RATIOS}: choose one with --machine"
        )
    if machine is not None and machine not in names:
        raise UsageError(
            f"--machine: no run of {machine!r} timed this case; there is {', '.join(names)}"
            f"{did_you_mean(machine, names)}"
        )
    return [run for run in runs if machine in (None, run.machine)]


def _check(runs: Sequence[PastRun]) -> None:
    seen: set[tuple[str, str]] = set()
    for run in runs:
        if not run.started:
            raise UsageError(
                f"run {run.run_id} does not say when it was measured (started_utc); leave it out"
            )
        if (run.run_id, run.started) in seen:
            raise UsageError(f"run {run.run_id} is there twice; name it once: it is no second measurement")
        seen.add((run.run_id, run.started))


def _arrow(line: str) -> str:
    """``numpy: 2.3 in OLD, 2.4 in NEW`` as ``numpy: 2.3 -> 2.4``."""
    return line.replace(" in OLD, ", " -> ").removesuffix(" in NEW")
