"""Why an implementation takes the time it takes: sentences that the columns of cells.csv bear out, and no others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.text.units import bytes_text, number_text, percent_text, seconds_text
from kernels.api import ITEMSIZES
from scripts._shared.remarks import arm_name

__all__ = ["WHY_COLUMNS", "costs", "reasons"]

WHY_COLUMNS = (
    *(
        "backend",
        "variant",
        "role",
        "dtype",
        "n",
        "rounds",
        "iterations",
        "time_s",
        "gb_per_s",
        "ceiling_fraction",
    ),
    *("page_faults", "cpu_s", "system_s", "peak_bytes", "kind", "threads_effective"),
    *("mean_over_median", "contended_rounds"),
)
"""The columns of cells.csv that these sentences rest on."""

_PAGE, _HUGE_PAGE = 4 << 10, 2 << 20
"""Bytes of a page, and of a huge one (x86, and most others)."""
_MOST = 0.5
"""From this share on, something is most of a whole."""
_TICKS = 100.0
"""Samples a second, at least, by which a kernel tells its own time from the program's."""
_FEWEST = 10.0
"""Samples that a share takes: with fewer it is chance."""
_SURE = 2.0
"""Standard errors by which a share must exceed what it is called."""
_GOOD_PART = 0.2
"""From this share on, something is worth a word."""
_INTERMEDIATE = 0.25
"""The share of a result from which intermediate results count."""
_CALM = 0.1
"""The share of rounds beside which others may have used the CPUs, where a delay is still the arm's own doing."""
_BURSTS = 1.25
"""A batch takes so many times as long as most of its parts: the arm puts work off (`bench.run.arm_state`)."""

Row = Mapping[str, Any]
"""A cell: the columns of cells.csv to their values; what is not known is NaN, None or empty."""


def reasons(cell: Row, other: Row) -> list[str]:
    """Why `cell` takes longer than `other`, an arm of the same case: clauses that go on after "because".

    The strongest one comes first; none where the file does not tell, or `cell` does not take longer.
    """
    if not _number(cell, "time_s") > _number(other, "time_s"):
        return []
    makers: tuple[Callable[[Row, Row], Iterator[str]], ...] = (
        _fresh_memory,
        _intermediate_results,
        _threads,
        _bursts,
        _bandwidth,
    )
    return [reason for maker in makers for reason in maker(cell, other)]


def costs(cell: Row) -> list[str]:
    """What a call of the cell costs besides time: whole sentences, none of what is not known."""
    faults, cpu_s, peak = (_number(cell, name) for name in ("page_faults", "cpu_s", "peak_bytes"))
    found = []
    if not math.isnan(cpu_s):
        known = _samples(cell) >= _FEWEST or _number(cell, "system_s") == 0
        share = f", {percent_text(_kernel_share(cell))} of it in the kernel" if known else ""
        found.append(f"A call takes {seconds_text(cpu_s)} of CPU time{share}.")
    if not math.isnan(faults):
        found.append(f"It has {_faults(faults)}.")
    if not math.isnan(peak):
        most = (
            f"{bytes_text(peak)} beyond its inputs and its result" if peak else "no memory beyond its arrays"
        )
        found.append(f"At its peak it needs {most}.")
    return found


def _fresh_memory(cell: Row, other: Row) -> Iterator[str]:
    """Page faults are a reason where the kernel has a good part of its CPU time, and of what the other saves."""
    more_s = _number(cell, "cpu_s") - _number(other, "cpu_s")
    more_system_s = _number(cell, "system_s") - _number(other, "system_s")
    if not (_is_fresh(cell) and _in_kernel(cell) >= _GOOD_PART and more_system_s >= _GOOD_PART * more_s > 0):
        return
    faults, spent = _faults(_number(cell, "page_faults")), seconds_text(_number(cell, "cpu_s"))
    share = percent_text(_kernel_share(cell))
    if _in_kernel(cell) < _MOST or more_system_s < _MOST * more_s:
        yield f"{share} of {_name(cell)}'s CPU time goes into fresh memory from the system ({faults} a call)"
    elif _alone_s(cell) >= _MOST * _number(cell, "time_s"):
        time = seconds_text(_number(cell, "time_s"))
        yield (
            f"most of {_name(cell)}'s {time} are {faults}: every call gets fresh memory from the system ({share} of its"
            " CPU time is in the kernel)"
        )
    else:  # the rest of its time it waited, and nothing says for what
        yield (
            f"most of {_name(cell)}'s CPU time ({share} of {spent}) are {faults}: every call gets fresh memory from the"
            " system"
        )


