"""What stands in cells.csv and rounds.csv: one frozen dataclass each, field order = header order.

Units stand in the names (`_s` seconds per call, `gb_per_s` 1e9 bytes per second).  None is an
empty field.  `SCHEMA` goes up when a column changes its meaning or is added; readers refuse a
newer one instead of misreading it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from kernels.api import AXES

__all__ = [
    "CELL_COLUMNS",
    "CELL_KEY",
    "COMPILE_COLUMNS",
    "ROLES",
    "ROUND_COLUMNS",
    "SCHEMA",
    "STATUSES",
    "VERDICTS",
    "Cell",
    "Compile",
    "Round",
]

SCHEMA = 1
STATUSES = ("ok", "noisy", "skipped", "incorrect", "mistrusted", "failed", "crashed", "timeout", "oom")
ROLES = ("candidate", "baseline", "twin", "ceiling", "floor", "ablation")
VERDICTS = ("faster", "slower", "tie")


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
    op: str
    direction: str
    placement: str
    dtype: str
    n: int
    layout: str
    data: str
    cache: str
    device: str
    threads: int
    negative_slope: float
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


@dataclass(frozen=True, slots=True)
class _OfACell:
    """The columns that name a cell, in the order of `CELL_KEY`."""

    run_id: str
    backend: str
    variant: str
    role: str
    op: str
    direction: str
    placement: str
    dtype: str
    n: int
    layout: str
    data: str
    cache: str
    device: str
    threads: int
    negative_slope: float


@dataclass(frozen=True, slots=True)
class Round(_OfACell):
    """One timed batch of `iterations` calls of one arm: one row of rounds.csv, seconds per call."""

    round: int
    order: int
    iterations: int
    seconds: float
    contended: int


@dataclass(frozen=True, slots=True)
class Compile(_OfACell):
    """What the compiler of one cell's arm did: one row of compiles.csv; 0 and 1 for no and yes."""

    cache_hit: int | None = None
    graphs: int | None = None
    recompiles: int | None = None
    eager_fallback: int | None = None


COMPILE_COLUMNS = tuple(field.name for field in fields(Compile))
CELL_COLUMNS = tuple(field.name for field in fields(Cell))
ROUND_COLUMNS = tuple(field.name for field in fields(Round))
CELL_KEY = ("run_id", "backend", "variant", "role", *AXES)
"""The columns that name a cell; no two rows of a run share their values."""
