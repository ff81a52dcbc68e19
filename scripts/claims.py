"""What introductory articles say of ReLU and LeakyReLU, put to the test.

Five claims, each in parts: an experiment, what it measured over several seeds, a threshold, and a verdict that is
counted from the figures. Everything but the timings is deterministic: NumPy's random numbers from the seeds, torch
on the CPU in float32 with deterministic algorithms on one thread, whatever the machine has. (Another kind of
processor, or another version of torch, may round differently; environment.json says which made the figures.)
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bench.machine.environment import describe
from bench.records.schema import RUN_FILES
from scripts._claims.catalogue import CATALOGUE
from scripts._claims.figures import as_svg
from scripts._claims.model import RULES, Claim, Part, Point
from scripts._claims.stored import Measured, claims_csv, read, texts
from scripts._claims.table import as_markdown, as_report
from scripts._shared import cli
from scripts._shared.markers import MarkerError, replaced, update
from scripts._shared.render import to_terminal
from scripts._shared.stored import StoredError, write_files, write_text

__all__ = ["main", "measure"]

_FORMATS = ("terminal", "markdown", "csv")
_FEWEST = 2
"""Seeds at least: one has no spread."""
_SEEDS = 10
"""Seeds where nobody says how many."""
_MOST = 100
"""Seeds at most, so that a slip of the finger does not start a run of hours."""
_FOLDER = Path("results/article")
_EPILOG = f"""\
claims:
{chr(10).join(f'  {key:11} "{entry.quote}"' for key, entry in CATALOGUE.items())}

verdicts:
{chr(10).join(f"  {rule}" for rule in RULES)}

examples:
  python scripts/claims.py
  python scripts/claims.py --only dead,leaky --seeds 20
  python scripts/claims.py --format csv --output claims.csv
  python scripts/claims.py --figures figures/       # figures, their numbers, claims.csv, environment.json
  python scripts/claims.py --update docs/article.md # the page, and results/article/
  python scripts/claims.py --read results/article --update docs/article.md --check

