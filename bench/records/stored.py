"""The cells of a run as its journal has them, read again when they are asked for: a long run keeps little in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.records.errors import RunFilesError
from bench.records.journal import Journal
from bench.records.lines import Key, records_in
from bench.records.schema import Cell, Round
from kernels.api import Case

__all__ = ["Part", "Stored", "StoredCells"]

Part = Mapping[str, Any]
"""A cell in the journal: its `name`, and its lines in each of the CSV files."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A cell, and the seconds per call of its rounds by (process, round)."""

    cell: Cell
    rounds: dict[tuple[int, int], float]

    @classmethod
    def of(cls, part: Part, case: Case | None = None) -> Stored:
        """What a part of the journal says, of that case where it is known.

        Raises ValueError, KeyError, TypeError or AttributeError if it is none.
        """
        (cell,) = records_in(Cell, part["cells"], case)
        rounds = records_in(Round, part["rounds"], case)
        return cls(cell, {(each.process, each.round): each.seconds for each in rounds})


class StoredCells(Mapping[Key, Stored]):
    """By name, in the order in which they first came; of a cell that was measured again the last one."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.statuses: dict[Key, str] = {}
        """Of each cell, as its row has it."""
        self._expected: dict[Key, Key] = {}
        self._places: dict[Key, int] = {}
        """Where the line of the journal begins that counts for a cell."""
        self._latest: tuple[int, Mapping[Key, Part]] = (-1, {})
        """Where the line begins that was asked for last, and its parts."""

    def add(self, place: int, parts: Iterable[Part], statuses: Mapping[Key, str]) -> None:
        """Cells with these `statuses` are in the line that begins at `place`; they count from now on."""
        named = {self._expected.pop(name, name): status for name, status in statuses.items()}
        self._places |= dict.fromkeys(named, place)
        self.statuses |= named
        self._latest = place, {tuple(part["name"]): part for part in parts}

    def expect(self, names: Iterable[Key]) -> None:
        """Names of cells that may come: of equal names, these are kept, so that each is in memory once."""
        self._expected.update((name, name) for name in names)

    def counts(self, part: Part, place: int) -> bool:
        """Whether that part of the line that begins at `place` is the last word on its cell."""
        return self._places.get(tuple(part["name"])) == place

    def __getitem__(self, key: Key) -> Stored:
        return self.of_case(key)

    def of_case(self, key: Key, case: Case | None = None) -> Stored:
        """A cell, of that case where it is known: not of every one the files say all.  Raises RunFilesError."""
        place = self._places[key]
        if place != self._latest[0]:
            self._latest = place, {tuple(part["name"]): part for part in self._parts_at(place)}
        return Stored.of(self._latest[1][key], case)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _parts_at(self, place: int) -> Iterable[Part]:
        try:
            entry = self._journal.entry_at(place)
        except OSError as error:
            raise RunFilesError(f"{self._journal.path} cannot be read: {error.strerror}") from error
        if entry is None:
            raise RunFilesError(
                f"{self._journal.path} was changed by another program; go on with the same --run-id: what is damaged "
                "is measured again"
            )
        found: Iterable[Part] = entry["cells"]
        return found
