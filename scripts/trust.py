"""How often does the suite report a difference that is none, and how often does it miss one?

Runs many experiments on arms whose true ratio is known: the same backend again (any verdict but `tie` is a false
alarm), and the same backend slowed by 10 % and by 5 % (anything but `slower` is a miss). Prints how often each verdict
was right, with a 95 % interval that takes the experiments for independent.
"""

from __future__ import annotations

import csv
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from tabulate import tabulate

from bench.plan.experiments import Arm, Experiment, Variant, cases, weight
from bench.plan.options import OptionError, parse
from bench.plan.profiles import PROFILES
from bench.records.schema import CELL_COLUMNS, Cell, values_of
from bench.run import experiment as measuring
from bench.run.pool import ProcessPool
from bench.run.rows import Stamp, cells_of
from scripts._plugins import slowed
from scripts._shared.cli import Parser, UsageError, count, run, writable
from scripts._shared.markers import MarkerError
from scripts._shared.stored import StoredError
from scripts._shared.validation import Study, add_study_options

__all__ = ["main"]

_PLUGIN = {"planted": f"{slowed.__name__}:Slowed"}
_TRUTHS = {"again": "tie", "slower5": "slower", "slower10": "slower"}
_BASES = "numpy_ufunc,numba_jit,torch_eager,numba_parallel"
_LEAST = {"again": 0.95, "slower10": 0.80, "slower5": 0.80}
"""The rates that the project promises; the last one at the full profile only."""
_EVERY = {"again": "0", "slower5": "20", "slower10": "10"}


def _arms(base: str) -> tuple[Arm, ...]:
    def arm(role: str, name: str) -> Arm:
        environ = (("RELU_BENCH_PLANT_BASE", base), ("RELU_BENCH_PLANT_EVERY", _EVERY.get(name, "0")))
        return Arm("planted", role, Variant(name, environ))

    planted = [arm("candidate", name) for name in _TRUTHS]
    return (arm("baseline", base), *planted, arm("twin", base))


def _experiments(bases: Sequence[str], sizes: str, repeats: int) -> Iterator[tuple[str, Experiment]]:
    grids = parse({"sizes": sizes}).grids
    for base in bases:
        for case in cases(grids):
            for _ in range(repeats):
                yield base, Experiment(case, _arms(base))


_USUAL_ARMS = 10.4
"""Of an experiment of the profiles: ten, and the floor with its short batches."""
_ROUNDS_SHARE = 0.78
"""Of a quick run's time; the rest goes into preparing and last looks."""


def _limits(profile_name: str, experiment: Experiment) -> measuring.Limits:
    """What the profile gives an experiment of that size, scaled to the arms that take part here."""
    profile = PROFILES[profile_name]
    all_weights = sum(weight(Experiment(case, ())) for case in cases(profile.grids))
    share = weight(experiment) / all_weights * len(experiment.arms) / _USUAL_ARMS
    return measuring.Limits.of(profile, profile.seconds * _ROUNDS_SHARE * share)


Found = list[tuple[str, Cell]]
"""Cells with the backend that their arms were planted on."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict on an arm whose truth is known."""

    base: str
    experiment: str
    n: int
    arm: str
    verdict: str
    speedup: float
    noise_floor: float


def _judged(base: str, experiment: Experiment, cell: Cell) -> Judged:
    figures = (math.nan if value is None else value for value in (cell.speedup, cell.noise_floor))
    return Judged(base, experiment.label, experiment.case.n, cell.variant, cell.verdict, *figures)


_HEADERS = ("arm", "experiments", "verdict wanted", "came out so", "95 % interval", "median speed-up")
_ARMS = {"again": "the same backend again", "slower5": "slowed by 5 %", "slower10": "slowed by 10 %"}


def _rates(judged: Sequence[Judged]) -> dict[str, tuple[float, tuple[str, ...]]]:
    """Of each arm that has verdicts: the share that is right, and its row of text."""
    from bench.stats.significance import rate_interval  # noqa: PLC0415  # SciPy, once all is measured

    rates: dict[str, tuple[float, tuple[str, ...]]] = {}
    for arm, truth in _TRUTHS.items():
        mine = [each for each in judged if each.arm == arm]
        if not mine:
            continue
        hits = sum(each.verdict == truth for each in mine)
        lo, hi = rate_interval(hits, len(mine))
        ratio = statistics.median(each.speedup for each in mine)
        row = (_ARMS[arm], str(len(mine)), truth, f"{100 * hits / len(mine):.1f} %")
        rates[arm] = (hits / len(mine), (*row, f"{100 * lo:.1f} to {100 * hi:.1f} %", f"{ratio:.3f}x"))
    return rates


