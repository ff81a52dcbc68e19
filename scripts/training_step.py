"""What do the tuned activations bring to a training step in PyTorch?

A step is forward, loss, backward and SGD of a small network. It is timed with nn.ReLU (or nn.LeakyReLU) and with ours,
each in a process of its own, one step of each in turn; then once more in new processes, since those of the same code
differ, too. "no activation" leaves the activations out: the difference is what they add to a step.

There are two networks. In `mlp` matrix products take most of the time; `elementwise` is additions and activations only.

Peak memory is that of the process during the timed steps, with the idle blocks of our pool. Kept for backward is what
the activations keep, and how much of it no other layer keeps.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress
from tabulate import tabulate

import scripts._shared.system as _system  # noqa: F401  # first of all: what follows cannot be imported everywhere
from bench.channel import Request
from bench.machine import environment, memory
from bench.run.process import ArmError, ChildProcess
from bench.text.units import percent_text, ratio_text, seconds_text
from scripts._shared.cli import Parser, UsageError, comma_list, count, number, run
from scripts._training_step.arm import ACTIVATIONS, BASELINE, NETWORKS, NOTHING
from scripts._training_step.figures import Row, rows_of
from scripts._training_step.messages import WORKER, Begin, Keep, Kept, Peak, PeakOf, Spec, TimedStep

__all__ = ["StepError", "main", "measure"]

A = TypeVar("A")
PROCESSES = 2
"""Of each arm, one after the other: the fewest that show how much they differ."""
_SIZES = {"mlp": (2048, 1024, 4), "elementwise": (4096, 4096, 4)}
_LEAST_ROUNDS = 5
"""Rounds in each process at least, however short the time: fewer give no interval to speak of."""
_LONGEST_S = 600.0
"""A step that takes longer has come to a halt."""
_SPIN_S = 0.03
"""Longer than the threads of libgomp spin after a step: the next arm is to have the CPUs."""
_EXAMPLES = """examples:
  python scripts/training_step.py
  python scripts/training_step.py --networks elementwise --ops leaky_relu --seconds 60
  python scripts/training_step.py --networks mlp --batch 256 --width 8192 --json > step.json"""


class StepError(Exception):
    """An arm failed, was wrong, or its process ended before it answered."""


class _Arm:
    """The parent's side of an arm."""

    def __init__(self, spec: Spec, name: str) -> None:
        self.spec, self.name = spec, name
        self._process = ChildProcess(WORKER)

    def ask(self, request: Request[A]) -> A:
        """The answer.  Raises StepError."""
        try:
            return self._process.call(request, _LONGEST_S)
        except ArmError as error:
            raise StepError(f"{self.name!r} {_verb(error)}") from None

    def close(self) -> None:
        """End the process."""
        self._process.close()


def _verb(error: ArmError) -> str:
    if error.status == "failed":
        return f"failed: {error.reason}"
    if error.status == "timeout":
        return f"took more than {_LONGEST_S:.0f} s over a step; give a smaller --batch or --width"
    hint = "; a smaller --batch or --width needs less memory" if "SIGKILL" in error.reason else ""
    return f"has lost its process: {error.reason}{hint}"


@contextmanager
def _arms(spec: Spec) -> Iterator[list[_Arm]]:
    arms: list[_Arm] = []
    try:
        for name in ACTIVATIONS[spec.op]:
            arms.append(_Arm(dataclasses.replace(spec, arm=name), name))  # noqa: PERF401  # each is closed if the next fails
        yield arms
    finally:
        for each in arms:
            each.close()


def _check(losses: Mapping[str, float]) -> None:
    """Nothing is timed that computes something else."""
    for name, loss in losses.items():
        if name != NOTHING and not math.isclose(loss, losses[BASELINE], rel_tol=1e-4, abs_tol=1e-6):
            raise StepError(f"{name!r} is wrong: loss {loss!r} after two steps, {losses[BASELINE]!r} with nn")


