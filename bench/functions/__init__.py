"""A question asked from Python: functions of a user's own compared on an array of theirs."""

from bench.functions.comparing import compare
from bench.functions.result import Compared, Comparison
from bench.functions.runs import Runs, read_runs

__all__ = ["Compared", "Comparison", "Runs", "compare", "read_runs"]
