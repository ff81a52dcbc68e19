"""The sections of the page that hold a chart: their titles, and what a reader must know to read them."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SECTIONS", "Section"]


class Section(NamedTuple):
    """One chart with its title; `tall` ones have a fixed height, the others one row per arm."""

    id: str
    title: str
    note: str
    tall: bool = False


SECTIONS = (
    Section(
        "bandwidth",
        "Bandwidth over size",
        "Each input read once, each output written once, over the time. Bars and bands are 95 % intervals;"
        " hollow points are noisy cells. The dashed line is a copy of the same bytes in the same experiment.",
        tall=True,
    ),
    Section("time", "Time over size", "Seconds per call, of the same cells.", tall=True),
    Section(
        "speedup",
        "Speed-up",
        "Over the baseline, paired round by round. Blue is faster, orange slower; ≈ marks what is the same, ? what"
        " is unresolved.",
    ),
    Section(
        "fastest",
        "Fastest set",
        "Green squares are the leader (★) and what is the same (≈). Of pale ones (?) it is not known; the numbers have"
        " the difference that would have been seen. The others say how many times slower they are.",
    ),
    Section(
        "ledger",
        "Compile ledger",
        "What is paid once: the import, the first call with everything that it compiles, and the call after"
        " that. Lines reach from the least to the most over sizes. The numbers say after how many calls a"
        " longer first call than the baseline's is paid back.",
    ),
    Section(
        "noise",
        "Noise",
        "Half of each 95 % interval, as a share of the time. The dashed line is the largest noise floor of the arms:"
        " the smallest difference from the baseline that would have been seen.",
        tall=True,
    ),
)
