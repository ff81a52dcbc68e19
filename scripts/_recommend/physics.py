"""Why an arm takes longer than another, as far as the columns of a row show: fresh memory, or one thread of several."""

from __future__ import annotations

import math

from bench.text.units import seconds_text
from kernels.api import ITEMSIZES
from scripts._recommend.ratios import Row

__all__ = ["physics"]

_PAGE = 4096
_MOST = 0.5
"""From this share on, something is the reason."""


def physics(slow: Row, fast: Row, names: tuple[str, str]) -> str | None:
    """A clause that goes on after "because", of two cells and their names; None where the file does not tell."""
    slower, faster = names
    faults = [float(row["page_faults"]) for row in (slow, fast)]
    kernel = [float(row["system_s"]) for row in (slow, fast)]
    result_pages = float(slow["n"]) * ITEMSIZES[str(slow["dtype"])] / _PAGE
    saved = float(slow["time_s"]) - float(fast["time_s"])
    if faults[0] >= max(_MOST * result_pages, 1) and kernel[0] - kernel[1] >= _MOST * saved:
        return (
            f"every call of {slower} gets fresh memory from the system: {faults[0]:,.0f} page faults and"
            f" {seconds_text(kernel[0])} in the kernel, where {faster} has {faults[1]:,.0f}"
        )
    threads = [float(row["threads_effective"]) for row in (slow, fast)]
    if not any(map(math.isnan, threads)) and threads[0] == 1 < threads[1]:
        return f"{slower} works in one thread, and {faster} in {threads[1]:.0f}"
    return None
