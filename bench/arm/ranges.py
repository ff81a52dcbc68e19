"""Named ranges for a profiler of NVIDIA's: which arm worked on which case, and when."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

__all__ = ["Ranges", "ranges_on"]

Ranges = Callable[[str], AbstractContextManager[object]]
"""Makes a range of that name."""


def ranges_on(device: str) -> Ranges:
    """Ranges of NVTX on a card: torch's own where this process has torch for CUDA, else of the package nvtx.

    Where neither is there, and on the CPU, they mark nothing, and nothing is imported.
    """
    if device == "cpu":
        return nullcontext
    torch = sys.modules.get("torch")
    if torch is not None and torch.version.cuda is not None:
        ranges: Ranges = torch.cuda.nvtx.range
        return ranges
    if importlib.util.find_spec("nvtx") is not None:
        annotate: Ranges = importlib.import_module("nvtx").annotate
        return annotate
    return nullcontext
