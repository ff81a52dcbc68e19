"""What stands in cells.csv, rounds.csv and compiles.csv: one frozen dataclass each.

Field order is header order; in the place of `case` stand its axes.  Units stand in the names
(`_s` seconds per call, `gb_per_s` 1e9 bytes per second).  None is an empty field.  `SCHEMA` goes
up when a column changes its meaning or is added (an axis says `since` when); readers refuse a newer
one instead of misreading it, and fill in what an older one lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar

from bench.records.vocabulary import KINDS, ROLES, STATUSES, VERDICTS
from kernels.api import AXES, AXIS_TABLE, Case
from kernels.networks.case import case_of

__all__ = [
    "CELL_COLUMNS",
    "CELL_KEY",
    "COMPILE_COLUMNS",
    "KINDS",
    "ROLES",
    "ROUND_COLUMNS",
    "RUN_FILES",
    "SCHEMA",
    "STATUSES",
    "VERDICTS",
    "Cell",
    "CellName",
    "Compile",
    "Round",
    "fields_of",
    "record_of",
    "since",
    "values_of",
]

RUN_FILES = ("cells.csv", "rounds.csv", "compiles.csv", "environment.json", "journal.jsonl")
"""What a run's folder holds."""
_OTHER_COLUMNS = 4
"""The schema that the newest columns beside the axes have."""
SCHEMA = max(_OTHER_COLUMNS, *(axis.since for axis in AXIS_TABLE))
_SINCE = "since"
"""The key in a field's metadata; without it a column is as old as the files."""
_NEW = {_SINCE: 2}
_QUEUED = {_SINCE: 4}


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm in one experiment: one row of cells.csv."""

    schema: int
    run_id: str
    machine: str
    started_utc: str
    backend: str
    variant: str
    role: str
    case: Case
    status: str
    reason: str = ""
    rounds: int | None = None
    iterations: int | None = None
    time_s: float | None = None
    time_lo_s: float | None = None
    time_hi_s: float | None = None
    min_s: float | None = None
    q25_s: float | None = None
    median_s: float | None = None
    q75_s: float | None = None
    max_s: float | None = None
    bytes_moved: int | None = None
    gb_per_s: float | None = None
    ceiling_gb_per_s: float | None = None
    ceiling_fraction: float | None = None
    baseline: str = ""
    speedup: float | None = None
    speedup_lo: float | None = None
    speedup_hi: float | None = None
    noise_floor: float | None = None
    verdict: str = ""
    dispatch_s: float | None = None
    device_s: float | None = None
    import_s: float | None = None
    first_call_s: float | None = None
    second_call_s: float | None = None
    max_ulp: float | None = None
    special_values: str = ""
    contended_rounds: int | None = None
    threads_effective: int | None = None
    processes: int | None = field(default=None, metadata=_NEW)
    process_sd: float | None = field(default=None, metadata=_NEW)
    process_df: float | None = field(default=None, metadata=_NEW)
    kind: str = field(default="", metadata=_NEW)
    kind_sd: float | None = field(default=None, metadata=_NEW)
    leader: str = field(default="", metadata=_NEW)
    over_leader: float | None = field(default=None, metadata=_NEW)
    over_leader_lo: float | None = field(default=None, metadata=_NEW)
    over_leader_hi: float | None = field(default=None, metadata=_NEW)
    leader_noise_floor: float | None = field(default=None, metadata=_NEW)
    leader_verdict: str = field(default="", metadata=_NEW)
    resolve_s: float | None = field(default=None, metadata=_NEW)
    resolve_processes: int | None = field(default=None, metadata=_NEW)
    allocating_gb_per_s: float | None = field(default=None, metadata=_NEW)
    mean_over_median: float | None = field(default=None, metadata=_NEW)
    page_faults: float | None = field(default=None, metadata=_NEW)
    system_s: float | None = field(default=None, metadata=_NEW)
    cpu_s: float | None = field(default=None, metadata=_NEW)
    peak_bytes: int | None = field(default=None, metadata=_NEW)
    python: str = field(default="", metadata=_NEW)
    versions: str = field(default="", metadata=_NEW)
    shard: str = field(default="", metadata=_NEW)
    queued_s: float | None = field(default=None, metadata=_QUEUED)


@dataclass(frozen=True, slots=True)
class CellName:
    """What names a cell: no two of a run share it."""

    run_id: str
    backend: str
    variant: str
    role: str
    case: Case


@dataclass(frozen=True, slots=True)
class Round(CellName):
    """One timed batch of `iterations` calls of one arm: one row of rounds.csv, seconds per call."""

    round: int
    order: int
    iterations: int
    seconds: float
    contended: int
    process: int = field(default=1, metadata=_NEW)
    mean_s: float | None = field(default=None, metadata=_NEW)
    part_median_s: float | None = field(default=None, metadata=_NEW)
    part_q25_s: float | None = field(default=None, metadata=_NEW)
    part_q75_s: float | None = field(default=None, metadata=_NEW)
    waited_s: float | None = field(default=None, metadata=_NEW)
    cpu_reading_s: float | None = field(default=None, metadata=_NEW)


@dataclass(frozen=True, slots=True)
class Compile(CellName):
    """What the compiler of one cell's arm did: one row of compiles.csv; 0 and 1 for no and yes."""

    cache_hit: int | None = None
    graphs: int | None = None
    recompiles: int | None = None
    eager_fallback: int | None = None


Record = TypeVar("Record", Cell, Round, Compile)


def since(column: Field[Any]) -> int:
    """The schema of the first files that have the column."""
    ages = {axis.name: axis.since for axis in AXIS_TABLE}
    return int(ages.get(column.name, column.metadata.get(_SINCE, 1)))


def fields_of(row: type[CellName] | type[Cell]) -> tuple[Field[Any], ...]:
    """A field for each column, in header order."""
    own = fields(row)
    return tuple(part for field in own for part in (fields(Case) if field.name == "case" else (field,)))


def values_of(record: CellName | Cell) -> dict[str, Any]:
    """The value in each column, in header order."""
    return {
        field.name: getattr(record.case if field.name in AXES else record, field.name)
        for field in fields_of(type(record))
    }


def record_of(row: type[Record], values: Mapping[str, Any], case: Case | None = None) -> Record:
    """The record with these values, one for each column; `case` where it is known.

    Raises ValueError for a case that there is not.
    """
    case = case or case_of(**{axis: values[axis] for axis in AXES})
    return row(case=case, **{name: value for name, value in values.items() if name not in AXES})


COMPILE_COLUMNS = tuple(field.name for field in fields_of(Compile))
CELL_COLUMNS = tuple(field.name for field in fields_of(Cell))
ROUND_COLUMNS = tuple(field.name for field in fields_of(Round))
CELL_KEY = tuple(field.name for field in fields_of(CellName))
"""The columns that name a cell; no two rows of a run share their values."""
