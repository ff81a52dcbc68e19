"""What can run here, what is missing, and what will spoil the timings, with what mends it."""

from __future__ import annotations

import sys

try:
    import dataclasses
    import json
    import time
    from collections.abc import Callable, Iterator, Sequence

    import psutil
    from rich.console import Console
    from rich.progress import Progress
    from rich.text import Text

    from bench.machine import cgroups, spoilers
    from bench.machine.finding import OK, PROBLEM, WARNING, Finding
    from scripts._doctor import backends, cards, clocks, machine, memory, system
    from scripts._doctor.messages import Family
    from scripts._shared import cli
except ModuleNotFoundError as missing:  # the very machine that needs a doctor
    from bench.machine.needed import MODULES, refusal

    said = refusal("measuring") if missing.name in MODULES else None
    said = said or (
        f"the package {missing.name!r} is not there for {sys.executable}: python -m pip install --constraint "
        "constraints.txt --editable '.[dev]', or run `make bench`"
    )
    print(f"doctor.py: problem: {said}", file=sys.stderr)
    sys.exit(1)

__all__ = ["examine", "main"]

_EPILOG = """\
Nothing is changed. Each family of backends is tried in a process of its own.

examples:
  python scripts/doctor.py
  python scripts/doctor.py --only machine          # what spoils timings, without trying the backends
  python scripts/doctor.py --only backends
  python scripts/doctor.py --only card                 # a CUDA card: its state, and does each backend compile for it?
  python scripts/doctor.py --json | python -m json.tool

keys of --json: schema (1), runs (whether the exit status is 0), findings (each with name, status, measured, effect,
mend, figures); status is ok, warning or problem.

exit status: 0; 1 if a backend is installed but broken, or if none runs; 2 for a wrong option.
"""
_PARTS = ("machine", "backends", "card")
_USUAL = _PARTS[:2]
"""A card is examined where it is asked for: that takes a compiler for each framework."""
_COLOURS = {OK: "green", WARNING: "yellow", PROBLEM: "bold red"}
Step = tuple[str, float, "Callable[[], list[Finding]]"]
"""What is being done, about how many seconds it takes, and how it is done."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status."""
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("--only", type=cli.one_of(_PARTS), metavar="PART", help=f"one of {', '.join(_PARTS)}")
    parser.add_argument(
        "--device",
        type=cli.device,
        default="cuda",
        help="with --only card: cuda (the default), cuda:1 …, or cpu, which stands in for a card",
    )
    parser.add_argument(
        "--timeout",
        type=cli.positive,
        default=60.0,
        metavar="S",
        help="with --only card: seconds for the compilers of all backends together (default 60)",
    )
    parser.add_argument("--json", action="store_true", help="for programs; the keys are listed below")
    options = parser.parse_args(argv)
    card = _card_steps(options.device, options.timeout) if options.only == "card" else []
    found = examine((options.only,) if options.only else _USUAL, card)
    runs = not any(each.status == PROBLEM for each in found)
    if options.json:
        findings = [dataclasses.asdict(each) for each in found]
        json.dump({"schema": 1, "runs": runs, "findings": findings}, sys.stdout, indent=2)
        print()
    else:
        _print(found)
    return 0 if runs else 1


def examine(parts: Sequence[str], card: Sequence[Step] = ()) -> list[Finding]:
    """All findings of `parts` and of the steps `card`, in the order in which they are printed."""
    steps: list[Step] = [*card]
    tried: list[Family] = []
    if "machine" in parts:
        steps += _machine_steps()
    if "backends" in parts:
        steps += _backend_steps(tried)
    found: list[Finding] = []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=sum(seconds for _, seconds, _ in steps))
        for name, seconds, step in steps:
            bar.update(task, description=name)
            found += step()
            bar.advance(task, seconds)
    return found


def _machine_steps() -> list[Step]:
    """The quiet ones first: a check that uses the CPU would be load to the next."""
    began = time.perf_counter()
    stolen = float(getattr(psutil.cpu_times(), "steal", 0.0))
    throttled = cgroups.throttled()
    return [
        ("other load", 1.2, lambda: [machine.load()]),
        ("the system", 0.0, lambda: list(system.findings())),
        (
            "affinity",
            0.0,
            lambda: [spoilers.affinity(), spoilers.thread_variables(), spoilers.virtual_machine()],
        ),
        ("frequency", 0.1, lambda: [spoilers.frequency()]),
        ("timer", 0.1, lambda: [clocks.timer()]),
        ("scheduler", 0.5, lambda: [clocks.jitter()]),
        ("throttling", 1.0, lambda: [clocks.steadiness()]),
        ("CPU speed", 1.0, lambda: [clocks.neighbours()]),
        ("huge pages", 0.5, lambda: [memory.pages()]),
        ("memory", 0.5, lambda: [memory.bandwidth()]),
        ("limits", 0.0, lambda: [machine.stolen(stolen, began), machine.cgroup_limits(throttled)]),
    ]


def _backend_steps(tried: list[Family]) -> list[Step]:
    def family(names: list[str]) -> Callable[[], list[Finding]]:
        def findings() -> list[Finding]:
            tried.append(backends.try_family(names))
            return list(backends.findings(tried[-1]))

        return findings

    tries: list[Step] = [(f"trying {top}", 3.0, family(names)) for top, names in backends.families().items()]
    last: Step = (
        "compiler",
        0.5,
        lambda: [backends.compiler(), backends.cards(tried), *_none_runs(tried)],
    )
    return [*tries, last]


def _card_steps(device: str, timeout_s: float) -> list[Step]:
    return [
        ("the card", 1.0, lambda: cards.findings(device)),
        ("compiling for it", 20.0, lambda: backends.on_device(device, timeout_s)),
    ]


def _none_runs(families: Sequence[Family]) -> Iterator[Finding]:
    """A problem, if no backend runs at all."""
    states = [found.state for family in families for found in family.backends.values()]
    if "runs" not in states:
        mend = "python -m pip install --constraint constraints.txt --editable '.[dev]'"
        yield Finding("backends", PROBLEM, "none runs here", "there is nothing to measure", mend)


def _print(found: Sequence[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    width = max(len(each.name) for each in found)
    for each in found:
        line = Text(f"{each.status:8}", style=_COLOURS[each.status])
        line.append(f"{each.name:{width}}  ", style="bold")
        line.append(" ".join(each.measured.split()), style="default")
        if each.effect:
            line.append(f". {each.effect[0].upper()}{each.effect[1:]}", style="default")
        if each.mend:
            line.append(f". Mend: {each.mend}", style="default")
        console.print(line)
    counts = {status: sum(each.status == status for each in found) for status in _COLOURS}
    console.print(", ".join(f"{count} {status}" for status, count in counts.items()))


if __name__ == "__main__":
    cli.run(main, (cli.UsageError, ValueError))