def measure(spec: Spec, seconds: float, bar: Progress) -> list[Row]:
    """The arms of one network and op, for about `seconds` besides their start.  Raises StepError."""
    task = bar.add_task(f"{spec.network} {spec.op}", total=seconds)
    times: dict[str, dict[tuple[int, int], float]] = {name: {} for name in ACTIVATIONS[spec.op]}
    peaks: dict[str, Peak] = {}
    kept: dict[str, Kept] = {}
    shuffle = random.Random(0)
    for process in range(1, PROCESSES + 1):
        with _arms(spec) as arms:
            _check({arm.name: arm.ask(Begin(arm.spec)) for arm in arms})
            start, number = time.perf_counter(), 0
            while time.perf_counter() - start < seconds / PROCESSES or number < _LEAST_ROUNDS:
                for arm in shuffle.sample(arms, len(arms)):
                    time.sleep(_SPIN_S)
                    times[arm.name][process, number] = arm.ask(TimedStep())
                number += 1
                spent = (process - 1) * seconds / PROCESSES + time.perf_counter() - start
                bar.update(task, completed=min(spent, seconds))
            peaks |= {arm.name: arm.ask(PeakOf()) for arm in arms}
            kept |= {arm.name: arm.ask(Keep()) for arm in arms}
    bar.remove_task(task)
    return rows_of(spec, times, peaks, kept)


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f}"


def _table(rows: Sequence[Row]) -> str:
    headers = (
        "arm", "step", "95% interval", "time / nn", "verdict", "added by activations", "peak MiB",
        "kept by them MiB", "by them only", "kept in all",
    )  # fmt: skip
    body = [
        (
            row.arm,
            seconds_text(row.step_s.value),
            f"{seconds_text(row.step_s.lo)} to {seconds_text(row.step_s.hi)}",
            ratio_text(row.ratio.value, row.ratio.lo, row.ratio.hi),
            row.verdict,
            "" if row.arm == NOTHING else percent_text(row.share.value),
            _mib(row.peak_bytes),
            _mib(row.kept.by_activations),
            _mib(row.kept.by_activations_only),
            _mib(row.kept.in_all),
        )
        for row in rows
    ]
    return tabulate(body, headers=headers, tablefmt="github", disable_numparse=True)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__ or "", epilog=_EXAMPLES)
    parser.add_argument("--networks", type=comma_list(NETWORKS), default=NETWORKS, help="mlp,elementwise")
    parser.add_argument(
        "--ops", type=comma_list(tuple(ACTIVATIONS)), default=tuple(ACTIVATIONS), help="relu,leaky_relu"
    )
    sizes = ", ".join(f"{name} {' x '.join(map(str, size))}" for name, size in _SIZES.items())
    for option in ("batch", "width", "depth"):
        parser.add_argument(
            f"--{option}", type=count, default=0, help=f"(default batch x width x depth: {sizes})"
        )
    parser.add_argument("--seconds", type=count, default=12, help="for each network and op (default 12)")
    parser.add_argument("--threads", type=count, default=0, help="torch's; 0 is its own choice (default 0)")
    # torch's own in-place leaky_relu has no gradient for slopes below 0
    parser.add_argument("--negative-slope", type=number(0), default=0.01, help="of leaky_relu (default 0.01)")
    parser.add_argument("--json", action="store_true", help="print JSON, with the environment")
    return parser


def _specs(options: argparse.Namespace) -> list[Spec]:
    specs = []
    for network in options.networks:
        given = (options.batch, options.width, options.depth)
        batch, width, depth = (mine or usual for mine, usual in zip(given, _SIZES[network], strict=True))
        for op in options.ops:
            slope = options.negative_slope
            specs.append(Spec(network, op, BASELINE, batch, width, depth, slope, options.threads))
    for spec in specs:
        needed = spec.needed_bytes() * len(ACTIVATIONS[spec.op])
        if needed > memory.free_bytes():
            raise UsageError(
                f"{spec.network} of {spec.batch} x {spec.width} x {spec.depth} needs about {needed / 2**30:.1f} GiB "
                f"for its processes, {memory.free_bytes() / 2**30:.1f} GiB are free; give a smaller --batch or --width"
            )
    return specs


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(argv)
    specs = _specs(options)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        each = bar.track(specs, description="networks")
        found = [(spec, measure(spec, options.seconds, bar)) for spec in each]
    if options.json:
        plain = [dataclasses.asdict(row) for _, rows in found for row in rows]
        specs_made = [dataclasses.asdict(spec) for spec in specs]
        json.dump(
            {"environment": environment.describe({}), "specs": specs_made, "rows": plain},
            sys.stdout,
            indent=1,
        )
        print()
        return 0
    for spec, rows in found:
        print(
            f"{spec.network}, {spec.op}: batch {spec.batch}, width {spec.width}, {spec.depth} activations of "
            f"{spec.batch * spec.width:,} float32; {rows[0].rounds} rounds in {PROCESSES} processes each; peak by "
            f"{rows[0].peak_by}\n"
        )
        print(_table(rows), end="\n\n")
    return 0


if __name__ == "__main__":
    run(main, (UsageError, StepError))
