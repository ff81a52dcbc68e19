"""The cells that a recommendation rests on: from the runs that were named, or the newest that fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.machine.environment import machine_name
from bench.records.find_runs import find_runs
from bench.records.reading import ReadError, read_cells
from bench.records.schema import CELL_KEY
from bench.stats.fastest import COMPETING
from bench.stats.frames import arm_key, timed
from bench.stats.moderation import RoundVariance
from bench.text.commands import as_typed
from kernels.api import AXES, Case
from scripts._shared import cli
from scripts._shared.environments import read_environment, resolve_of
from scripts._shared.filters import matching
from scripts._shared.fleet import ONLY_RATIOS
from scripts._shared.pairs import SPREAD_COLUMNS, Timed, rounds_vary, timed_of
from scripts._shared.ratios import Ratio, Row, paired, rows_of
from scripts._shared.remarks import clean
from scripts._shared.run_files import cells_under, files_of_runs, paths_of_runs, rounds_beside
from scripts._shared.summary import NEEDED, prepare
from scripts._shared.why import WHY_COLUMNS

__all__ = ["Evidence", "gather", "gather_each"]

_COLUMNS = (
    *(*NEEDED, *SPREAD_COLUMNS),
    *(name for name in WHY_COLUMNS if name not in (*NEEDED, *SPREAD_COLUMNS)),
)

_EXPERIMENT = ("run_id", *AXES)
"""The columns that name an experiment."""


@dataclass
class Evidence:
    """The timed cells of one machine (as `scripts._shared.summary.prepare` leaves them), and where they come from.

    `cells` holds baselines and candidates only, in the order of the runs, the newest last.
    """

    cells: pd.DataFrame
    machine: str
    paths: dict[str, Path]
    """cells.csv by run_id."""
    environments: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _rounds: dict[str, pd.DataFrame | None] = field(default_factory=dict)
    _common: dict[tuple[Any, ...], RoundVariance] = field(default_factory=dict)

    @property
    def caches(self) -> list[int]:
        """Bytes of the data caches, the smallest first, as the newest run's environment.json has them."""
        for environment in reversed(list(self.environments.values())):
            found = environment.get("caches")
            if isinstance(found, dict):
                return sorted(int(size) for size in found.values() if isinstance(size, int) and size > 0)
        return []

    def resolve(self, run_id: str) -> float:
        """The fraction within which arms are the same in that run."""
        return resolve_of(self.environments.get(run_id))

    def paired(self, slow: Row, fast: Row) -> Ratio:
        """time of `slow` / time of `fast`, two arms of one experiment, and the verdict on `fast`."""
        both, resolve = (self._timed(slow), self._timed(fast)), self.resolve(str(fast["run_id"]))
        return paired(slow, fast, both, resolve, self._rounds_vary(fast))

    def _rounds_vary(self, row: Row) -> RoundVariance:
        """How much the rounds of the experiment that the row is of vary."""
        experiment = arm_key(row[name] for name in _EXPERIMENT)
        if experiment not in self._common:
            keep = np.ones(len(self.cells), bool)
            for name in _EXPERIMENT:
                keep &= (self.cells[name] == row[name]).to_numpy()
            mine = rows_of(self.cells[keep])
            self._common[experiment] = rounds_vary((each, self._timed(each).rounds) for each in mine)
        return self._common[experiment]

    def _timed(self, row: Row) -> Timed:
        """The arm with its rounds, none where the run has none."""
        found = self.rounds(str(row["run_id"]))
        if found is None:
            return Timed({})
        keep = np.ones(len(found), bool)
        for name in CELL_KEY:
            keep &= (found[name] == row[name]).to_numpy()
        mine = found[keep]
        return timed_of(timed(mine), row, float((mine["seconds"] * mine["iterations"]).mean()))

    def variant_environ(self, run_id: str, name: str) -> dict[str, str]:
        """The environment variables of a variant, {} where the run does not say."""
        options = self.environments.get(run_id, {}).get("options")
        variants = options.get("variants") if isinstance(options, dict) else None
        found = variants.get(name) if isinstance(variants, dict) else None
        return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}

    def from_disk_cache(self, run_id: str, label: str) -> bool:
        """Whether the compiled code of the arm came from an on-disk cache, in any sitting of the run."""
        sittings = self.environments.get(run_id, {}).get("sittings")
        for sitting in sittings if isinstance(sittings, list) else []:
            compilers = sitting.get("compilers") if isinstance(sitting, dict) else None
            report = compilers.get(label) if isinstance(compilers, dict) else None
            if isinstance(report, dict) and report.get("cache_hit"):
                return True
        return False

    def rounds(self, run_id: str) -> pd.DataFrame | None:
        """The run's rounds, read when first asked for; None if there are none."""
        if run_id not in self._rounds:
            found = rounds_beside(self.paths[run_id])
            self._rounds[run_id] = None if found is None else found[found["run_id"] == run_id]
        return self._rounds[run_id]


