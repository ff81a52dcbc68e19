"""The copies of an experiment: which bounds its arms, and what arms are beside it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.judging.ceiling import ABOVE, CopyBatch, calm_seconds
from bench.run.arm_state import ArmState
from bench.run.evidence import Evidence
from bench.stats.estimates import Interval
from bench.stats.fastest import COMPETING
from bench.stats.verdicts import time_of

__all__ = ["beside", "gb_per_s", "is_ceiling", "is_well_known", "undisturbed", "way_to_go"]

_WELL_KNOWN = 0.25
"""How far the interval of a copy's time may reach, as a fraction of it, so that others are told as shares of it."""


def undisturbed(copy: ArmState) -> list[float]:
    """What bounds an arm, of each of a copy's batches."""
    return calm_seconds(
        [
            CopyBatch(batch.part_q25_s, batch.mean_s, batch.waited_s / batch.iterations, batch.contended)
            for batch in copy.batches
        ]
    )


def beside(state: ArmState, copy: ArmState | None, evidence: Evidence) -> Interval | None:
    """An arm's time over a copy's, round by round; None without a round that both have."""
    found = evidence.verdict(state, copy) if copy else None
    return found.ratio if found else None


def gb_per_s(copy: ArmState | None, bytes_moved: int, evidence: Evidence) -> float | None:
    """The bandwidth of a copy that has a time."""
    return bytes_moved / time_of(evidence.rounds(copy)) / 1e9 if copy else None


def is_ceiling(copy: ArmState | None, trusted: Sequence[ArmState], evidence: Evidence) -> bool:
    """Whether shares of the copy say something: its time is known, and nobody trusted is faster beyond the noise.

    Beside others' work a copy in several threads may wait for CPUs in most of its rounds, and even in all of them.
    """
    return is_well_known(copy, evidence) and not _is_beaten(copy, trusted, evidence, ABOVE)


def way_to_go(copy: ArmState, states: Sequence[ArmState], evidence: Evidence) -> str:
    """The way that won the race in the process before; empty, so that it races again, where an arm was faster.

    Beyond the noise, however little: then the race may have gone wrong.
    """
    way = "" if copy.prepared is None else copy.prepared.way
    return "" if not way or _is_beaten(copy, [state for state in states if state.timed], evidence) else way


def _is_beaten(
    copy: ArmState | None, trusted: Sequence[ArmState], evidence: Evidence, above: float = 1.0
) -> bool:
    """Whether an implementation is more than `above` times as fast as the copy, beyond the noise."""
    ratios = [beside(state, copy, evidence) for state in trusted if state.arm.role in COMPETING]
    return any(ratio is not None and ratio.hi * above < 1.0 for ratio in ratios)


def is_well_known(copy: ArmState | None, evidence: Evidence) -> bool:
    """Whether it has a time, with an interval that is narrow enough."""
    time = evidence.time(copy) if copy is not None else None
    return time is not None and time.half_width <= _WELL_KNOWN
