"""The words that stand in the files of a run, for those who need no rows: an arm's process is started often."""

from __future__ import annotations

__all__ = ["KINDS", "ROLES", "STATUSES", "VERDICTS"]

STATUSES = ("ok", "noisy", "skipped", "incorrect", "mistrusted", "failed", "crashed", "timeout", "oom")
ROLES = ("candidate", "baseline", "twin", "ceiling", "allocation", "floor", "ablation")
VERDICTS = ("faster", "slower", "same", "unresolved")
"""What one arm is, beside another; `bench.stats.verdicts` has the rule."""
KINDS = ("serial", "parallel")
"""How an arm works: in one thread or in several."""
