"""What a far larger fleet would take: figures measured here on one client, and what they come to on paper."""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from tabulate import tabulate

from bench.records.errors import RunFilesError
from bench.records.journal import entry_of
from bench.text.units import number_text
from scripts._shared.cli import UsageError
from scripts._sweep.index import asked_before, index_of, lanes_in, write_index
from scripts._sweep.keeping import Kept
from scripts._sweep.lanes import EACH, Done, Lanes
from scripts._sweep.planning import Plan
from scripts._sweep.simulated import Simulated, journal_like
from scripts._sweep.sweeping import Asked, Sweep
from scripts._sweep.trials import BETWEEN, MEASURING, PLANNING, Figure

__all__ = ["on_paper", "outlook", "real_run"]

_MACHINES, _CELLS = 1000, 10_000_000
"""What is reckoned on paper."""
_SHARDS = 100
"""A machine: a shard of a hundred cells tells much, and little is lost with it."""
_SENT = 1
"""Experiments that each simulated machine sends, as a shard of its own."""
_PATIENCE_S = 60.0
_STORING, _READING, _MEMORY = (
    "storing a cell, seconds",
    "reading a cell again, seconds",
    "memory of a cell, bytes",
)
_FILES, _ROOM = "files of a cell, bytes", "memory of this machine, GB"
_SIZE, _WRITING, _LOADING = "index, MB", "writing the index, seconds", "reading the index, seconds"


def real_run(folder: Path) -> Path:
    """The largest run under `folder` that has rows of this version's columns.  Raises UsageError."""
    runs = sorted(folder.glob("*/rounds.csv"), key=lambda path: path.stat().st_size)
    if not runs:
        raise UsageError(f"{folder}: no run whose rows could be sent; name one with --like")
    return runs[-1].parent


def outlook(machines: int, like: Path) -> list[Figure]:
    """What taking and keeping rows costs the one client, from so many simulated machines.  Raises UsageError."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            lines = journal_like(like, folder / "whole")[: 2 + _SENT]
        except RunFilesError as error:
            raise UsageError(f"--like {like}: {error}") from error
        cells = sum(len(entry_of(line).get("cells", ())) for line in lines)
        of = f"{machines:,} simulated machines, {machines * cells:,} cells as of {like.name}"
        stored_s = _stored_s(machines, lines, folder / "sweep")
        written = sum(path.stat().st_size for path in folder.glob("sweep/*/*"))
        run = next(folder.glob("sweep/*/")).name
        return [
            Figure(_STORING, of, stored_s / (machines * cells)),
            Figure(_FILES, of, written / (machines * cells)),
            *_kept(folder / "whole"),
            *_index(Lanes(run, EACH, _SHARDS), machines, folder),
            Figure(_ROOM, "all of it", psutil.virtual_memory().total / 1e9),
        ]


def _stored_s(machines: int, lines: Sequence[bytes], folder: Path) -> float:
    """From the first shard that is handed out to the last row on the disk."""
    engine, lanes = Simulated(machines, lines), Lanes(folder.name, EACH, 1)
    for told in engine.machines()[0].values():
        lanes.place(told)
    folder.mkdir()
    asked = Asked(folder, (), Plan((1.0,), 0), _PATIENCE_S, look_s=_PATIENCE_S)
    Sweep(asked, lanes, engine, lambda _: None).run()
    return time.monotonic() - engine.began


def _kept(folder: Path) -> list[Figure]:
    """What a sweep that goes on has to read, and has in memory from then on."""
    began = time.monotonic()
    cells = len(Kept(folder))
    read_s = time.monotonic() - began
    tracemalloc.start()
    kept = Kept(folder)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    of = f"a run of {len(kept):,} cells"
    return [Figure(_READING, of, read_s / cells), Figure(_MEMORY, of, held / cells)]


def _index(lanes: Lanes, machines: int, folder: Path) -> list[Figure]:
    for told in Simulated(machines, ()).machines()[0].values():
        lanes.place(told)
    for lane in lanes.all:
        lane.done = {each: Done(lane.hosts[0], time.time(), time.time()) for each in range(1, _SHARDS + 1)}
    times = [time.monotonic()]
    write_index(folder, index_of(lanes, (), {}, 0))
    times.append(time.monotonic())
    again = asked_before(folder)
    assert again is not None, "it was written"
    lanes_in(again, lanes.sweep)
    times.append(time.monotonic())
    of = f"{machines:,} machines, {machines * _SHARDS:,} shards"
    size = sum(path.stat().st_size for path in folder.glob("*.json"))
    return [
        Figure(_SIZE, of, size / 1e6),
        Figure(_WRITING, of, times[1] - times[0]),
        Figure(_LOADING, of, times[2] - times[1]),
    ]


def on_paper(found: Sequence[Figure]) -> str:
    """What 1,000 machines and 10 million cells would take, as markdown; nothing where a figure for it is missing."""
    known = {each.what: each.value for each in found}
    if not known.keys() >= {PLANNING, MEASURING, BETWEEN, _STORING, _READING, _MEMORY, _FILES, _ROOM, _SIZE}:
        return ""
    enough = _enough(known)
    first = min(enough, key=lambda name: enough[name])
    heading = f"On paper, {_MACHINES:,} machines that measure {_CELLS:,} cells, in {_SHARDS} shards each:"
    table = tabulate(_rows(known), ("", "takes"), tablefmt="github", disable_numparse=True)
    return f"{heading}\n\n{table}\n\n{_first(first, enough[first])}"


def _rows(known: Mapping[str, float]) -> list[tuple[str, str]]:
    hours = _CELLS / _MACHINES * known[MEASURING] / 3600
    each_s, any_s = (cells * known[PLANNING] / 1e6 for cells in (_CELLS / _MACHINES, _CELLS))
    come, stored = _MACHINES / known[MEASURING], 1 / known[_STORING]
    writing, loading = (number_text(known[name]) for name in (_WRITING, _LOADING))
    return [
        ("measuring", f"{hours:.1f} h, on all machines at once"),
        ("planning", f"{number_text(each_s)} s with each, {number_text(any_s)} s with any"),
        ("handing out", f"{_SHARDS * known[BETWEEN] / 36 / hours:.2g} % of the measuring"),
        ("storing rows", f"{come:,.0f} cells come in a second, {stored:,.0f} can be stored"),
        ("memory of the client", f"{_CELLS * known[_MEMORY] / 1e9:.1f} GB, of {known[_ROOM]:.1f} GB here"),
        ("files", f"{_CELLS * known[_FILES] / 1e9:.0f} GB"),
        ("the index", f"{known[_SIZE]:.0f} MB: {writing} s to write, {loading} s to read"),
        ("going on after a death", f"{_CELLS * known[_READING] / 3600:.1f} h to read what is there"),
    ]


def _enough(known: Mapping[str, float]) -> dict[str, float]:
    """For how many times what is reckoned the client would do, by the part that ends first."""
    return {
        "storing rows, one experiment after the other": known[MEASURING] / known[_STORING] / _MACHINES,
        "the client's memory": 1e9 * known[_ROOM] / known[_MEMORY] / _CELLS,
    }


def _first(part: str, times: float) -> str:
    until = (
        f"it does for {_MACHINES * times:,.0f} machines"
        if times < 1
        else f"it does for {times:.1f} times as much"
    )
    return f"What gives way first is {part}: {until}. A scheduler of {_MACHINES:,} real workers was not measured."
