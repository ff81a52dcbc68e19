"""The article's network in every framework: what forward and a training step take, and the activation of that."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.records.find_runs import find_runs
from bench.records.reading import ReadError, read_cells, read_rounds
from bench.text.hints import did_you_mean
from bench.text.units import percent_text, ratio_text, seconds_text
from kernels.networks.case import NETWORK_DIRECTIONS, NETWORK_OPS
from scripts._network.figures import figures
from scripts._shared import cli
from scripts._shared.markers import MarkerError, update
from scripts._shared.remarks import arm_name, axis_text, clean, problem_lines, run_lines
from scripts._shared.render import as_latex, as_markdown, to_terminal, write_csv
from scripts._shared.sections import Block, Report, Section

__all__ = ["main"]

_FORMATS = ("terminal", "markdown", "csv", "latex")
_EPILOG = """\
RUN is a run's directory, the id of a run under --results, or a CSV file with the columns of cells.csv; without
any, the newest run under --results. Measure one with `pytest bench/test_network.py`.

examples:
  python scripts/network.py results/reference/amd-epyc-2c-network
  python scripts/network.py results/reference/amd-epyc-2c-network --directions forward
  python scripts/network.py results/reference/amd-epyc-2c-network --against numpy_ufunc --format csv > network.csv
  python scripts/network.py results/reference/amd-epyc-2c-network --update docs/article.md --check

exit status: 0; 1 if --check finds that the file would change; 2 for anything that cannot be done.
"""
_LEGEND = (
    "Times are seconds per call, ~ marks a noisy cell. Speed-ups are paired round by round, with 95 % intervals for a"
    " new process.",
    "Activation is its share of the time: 1 - t'/t, t' of the same network without it, measured in the same rounds."
    " What a compiler fuses into the product before it costs nothing to take away; an interval that holds 0 says"
    " that no cost was found.",
    "Forward is inference, without a gradient's bookkeeping; train_step is loss, gradients and one step of SGD. The"
    " gradients of numpy_ufunc and numba_jit are written by hand.",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises ReadError, UsageError or MarkerError, each of one line.
    """
    options = _parse(argv)
    paths = find_runs(options.run, options.results)
    cells = read_cells(paths)
    networks = cells[cells["op"].isin(options.ops) & cells["direction"].isin(options.directions)]
    if networks.empty:
        raise cli.UsageError(
            f"no network in {', '.join(map(str, paths))}, or none that --ops and --directions leave; "
            "measure one with pytest bench/test_network.py"
        )
    _check_against(options.against, networks)
    table = figures(networks, _rounds(paths), options.against)
    if options.format == "csv":
        write_csv(table)
        return 0
    report = _report(networks, table, options.against)
    if options.update is not None:
        first = as_markdown(_first(networks, table, options.against))
        status = update(options.update, first, "network", check=options.check)
        return max(status, update(options.update, as_markdown(report), "all-networks", check=options.check))
    if options.format == "terminal":
        to_terminal(report)
    else:
        sys.stdout.write(as_markdown(report) if options.format == "markdown" else as_latex(report))
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("run", nargs="*", metavar="RUN", help="what to read (default: the newest run)")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="where runs lie")
    parser.add_argument("--format", type=cli.one_of(_FORMATS), metavar="F", help=", ".join(_FORMATS))
    parser.add_argument(
        "--against",
        default="torch_eager",
        metavar="NAME",
        help="what speed-ups are over (default torch_eager)",
    )
    for name, allowed in (("ops", NETWORK_OPS), ("directions", NETWORK_DIRECTIONS)):
        parser.add_argument(
            f"--{name}",
            type=cli.comma_list(allowed),
            default=allowed,
            metavar="A,B",
            help=", ".join(allowed),
        )
    parser.add_argument(
        "--update",
        type=Path,
        metavar="FILE",
        help="put the markdown between the markers in FILE: the smallest network (network), all (all-networks)",
    )
    parser.add_argument("--check", action="store_true", help="with --update: write nothing, only tell")
    options = parser.parse_args(argv)
    if options.update is not None and options.format not in (None, "markdown"):
        parser.error(f"--update writes markdown; leave out --format {options.format}")
    if options.check and options.update is None:
        parser.error("--check needs --update FILE, the file to check")
    options.format = options.format or "terminal"
    return options