def gather(names: Sequence[str], results: Path, case: Case) -> Evidence:
    """The evidence in the runs `names`, or in the newest run that has cells like `case`.

    Without names these come into question, in this order: the runs of this machine under `results`, the
    newest first; its run under ``reference``; and the reference runs of other machines, with a warning.
    Raises ReadError or UsageError.
    """
    if names:
        return _evidence(find_runs(names, results))
    found: list[Evidence] = []
    for path in _candidates(results):
        evidence = _evidence([path])
        if len(matching(evidence.cells, case, but=("n", "placement"))):
            return evidence
        found.append(evidence)
    if not found:
        raise ReadError(f"no run under {results}/: run `pytest bench/` first, or name a run")
    return found[0]


def gather_each(names: Sequence[str], results: Path, case: Case) -> list[Evidence]:
    """As `gather`, of runs of several machines the evidence of each by itself, in the order of the names."""
    if not names:
        return [gather(names, results, case)]
    by_machine: dict[tuple[str, ...], list[Path]] = {}
    for path in find_runs(names, results):
        machines = tuple(dict.fromkeys(machine for machine, _ in paths_of_runs([path])))
        by_machine.setdefault(machines, []).append(path)
    return [_evidence(paths) for paths in by_machine.values()]


def _candidates(results: Path) -> list[Path]:
    """The runs that may be chosen unasked, the best first."""
    ours: list[Path] = []
    others: list[Path] = []
    here = machine_name()
    newest = sorted(cells_under(results), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in newest:
        machine = (read_environment(path) or {}).get("machine")
        if machine == here:
            ours.append(path)
    for path in cells_under(results / "reference"):
        (ours if path.parent.name == here else others).append(path)
    return ours + others


def _evidence(paths: Sequence[Path]) -> Evidence:
    cells = prepare(read_cells(paths, _COLUMNS, sourced=True))
    machines = [str(name) for name in cells["machine"].unique()]
    if len(machines) > 1:
        raise cli.UsageError(
            f"the cells are of {len(machines)} machines ({', '.join(map(clean, machines))}): {ONLY_RATIOS}; name runs"
            " of one"
        )
    by_id = {run_id: path for (_, run_id), path in files_of_runs(cells, paths).items()}
    environments = {run_id: read_environment(path) or {} for run_id, path in by_id.items()}
    ranked = cells[cells["timed"] & cells["role"].isin(COMPETING)].reset_index(drop=True)
    warnings = [*_warnings(machines[0], paths), *_noted(environments.values())]
    return Evidence(ranked, machines[0], by_id, environments, warnings)


def _warnings(machine: str, paths: Sequence[Path]) -> list[str]:
    here, again = machine_name(), as_typed("run `pytest bench/` here to be sure")
    if machine != here:
        name = clean(machine) or "a machine without a name"
        return [f"measured on {name}, not on this machine ({here}): {again}"]
    if all(path.parent.parent.name == "reference" for path in paths):
        return [f"from the reference run of a machine that is called {here} too; {again}"]
    return []


def _noted(environments: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the runs noted of their machine that spoils timings, each once (`bench.machine.spoilers`)."""
    found = [line for each in environments for line in each.get("warnings") or () if isinstance(line, str)]
    return [clean(line) for line in dict.fromkeys(found)]