exit status: 0, whatever the verdicts; 1 if --check finds that the page would change; 2 for what cannot be done.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises UsageError, StoredError or MarkerError, each of one line.
    """
    options = _parse(argv)
    _check(options)
    if options.read is not None:
        measured = read(options.read)
    else:
        measured = measure(options.only, options.seeds, Console(stderr=True))
    if options.update is not None:
        return _update(options, measured)
    if options.figures is not None:
        _write_folder(options.figures, measured)
    if options.format == "terminal":
        report = as_report(measured.claims, _intro(measured))
        if options.output is None:
            to_terminal(report)
        else:
            with options.output.open("w", encoding="utf-8") as file:
                to_terminal(report, file)
        return 0
    text = claims_csv(measured.claims)
    if options.format == "markdown":
        text = as_markdown(measured.claims, _intro(measured), _link(options.figures, options.output))
    if options.output is None:
        sys.stdout.write(text)
    else:
        write_text(options.output, text)
    return 0


def _update(options: argparse.Namespace, measured: Measured) -> int:
    text = as_markdown(measured.claims, _intro(measured), _link(options.figures, options.update))
    if not options.check:
        _write_folder(options.figures, measured)
    return update(options.update, text, "claims", check=options.check)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    keys = tuple(CATALOGUE)
    parser.add_argument(
        "--only",
        type=cli.comma_list(keys),
        metavar="A,B",
        help=f"which claims: {', '.join(keys)} (default: all)",
    )
    parser.add_argument("--seeds", type=_seeds, metavar="N", help="how many seeds (default 10)")
    parser.add_argument("--format", type=cli.one_of(_FORMATS), metavar="F", help=", ".join(_FORMATS))
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there, not to standard output")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="write SVG figures and all numbers there")
    parser.add_argument(
        "--update",
        type=Path,
        metavar="FILE",
        help=f"put the markdown between the markers in FILE; figures go to --figures, else --read, else {_FOLDER}",
    )
    parser.add_argument(
        "--read", type=Path, metavar="DIR", help="measure nothing; take what --figures DIR has written"
    )
    parser.add_argument(
        "--check", action="store_true", help="with --read and --update: write nothing, only tell"
    )
    options = parser.parse_args(argv)
    if options.check and (options.read is None or options.update is None):
        parser.error("--check needs --read DIR, what was measured, and --update FILE, the page to check")
    if options.read is not None and (options.only is not None or options.seeds is not None):
        parser.error("--read measures nothing and takes all that was measured; leave out --only and --seeds")
    if options.update is not None:
        if options.format not in (None, "markdown") or options.output is not None:
            parser.error("--update writes markdown into its own file; leave out --format and --output")
        if options.only is not None:
            parser.error("--update needs all claims; leave out --only")
        options.figures = options.figures or options.read or _FOLDER
    options.format = options.format or "terminal"
    options.only = options.only or keys
    options.seeds = options.seeds or _SEEDS
    return options


def _seeds(text: str) -> int:
    seeds = cli.count(text)
    if not _FEWEST <= seeds <= _MOST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is too {'few' if seeds < _FEWEST else 'many'}; allowed: {_FEWEST} to {_MOST}"
        )
    return seeds


def _check(options: argparse.Namespace) -> None:
    """Before a minute of measuring: what will be written can be, and what is needed is installed."""
    wanted = {} if options.read is not None else {"torch": "torch"}
    if options.figures is not None and not options.check:
        wanted |= {"altair": "altair", "vl_convert": "vl-convert-python"}
    missing = [package for module, package in wanted.items() if find_spec(module) is None]
    if missing:
        raise cli.UsageError(f"not installed: {', '.join(missing)}; pip install {' '.join(missing)}")
    try:
        if options.update is not None:
            replaced(options.update.read_bytes(), "", str(options.update), "claims")
        if options.figures is not None and not options.check:
            options.figures.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cli.UsageError(f"{error.filename}: {error.strerror}; name another place") from error
    for file in (options.output, None if options.check else options.update, options.figures):
        if file is not None:
            _check_writable(file, directory=file is options.figures)


def _check_writable(path: Path, *, directory: bool) -> None:
    if path.name in RUN_FILES and path.exists():
        raise cli.UsageError(f"{path}: a file of a run; name another, to keep it")
    if path.is_dir() and not directory:
        raise cli.UsageError(f"{path}: is a directory; name a file in it")
    holder = path if directory else path.parent
    if not holder.is_dir():
        raise cli.UsageError(f"{path}: {holder} is not a directory; make it, or name another place")
    if not os.access(holder, os.W_OK):
        raise cli.UsageError(f"{path}: {holder} cannot be written; name another place")


def measure(only: Sequence[str], seeds: int, console: Console) -> Measured:
    """Run the experiments of the claims named in `only` on seeds 0, 1, ...; progress goes to `console`."""
    from scripts._claims.jobs import JOBS  # noqa: PLC0415  # imports torch, which --help does without

    environment = describe({"only": list(only), "seeds": seeds})
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    claims: list[Claim] = []
    points: dict[str, list[Point]] = {}
    with bar:
        task = bar.add_task("claims", total=sum(job.weight for key in only for job in JOBS[key]))
        for key in only:
            parts: list[Part] = []
            for job in JOBS[key]:
                bar.update(task, description=key)
                outcome = job.run(range(seeds))
                parts += outcome.parts
                for name, found in outcome.points.items():
                    points.setdefault(name, []).extend(found)
                bar.advance(task, job.weight)
            entry = CATALOGUE[key]
            claims.append(Claim(key, entry.quote, entry.literature, tuple(parts)))
    return Measured(claims, points, environment)


def _intro(measured: Measured) -> list[str]:
    there = measured.environment
    return [
        f"{there['options']['seeds']} seeds; {there['machine']}, torch {there['packages']['torch']}, one thread, "
        f"float32, {there['started_utc']}."
    ]


def _link(figures: Path | None, file: Path | None) -> str | None:
    """The folder `figures` as seen from `file`; None if no figures were asked for."""
    if figures is None:
        return None
    return Path(os.path.relpath(figures, file.parent if file is not None else Path())).as_posix()


def _write_folder(folder: Path, measured: Measured) -> None:
    files = {f"{name}.svg": as_svg(name, found) for name, found in measured.points.items()}
    write_files(folder, files | texts(measured))


if __name__ == "__main__":
    cli.run(main, (cli.UsageError, MarkerError, StoredError))
