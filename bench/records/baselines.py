"""What is said of a baseline that could not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

__all__ = ["stand_in_lines"]


def stand_in_lines(rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """One line for each baseline for which another stood in; rows are told by role, backend and baseline."""
    stood_in = Counter(
        (backend, baseline)
        for role, backend, baseline in rows
        if role == "baseline" and baseline not in ("", backend)
    )
    for (backend, baseline), count in stood_in.items():
        where = "1 experiment" if count == 1 else f"{count:,} experiments"
        yield f"{backend}, the baseline, could not run in {where}: speed-ups there are over {baseline}."
