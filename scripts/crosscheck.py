"""What each backend really computes, on special values and all others.

Every backend, in a process of its own, is tried on every op, direction, placement and dtype. NaN, infinities and
values must be right, or the backend breaks the policy. Signs of zero, subnormals, NaN payloads and the gradient at 0
and NaN are only reported.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console
from rich.progress import Progress

import scripts._shared.system as _system  # noqa: F401  # first of all: what follows cannot be imported everywhere
from bench.plan.callables import adopted
from bench.plan.option_values import device_kind
from bench.records.schema import RUN_FILES
from bench.text.hints import did_you_mean
from kernels import registry
from kernels.api import Case
from kernels.specs.op import all_checked
from scripts._crosscheck.options import TRIED, combinations, parsed
from scripts._crosscheck.process import Limits, outcomes
from scripts._crosscheck.report import report
from scripts._crosscheck.rows import COLUMNS, Row, row_of
from scripts._shared import cli
from scripts._shared.render import to_terminal

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises UsageError, of one line.
    """
    options = parsed(argv, __doc__ or "")
    ops = _own_ops(options.op)
    plugins = _plugins(options.plugin) | _callables(options, ops)
    names = _backends(options.backends, options.devices, plugins)
    subjects = combinations(options, ops)
    rows: list[Row] = []
    with _csv_file(options.csv) as write, _progress(len(names) * len(subjects)) as advance:
        for row in _rows(names, plugins | ops, subjects, options):
            rows.append(row)
            write(row)
            advance()
    rows.sort(key=lambda row: names.index(row.backend))  # of one backend they come in order
    to_terminal(report(rows))
    if all(row.status == "skipped" for row in rows):
        print("nothing was tried: every combination was skipped", file=sys.stderr)
        return 1
    return int(any(row.status not in ("ok", "skipped") for row in rows))


def _own_ops(texts: Sequence[str]) -> dict[str, str]:
    """Users' own ops by name, with what stands for each."""
    try:
        return all_checked(texts)
    except ValueError as error:
        raise cli.UsageError(f"argument --op: {error}") from error


def _plugins(specs: Sequence[str]) -> dict[str, str]:
    """Names of the plugins with their ``MODULE:CLASS``."""
    try:
        return registry.register_all(specs)
    except ValueError as error:
        raise cli.UsageError(f"argument --plugin: {error}") from error


def _callables(options: argparse.Namespace, ops: Mapping[str, str]) -> dict[str, str]:
    """Names of the functions with their whole texts; `ops` are the user's own."""
    try:
        return adopted(options.callable, (*(options.ops or TRIED["op"]), *ops), options.dtypes, ops)
    except ValueError as error:
        raise cli.UsageError(f"argument --callable: {error}") from error


def _backends(chosen: Sequence[str] | None, devices: Sequence[str], plugins: Mapping[str, str]) -> list[str]:
    try:
        known = registry.names()
    except ValueError as error:
        raise cli.UsageError(str(error)) from error
    if chosen is None:
        kinds = {device_kind(device) for device in devices}
        usual = filter(registry.is_usual, known)
        serving = [name for name in usual if name in plugins or kinds.intersection(registry.devices(name))]
        if not serving:
            raise cli.UsageError(
                f"argument --devices: no backend is made for {', '.join(devices)}; name one with --backends or --plugin"
            )
        return serving
    for name in chosen:
        if name not in known:
            raise cli.UsageError(
                f"argument --backends: {name!r} is not known; allowed: {', '.join(known)}{did_you_mean(name, known)}"
            )
    return list(dict.fromkeys((*chosen, *plugins)))


def _rows(
    names: Sequence[str], plugins: Mapping[str, str], subjects: Sequence[Case], options: argparse.Namespace
) -> Iterator[Row]:
    """The rows as they come, of several backends at a time."""
    found: SimpleQueue[Row | Exception | None] = SimpleQueue()
    limits = Limits(options.seconds, options.timeout)

    def work(name: str) -> None:
        try:
            for case, outcome, about in outcomes(name, plugins, subjects, limits):
                found.put(row_of(name, case, outcome, about))
            found.put(None)
        except Exception as error:  # noqa: BLE001  # carried over to the thread that waits for the rows
            found.put(error)

    with ThreadPoolExecutor(_at_once(options.devices, os.cpu_count() or 1)) as pool:
        try:
            for name in names:
                pool.submit(work, name)
            running = len(names)
            while running:
                item = found.get()
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    running -= 1
                else:
                    yield item
        finally:
            limits.stop.set()
            pool.shutdown(cancel_futures=True)


def _at_once(devices: Sequence[str], cpus: int) -> int:
    """How many backends are tried at a time: two, whose thread pools share the CPUs.

    On cards, where only judging takes a CPU, as many as half the CPUs.
    """
    return max(min(2, cpus), cpus // 2 if "cpu" not in devices else 0)


@contextlib.contextmanager
def _csv_file(path: Path | None) -> Iterator[Callable[[Row], None]]:
    """Append rows to the file as they come, so that a run that is ended keeps what it had."""
    if path is None:
        yield lambda row: None
        return
    if path.name in RUN_FILES and path.exists():
        raise cli.UsageError(f"argument --csv: {path}: a file of a run; name another, to keep it")
    try:
        file = path.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise cli.UsageError(
            f"argument --csv: {path}: {error.strerror}; name a file that can be written"
        ) from error
    with file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)

        def write(row: Row) -> None:
            writer.writerow(row.as_text())
            file.flush()

        yield write


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    console = Console(file=sys.stderr)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("combinations", total=total)
        yield lambda: bar.advance(task)


if __name__ == "__main__":
    cli.run(main, (cli.UsageError,))
