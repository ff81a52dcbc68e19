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
from itertools import product
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console
from rich.progress import Progress

from bench.plan.callables import CALLABLE_FORM, CALLABLE_HELP, adopted
from bench.plan.option_values import ALL, axis_list, device_kind
from bench.records.schema import RUN_FILES
from bench.text.hints import did_you_mean
from kernels import registry
from kernels.api import AXIS_TABLE, DIRECTIONS, DTYPES, MAIN_OPS, PLACEMENTS, Axis, Case
from kernels.specs.op import OP_FORM, all_checked
from scripts._crosscheck.process import Limits, outcomes
from scripts._crosscheck.report import report
from scripts._crosscheck.rows import COLUMNS, Row, row_of
from scripts._shared import cli
from scripts._shared.render import to_terminal

__all__ = ["main"]

_EPILOG = """\
Tried are: lengths around the vector width and one that runs in parallel, every special value at every
position of the short ones, all 65,536 patterns of the 16-bit types (random patterns of the others),
slopes 0.01, 1.5, -0.5, 0, 0.2, 1, inf and nan, strided, transposed and misaligned arrays, and whether
the input and the result of the call before stay as they were. What --seconds did not allow, or the
backend refused, stands in the column `untried`.

examples:
  python scripts/crosscheck.py
  python scripts/crosscheck.py --backends jax_jit,torch_eager --dtypes float32 --csv matrix.csv
  python scripts/crosscheck.py --plugin examples.numexpr_relu:NumexprRelu --backends numexpr --seconds 60
  python scripts/crosscheck.py --ops all --dtypes float32 --placements new
  python scripts/crosscheck.py --op examples/own_op.py:Swish --seconds 0.2
  python scripts/crosscheck.py --ops leaky_relu --directions backward --placements new,inplace

exit status: 0 if every backend keeps the policy; 1 if one breaks it, or fails, crashes or hangs, or if
nothing could be tried; 2 for anything that cannot be done.
"""


_TRIED = {"op": MAIN_OPS, "direction": DIRECTIONS, "placement": PLACEMENTS, "dtype": DTYPES}
"""The axes of what is tried, and what is tried where nothing is said."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises UsageError, of one line.
    """
    options = _parse(argv)
    ops = _own_ops(options.op)
    plugins = _plugins(options.plugin) | _callables(options, ops)
    names = _backends(options.backends, options.devices, plugins)
    named = () if options.ops is None and ops else options.ops or _TRIED["op"]
    subjects = [
        Case(op, direction, placement, dtype, device=device)
        for op, direction, placement, device, dtype in product(
            (*named, *ops), options.directions, options.placements, options.devices, options.dtypes
        )
    ]
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


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument(
        "--backends", type=cli.comma_list(), metavar="A,B", help="default: all, and each --plugin, --callable"
    )
    for axis in (axis for axis in AXIS_TABLE if axis.name in _TRIED):
        parser.add_argument(
            f"--{axis.option}",
            type=cli.option_type(axis_list(axis)),
            default=None if axis.own else _TRIED[axis.name],
            metavar="A,B",
            help=f"of {', '.join(axis.values)} (default: {_default(axis)})",
        )
    parser.add_argument(
        "--devices", type=cli.devices, default=("cpu",), metavar="A,B", help="cpu (default), cuda, cuda:0 …"
    )
    parser.add_argument(
        "--op", action="append", default=[], metavar=OP_FORM, help="try this op of your own (docs/ops.md)"
    )
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="try this backend too, beside --backends; may be given again",
    )
    parser.add_argument("--callable", action="append", default=[], metavar=CALLABLE_FORM, help=CALLABLE_HELP)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every combination there, one a row")
    parser.add_argument(
        "--seconds",
        type=cli.number(0, 1e6),
        default=1.0,
        metavar="S",
        help="for the trials of a combination that can be left out (default 1)",
    )
    parser.add_argument(
        "--timeout",
        type=cli.number(0, 1e6),
        default=300.0,
        metavar="S",
        help="a combination that takes longer is ended (default 300)",
    )
    return parser.parse_args(argv)


def _own_ops(texts: Sequence[str]) -> dict[str, str]:
    """Users' own ops by name, with what stands for each."""
    try:
        return all_checked(texts)
    except ValueError as error:
        raise cli.UsageError(f"argument --op: {error}") from error


def _default(axis: Axis) -> str:
    return ALL if _TRIED[axis.name] == axis.values else ", ".join(_TRIED[axis.name])


def _plugins(specs: Sequence[str]) -> dict[str, str]:
    """Names of the plugins with their ``MODULE:CLASS``."""
    plugins = {}
    for spec in specs:
        try:
            plugins[registry.register(spec)] = spec
        except ValueError as error:
            raise cli.UsageError(f"argument --plugin: {error}") from error
    return plugins


def _callables(options: argparse.Namespace, ops: Mapping[str, str]) -> dict[str, str]:
    """Names of the functions with their whole texts; `ops` are the user's own."""
    try:
        return adopted(options.callable, (*(options.ops or _TRIED["op"]), *ops), options.dtypes, ops)
    except ValueError as error:
        raise cli.UsageError(f"argument --callable: {error}") from error


def _backends(chosen: Sequence[str] | None, devices: Sequence[str], plugins: Mapping[str, str]) -> list[str]:
    try:
        known = registry.names()
    except ValueError as error:
        raise cli.UsageError(str(error)) from error
    if chosen is None:
        kinds = {device_kind(device) for device in devices}
        serving = [name for name in known if name in plugins or kinds.intersection(registry.devices(name))]
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
