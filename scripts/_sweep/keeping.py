"""What machines send, put into the files of their runs: each cell once, however often it comes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bench.records.journal import entry_of
from bench.records.lines import Key, as_row, key_of, records_in
from bench.records.schema import SCHEMA, Cell, Compile, Round
from bench.records.writing import RunFiles

__all__ = ["Kept", "UnreadableError"]

Row = TypeVar("Row", Cell, Round, Compile)
_Part = Mapping[str, str]
"""A cell in a journal: its name, and its lines in each file."""


class UnreadableError(ValueError):
    """What a machine sent cannot be kept; one line that says why."""


class Kept:
    """The run of one machine.  A line of a journal may come again, late, or not at all before its shard has ended."""

    def __init__(self, folder: Path) -> None:
        """Raises RunFilesError."""
        self.folder = folder
        self._files = RunFiles(folder)
        self._cells: dict[Key, int] = {key: _mark(each.cell) for key, each in self._files.open().items()}
        self._told: dict[tuple[str, str], int] = {}
        """How many lines of the journal of a shard were taken, by shard and host."""
        self._taken: dict[str, set[int]] = {}
        """Which they were, so that the end of the shard costs nothing for them: reading rows is most of the work."""
        self._parts = {part["run"]: part for part in (self._files.environment() or {}).get("merged_from", [])}

    def __len__(self) -> int:
        return len(self._cells)

    def grow(self, shard: str, host: str, number: int, line: bytes) -> int:
        """Take a line that came while the shard goes on, if all before it were taken; how many cells are new."""
        if number != self._told.get((shard, host), 0) + 1:
            return 0  # the end of the shard brings what is missing
        self._told[shard, host] = number
        taken = self._take(shard, [_entry(line)])
        self._taken.setdefault(shard, set()).add(hash(line))
        return taken

    def finish(self, shard: str, lines: Sequence[bytes]) -> int:
        """Take all that a shard has sent, each cell as it was told last; how many cells are new."""
        entries = [_entry(line) for line in lines]
        last = {
            tuple(part["name"]): place
            for place, entry in enumerate(entries)
            for part in entry.get("cells", ())
        }
        for place, entry in enumerate(entries):
            if "cells" in entry:
                entry["cells"] = [part for part in entry["cells"] if last[tuple(part["name"])] == place]
        known = self._taken.pop(shard, set())
        return self._take(
            shard, [entry for entry, line in zip(entries, lines, strict=True) if hash(line) not in known]
        )

    def _take(self, shard: str, entries: Iterable[Mapping[str, Any]]) -> int:
        before = len(self._cells)
        environment = None
        for entry in entries:
            environment = entry.get("environment", environment)
            self._append(entry.get("cells", ()))
        if environment is not None:
            self._note(shard, environment)
        return len(self._cells) - before

    def _append(self, parts: Iterable[_Part]) -> None:
        cells: list[Cell] = []
        rounds: list[Round] = []
        compiles: list[Compile] = []
        for part in parts:
            (cell,) = self._renamed(Cell, part, "cells")
            if self._cells.get(key_of(cell)) == _mark(cell):
                continue  # it came before
            self._cells[key_of(cell)] = _mark(cell)
            cells.append(cell)
            rounds += self._renamed(Round, part, "rounds")
            compiles += self._renamed(Compile, part, "compiles")
        if cells:
            self._files.append(cells, rounds, compiles)

    def _renamed(self, kind: type[Row], part: _Part, name: str) -> list[Row]:
        try:
            records = records_in(kind, part[name])
            return [dataclasses.replace(record, run_id=self.folder.name) for record in records]
        except (ValueError, KeyError) as error:
            raise UnreadableError(f"its journal has no {name} as this suite writes them ({error})") from error

    def _note(self, shard: str, environment: Mapping[str, Any]) -> None:
        """Write down where the shard ran; in all else the first shard speaks for the run."""
        part = {"run": f"shard {shard}", "options": environment.get("options")}
        part |= {"sittings": environment.get("sittings", []), "started_utc": environment.get("started_utc")}
        if part == self._parts.get(part["run"]):
            return
        self._parts[part["run"]] = part
        first = self._files.environment() or environment
        sittings = [each for one in self._parts.values() for each in one["sittings"]]
        self._files.write_environment(
            {**first, "sittings": sittings, "merged_from": list(self._parts.values())}
        )


def _entry(line: bytes) -> dict[str, Any]:
    """Raises UnreadableError for a line that is damaged, or another version's."""
    entry = entry_of(line)
    if not isinstance(entry, dict):
        raise UnreadableError("a line of its journal is damaged; go on with the same --run-id")
    if entry.get("schema", SCHEMA) != SCHEMA:
        raise UnreadableError(
            f"its suite writes schema {entry['schema']}, this one {SCHEMA}; bring both to the same commit"
        )
    return entry


def _mark(cell: Cell) -> int:
    """What tells a cell from the same one with other figures."""
    return hash(tuple(as_row(cell).values()))
