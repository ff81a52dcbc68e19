"""What was recorded of a program, and the JSON file that keeps it.  Imports the standard library only."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from kernels.api import OPS, Case, parse_device

__all__ = [
    "SCHEMA",
    "CasesFileError",
    "Kind",
    "Recording",
    "Steps",
    "Unmeasured",
    "Used",
    "read_recording",
    "write_recording",
]

SCHEMA = 1
_MOST_BYTES = 64 << 20
"""A larger file was not written by this: a model of 10,000 layers takes 4 MiB."""
_MOST_THREADS, _MOST_ELEMENTS = 4096, 1 << 40
T = TypeVar("T")


class CasesFileError(ValueError):
    """A file that is not a recording; one line that says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call: which activation, of which tensor."""

    op: str
    direction: str
    placement: str
    dtype: str
    shape: tuple[int, ...]
    layout: str
    device: str
    threads: int
    """As torch was set; 0: its own default."""
    negative_slope: float
    params: str
    """The op's other parameters, as in ``alpha=0.5``; empty for the usual ones."""


@dataclass(frozen=True, slots=True)
class Used(Kind):
    """How often a kind of call was made, and where."""

    calls: float
    """In a step."""
    seconds: float | None
    """What a call took in the program, while calls were counted; None on a card, where a call only launches."""
    where: tuple[str, ...]
    """The modules that called it, by their names in the model."""
    page_faults: float | None = None
    """Of a call in the program: the pages of fresh memory that it wrote; None where nobody counted."""

    @property
    def case(self) -> Case:
        """The case that measures it.  Raises ValueError for what the suite does not know."""
        return Case(
            self.op,
            self.direction,
            self.placement,
            self.dtype,
            math.prod(self.shape),
            layout=self.layout,
            device=self.device,
            threads=self.threads,
            negative_slope=self.negative_slope,
            params=self.params,
        )


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Calls of an activation that this suite does not measure, and why."""

    op: str
    why: str
    calls: float


@dataclass(frozen=True, slots=True)
class Steps:
    """The program's steps, in seconds each; with `ours` those of turns of steps, with torch's and with our kernels."""

    what: str
    """What a step is: ``optimizer.step``, or the forward of a module."""
    counted: int
    seconds: tuple[float, ...]
    ours: tuple[float, ...]
    page_faults: float | None = None
    """Of a timed step with torch's activations, the median; None where nobody counted."""
    ours_page_faults: float | None = None
    """The same with our kernels."""
    fault_s: float | None = None
    """Seconds that a page fault took between timed steps; None where no activation had many."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a program does with activations."""

    program: str
    torch: str
    compiled: bool
    """Whether torch.compile was at work: there a compiler fuses activations with their neighbours."""
    steps: Steps
    used: tuple[Used, ...]
    unmeasured: tuple[Unmeasured, ...]


def write_recording(path: Path, recording: Recording) -> None:
    """Put it there, all of it or nothing.  Raises OSError."""
    text = json.dumps({"schema": SCHEMA, **asdict(recording)}, indent=1, allow_nan=False) + "\n"
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_recording(path: Path) -> Recording:
    """The recording in that file.  Raises CasesFileError, of one line, for anything else."""
    try:
        return _recording(_parsed(path))
    except OSError as error:
        raise CasesFileError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise CasesFileError(f"{path}: {error}; record the program again: python scripts/record.py") from None


def _parsed(path: Path) -> Any:
    with path.open("rb") as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise ValueError("too large for a recording")
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno} is no JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise ValueError("is no UTF-8") from None


def _recording(raw: Any) -> Recording:
    found = _mapping(raw, "the file")
    if found.get("schema") != SCHEMA:
        raise ValueError(f"schema is {found.get('schema')!r}; allowed: {SCHEMA}")
    steps = _mapping(found.get("steps"), "steps")
    return Recording(
        _text(found, "program"),
        _text(found, "torch"),
        _of(found, "compiled", bool),
        Steps(
            _text(steps, "what"),
            int(_amount(steps, "counted")),
            _each(steps, "seconds", _positive),
            _each(steps, "ours", _positive),
            *(_amount_or_none(steps, key) for key in ("page_faults", "ours_page_faults", "fault_s")),
        ),
        _each(found, "used", _used),
        _each(found, "unmeasured", _unmeasured),
    )


def _used(raw: Any) -> Used:
    found = _mapping(raw, "an item of used")
    seconds = found.get("seconds")
    used = Used(
        _text(found, "op"),
        _text(found, "direction"),
        _text(found, "placement"),
        _text(found, "dtype"),
        _each(found, "shape", _whole),
        _text(found, "layout"),
        _text(found, "device"),
        int(_amount(found, "threads")),
        _of(found, "negative_slope", float),
        _text(found, "params") if "params" in found else "",
        _amount(found, "calls"),
        None if seconds is None else _positive(seconds),
        _each(found, "where", _name),
        _amount_or_none(found, "page_faults"),
    )
    if used.op not in OPS:
        raise ValueError(f"op is {_short(used.op)}; allowed: {', '.join(OPS)}")
    parse_device(used.device)
    if used.threads > _MOST_THREADS or math.prod(used.shape) > _MOST_ELEMENTS:
        raise ValueError(
            f"{used.threads} threads, shape {_short(used.shape)}: no program on one machine has these"
        )
    used.case  # noqa: B018  # refuses what no case can be
    return used


def _unmeasured(raw: Any) -> Unmeasured:
    found = _mapping(raw, "an item of unmeasured")
    return Unmeasured(_text(found, "op"), _text(found, "why"), _amount(found, "calls"))


def _mapping(raw: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise ValueError(f"{what} is {_short(raw)}; allowed: an object with the keys of a recording")
    return raw


def _of(found: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = found.get(key)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{key} is {_short(value)}; allowed: a {kind.__name__}")
    return value


def _text(found: Mapping[str, Any], key: str) -> str:
    return _of(found, key, str)


def _amount(found: Mapping[str, Any], key: str) -> float:
    value = _of(found, key, float)
    if value < 0:
        raise ValueError(f"{key} is {value}; allowed: 0 or more")
    return value


def _amount_or_none(found: Mapping[str, Any], key: str) -> float | None:
    return None if found.get(key) is None else _amount(found, key)


def _positive(value: Any) -> float:
    found = _of({"seconds": value}, "seconds", float)
    if found <= 0:
        raise ValueError(f"seconds are {found}; allowed: more than 0")
    return found


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"shape has {_short(value)}; allowed: whole numbers, 0 or more")
    return value


def _name(value: Any) -> str:
    return _of({"where": value}, "where", str)


def _each(found: Mapping[str, Any], key: str, parse: Callable[[Any], T]) -> tuple[T, ...]:
    items = found.get(key)
    if not isinstance(items, list):
        raise ValueError(f"{key} is {_short(items)}; allowed: a list")
    return tuple(map(parse, items))


def _short(value: Any) -> str:
    text = repr(value)
    return "missing" if value is None else text if len(text) <= 40 else f"{text[:37]}..."