def _check_against(name: str, cells: pd.DataFrame) -> None:
    present = sorted(map(str, cells.loc[cells["role"] != "floor", "backend"].unique()))
    if name not in present:
        there = f"there is {', '.join(present)}{did_you_mean(name, present)}"
        raise cli.UsageError(f"--against: no cell has {name!r}; {there}")


def _rounds(paths: Sequence[Path]) -> pd.DataFrame | None:
    """The rounds that lie beside the cells; None where any run has none."""
    beside = [path.with_name("rounds.csv") for path in paths if path.name == "cells.csv"]
    if len(beside) < len(paths) or not all(path.is_file() for path in beside):
        return None
    return read_rounds(beside)


def _report(cells: pd.DataFrame, table: pd.DataFrame, against: str) -> Report:
    several = [name for name in ("run_id", "machine", "threads") if table[name].nunique() > 1]
    slopes = table.loc[table["op"] == "mlp_leaky_relu", "negative_slope"]
    several += ["negative_slope"] if slopes.nunique() > 1 else []
    sections = []
    for key, rows in table.groupby(["op", "direction", *several], observed=True, sort=True):
        op, direction, *values = key
        extra = [axis_text(name, value) for name, value in zip(several, values, strict=True)]
        title = ", ".join([f"{op} {direction}", *extra])
        sections.append(_section(title, rows[rows["time_s"].notna()], against))
    return Report(
        intro=list(run_lines(cells)),
        blocks=[Block("Networks: Linear, activation, Linear", [each for each in sections if each.rows])],
        legend=list(_LEGEND),
        problems=problem_lines(cells),
    )


def _first(cells: pd.DataFrame, table: pd.DataFrame, against: str) -> Report:
    """The smallest network at the smallest batch, forward with relu where there is such a one: a row for each arm."""
    keys = ["op", "direction", "layout", "batch", "threads", "negative_slope", "run_id"]
    usual = (table["op"] == "mlp_relu") & (table["direction"] == "forward")
    some = table[usual] if usual.any() else table
    first = some[(some[keys] == some[keys].iloc[0]).all(axis=1)]
    title = f"{first['op'].iloc[0]} {first['direction'].iloc[0]}"
    section = _section(title, first[first["time_s"].notna()], against)
    return Report(intro=list(run_lines(cells)), blocks=[Block("", [section])], legend=[], problems=[])


def _section(title: str, rows: pd.DataFrame, against: str) -> Section:
    headers = ("widths", "batch", "implementation", "time", f"over {against}", "activation")
    texts: list[tuple[str, ...]] = [
        (
            clean(row.layout),
            f"{row.batch:,}",
            arm_name(row.backend, row.variant, "candidate"),
            "~" * (row.status == "noisy") + seconds_text(row.time_s),
            ratio_text(row.speedup, row.speedup_lo, row.speedup_hi),
            _share_text(row),
        )
        for row in _named(rows)
    ]
    return Section(title, headers, texts, (False, True, False, True, True, True))


def _named(rows: pd.DataFrame) -> Iterator[Any]:
    """Each row with its columns as attributes, of any type, as pandas has them."""
    yield from rows.itertuples(index=False)


def _share_text(row: Any) -> str:
    """``12% [10%, 14%]``."""
    share, low, high = (
        round(value, 4) + 0.0 for value in (row.share, row.share_lo, row.share_hi)
    )  # no -0.0%
    if pd.isna(low):
        return percent_text(share)
    return f"{percent_text(share)} [{percent_text(low)}, {percent_text(high)}]"


if __name__ == "__main__":
    cli.run(main, (ReadError, cli.UsageError, MarkerError))
