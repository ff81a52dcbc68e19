"""The options of what a run on a card finds out about the suite itself, and the settings that follow from them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bench.plan.experiments import Experiment
from bench.plan.options import OptionError, parse
from bench.plan.settings import Settings
from bench.plugin.terminating import as_interrupt
from bench.records.schema import Cell
from scripts._shared import cli
from scripts._shared.fresh import measured

__all__ = ["cells_of", "options", "settings_of"]

_EPILOG = "`scripts/card.py` runs it as one of its steps."


def options(what: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, parsed: device, base, minutes, json, plugin."""
    parser = cli.Parser(description=what, epilog=_EPILOG)
    parser.add_argument("--device", type=cli.device, default="cuda", help="cuda (the default), cuda:1 …, cpu")
    parser.add_argument("--base", required=True, metavar="BACKEND", help="what all arms are made of")
    parser.add_argument(
        "--minutes", type=cli.number(0.1, 1440), default=1.0, help="for all of it (default 1)"
    )
    parser.add_argument("--json", type=cli.writable, required=True, metavar="FILE", help="what was found")
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="MODULE:CLASS", help="where it comes from"
    )
    return parser.parse_args(argv)


def settings_of(given: argparse.Namespace) -> Settings:
    """Those of a run with these arms, on the device, in so many minutes.  Raises UsageError."""
    words = {"backends": given.base, "baseline": given.base, "minutes": given.minutes, "plugin": given.plugin}
    try:
        return parse({"profile": "card", "devices": given.device, **words})
    except OptionError as error:
        raise cli.UsageError(str(error)) from error


def cells_of(settings: Settings, chosen: Sequence[Experiment]) -> Sequence[Cell]:
    """The cells of these experiments; of those that there was time for, where Ctrl-C or SIGTERM ends the measuring."""
    with as_interrupt():
        return measured(settings, chosen, interruptible=True).cells
