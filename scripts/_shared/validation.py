"""Measurements of the suite itself: kept under results/validation/, shown in docs/validation.md.

A script that makes one measures, keeps its rows with --save, and writes its section of the page with --update:
at once, or later from what was kept, with --read.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bench.text.commands import command_line
from scripts._shared.cli import Parser, UsageError
from scripts._shared.markers import replaced, update
from scripts._shared.stored import (
    ENVIRONMENT,
    StoredError,
    described,
    read_texts,
    rows_from,
    rows_text,
    write_files,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "NOT_MEASURED",
    "Study",
    "add_page_options",
    "add_study_options",
    "measured_where",
    "parsed",
]

NOT_MEASURED = "Not measured with this code yet."
_ROWS = "measured.csv"
_NO_OPTIONS = {"save", "read", "update", "check", "csv", "peer", "installs", "keep"}
"""Places, and not what was measured."""
_READING = {"--read", "--save", "--update", "--check", "--heard"}
"""What may stand beside --read, or is told by itself that it may not; all others say what is measured."""
Row = TypeVar("Row", bound="DataclassInstance")


def add_page_options(parser: argparse.ArgumentParser) -> None:
    """--update and --check, for a script that writes a section of a page."""
    parser.add_argument(
        "--update", type=Path, metavar="FILE", help="put the table between this script's markers in FILE"
    )
    parser.add_argument("--check", action="store_true", help="with --update: write nothing, only tell")


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """--save, --read, --update and --check."""
    parser.add_argument("--save", type=Path, metavar="DIR", help="keep what was measured in DIR")
    parser.add_argument("--read", type=Path, metavar="DIR", help="measure nothing; take what --save DIR kept")
    add_page_options(parser)


def parsed(parser: Parser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of a study.  Those that would change nothing, beside --read, end the program with status 2."""
    options = parser.parse_args(argv)
    idle = [name for name in parser.given(options) if name not in _READING]
    if options.read is not None and idle:
        parser.error(f"--read measures nothing, it takes what was measured: leave out {', '.join(idle)}")
    return options


@dataclass(frozen=True, slots=True)
class Study(Generic[Row]):
    """What one script measures of the suite: rows of `kind`, and the markdown that `section` makes of them.

    `name` is that of the script and of its markers.  A script that measures under several conditions keeps each in a
    folder of its own within that of --save, which `part` names by the rows; its section has them all.
    """

    name: str
    kind: type[Row]
    section: Callable[[Sequence[Row]], str]
    part: Callable[[Sequence[Row]], str] = lambda _: ""

    def read(self, options: argparse.Namespace) -> list[Row]:
        """The rows that --read names.  Raises StoredError."""
        return [row for folder in _folders(options.read) for row in self._load(folder)[0]]

    def check(self, options: argparse.Namespace) -> None:
        """Before an hour of measuring: can what the options ask for be done?  Raises UsageError or MarkerError."""
        if options.read is not None and options.save is not None:
            raise UsageError("--read measures nothing that could be kept; leave out --save")
        if options.check and (options.read is None or options.update is None):
            raise UsageError("--check needs --read DIR, what was measured, and --update FILE, the page")
        if options.save is not None and options.save.exists() and not options.save.is_dir():
            raise UsageError(f"--save {options.save}: is a file; name a folder")
        if options.update is not None:
            try:
                replaced(options.update.read_bytes(), "", str(options.update), self.name)
            except OSError as error:
                raise UsageError(f"--update {options.update}: {error.strerror}; name the page") from error

    def save(self, rows: Sequence[Row], options: argparse.Namespace) -> None:
        """What --save asks for, of rows that were measured just now; nothing without it or without rows."""
        if options.save is not None and rows:
            text = json.dumps(_environment(options), indent=1, ensure_ascii=False) + "\n"
            folder = options.save / self.part(rows)
            write_files(folder, {_ROWS: rows_text(self.kind, rows), ENVIRONMENT: text})

    def keep(self, rows: Sequence[Row], options: argparse.Namespace) -> None:
        """What --save and --update ask for, of rows that were measured just now."""
        self.save(rows, options)
        if options.update is not None:
            found = [(rows, _environment(options))] if options.save is None else self.kept(options.save)
            update(options.update, self._text(found), self.name, check=False)

    def carry_out(
        self,
        options: argparse.Namespace,
        measured: Callable[[argparse.Namespace], Iterable[Sequence[Row]]],
        told: Callable[[Sequence[Row]], int],
        nothing: str,
    ) -> int:
        """All that a script does which measures part by part; its exit status, that of `told` on all rows.

        What came so far is kept after each part.  Raises UsageError with `nothing` where no row came.
        """
        self.check(options)
        if options.read is not None:
            return told(self.read(options)) if options.update is None else self.page(options)
        found: list[Row] = []
        for more in measured(options):
            found += more
            self.save(found, options)
        if not found:
            raise UsageError(nothing)
        self.keep(found, options)
        return told(found)

    def page(self, options: argparse.Namespace) -> int:
        """Write or check the section from --read; returns the exit status.  Nothing kept yet is said there."""
        if not options.read.exists():
            command = command_line("python", f"scripts/{self.name}.py", "--save", options.read)
            text = f"{NOT_MEASURED} The command: `{command}`."
            return update(options.update, text, self.name, check=options.check)
        return update(options.update, self._text(self.kept(options.read)), self.name, check=options.check)

    def kept(self, folder: Path) -> list[tuple[Sequence[Row], Mapping[str, Any]]]:
        """The parts that --save kept there, each with its environment.  Raises StoredError."""
        return [self._load(each) for each in _folders(folder)]

    def _load(self, folder: Path) -> tuple[Sequence[Row], Mapping[str, Any]]:
        remedy = "run " + command_line(f"{self.name}.py", "--save", folder)
        table, environment = read_texts(folder, (_ROWS, ENVIRONMENT), remedy)
        try:
            rows, where = rows_from(self.kind, table), json.loads(environment)
            measured_where(where)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, csv.Error) as error:
            told = f"{type(error).__name__} {error}"
            raise StoredError(
                f"{folder}: not what {self.name}.py --save writes ({told}); {remedy}"
            ) from error
        if not rows:
            raise StoredError(f"{folder / _ROWS}: no row; {remedy}")
        return rows, where

    def _text(self, found: Sequence[tuple[Sequence[Row], Mapping[str, Any]]]) -> str:
        return "\n\n".join(
            f"{measured_where(environment)}\n\n{self.section(rows)}" for rows, environment in found
        )


def _folders(kept: Path) -> list[Path]:
    """Those within `kept` that hold a part each; itself where there are none."""
    return sorted(path.parent for path in kept.glob(f"*/{_ROWS}")) or [kept]


def _environment(options: argparse.Namespace) -> dict[str, Any]:
    return described({name: value for name, value in vars(options).items() if name not in _NO_OPTIONS})


def measured_where(environment: Mapping[str, Any]) -> str:
    """Machine, time, commit and options of a part, in a sentence."""
    options = ", ".join(f"{name} {_plain(value)}" for name, value in environment["options"].items() if value)
    return (
        f"Measured on {environment['machine']}, {environment['started_utc']}, "
        f"with commit {environment['commit'] or 'unknown'}; {options}."
    )


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
