"""The table of the options of ``pytest bench/``: how each is spelled, what it takes, what its help says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.plan import callables
from bench.plan.experiments import BASELINE, STAND_IN
from bench.plan.settings import FORCE
from kernels.api import AXIS_TABLE, Axis
from kernels.networks.case import words_of
from kernels.specs.op import OP_FORM

__all__ = ["MOST_PROCESSES", "OPTIONS", "OptionSpec"]

MOST_PROCESSES = 8
"""However much time there is: the error of eight processes is about a third of that of one."""


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """How an option is offered on a command line."""

    name: str
    metavar: str | None
    help: str
    default: Any = None
    action: str = "store"


def _axis_option(axis: Axis) -> OptionSpec:
    own = ", ".join(axis.values)
    networks = ", ".join(word for word in words_of(axis) if word not in axis.values)
    words = f"{own}; networks: {networks}" if networks else own
    return OptionSpec(axis.option, "A,B", f"{axis.help}: {words}" if words else axis.help)


OPTIONS: tuple[OptionSpec, ...] = (
    OptionSpec(
        "profile",
        "NAME",
        "quick (default, about 4 minutes), standard (40 minutes), full (6 hours), less for fewer experiments; "
        "card: on a CUDA card, what scripts/card.py measures",
        "quick",
    ),
    OptionSpec("backends", "A,B", "backends to measure (default: all that serve the devices asked for)"),
    *map(_axis_option, AXIS_TABLE),
    OptionSpec("cases", "FILE", "what scripts/record.py saw a program run, in place of the profile's cases"),
    OptionSpec("batches", "A,B", "networks: rows of the input batch, as in 1,32"),
    OptionSpec("widths", "A,B", "networks: input-hidden-output, as in 10-5-3,784-256-10"),
    OptionSpec(
        "variant",
        "NAME[@BACKEND]:K=V[,K=V]",
        "measure also with these environment variables set",
        [],
        "append",
    ),
    OptionSpec(
        "arm",
        "NAME@BACKEND:python=PATH[,K=V]",
        "measure the backend also in another Python, with the versions that are installed there",
        [],
        "append",
    ),
    OptionSpec(
        "plugin",
        "MODULE:CLASS",
        "measure this backend too, beside --backends; may be given again",
        [],
        "append",
    ),
    OptionSpec(
        "op",
        OP_FORM,
        "measure this op of your own, a class of a few functions (docs/ops.md), beside --ops; may be given again",
        [],
        "append",
    ),
    OptionSpec("callable", callables.CALLABLE_FORM, callables.CALLABLE_HELP, [], "append"),
    OptionSpec(
        "baseline",
        "NAME",
        f"what speed-ups are over (default {BASELINE}; {STAND_IN} where torch is not installed)",
    ),
    OptionSpec(
        "resolve",
        "R",
        "go on until every pair asked about is told apart, or is the same within this fraction, as 2%% or 0.02, or the "
        "time is up (default: same within 3%%, without going on for it)",
    ),
    OptionSpec(
        "processes",
        "N",
        "processes that each arm is measured in, one after the other (default: the profile's 2 to 5, fewer where there "
        "is no time to start them)",
    ),
    OptionSpec("minutes", "M", "at most this long for the run, start-up included (default: the profile's)"),
    OptionSpec(
        "max_seconds",
        "S",
        "at most this long in one experiment's rounds, in all processes together (default: its share of the run)",
    ),
    OptionSpec("target_ci", "F", "go on until every time's 95 %% interval is within ± this fraction, too"),
    OptionSpec(
        "cell_timeout",
        "S",
        "a cell that keeps its worker longer, with a CPU, is a timeout (default 120)",
        "120",
    ),
    OptionSpec(
        "isolation", "HOW", "process (default): one per arm; inline: in this process, for --pdb", "process"
    ),
    OptionSpec("require", "A,B", "backends whose skip is a failure", ""),
    OptionSpec("results", "DIR", "where runs are written (default results/)", "results"),
    OptionSpec("run_id", "ID", "name of the run; one that exists goes on where it stopped"),
    OptionSpec(
        "shard", "I/N", "only the Ith of N parts, as 3/16: whole experiments; scripts/merge.py joins them"
    ),
    OptionSpec("retry_failed", None, "with --run-id: measure again what did not end ok", False, "store_true"),
    OptionSpec(
        "force",
        None,
        f"measure even while another run is being measured on this machine (or: {FORCE}=1)",
        False,
        "store_true",
    ),
    OptionSpec(
        "anonymise",
        None,
        "write no name of host or user, and of paths only the last part",
        False,
        "store_true",
    ),
)
