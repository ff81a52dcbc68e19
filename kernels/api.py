"""The one interface: what a case is, and what a backend must offer.

Imports the standard library only, so naming a case or listing backends never costs (or needs) a framework.  A plugin
satisfies `Backend` by its shape and imports nothing from here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from kernels.op_facts import (
    MAIN_OPS,
    OPS,
    OpFacts,
    declare_op,
    facts_of,
    is_own,
    params_of_text,
    whole_params,
)

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "AXES",
    "AXIS_TABLE",
    "CACHES",
    "CARDS",
    "DATA",
    "DEVICE_KINDS",
    "DIRECTIONS",
    "DTYPES",
    "ITEMSIZES",
    "LAYOUTS",
    "MAIN_OPS",
    "OPS",
    "PLACEMENTS",
    "USUAL",
    "Axis",
    "Backend",
    "Case",
    "OpFacts",
    "declare_op",
    "facts_of",
    "is_own",
    "parse_device",
]

DIRECTIONS = ("forward", "backward")
PLACEMENTS = ("new", "out", "inplace")
DTYPES = ("float16", "bfloat16", "float32", "float64")
LAYOUTS = ("contiguous", "strided", "transposed")
DATA = ("normal", "positive", "negative", "sorted", "alternating", "subnormal", "special")
CACHES = ("hot", "cold")
CARDS = ("cuda",)
"""Kinds of device of which a backend holds copies of the host's arrays; torch calls the cards of ROCm cuda, too."""
DEVICE_KINDS = ("cpu", *CARDS)
_DEVICE = re.compile(rf"(cpu)|({'|'.join(CARDS)})(?::(\d+))?", re.ASCII)

ITEMSIZES: Mapping[str, int] = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
"""Bytes in an element of each dtype."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: what it is called, what it may be, and how it is offered.

    The options of ``pytest bench/``, the columns of the CSV files and their checks, the names of
    experiments, the filters of the scripts and the flags of recommend.py all come from `AXIS_TABLE`.
    """

    name: str
    """The field of `Case`, and the column."""
    option: str
    """The option of ``pytest bench/``, as Python spells it; it takes a list."""
    help: str
    values: tuple[str, ...] = ()
    """The words that it may be; () for the other kinds."""
    kind: Literal["word", "size", "device", "count", "number", "params"] = "word"
    label: str = "{}"
    """How a value stands in the name of an experiment."""
    own: bool = False
    """Whether a user's own word may stand here besides (`is_own`)."""
    always: bool = False
    """Whether every experiment's name has it; else only where it is not the usual value."""
    since: int = 1
    """The schema of the first files that have its column."""

    def allows(self, word: object) -> bool:
        """Whether `word` may stand on this axis, one of words."""
        return word in self.values or (self.own and is_own(str(word)))


AXIS_TABLE: tuple[Axis, ...] = (
    Axis("op", "ops", "operations (all: every one)", OPS, own=True, always=True),
    Axis("direction", "directions", "of the calls", DIRECTIONS, always=True),
    Axis("placement", "placements", "where results go", PLACEMENTS, always=True),
    Axis("dtype", "dtypes", "of the elements", DTYPES, always=True),
    Axis("n", "sizes", "element counts: 1024, 1Ki, 16Mi, ranges 1Ki:64Mi:x4", kind="size", always=True),
    Axis("layout", "layouts", "of the inputs", LAYOUTS),
    Axis("data", "data", "what the inputs hold", DATA),
    Axis("cache", "cache_states", "before each call", CACHES),
    Axis("device", "devices", "cpu, cuda, cuda:0, cuda:1 …", kind="device"),
    Axis("threads", "threads", "CPU threads; 0 is each framework's own default", kind="count", label="t{}"),
    Axis("negative_slope", "negative_slopes", "slopes of leaky_relu", kind="number", label="slope{!r}"),
    Axis("params", "params", "of the ops, as in alpha=0.5", kind="params", since=3),
)
"""Every axis, in the order of the fields of `Case` and of the columns in every CSV file."""

AXES: tuple[str, ...] = tuple(axis.name for axis in AXIS_TABLE)
"""The names of the axes."""


