"""What reads bytes that anybody may have written, for fuzzers: ``python -m tests.fuzzing READER SECONDS [FOLDER]``.

Each reader takes any bytes, and raises nothing but what it is to raise.  With atheris installed the command looks for
bytes that reach new code, and keeps those in FOLDER; it ends at the first fault, with a traceback.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import socket
import struct
import sys
import time
import types
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bench.channel import Channel, answer_in
from bench.codec import MessageError, decode, encode
from bench.machine.own_usage import Usage
from bench.messages import Finish, Finished, Loaded, Open, Prepare, Prepared, Probe, Sample, TimeBatch
from bench.plan.option_table import OPTIONS
from bench.plan.options import OptionError, parse
from bench.records.errors import RunFilesError
from bench.records.lines import Key, as_row
from bench.records.reading import ReadError, read_cells, read_rounds
from bench.records.schema import Round
from bench.records.stored import Stored
from bench.records.writing import RunFiles
from kernels.api import Case
from kernels.recorder.cases_file import CasesFileError, read_recording
from scripts._shared.environments import differences, read_environment, remarks, resolve_of
from tests.factories import experiment
from tests.fuzzed import compiled, kept_in, plugins, specs, spliced, sweeps

__all__ = ["READERS", "main", "seeds"]

_RUNS_CODE = ("plugin", "callable", "op", "arm")
"""Options whose values name code, which another process imports, or a program."""
_TYPED = [spec for spec in OPTIONS if spec.action != "store_true" and spec.name not in _RUNS_CODE]
_SAMPLE = Sample(1e-5, (1e-5,), 10, 1.0, 2.0, 0.0, 0.0, Usage(0.1, 0), 0.1, None)
_ANSWERED: Sequence[tuple[Any, Any]] = (
    (TimeBatch(10, 0.0), _SAMPLE),
    (Prepare(Case("relu", n=64)), Prepared()),
    (Finish(), Finished(None, {})),
    (Probe(0.1), 0.5),
    (Open("a", "candidate", {}, 1, 1), Loaded(0.0, "3.11.7", {})),
)
_REQUESTS = [request for request, _ in _ANSWERED]


@cache
def _run() -> Mapping[str, bytes]:
    """The files of a small run."""
    folder = kept_in() / "whole"
    files = RunFiles(folder)
    files.open()
    cells = experiment({"numpy_ufunc": 4e-3, "torch_eager": 1e-3}, n=64, rounds=1)
    rounds = [
        Round(cell.run_id, cell.backend, cell.variant, cell.role, cell.case, 0, 0, 10, 1e-3, 0)
        for cell in cells
    ]
    files.append(cells, rounds)
    files.write_environment({"cpu": "x", "options": {"resolve": 0.02}})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _read_csv(name: str, read: Callable[[Sequence[Path]], object], data: bytes) -> None:
    path = kept_in() / name
    path.write_bytes(spliced(_run()[name], data))
    with contextlib.suppress(ReadError):
        read([path])


def cells(data: bytes) -> None:
    """cells.csv, as the scripts read it."""
    _read_csv("cells.csv", read_cells, data)


def rounds(data: bytes) -> None:
    """rounds.csv, likewise."""
    _read_csv("rounds.csv", read_rounds, data)


def _go_on_with(files: Mapping[str, bytes]) -> None:
    """A run goes on with these files, twice: the first time mends what can be, the second finds it whole."""
    folder = kept_in() / "run"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with contextlib.suppress(RunFilesError):
        found = _told(RunFiles(folder).open())
        again = RunFiles(folder)
        assert _told(again.open()) == found
        assert not again.warnings, again.warnings


def _told(stored: Mapping[Key, Stored]) -> list[object]:
    """What stands there, as text: NaN is NaN."""
    return [(key, as_row(each.cell), repr(each.rounds)) for key, each in stored.items()]


def journal(data: bytes) -> None:
    """journal.jsonl: bytes in it, and entries whose checksum is right."""
    whole = _run()["journal.jsonl"]
    if data[:1] >= b"\x80":
        text = data[1:].replace(b"\n", b" ")
        damaged = whole + b'["%08x",%b]\n' % (zlib.crc32(text), text)
    else:
        damaged = spliced(whole, data)
    _go_on_with({"journal.jsonl": damaged})


def adopted(data: bytes) -> None:
    """The CSV files of a run that has no journal."""
    files = _run()
    name = ("cells.csv", "rounds.csv", "compiles.csv")[len(data) % 3]
    parts = {each: files[each] for each in ("cells.csv", "rounds.csv", "compiles.csv", "environment.json")}
    parts[name] = spliced(files[name], data)
    _go_on_with(parts)


def environment(data: bytes) -> None:
    """environment.json, as runs and scripts read it."""
    damaged = spliced(_run()["environment.json"], data)
    _go_on_with({"environment.json": damaged})
    path = kept_in() / "environment.json"
    path.write_bytes(damaged)
    with contextlib.suppress(ReadError):
        found = read_environment(path.with_name("cells.csv"))
        resolve_of(found)
        differences(found, {"cpu": "y"})
        list(remarks(found, {"libc": "z"}))


def options(data: bytes) -> None:
    """What is typed for an option: the first byte says for which."""
    if not data:
        return
    spec, text = _TYPED[data[0] % len(_TYPED)], data[1:].decode(errors="surrogateescape")
    typed: Any = [text] if spec.action == "append" else text
    refusal = ""
    try:
        parse({spec.name: typed})
    except OptionError as error:
        refusal = str(error)
    assert "\n" not in refusal, refusal


def frames(data: bytes) -> None:
    """What a child writes to its socket, asked for one thing after the other."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    with ours, theirs:
        theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            theirs.send(data)
        theirs.shutdown(socket.SHUT_WR)
        try:
            for number, request in enumerate(_REQUESTS, start=1):
                answer_in(channel.receive(time.monotonic() + 1.0), number, request)
        except (MessageError, EOFError, ConnectionError):
            pass


