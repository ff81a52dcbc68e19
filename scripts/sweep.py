"""One sweep over many machines: `pytest bench/` on each, or shared out among those that are alike, by Dask."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.plan.option_table import OPTIONS
from bench.plan.option_values import option_flag, whole
from bench.plan.options import OptionError, parse
from bench.plan.settings import Settings
from bench.records.lock import alone_in
from bench.run.identity import new_run_id
from bench.text.commands import command_line
from bench.text.units import count_text
from scripts._shared import cli
from scripts._sweep.connecting import connected
from scripts._sweep.engine import Engine
from scripts._sweep.index import asked_before, lanes_in
from scripts._sweep.lanes import ANY, EACH, Lanes
from scripts._sweep.machine import Told
from scripts._sweep.planning import planned
from scripts._sweep.sweeping import Asked, Sweep, problems

__all__ = ["main"]

_EPILOG = """\
The machines are workers of a Dask scheduler, each with --resources machine=1 (docs/fleet.md: ssh, a scheduler file,
TLS, Slurm). What is measured runs beside the worker, as `pytest bench/ --shard I/N` in a process of its own; rows come
as experiments end. --results DIR gets a folder with the sweep's id, and in it sweep.json and the run of each machine,
which summarise.py, report.py and the others read: all of them by the sweep's folder, or one by its own. Paths in
options (--cases, --callable, --arm) are looked for on each machine, from its checkout.

With --run-id ID a sweep goes on where it stopped: shards that are done stay, what was set aside is tried again. Ctrl-C
stops the machines, too. Where the command itself dies, each machine ends the shard that it has, and keeps its rows.

examples:
  python scripts/sweep.py --scheduler local --profile quick
  python scripts/sweep.py --scheduler tcp://head:8786 --machines 3 --run-id night --profile standard
  python scripts/sweep.py --scheduler fleet.json --on any --sizes 1Ki:64Mi:x4 --ops relu

exit status: 0; 1 if a shard is missing or a cell failed; 2 for anything that cannot be done; 130 after Ctrl-C.
"""
_LEFT_OUT = {
    "shard": "the sweep makes the shards itself; see --shards",
    "retry_failed": "measure those cells again on their machine, with pytest bench/",
}
"""Options of `pytest bench/` that mean nothing here, and what to do instead."""
_OURS = ("results", "run_id")
"""Those that are about the sweep's files, not about a shard's."""
_A_MACHINE = 4
"""Shards a machine where they are shared out: so few that none waits long at the end, and each tells much."""
_MOST_SHARDS = 100_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.  Raises the errors that are named below, of one line."""
    options = _parse(argv)
    settings = parse({spec.name: getattr(options, spec.name, None) for spec in OPTIONS})
    planned(settings, 1)  # before anything is waited for
    sweep = settings.run_id or new_run_id(settings.results)
    folder, typed = settings.results / sweep, _typed(options)
    before = _same(asked_before(folder), sweep, options, typed)
    with connected(options.scheduler) as client:
        engine = Engine(client, sweep)
        machines = _first(engine, options.machines, options.wait)
        lanes = _lanes(before, sweep, options, settings, machines)
        asked = Asked(
            folder,
            typed,
            planned(settings, lanes.count),
            options.patience,
            same_versions=options.same_versions,
        )
        _say(f"sweep {sweep} in {folder}/: {count_text(lanes.count, 'shard')} on {_on(lanes, machines)}")
        with alone_in(folder):
            _swept(Sweep(asked, lanes, engine, _say), engine, sweep)
    return _told(lanes, folder)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    number = cli.option_type(lambda text: whole(text, 1, _MOST_SHARDS))
    add = parser.add_argument
    add("--scheduler", required=True, metavar="WHERE", help="local, tcp://HOST:PORT, or a scheduler file")
    add("--on", type=cli.one_of((EACH, ANY)), default=EACH, help="each (default): every machine measures everything; "
        "any: machines that are alike share one run")  # fmt: skip
    add("--shards", type=number, metavar="N", help="parts, of whole experiments, that go to a machine at a time "
        f"(default: 1 with --on each, {_A_MACHINE} a machine with --on any)")  # fmt: skip
    add("--machines", type=number, default=1, metavar="N", help="begin when so many are there (default 1)")
    add("--wait", type=cli.positive, default=60.0, metavar="S", help="wait so long for them (default 60)")
    add("--patience", type=cli.positive, default=300.0, metavar="S", help="wait so long for a machine that is gone "
        "(default 300); then its shards are missing")  # fmt: skip
    add("--same-versions", action="store_true", help="refuse machines with other versions than the first")
    group = parser.add_argument_group("options of pytest bench/")
    for spec in OPTIONS:
        flag = option_flag(spec.name)
        if spec.name in _LEFT_OUT:
            group.add_argument(flag, nargs="?", action=_Refused, help=argparse.SUPPRESS)
        elif spec.action == "store_true":
            group.add_argument(flag, action="store_true", default=None, help=spec.help)
        else:
            group.add_argument(flag, action=spec.action, metavar=spec.metavar, help=spec.help)
    return parser.parse_args(argv)


