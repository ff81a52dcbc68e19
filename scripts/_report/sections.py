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
    keyed: bool = False  # of lines: which is which, where there is no room for names at their ends


SECTIONS = (
    Section(
        "here",
        "Time",
        "Each implementation at the size chosen, the fastest on top, with its 95 % interval for a new process. Hollow"
        " points are noisy cells. A dashed line is a copy of the same bytes. An interval that ends in an arrow goes on:"
        " the numbers say how far.",
    ),
    Section(
        "rounds",
        "Every round",
        "What the times above are made of: a tick is a batch of calls, a row a process. Rows that differ are processes"
        " that differ.",
    ),
    Section(
        "runs",
        "Beside the other runs",
        "The same case in every run of this machine on this page: times of two machines are never set beside each"
        " other.",
    ),
    Section(
        "changes",
        "Changes between the runs",
        "What scripts/compare.py says: the time in each other run over that in the run chosen, with its 95 % interval"
        " for new processes. = marks what is the same within 5 %, ? what is unresolved: neither that nor a change was"
        " shown.",
    ),
    Section(
        "time",
        "Time over size",
        "Seconds per call. Bars are 95 % intervals; one that ends in an arrow goes on. A dashed line is a copy of the"
        " same bytes. What is measured at the same size is drawn a little side by side; the size chosen is shaded. On a"
        " card the numbers have queued, too: the time of a call among many that are waited for once.",
        tall=True,
        keyed=True,
    ),
    Section(
        "bandwidth",
        "Bandwidth over size",
        "The same cells: each input read once, each output written once, over the time.",
        tall=True,
        keyed=True,
    ),
    Section(
        "speedup",
        "Speed-up",
        "Over what you use now. Blue is faster, orange slower; ≈ marks what is the same, ? what is unresolved.",
    ),
    Section(
        "fastest",
        "Fastest set",
        "Green squares are the leader (★) and what is the same (≈). Of pale ones (?) it is not known. The others say"
        " how many times slower they are.",
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
        " the smallest difference from the baseline that would have been seen. An arrow: more than the time itself.",
        tall=True,
        keyed=True,
    ),
)
