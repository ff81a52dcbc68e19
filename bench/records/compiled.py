"""What compilers' caches on this machine hold, as runs have written it down beside them.

The record lies in the cache's own folder (`bench.records.compiler_caches`).  So whoever empties the cache takes it
along, and another checkout finds it where it shares the cache.  An entry counts for the libraries, the source and the
machine that it was written with.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from bench.machine.environment import cpu_model, usable_cpus
from bench.plan.cold_caches import COMPILERS, Need
from bench.plan.experiments import Arm, Variant
from bench.plan.interpreters import environ_of, installed_when
from bench.records.compiler_caches import CACHES, Cache, Place
from bench.records.durable import replace
from kernels.specs.op import file_of

__all__ = ["Compiled"]

_MOST_STAMPS = 32
"""In a file, the latest: what is older than so many changes of the source is hardly asked for again."""
_TELLING = ("NUMBA_", "OMP_", "TORCH", "CXX")
"""How environment variables begin that compiled code depends on."""
_WHERE = ("NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
"""Those that only say where it lies."""
_BETWEEN = "|"
_Record = dict[str, list[str]]
"""What was compiled, by the stamp of what it depends on; the latest stamp last."""


class Compiled:
    """The records of all caches; `plugins` has users' own ops by name, whose source counts, too."""

    def __init__(self, plugins: Mapping[str, str]) -> None:
        self._plugins = plugins
        self._stamps: dict[tuple[Cache, Variant], str] = {}

    def held(self, arms: Iterable[Arm]) -> set[Need]:
        """What the caches of these arms are known to hold."""
        kept = {(arm.backend, arm.variant) for arm in arms if arm.backend in CACHES}
        return {need for each in kept for need in self._held(*each)}

    def _held(self, backend: str, variant: Variant) -> set[Need]:
        cache, place = _cache(backend, variant)
        if place is None or not place.is_used:
            return set()
        entries = _read(place.record).get(self._stamp(cache, variant), [])
        needs = (self._need(entry, variant) for entry in entries)
        return {need for need in needs if need is not None and need.backend == backend}

    def add(self, needs: Iterable[Need]) -> None:
        """Write down that caches hold these, where no record says so yet; one that cannot be written stays as it is."""
        new: defaultdict[tuple[str, Variant], set[Need]] = defaultdict(set)
        for need in needs:
            new[need.backend, need.variant].add(need)
        for (backend, variant), found in new.items():
            cache, place = _cache(backend, variant)
            if place is not None and found - self._held(backend, variant):
                self._write(place.record, self._stamp(cache, variant), found)

    def _write(self, path: Path, stamp: str, needs: Iterable[Need]) -> None:
        record = _read(path)
        entries = {*record.pop(stamp, []), *map(self._entry, needs)}
        kept = dict(list(record.items())[1 - _MOST_STAMPS :])
        with contextlib.suppress(OSError):  # then the next run announces too much
            path.parent.mkdir(exist_ok=True)
            replace(path, json.dumps(kept | {stamp: sorted(entries)}, indent=0).encode())

    def _entry(self, need: Need) -> str:
        return _BETWEEN.join((need.backend, *need.kind, self._own_source(need.kind[0])))

    def _need(self, entry: str, variant: Variant) -> Need | None:
        """The need that was written so; None where it is none, or an own op is another by now."""
        backend, *rest = entry.split(_BETWEEN)
        if backend not in COMPILERS or len(rest) != len(COMPILERS[backend].axes) + 1:
            return None
        *kind, source = rest
        return Need(backend, variant, tuple(kind)) if source == self._own_source(kind[0]) else None

    def _own_source(self, op: str) -> str:
        """What tells whether a user's own op is the same; nothing of the suite's."""
        if op not in self._plugins:
            return ""
        files = sorted(file_of(self._plugins[op]).parent.glob("*.py"))  # it may call what is beside it
        return _digest(path.read_bytes() for path in files)

    def _stamp(self, cache: Cache, variant: Variant) -> str:
        if (cache, variant) not in self._stamps:
            self._stamps[cache, variant] = _digest(_depends_on(cache, variant))
        return self._stamps[cache, variant]


def _cache(backend: str, variant: Variant) -> tuple[Cache, Place | None]:
    cache = CACHES[backend]
    return cache, cache.place({**os.environ, **environ_of(variant)})


def _depends_on(cache: Cache, variant: Variant) -> Iterator[bytes]:
    """All that a cache's contents are good for: compiled under anything else, they are compiled anew."""
    told = [cpu_model(), str(usable_cpus())]
    if variant.python:
        told += [variant.python, installed_when(variant.python)]
    else:
        told += [platform.python_version(), *map(_version, cache.packages)]
    environ = {**os.environ, **environ_of(variant)}
    told += [
        f"{name}={value}"
        for name, value in sorted(environ.items())
        if name.startswith(_TELLING) and name not in _WHERE
    ]
    yield from (text.encode() for text in told)
    yield from cache.source()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def _read(path: Path) -> _Record:
    """Of a file that is read for a guess: one that cannot be read tells nothing."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        stamp: [entry for entry in entries if isinstance(entry, str)]
        for stamp, entries in found.items()
        if isinstance(entries, list)
    }