class _Refused(argparse.Action):
    """An option that the sweep does not take."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Say what to do instead."""
        parser.error(f"{self.option_strings[0]}: {_LEFT_OUT[self.dest]}")


def _typed(options: argparse.Namespace) -> tuple[str, ...]:
    """The options of a shard, as they are typed."""
    found = []
    for spec in OPTIONS:
        value = getattr(options, spec.name, None)
        if spec.name in (*_OURS, *_LEFT_OUT) or value is None:
            continue
        flag = option_flag(spec.name)
        found += (
            [flag]
            if value is True
            else [f"{flag}={each}" for each in ([value] if isinstance(value, str) else value)]
        )
    return tuple(found)


def _same(
    before: Mapping[str, Any] | None, sweep: str, options: argparse.Namespace, typed: Sequence[str]
) -> Mapping[str, Any] | None:
    """The index of a sweep that goes on; one that asked for something else is a UsageError."""
    if before is None:
        return None
    now = {"on": options.on, "options": list(typed), "shards": options.shards or before["shards"]}
    for name, value in now.items():
        if before[name] != value:
            raise cli.UsageError(
                f"sweep {sweep} was begun with {name} {_plain(before[name])}, not {_plain(value)}; "
                "give the same, or choose another --run-id"
            )
    return before


def _plain(value: Any) -> str:
    return " ".join(value) or "(none)" if isinstance(value, list) else str(value)


def _first(engine: Engine, wanted: int, wait_s: float) -> Mapping[str, Told]:
    """The machines to begin with.  Raises UsageError."""
    machines, trouble = engine.wait_for(wanted, wait_s)
    if len(machines) >= wanted:
        return machines
    there = count_text(len(machines), "machine")
    why = trouble[0] if trouble else "start workers (docs/fleet.md), or wait longer: --wait"
    raise cli.UsageError(f"{there} after {wait_s:g} s, {wanted} wanted; {why}")


def _lanes(
    before: Mapping[str, Any] | None,
    sweep: str,
    options: argparse.Namespace,
    settings: Settings,
    machines: Mapping[str, Told],
) -> Lanes:
    """Where what is measured; a machine that does not fit is a UsageError now, and left out when it comes later."""
    if before is None:
        count = options.shards or (1 if options.on == EACH else _A_MACHINE * len(machines))
        lanes = Lanes(sweep, options.on, planned(settings, count).count)
    else:
        lanes = lanes_in(before, sweep)
    for told in machines.values():
        refused = lanes.place(told, same_versions=options.same_versions)
        if refused:
            raise cli.UsageError(refused)
    for sentence in lanes.unlike_versions():
        _say(sentence)
    return lanes


def _on(lanes: Lanes, machines: Mapping[str, Told]) -> str:
    named = ", ".join(f"{told.name} ({host})" for host, told in machines.items())
    return f"{'each' if lanes.on == EACH else 'any'} of {named}"


def _swept(sweep: Sweep, engine: Engine, name: str) -> None:
    try:
        sweep.run()
    except KeyboardInterrupt:
        engine.stop()
        _say(f"interrupted: {sweep.status()}; go on with --run-id {name}")
        raise


def _told(lanes: Lanes, folder: Path) -> int:
    """Print what there is; the exit status."""
    missing = problems(lanes.all)
    for lane in lanes.all:
        print(
            f"{folder / lane.run}: {len(lane.done)} of {count_text(lane.count, 'shard')}, {', '.join(lane.hosts)}"
        )
    for line in missing:
        print(line)
    if any(lane.done for lane in lanes.all):
        print(f"all on one page: {command_line('python', 'scripts/report.py', folder)}")
    return 1 if missing or any(lane.failed for lane in lanes.all) else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    cli.run(main, (OptionError, cli.UsageError))
