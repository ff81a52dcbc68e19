"""A CUDA card in ten minutes: is every backend right on it, how fast is each, and can the suite be believed there?

Eight steps, the most useful first, each a process with a limit of its own: the doctor for cards, crosscheck, pytest
bench/ with the profile `card`, arms that cheat, an A/A, a sweep of our kernels' parameters, tables, a page. Whatever
fails costs its own step and is in the report. Nothing is installed, and nothing is fetched.
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # started by its path: Python looks beside this file, and not where the checkout is
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import argparse
import json
import os
import re
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.plugin.terminating import as_interrupt
from scripts._card import packages
from scripts._card.asked import Asked, environ
from scripts._card.course import DONE, INTERRUPTED, LEFT_OUT, Outcome, carry_out
from scripts._card.packing import free_folder, pack, sizes
from scripts._card.report import handed_on, sizes_text, write
from scripts._card.steps import STEPS
from scripts._shared import cli, nvidia_smi

__all__ = ["main"]

_PACKING_S = 10.0
"""Seconds that are set aside for the report and for packing."""
_LEAST_MINUTES = 2.0
"""With less there is no time for any step that asks the card something."""
_EPILOG = """\
DIR/CARD is the folder that is ready for results/reference/: report.md and report.json, the run's files, tables and
page, doctor.json, crosscheck.csv, integrity.json, same.json, sweep.json and logs.txt. One that is there is left alone.

With --devices cpu the CPU stands in for a card: the same steps, a rehearsal of which no figure is kept.

examples:
  python scripts/card.py
  python scripts/card.py --minutes 5 --devices cuda:1
  python scripts/card.py --python /opt/venv/bin/python --output /tmp/card
  python scripts/card.py --devices cpu --minutes 3

exit status: 0; 1 if a step found problems, failed or ran out of time, or none was made; 2 for anything that cannot be
done; 130 for Ctrl-C.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.  Raises UsageError."""
    options = _parse(argv)
    until = time.monotonic() + 60 * options.minutes
    asked = _asked(options)
    began = datetime.now(UTC)
    _say(
        f"{asked.device}, at most {options.minutes:g} minutes, in {asked.python}; the folder: {asked.folder}"
    )
    for line in asked.lacking.values():
        _say(f"missing: {line}: {asked.python} -m pip install '{line}'")
    with as_interrupt():
        outcomes = carry_out(asked, STEPS, until - _PACKING_S, _say)
    _hand_on(asked, outcomes, began)
    if any(each.status == INTERRUPTED for each in outcomes):
        return 130
    well = [each.status for each in outcomes if each.status in (DONE, LEFT_OUT)]
    return int(len(well) < len(outcomes) or DONE not in well)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument(
        "--devices",
        type=cli.device,
        default="cuda",
        metavar="DEVICE",
        help="cuda (the default), cuda:1 … or cpu",
    )
    parser.add_argument(
        "--minutes",
        type=cli.number(_LEAST_MINUTES, 1440),
        default=10.0,
        metavar="M",
        help="for everything (default 10); with less, steps are left out from the end, and up to 8 the largest arrays",
    )
    parser.add_argument(
        "--python",
        default=sys.executable,
        metavar="PATH",
        help="the interpreter of all steps (default: this one)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("results/card"), metavar="DIR", help="(default results/card)"
    )
    parser.add_argument("--backends", default="", metavar="A,B", help="default: all that serve the device")
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="a backend of your own; may be given again",
    )
    parser.add_argument(
        "--baseline",
        default="",
        metavar="NAME",
        help="what speed-ups are over (default: the first usual one that runs)",
    )
    return parser.parse_args(argv)


def _asked(options: argparse.Namespace) -> Asked:
    lacking = _lacking(options.python, options.devices)
    folder = free_folder(options.output.resolve(), _name_of(options.devices))
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise cli.UsageError(
            f"--output {options.output}: {error.strerror}; name a folder to write to"
        ) from error
    return Asked(
        device=options.devices,
        minutes=options.minutes,
        python=options.python,
        folder=folder,
        backends=options.backends,
        plugins=tuple(options.plugin),
        baseline=options.baseline,
        lacking=lacking,
    )


def _name_of(device: str) -> str:
    """What the folder is called: ``nvidia-h200``, ``card`` where the driver does not tell, ``cpu-rehearsal``."""
    if device == "cpu":
        return "cpu-rehearsal"
    name = nvidia_smi.ask(["name"], device).get("name", "")
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "card"


def _lacking(python: str, device: str) -> dict[str, str]:
    """What the interpreter lacks.  Raises UsageError where it is none that can be used."""
    try:
        done = subprocess.run(
            [python, "-m", packages.__name__, device],
            env=environ(os.environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = "took over 60 s to start" if isinstance(error, subprocess.TimeoutExpired) else error.strerror
        raise cli.UsageError(f"--python {python}: {why}; name a Python 3.11 or newer") from error
    try:
        return dict(json.loads(done.stdout))
    except (TypeError, ValueError, RecursionError):
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise cli.UsageError(
            f"--python {python}: cannot run this suite, it said: {said}; name a Python 3.11 or newer"
        ) from None


def _hand_on(asked: Asked, outcomes: Sequence[Outcome], began: datetime) -> None:
    """The report, the folder's few files, and what to do with it."""
    write(asked, outcomes, pack(asked.folder), began)
    print(f"{sizes_text(sizes(asked.folder))}. {handed_on(asked)}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    cli.run(main, (cli.UsageError,))