def _section(judged: Sequence[Judged]) -> str:
    rows = [row for _, row in _rates(judged).values()]
    return tabulate(rows, headers=_HEADERS, tablefmt="github", disable_numparse=True)


_STUDY = Study("trust", Judged, _section)


def _measure(
    chosen: Sequence[tuple[str, Experiment]], profile: str, console: Console
) -> tuple[Found, list[Judged]]:
    found: Found = []
    judged: list[Judged] = []
    stamp = Stamp("trust", "here", "", 0.02)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(f"{len(chosen)} experiments", total=len(chosen))
        pools: dict[str, ProcessPool] = {}
        for number, (base, experiment) in enumerate(chosen):
            if base not in pools:
                for pool in pools.values():
                    pool.close()
                pools = {base: ProcessPool(_PLUGIN, cell_timeout=120.0)}
            limits = _limits(profile, experiment)
            states = measuring.run(experiment, pools[base], limits, seed=number).states
            cells = cells_of(experiment, states, stamp)
            mine = [cell for cell in cells if cell.variant in _TRUTHS]
            found += [(base, cell) for cell in mine]
            judged += [_judged(base, experiment, cell) for cell in mine if cell.verdict]
            bar.advance(task)
        for pool in pools.values():
            pool.close()
    return found, judged


def _write(path: Path, found: Found) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["base", *CELL_COLUMNS])
        writer.writerows([base, *values_of(cell).values()] for base, cell in found)


_EPILOG = """\
It measures for long, on a machine that does nothing else.

examples:
  python scripts/trust.py
  python scripts/trust.py --profile full --bases numpy_ufunc --csv verdicts.csv
  python scripts/trust.py --save results/validation/trust --update docs/validation.md
  python scripts/trust.py --read results/validation/trust --update docs/validation.md --check

exit status: 0; 1 if the rates are worse than the project promises, or if --check finds that the page would change;
2 for anything that cannot be done.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the experiments; 0 if the rates are as good as the project promises, else 1."""
    parser = Parser(
        description=__doc__ or "",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--profile", choices=tuple(PROFILES), default="quick", help="whose time limits are used"
    )
    parser.add_argument("--bases", default=_BASES, help=f"backends, a comma list (default {_BASES})")
    parser.add_argument("--sizes", default="1Ki,32Ki,1Mi,16Mi", help="element counts, as for pytest bench/")
    parser.add_argument("--repeats", type=count, default=1, help="experiments for each case and base")
    parser.add_argument("--csv", type=writable, help="write every cell there")
    add_study_options(parser)
    options = parser.parse_args(argv)
    _STUDY.check(options)
    if options.read is not None:
        return (
            _told(_STUDY.read(options), options.profile) if options.update is None else _STUDY.page(options)
        )
    console = Console(stderr=True)
    try:
        bases = parse({"backends": options.bases}).backends
        chosen = list(_experiments(bases, options.sizes, options.repeats))
    except OptionError as error:
        raise UsageError(str(error).replace("--backends", "--bases")) from error
    begin = time.monotonic()
    found, judged = _measure(chosen, options.profile, console)
    if options.csv:
        _write(options.csv, found)
    _STUDY.keep(judged, options)
    status = _told(judged, options.profile)
    print(f"{len(chosen)} experiments in {time.monotonic() - begin:.0f} s")
    return status


def _told(judged: Sequence[Judged], profile: str) -> int:
    """Print the table; 0 if the rates are as good as promised, else 1."""
    print(f"{profile} profile\n\n{_section(judged)}\n")
    promised = {arm: least for arm, least in _LEAST.items() if arm != "slower5" or profile == "full"}
    return int(any(rate < promised.get(arm, 0.0) for arm, (rate, _) in _rates(judged).items()))


if __name__ == "__main__":
    run(main, (UsageError, StoredError, MarkerError))
