"""The tables over several machines, and over numbers of threads: ratios side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.plan.experiments import arm_label
from bench.text.sizes import format_size
from bench.text.units import MISSING, count_text, percent_text, ratio_text, seconds_text
from scripts._shared import fleet
from scripts._shared.remarks import clean
from scripts._shared.sections import Block, Section, cut_note, title_of
from scripts._shared.summary import Keep
from scripts._shared.tables import Maker

__all__ = ["FLEET_FIGURES", "FLEET_TABLES"]

_FIXED = ("op", "direction", "placement", "dtype")
_NONE = "None: no case was measured on several machines."


def _machines(cells: pd.DataFrame, keep: Keep, rare: Sequence[str], _several: bool) -> Block:
    every = fleet.side_by_side(cells)
    frame = every.iloc[: keep(len(every))]
    headers = ("size", "machine", "fastest", "speed-up", "over", "of copy", "not known")

    def row_of(row: Any) -> tuple[str, ...]:
        over = f"{ratio_text(row.speedup, row.speedup_lo, row.speedup_hi)}{' *' * row.most}"
        names = (clean(text).replace("; ", ", ") for text in (row.fastest, row.unresolved))
        best, open_ = names
        machine, baseline = clean(row.machine) or MISSING, clean(row.baseline) or MISSING
        return (
            format_size(row.n),
            machine,
            best,
            over,
            baseline,
            percent_text(row.ceiling_fraction),
            open_ or MISSING,
        )

    right = (True, False, False, True, False, True, False)
    sections = _sections(frame, rare, headers, row_of, right)
    return Block(
        "Machine beside machine", sections, cut_note(len(frame), len(every), "rows") if len(every) else _NONE
    )


def _speedups(cells: pd.DataFrame, keep: Keep, rare: Sequence[str], _several: bool) -> Block:
    every = fleet.speedups(cells)
    frame = every.iloc[: keep(len(every))]
    names = sorted(frame["machine"].unique())
    headers = (
        "size",
        "implementation",
        "over",
        *(clean(name) or MISSING for name in names),
        "machines differ",
    )
    keys = ["n", "backend", "variant", "baseline"]

    def rows_of(rows: list[Any]) -> list[tuple[str, ...]]:
        made = []
        for key, group in itertools.groupby(rows, key=lambda row: tuple(getattr(row, name) for name in keys)):
            there = {row.machine: row for row in group}
            texts = [
                ratio_text(row.speedup, row.speedup_lo, row.speedup_hi) if row is not None else MISSING
                for row in map(there.get, names)
            ]
            differs = "yes" if next(iter(there.values())).differs else "not shown"
            size, backend, variant, baseline = key
            arm = clean(arm_label(str(backend), str(variant)))
            made.append((format_size(size), arm, clean(str(baseline)), *texts, differs))
        return made

    right = (True, False, False, *(True for _ in names), False)
    titled = itertools.groupby(frame.itertuples(index=False), key=lambda row: _title(row, rare))
    sections = [Section(title, headers, rows_of(list(rows)), right) for title, rows in titled]
    note = cut_note(len(frame), len(every), "speed-ups") if len(every) else _NONE
    return Block("Speed-ups side by side", sections, note)


def _scaling(cells: pd.DataFrame, keep: Keep, rare: Sequence[str], _several: bool) -> Block:
    from scripts._shared.scaling import over_serial  # noqa: PLC0415  # as below

    threads, cores = _over_threads(cells), over_serial(cells)
    kept = threads.iloc[: keep(len(threads))], cores.iloc[: keep(len(cores))]
    sections = [*_by_threads(kept[0], rare), *_by_cores(kept[1], rare)]
    note = "None: it takes several numbers of threads (--threads 1,2,4), or several machines."
    if sections:
        left = len(threads) + len(cores) - len(kept[0]) - len(kept[1])
        note = f"{count_text(left, 'row')} more with --limit 0." if left else ""
    return Block("Scaling", sections, note)


def _by_threads(frame: pd.DataFrame, rare: Sequence[str]) -> list[Section]:
    """How many times as fast each arm is with more threads than with the fewest, on its machine."""
    headers = (
        "size",
        "machine",
        "implementation",
        "threads",
        "time with the fewest",
        "threads now",
        "times as fast",
    )

    def row_of(row: Any) -> tuple[str, ...]:
        machine, arm = clean(row.machine) or MISSING, clean(arm_label(str(row.backend), str(row.variant)))
        ratio = ratio_text(row.ratio, row.ratio_lo, row.ratio_hi)
        return (
            format_size(row.n),
            machine,
            arm,
            str(row.fewest),
            seconds_text(row.fewest_s),
            str(row.threads),
            ratio,
        )

    right = (True, False, False, True, True, True, True)
    return _sections(frame, [axis for axis in rare if axis != "threads"], headers, row_of, right)


def _by_cores(frame: pd.DataFrame, rare: Sequence[str]) -> list[Section]:
    """The fastest parallel arm over the fastest serial one, machines with few threads first."""
    headers = ("size", "machine", "threads", "parallel", "serial", "times as fast")

    def row_of(row: Any) -> tuple[str, ...]:
        threads = f"{row.parallel_threads:.0f}" if row.parallel_threads > 0 else MISSING
        ratio = ratio_text(row.ratio, row.ratio_lo, row.ratio_hi)
        names = clean(row.parallel), clean(row.serial)
        return (format_size(row.n), clean(row.machine) or MISSING, threads, *names, ratio)

    return _sections(frame, rare, headers, row_of, (True, False, True, False, False, True))


def _sections(
    frame: pd.DataFrame,
    rare: Sequence[str],
    headers: tuple[str, ...],
    row_of: Callable[[Any], tuple[str, ...]],
    right: tuple[bool, ...],
) -> list[Section]:
    titled = itertools.groupby(frame.itertuples(index=False), key=lambda row: _title(row, rare))
    return [Section(title, headers, list(map(row_of, rows)), right) for title, rows in titled]


def _title(row: Any, rare: Sequence[str]) -> str:
    return title_of(row, _FIXED, [axis for axis in rare if axis != "machine"])


def _over_threads(cells: pd.DataFrame) -> pd.DataFrame:
    from scripts._shared.scaling import by_threads  # noqa: PLC0415  # SciPy, which other summaries do without

    return by_threads(cells)


FLEET_TABLES: Mapping[str, Maker] = {"machines": _machines, "speedups": _speedups, "scaling": _scaling}
"""The tables by their names, as `scripts._shared.tables.report` takes them."""
FLEET_FIGURES: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "machines": fleet.side_by_side,
    "speedups": fleet.speedups,
    "scaling": _over_threads,
}
"""The same as plain numbers."""