def _is_fresh(cell: Row) -> bool:
    """Whether its page faults are enough for at least half of the result."""
    faults, result = _number(cell, "page_faults"), _result_bytes(cell)
    size = _PAGE if faults * _PAGE >= _MOST * result else _HUGE_PAGE
    return faults >= 1 and faults * size >= _MOST * result


def _in_kernel(cell: Row) -> float:
    """The least share of its CPU time that the kernel has, whatever chance does to samples."""
    share, samples = _kernel_share(cell), _samples(cell)
    if samples < _FEWEST:
        return math.nan
    return share - _SURE * math.sqrt(share * max(1 - share, 0.0) / samples)


def _alone_s(cell: Row) -> float:
    """Seconds of a call in the kernel, by the clock, if all its threads were there at once."""
    threads = _number(cell, "threads_effective") if cell["kind"] == "parallel" else 1.0
    return _number(cell, "system_s") / max(threads, 1.0)


def _kernel_share(cell: Row) -> float:
    cpu_s = _number(cell, "cpu_s")
    return _number(cell, "system_s") / cpu_s if cpu_s > 0 else math.nan


def _samples(cell: Row) -> float:
    """How often the kernel looked at all its timed calls, at least."""
    found = _TICKS * _number(cell, "cpu_s") * _number(cell, "rounds") * _number(cell, "iterations")
    return 0.0 if math.isnan(found) else found


def _intermediate_results(cell: Row, other: Row) -> Iterator[str]:
    peak, spared = (_number(row, "peak_bytes") for row in (cell, other))
    if peak >= _INTERMEDIATE * _result_bytes(cell) and spared <= peak / 2:
        beside = f"{_name(other)} {bytes_text(spared) if spared else 'none'}"
        yield f"{_name(cell)} needs {bytes_text(peak)} for intermediate results, and {beside}"


def _threads(cell: Row, other: Row) -> Iterator[str]:
    kinds = str(cell["kind"] or ""), str(other["kind"] or "")
    if kinds == ("serial", "parallel"):
        count = _number(other, "threads_effective")
        several = f"{count:.0f}" if count > 1 else "several"
        yield f"{_name(cell)} works in one thread, and {_name(other)} in {several}"
    elif kinds == ("parallel", "serial") and _number(cell, "cpu_s") > _number(other, "cpu_s"):
        spent, less = (seconds_text(_number(row, "cpu_s")) for row in (cell, other))
        yield (
            f"several threads cost more than they bring at this size: {_name(cell)} takes {spent} of CPU time a call,"
            f" and {_name(other)} {less} in one thread"
        )


def _bursts(cell: Row, _other: Row) -> Iterator[str]:
    factor, contended = _number(cell, "mean_over_median"), _number(cell, "contended_rounds")
    if factor > _BURSTS and contended <= _CALM * _number(cell, "rounds"):
        yield (
            f"{_name(cell)} works in bursts: its batches take {number_text(factor)} times as long as most of their"
            " parts"
        )


def _bandwidth(cell: Row, other: Row) -> Iterator[str]:
    slow, fast = (_number(row, "gb_per_s") for row in (cell, other))
    if math.isnan(slow) or math.isnan(fast):
        return
    share = _number(other, "ceiling_fraction")
    reached = "" if math.isnan(share) else f" ({percent_text(share)} of a copy of the same bytes)"
    yield (
        f"{_name(cell)} moves {number_text(slow)} GB/s, and {_name(other)} {number_text(fast)} GB/s{reached}"
    )


def _result_bytes(cell: Row) -> float:
    return float(cell["n"]) * ITEMSIZES[str(cell["dtype"])]


def _faults(count: float) -> str:
    if count < 0.05:
        return "no page faults"
    return f"{count:,.0f} page faults" if count >= 9.95 else f"{count:.1f} page faults"


def _name(cell: Row) -> str:
    return arm_name(str(cell["backend"]), str(cell["variant"]), str(cell["role"]))


def _number(cell: Row, column: str) -> float:
    """NaN for what is not known."""
    value = cell.get(column)
    return math.nan if value is None or value == "" else float(value)