def messages(data: bytes) -> None:
    """The text of an answer: the first byte says to which request."""
    if data:
        with contextlib.suppress(MessageError):
            decode(_REQUESTS[data[0] % len(_REQUESTS)].answer_type, data[1:])


def recordings(data: bytes) -> None:
    """A file of `scripts/record.py`."""
    path = kept_in() / "cases.json"
    path.write_bytes(data)
    with contextlib.suppress(CasesFileError):
        read_recording(path)


READERS: Mapping[str, Callable[[bytes], None]] = {
    reader.__name__: reader
    for reader in (
        cells,
        rounds,
        journal,
        adopted,
        environment,
        options,
        frames,
        messages,
        recordings,
        plugins,
        specs,
        compiled,
        sweeps,
    )
}
_SEEDS = (
    b"",
    b"\x01",
    b"\x00\x00\x10x",
    b"\x80{}",
    b'\x80{"cells":[]}',
    b"\x01" + b",".join([b"1"] * 60) + b"\n",
    b"\x01" + b"[" * 5_000,
    b"x" * 300 + b".py:Mine",
    b"[" * 5_000,  # deeper than Python's recursion goes
)
_OURS = ("bench.", "kernels.", "scripts.")


def seeds(name: str) -> Sequence[bytes]:
    """What a fuzzer of that reader begins with."""
    texts = [encode(request.answer_type, answer) for request, answer in _ANSWERED]
    if name == "messages":
        return [bytes([number]) + text for number, text in enumerate(texts)]
    if name == "frames":
        whole = [
            struct.pack("!QQ", number, len(text) + 1) + b"+" + text
            for number, text in enumerate(texts, start=1)
        ]
        return [b"".join(whole[:count]) for count in range(1, len(whole) + 1)]
    return _SEEDS


def main(name: str, seconds: float, folder: str = "") -> None:
    """Look for bytes that a reader does not take, for so long."""
    atheris: Any = importlib.import_module("atheris")
    for each in gc.get_objects():
        if isinstance(each, types.FunctionType) and str(each.__module__).startswith(_OURS):
            atheris.instrument_func(each)
    kept = [folder] if folder else []
    for place in kept:
        Path(place).mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds(name)):
            (Path(place) / f"seed{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds:.0f}", "-rss_limit_mb=4096", *kept], READERS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("RELU_BENCH_FORCE", "1")
    main(sys.argv[1], float(sys.argv[2]), *sys.argv[3:])
