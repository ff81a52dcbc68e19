"""What compilers will have to do before a run's cases can be timed, as far as that is known before it begins.

A compiler keeps what it made on disk.  The runs of the results folder tell which cases it has seen (compiles.csv); what
none of them had is taken to be missing.  Where the caches were emptied since, the run finds out while it goes on.
"""

from __future__ import annotations

import csv
import getpass
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.plan.experiments import Experiment

__all__ = ["compile_s"]

_COMPILES = "compiles.csv"
_MOST_RUNS = 30
"""Runs that are looked at: the newest, where ids are times."""
_LOOPS = ("op", "direction", "dtype", "layout")
"""What a loop is compiled for: the same one runs all sizes, into whatever array."""
_GRAPHS = (*_LOOPS, "placement", "n", "device", "threads", "negative_slope")
"""What a graph is compiled for."""
_ANEW_S = 3.0
"""Starting arms anew that had to compile, once in a run."""

Kind = tuple[str, ...]
"""What is compiled once: a backend, and what it compiles for."""


@dataclass(frozen=True, slots=True)
class _Compiler:
    """How long one takes, in seconds (of a CPU like that of the reference run), and what it compiles for."""

    first_s: float
    """Its first work with an empty cache."""
    each_s: float
    axes: tuple[str, ...]


_COMPILERS: Mapping[str, _Compiler] = {
    "numba_jit": _Compiler(0.3, 0.2, _LOOPS),
    "numba_parallel": _Compiler(0.3, 0.5, _LOOPS),
    "numba_tuned": _Compiler(0.4, 0.1, _LOOPS),
    "torch_compile": _Compiler(9.0, 1.0, _GRAPHS),
}
"""Those that keep what they compile.  Who compiles again in each process does it while it is prepared."""


def compile_s(results: Path, chosen: Iterable[Experiment]) -> float:
    """Seconds that compilers will take for these experiments, beyond what runs in `results` had compiled."""
    known = set(_known(results))
    missing: dict[str, set[Kind]] = defaultdict(set)
    for experiment in chosen:
        for backend in {arm.backend for arm in experiment.arms} & _COMPILERS.keys():
            case = experiment.case
            kind = _kind(backend, {axis: str(getattr(case, axis, "")) for axis in _GRAPHS})
            if kind not in known:
                missing[backend].add(kind)
    if not missing:
        return 0.0
    seen = {kind[0] for kind in known}
    firsts = sum(_COMPILERS[backend].first_s for backend in missing.keys() - seen)
    return _ANEW_S + firsts + sum(len(kinds) * _COMPILERS[name].each_s for name, kinds in missing.items())


def _kind(backend: str, values: Mapping[str, str]) -> Kind:
    return (backend, *(values.get(axis) or "" for axis in _COMPILERS[backend].axes))


def _known(results: Path) -> Iterator[Kind]:
    """What the newest runs had compiled, as far as it can still be there."""
    gone = {"torch_compile"} if not _inductor_cache().is_dir() else set()
    for path in sorted(results.glob(f"*/{_COMPILES}"), reverse=True)[:_MOST_RUNS]:
        for row in _rows(path):
            backend = row.get("backend") or ""
            if backend in _COMPILERS.keys() - gone:
                yield _kind(backend, row)


def _rows(path: Path) -> list[dict[str, str]]:
    """Of a file that is read for a guess: one that cannot be read tells nothing."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return []


def _inductor_cache() -> Path:
    """Where torch.compile keeps what it compiled; in a temporary folder, it is gone when the machine starts anew."""
    given = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    return Path(given) if given else Path(tempfile.gettempdir(), f"torchinductor_{_user()}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers: torch uses the number then
        return str(os.getuid()) if hasattr(os, "getuid") else ""
