"""Which estimator errs least when nothing differs?

Every experiment of a run has one implementation twice, in processes of their own: the second is the twin. Their true
ratio is 1, so any other ratio is an error. This compares the minimum, the lower quartile, the median and the trimmed
mean, each in two ways: the ratio of the two estimates (apart), and the estimate of the ratios of each round (paired).
It reads a run and measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from bench.records.reading import ReadError, read_rounds
from bench.stats.counted import paired
from bench.stats.estimates import ESTIMATORS
from bench.stats.fastest import COMPETING
from bench.stats.frames import timed
from bench.text.sizes import format_size
from kernels.api import AXES
from scripts._shared.cli import Parser, UsageError, run
from scripts._shared.markers import MarkerError, update
from scripts._shared.validation import add_page_options

__all__ = ["errors", "main"]

_LEAST_ROUNDS = 4
"""With fewer the estimators hardly differ."""


def _pairs(rounds: pd.DataFrame) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """(n, an arm's seconds, its twin's seconds) of each experiment, round by round."""
    found = []
    arms = rounds[rounds["role"].isin((*COMPETING, "twin"))]
    for _, same in arms.groupby(["run_id", *AXES, "backend", "variant"], observed=True, sort=False):
        is_twin = same["role"] == "twin"
        seconds = paired(timed(same[~is_twin]), timed(same[is_twin]))
        if len(seconds) >= _LEAST_ROUNDS:
            found.append((int(same["n"].iloc[0]), seconds[:, 0], seconds[:, 1]))
    return found


def errors(rounds: pd.DataFrame) -> pd.DataFrame:
    """One row for each experiment, estimator and way (`apart`, `paired`): |log ratio|, as `error`."""
    rows = []
    for n, arm, twin in _pairs(rounds):
        for name, estimator in ESTIMATORS.items():
            apart = abs(float(np.log(estimator(arm)) - np.log(estimator(twin))))
            paired = abs(float(estimator(np.log(arm) - np.log(twin))))
            rows += [(n, name, "apart", apart), (n, name, "paired", paired)]
    return pd.DataFrame(rows, columns=["n", "estimator", "way", "error"])


def _table(found: pd.DataFrame) -> pd.DataFrame:
    groups = found.groupby(["estimator", "way"], sort=False)["error"]
    table = pd.DataFrame({"median": groups.median(), "p90": groups.quantile(0.9)})
    for n in sorted(found["n"].unique()):
        table[f"median at {format_size(int(n))}"] = (
            found[found["n"] == n].groupby(["estimator", "way"], sort=False)["error"].median()
        )
    return (100 * table).sort_values("median").reset_index()


def _markdown(table: pd.DataFrame) -> str:
    return tabulate(table.to_dict("list"), headers="keys", tablefmt="github", showindex=False, floatfmt=".2f")


def _section(names: Sequence[str], pairs: int, found: pd.DataFrame) -> str:
    over_all = _table(found)[["estimator", "way", "median", "p90"]]
    headers = {"median": "median error, %", "p90": "90th percentile, %"}
    intro = f"From the rounds of {', '.join(names)}: {pairs} pairs of identical arms."
    return f"{intro}\n\n{_markdown(over_all.rename(columns=headers))}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, or write it into a page; 1 if --check finds that the page would change."""
    parser = Parser(
        description=__doc__ or "",
        epilog="""\
examples:
  python scripts/estimators.py results/reference/amd-epyc-2c
  python scripts/estimators.py results/reference/amd-epyc-2c --update docs/validation.md --check

exit status: 0; 1 if --check finds that the page would change; 2 for anything that cannot be done.
""",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders with a rounds.csv")
    add_page_options(parser)
    options = parser.parse_args(argv)
    if options.check and options.update is None:
        parser.error("--check needs --update FILE, the page to check")
    found = errors(read_rounds([run / "rounds.csv" for run in options.runs]))
    if found.empty:
        raise UsageError(f"no experiment has a twin and {_LEAST_ROUNDS} rounds of it; measure longer")
    pairs = found.groupby(["estimator", "way"]).size().iloc[0]
    if options.update is not None:
        names = [run.resolve().name for run in options.runs]
        return update(options.update, _section(names, pairs, found), "estimators", check=options.check)
    print(f"{pairs} pairs of identical arms; errors in per cent\n")
    print(_markdown(_table(found)))
    return 0


if __name__ == "__main__":
    run(main, (UsageError, ReadError, MarkerError))