@dataclass(frozen=True, slots=True)
class Case:
    """One point on every axis but the implementation; the fields are those of `AXIS_TABLE`.

    `n` counts elements; `threads` 0 means the framework's own default; `negative_slope`
    belongs to leaky_relu and is set to 0.0 for all others; `params` are the op's others, ``alpha=1.0``,
    several joined by semicolons.  Those that are not named get their usual values, so that equal work has one name.

    Raises ValueError, naming the field, the value and what is allowed.
    """

    op: str
    direction: str = "forward"
    placement: str = "new"
    dtype: str = "float32"
    n: int = 1024
    layout: str = "contiguous"
    data: str = "normal"
    cache: str = "hot"
    device: str = "cpu"
    threads: int = 0
    negative_slope: float = 0.01
    params: str = ""

    def __post_init__(self) -> None:
        for axis in AXIS_TABLE:
            value = getattr(self, axis.name)
            if axis.values and not axis.allows(value):
                raise ValueError(f"{axis.name} is {value!r}; allowed: {', '.join(axis.values)}")
        if not isinstance(self.n, int) or self.n < 0:
            raise ValueError(f"n is {self.n!r}; it counts elements: a whole number, 0 or more")
        if not isinstance(self.threads, int) or self.threads < 0:
            raise ValueError(f"threads is {self.threads!r}; allowed: 0 (the default) or more")
        if not facts_of(self.op).sloped:
            object.__setattr__(self, "negative_slope", 0.0)
        object.__setattr__(self, "params", whole_params(self.op, self.params))

    @property
    def itemsize(self) -> int:
        """Bytes in one element."""
        return ITEMSIZES[self.dtype]

    @property
    def arrays(self) -> int:
        """Arrays that a call reads: the op's inputs, and for backward dy."""
        return facts_of(self.op).inputs + (self.direction == "backward")

    @property
    def bytes_moved(self) -> int:
        """Bytes of each input read once and each output written once."""
        return ((self.arrays + 1) * self.n + self.two_results) * self.itemsize

    @property
    def two_results(self) -> bool:
        """Whether a call gives the gradient of the op's parameter besides dx: one element."""
        return self.direction == "backward" and facts_of(self.op).learnt

    @property
    def values(self) -> dict[str, float]:
        """All that the op is given beside arrays, by name: its slope where it has one, and its `params`."""
        slope = {"negative_slope": self.negative_slope} if facts_of(self.op).sloped else {}
        return {**slope, **params_of_text(self.params)}

    @property
    def slope_is_finite(self) -> bool:
        """Whether the policy judges this slope; inf and NaN are reported only."""
        return math.isfinite(self.negative_slope)


USUAL: Mapping[str, Any] = {"op": OPS[0]} | {field.name: field.default for field in fields(Case)[1:]}
"""The value of each axis where nothing is said."""


def parse_device(text: str) -> tuple[str, int]:
    """The kind of a device and its number: ``cuda:1`` is ("cuda", 1), ``cuda`` is ("cuda", 0).

    Raises ValueError for what is neither a CPU nor a card.
    """
    match = _DEVICE.fullmatch(text)
    if match is None:
        allowed = ", ".join(("cpu", *(f"{kind}, {kind}:0" for kind in CARDS)))
        raise ValueError(f"{text!r} is not a device; allowed: {allowed} …")
    return match[1] or match[2], int(match[3] or 0)


@runtime_checkable
class Backend(Protocol):
    """One implementation.  Structural: a plugin needs the names, not the import.

    Optional attributes are read where present: ``distribution`` (the package that
    ``pip install`` brings it with), ``deviations`` (a mapping from a special value's
    name to the reason why this backend is known to differ there; printed, never excused), and
    ``card(device)``, what a harness needs of a device that is no CPU (`kernels.gpu.card.Card`).
    The callable that `compile` returns may say in ``calls`` how many calls of the operation it
    makes at once, as a CUDA graph does; its time is divided by them.  A plugin's word is not taken for it.
    Where ``case.two_results`` (prelu backward), it has to keep the gradient of the slope that each call gives, a handle
    on one element, in ``slope_gradient`` (`kernels.ops.learnt`).
    """

    name: str

    def why_not(self, case: Case) -> str | None:
        """None if this backend can run `case` honestly, else a reason to act on."""

    def set_threads(self, count: int) -> int:
        """Ask for `count` CPU threads (0: the default); return the count in effect."""

    def adopt(self, host: np.ndarray, case: Case) -> Any:
        """The backend's own handle on `host`: zero-copy on a CPU wherever it can be, and always in a plugin."""

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Callable[[], Any]:
        """Everything that happens once, first execution included; the result only launches.

        `x`, `dy` and `out` are adopted handles; `dy` is None for forward, `out` is None
        unless the placement is ``out``.  Of an op of two inputs `x` is a tuple of both.
        """

    def sync(self, result: Any) -> None:
        """Return when `result` is really there."""

    def to_numpy(self, result: Any) -> np.ndarray:
        """`result` as an array on the host, with its shape; bfloat16 as ml_dtypes.bfloat16."""

    def versions(self) -> dict[str, str]:
        """What was measured: package and library versions, threading layer, and the like."""
