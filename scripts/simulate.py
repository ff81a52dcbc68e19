"""Which rules would be right how often? Simulations on recorded noise that chose the constants of the verdicts.

They make up runs from the rounds of recordings, so that the truth is known, and judge them as the suite does: how often
identical arms are called different, and how often differences of 5 and 10 % are found. Besides: what a slow CPU does to
a time, what racing saves, and whether intervals hold what another process shows. It measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.records.reading import ReadError
from scripts._shared.cli import Parser, UsageError, run, writable
from scripts._shared.markers import MarkerError
from scripts._shared.stored import StoredError
from scripts._shared.validation import Study, add_study_options, parsed
from scripts._simulate.condense import condense
from scripts._simulate.coverage import coverage_table
from scripts._simulate.disturbance import CANDIDATES, SUITE, disturbance_table
from scripts._simulate.figures import Figure, markdown
from scripts._simulate.host import host_table
from scripts._simulate.noise import Noise
from scripts._simulate.racing import racing_table
from scripts._simulate.rates import band_table, rate_table, rule_table
from scripts._simulate.recordings import Experiment, experiments, read, write

__all__ = ["main"]

_QUICK, _STANDARD = 16, 40
"""Rounds of an arm in a run of that profile, about."""


@dataclass(frozen=True, slots=True)
class _Table:
    """What is said of a table; `title` where it begins a part of its own, `rows` heads the rows."""

    title: str
    says: str
    rows: str


_TABLES = {
    "disturbance": _Table(
        "Which value of a batch",
        "Standard deviations of what should be 0, in per cent: between a backend and its twin, between two processes "
        "of an arm (per process), and between the rounds of a pair.",
        "value of a batch",
    ),
    "host": _Table(
        "On a host that is slow half of the time",
        "A made-up host, each of whose two CPUs is slow (1.7x) half of the time by itself: by how many per cent a "
        "parallel arm looks slower than a serial one of the same speed, by how long a CPU stays slow.",
        "value of a batch",
    ),
    "rates": _Table(
        "Which verdict how often",
        "How often the rule gives which verdict, in per cent, by rounds in two processes.",
        "rounds",
    ),
    "bands": _Table(
        "", f"The same with {_STANDARD} rounds, by the standard deviation of one round's ratio.", "one round"
    ),
    "rules": _Table("", f"The same with {_QUICK} rounds, under other rules.", "rule"),
    "racing": _Table(
        "What racing saves",
        "What is saved if arms are dropped that are behind the leader by that much beyond three standard errors, after "
        "so many rounds in a process; in per cent.",
        "dropped after",
    ),
    "coverage": _Table(
        "Intervals and another process",
        "How many 95 % intervals that come from two processes hold the ratio that a third one shows, in per cent; "
        "`meant` is how many should, as the third errs, too.",
        "left out",
    ),
}


def _section(figures: Sequence[Figure]) -> str:
    """Each kind of table under its heading, one for each recording."""
    tables: dict[str, list[Figure]] = {}
    for figure in figures:
        tables.setdefault(figure.table, []).append(figure)
    parts, sources = [], dict.fromkeys(name.partition(" ")[2] for name in tables)
    for kind, table in _TABLES.items():
        found = [(source, tables.get(f"{kind} {source}".strip())) for source in sources]
        if table.title and any(each for _, each in found):
            parts.append(f"### {table.title}")
        for source, each in found:
            if each is not None:
                noise = f" Noise of `{source}`." if source else ""
                parts.append(f"{table.says}{noise}\n\n{markdown(each, table.rows)}")
    return "\n\n".join(parts)


_STUDY = Study("simulate", Figure, _section)


def _load(path: Path) -> tuple[str, list[Experiment]]:
    """The name and the experiments of a recording, or of a run."""
    batches = condense([path]) if path.is_dir() else read(path)
    found = experiments(batches)
    if not found:
        raise UsageError(f"{path}: no experiment has two arms with enough rounds; measure longer")
    return path.resolve().name.partition(".")[0], found


def _simulate(paths: Sequence[Path]) -> Iterator[Figure]:
    loaded = [_load(path) for path in paths]
    for name, found in loaded:
        if all((visit.reading > 0).all() for each in found for visit in each.visits):
            yield from disturbance_table(f"disturbance {name}", found)
    yield from host_table("host")
    for name, found in loaded:
        seen = all((visit.reading > 0).all() for each in found for visit in each.visits)
        logs = CANDIDATES[SUITE if seen else "median of parts"](found)
        noise = Noise(found, logs)
        yield from rate_table(f"rates {name}", noise)
        yield from band_table(f"bands {name}", noise, _STANDARD)
        yield from rule_table(f"rules {name}", noise, _QUICK)
        yield from racing_table(f"racing {name}", found, logs)
        if all(len(each.visits) > 2 for each in found):
            yield from coverage_table(f"coverage {name}", found, logs)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, print and keep; 1 if --check finds that the page would change."""
    parser = Parser(
        description=__doc__ or "",
        epilog="""\
examples (the first takes about a minute):
  python scripts/simulate.py results/validation/recordings/quick.csv.gz
  python scripts/simulate.py --read results/validation/simulation --update docs/validation.md --check
  python scripts/simulate.py results/RUN results/RUN2 --keep results/validation/recordings/quick.csv.gz

exit status: 0; 1 if --check finds that the page would change; 2 for anything that cannot be done.
""",
    )
    parser.add_argument(
        "recordings", nargs="*", type=Path, metavar="RECORDING", help="a recording, or a run's folder"
    )
    parser.add_argument(
        "--keep", type=writable, metavar="FILE", help="simulate nothing: make one recording of these runs"
    )
    add_study_options(parser)
    options = parsed(parser, argv)
    _STUDY.check(options)
    if options.read is not None:
        if options.update is not None:
            return _STUDY.page(options)
        print(_section(_STUDY.read(options)))
        return 0
    if not options.recordings:
        parser.error("name a recording or a run's folder, or --read DIR")
    if options.keep is not None:
        write(options.keep, condense(options.recordings))
        return 0
    figures = list(_simulate(options.recordings))
    print(_section(figures))
    options.recordings = ", ".join(path.resolve().name for path in options.recordings)
    _STUDY.keep(figures, options)
    return 0


if __name__ == "__main__":
    run(main, (UsageError, ReadError, MarkerError, StoredError))
