"""Readers of what lies beside runs, for `tests.fuzzing`: answers about plugins, what names code, records, sweeps."""

from __future__ import annotations

import contextlib
import json
import tempfile
from functools import cache
from pathlib import Path

from bench.records import compiled as compiled_caches
from kernels.plugins import split_spec
from kernels.specs import asking, op
from kernels.specs.function import parse_callable, spec_of_text
from scripts._shared.cli import UsageError
from scripts._sweep.index import asked_before, index_of, lanes_in, write_index
from scripts._sweep.lanes import Lane, Lanes

__all__ = ["compiled", "kept_in", "plugins", "specs", "spliced", "sweeps"]


@cache
def kept_in() -> Path:
    """In memory where that can be: a fuzzer writes thousands of files a second."""
    return Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


def spliced(whole: bytes, data: bytes) -> bytes:
    """`data` alone, or in the place of a piece of `whole`: its first three bytes say where."""
    if len(data) < 3 or data[0] & 1:
        return data[1:]
    begin = int.from_bytes(data[1:3], "big") % (len(whole) + 1)
    return whole[:begin] + data[3:] + whole[begin + data[0] // 2 :]


def plugins(data: bytes) -> None:
    """What a plugin's process, or an op's, answers when it is asked for its name."""
    with contextlib.suppress(ValueError):
        for said in asking._understood(data, b"", 1, "plugin x"):
            asking.fields_in(said, "plugin x", "name")
    with contextlib.suppress(ValueError, RecursionError):
        op._facts([1, json.loads(data)], "plugin x")


def specs(data: bytes) -> None:
    """What names a plugin, a function or an op; none of these files is there."""
    text = data.decode(errors="surrogateescape")
    for read in (split_spec, spec_of_text, lambda each: parse_callable(each, ("relu",)), op.checked):
        with contextlib.suppress(ValueError):
            read(text)


def compiled(data: bytes) -> None:
    """The record that lies beside a compiler's cache."""
    path = kept_in() / "relu_bench_compiled.json"
    path.write_bytes(data)
    found = compiled_caches._read(path)
    assert all(isinstance(entry, str) for entries in found.values() for entry in entries)


def sweeps(data: bytes) -> None:
    """sweep.json of a sweep that goes on."""
    lanes = Lanes("s", "any", 2)
    lanes.all.append(Lane("s-1", {"cpu": "x"}, {"numpy": "2"}, 2, ["a"]))
    write_index(kept_in(), index_of(lanes, ["--ops", "relu"], {"s-1": 1}, 2))
    path = kept_in() / "sweep.json"
    path.write_bytes(spliced(path.read_bytes(), data))
    with contextlib.suppress(UsageError):
        lanes_in(asked_before(kept_in()) or {}, "s")
