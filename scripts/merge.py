"""One run of several: the shards that machines or jobs measured of it; or is what somebody sends sound?"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

from bench.records.errors import RunFilesError
from bench.records.find_runs import find_runs
from bench.records.reading import ReadError
from bench.records.writing import RunFiles
from bench.text.units import count_text
from scripts._merge.parts import Part, joined, merged_environment, read_part
from scripts._merge.soundness import faults
from scripts._shared import cli

__all__ = ["main"]

_EPILOG = """\
RUN is a run's directory, or the id of a run under --results. `pytest bench/ --shard 3/16 --run-id shard-3` measures one
of 16 parts, each of whole experiments. Cells that came twice are kept once; cells of one name with different figures,
and runs of different machines or versions, are refused. No file is changed; the merged run is a new directory.

--check writes nothing. It says whether what is there agrees with itself: rounds that give the times, intervals, ratios
and verdicts of their cells once more, gates passed, a fingerprint and versions that the rows share, no cell faster than
a copy. It cannot tell what was left out, or made up with care.

examples:
  python scripts/merge.py --check received/their-machine
  python scripts/merge.py shard-1 shard-2 shard-3 --output results/whole

exit status: 0; 1 if --check finds a fault; 2 for anything that cannot be done.
"""
_MOST_FAULTS = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.  Raises ReadError or UsageError, each of one line."""
    options = _parse(argv)
    parts = [read_part(path) for path in find_runs(options.run, options.results)]
    if options.check:
        return max(_checked(part) for part in parts)
    return _merge(parts, options.output)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument("run", nargs="+", metavar="RUN", help="what to join, or to look at")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="where runs lie")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--output", type=Path, metavar="DIR", help="the merged run; must not be there yet")
    wanted.add_argument(
        "--check", action="store_true", help="write nothing, only tell whether runs are sound"
    )
    return parser.parse_args(argv)


def _merge(parts: Sequence[Part], output: Path) -> int:
    if output.exists():
        raise cli.UsageError(f"--output {output}: is there already; name a directory that is not")
    cells, twice = joined(parts, output.name)
    environment = merged_environment(parts)
    files = RunFiles(output)
    try:
        files.open()
        files.write_environment(environment)
        for _, group in itertools.groupby(cells.values(), key=lambda whole: whole.cell.case):
            wholes = list(group)
            rounds = [each for whole in wholes for each in whole.rounds]
            files.append(
                [whole.cell for whole in wholes], rounds, [c for whole in wholes for c in whole.compiles]
            )
    except RunFilesError as error:
        raise cli.UsageError(f"--output: {error}") from error
    again = f", {count_text(twice, 'cell')} came twice" if twice else ""
    print(f"{output}: {count_text(len(cells), 'cell')} of {count_text(len(parts), 'run')}{again}")
    return 0


def _checked(part: Part) -> int:
    found = list(faults(part))
    for line in found[:_MOST_FAULTS]:
        print(f"{part.path}: {line}")
    if len(found) > _MOST_FAULTS:
        print(f"{part.path}: and {len(found) - _MOST_FAULTS} more")
    verdict = count_text(len(found), "fault") if found else "sound, as far as its files tell"
    print(f"{part.path}: {count_text(len(part.cells), 'cell')}, {verdict}")
    return 1 if found else 0


if __name__ == "__main__":
    cli.run(main, (ReadError, cli.UsageError))
