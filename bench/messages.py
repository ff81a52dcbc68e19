"""What crosses the boundary between the coordinator and an arm's process: plain, typed data.

Each request is a dataclass that names the type of its answer and the method of `ArmCalls` that gives it, so that
a type checker sees both ends.  How they are written is `bench.codec`'s business; the ranges stated here are checked
when an answer comes in, since an arm runs foreign code.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol, TypeVar

from bench.arrays.shared_inputs import NOWHERE, Where
from bench.channel import Request
from bench.judging.gate import GateReport
from bench.limits import Between, Finite, OneOf, Positive, Seconds, Sized
from bench.machine.cpu_speed import LOOK_EVERY
from bench.machine.own_usage import Cost, Usage
from bench.plan.experiments import SHOWING
from bench.plan.function_case import FunctionCase
from bench.records.vocabulary import ROLES
from kernels.api import Case
from kernels.networks.case import NetworkCase

__all__ = [
    "ARM_REQUESTS",
    "MOST_THREADS",
    "ArmCalls",
    "ArmRequest",
    "DeviceTime",
    "DeviceTimes",
    "Dispatch",
    "Finish",
    "Finished",
    "Loaded",
    "Open",
    "Prepare",
    "Prepared",
    "Probe",
    "Raced",
    "Release",
    "Sample",
    "TimeBatch",
    "Trim",
]

A_co = TypeVar("A_co", covariant=True)
Look = Annotated[tuple[tuple[int, Positive], ...], Sized(1, 4096)]
"""A CPU and the seconds that the arithmetic took there (see `bench.machine.cpu_speed`)."""
_MOST_WORDS = 64
"""Entries that a backend says of itself, at most."""
MOST_THREADS = 1 << 16
"""More than any machine has CPUs."""
CompileReport = Annotated[dict[str, Annotated[int, Between(0, 2**53)]], Sized(0, _MOST_WORDS)]
"""What a backend's compiler did, in counts."""
_MOST_PARTS = 64
"""Several times as many as a batch has: a message of more is refused."""
_MOST_PROBES = 16
"""The same of what is asked for."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The backend is imported."""

    import_s: Seconds
    python: str
    versions: Annotated[dict[str, str], Sized(0, _MOST_WORDS)]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A case is compiled and has been through the gate, or why not."""

    skip: str | None = None
    gate: GateReport = field(default_factory=lambda: GateReport(None))
    first_call_s: Seconds | None = None
    second_call_s: Seconds | None = None
    threads_effective: Annotated[int, Between(0, MOST_THREADS)] | None = None
    compile_report: CompileReport = field(default_factory=dict)
    way: str = ""
    """Of a copy, the way that was the fastest."""

    @property
    def has_compiled(self) -> bool:
        """Whether the process compiled what a compiler's cache could have held."""
        return self.compile_report.get("cache_hit") == 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One batch: seconds per call, what the process used meanwhile, and what was wrong with the output.

    `parts` are seconds per call of the consecutive parts of the batch, `seconds` is that of all of it.
    `began` and `ended` are readings of the clock, `idle_s` and `idle_cpu_s` the seconds since the batch
    before and what this process used up in them, when others were being measured.  `pace` has readings of how
    fast the CPUs were during the batch, or none (see `bench.machine.cpu_speed`).

    Raises ValueError for readings that do not cover all parts.
    """

    seconds: Finite
    parts: Annotated[tuple[Finite, ...], Sized(1, _MOST_PARTS)]
    iterations: Annotated[int, Between(1, 2**62)]
    began: Finite
    ended: Finite
    idle_s: Finite
    idle_cpu_s: Finite
    usage: Usage
    total_cpu_s: Finite
    problem: str | None
    pace: Annotated[tuple[Look, ...], Sized(0, _MOST_PARTS)] = ()
    idle_others_s: Finite = 0.0
    """Of `idle_cpu_s`, what threads besides the one that answers used."""
    idle_faults: int = 0
    """Pages that the process was given in the same time (see `bench.machine.own_usage`)."""
    cost: Cost = field(default_factory=Cost)
    """Of the timed calls alone."""
    in_threads: bool = False
    """Whether threads besides the one that calls do some of the work (see `bench.machine.cpu_speed`)."""
    pauses: bool = False
    """Whether the process stops until it is asked again (see `bench.machine.pausing`)."""

    def __post_init__(self) -> None:
        if self.pace and len(self.pace) * LOOK_EVERY < len(self.parts):
            raise ValueError(f"{len(self.pace)} looks at the CPUs do not cover {len(self.parts)} parts")


@dataclass(frozen=True, slots=True)
class Finished:
    """The last look at an arm."""

    problem: str | None
    compile_report: CompileReport
    device_peak_bytes: int | None = None
    """The most memory of the device that the arm had at once, where its framework counts."""
    peak_bytes: Annotated[int, Between(0, 2**62)] | None = None
    """What a call needs at its peak beyond its inputs and its result; None where that cannot be seen."""
    unsettled: Annotated[int, Between(0, 2**53)] = 0
    """Times that a card had not settled its clocks when it was to be timed."""


@dataclass(frozen=True, slots=True)
class DeviceTimes:
    """Seconds of a call on a device; None on the CPU, and where they cannot be told."""

    device_s: Seconds | None = None
    """On the device's own clock."""
    queued_s: Seconds | None = None
    """Of one among many that are launched one after the other, and waited for once."""


class ArmCalls(Protocol):
    """What an arm can be asked once it is open; `bench.arm.server.ArmServer` does it."""

    def raced(self, case: Case, way: str = "") -> bool:
        """Whether a copy knows its way for the case, so that others may work while it is prepared.

        It goes the `way` that won in another process, if one is given.
        """

    def prepare(self, case: Case, where: Where = NOWHERE, *, in_turn: bool = False) -> Prepared:
        """Build the inputs, or map them from `where` they are shared, compile, and pass the gate.

        `in_turn`: hold memory only while something is asked; the others need it meanwhile.
        """

    def probe(self, least_s: float, probes: int = 1) -> float:
        """Seconds per call, the fastest of so many probes of at least `least_s` each (or one call)."""

    def batch(self, iterations: int, warm_s: float, turn: int = 0, *, pauses: bool = False) -> Sample:
        """One timed batch of `iterations` calls, after warming up for `warm_s` seconds or one call.

        Arms that work in one thread are on the same CPU in the same `turn`.  Others, whose threads spin for a while,
        wait until they rest, or stop once they have answered, where that may be (`pauses`).
        """

    def finish(self) -> Finished:
        """Judge the timed output, and try the tricks."""

    def dispatch(self) -> float | None:
        """Median seconds from a call to its return, before `sync`; None where a call consumes its input."""

    def device_time(self) -> DeviceTimes:
        """What calls take on a device beside the time that is measured."""

    def release(self) -> None:
        """Let go of the case's buffers."""

    def trim(self) -> None:
        """Keep nothing for the next case: somebody needs the memory."""


@dataclass(frozen=True, slots=True)
class Open(Request[Loaded]):
    """The first request: import this backend, or control, in this role.  `plugins` maps names to ``MODULE:CLASS``.

    Or to a user's own op (`kernels.own.op`), which every arm has to know.
    """

    backend: str
    role: Annotated[str, OneOf(ROLES)]
    plugins: Mapping[str, str]
    seed: int
    cache_bytes: int

    @property
    def is_control(self) -> bool:
        """Whether it is one of `bench.plan.experiments.CONTROLS`: a copy, or the empty call."""
        return self.role in SHOWING


class ArmRequest(Request[A_co]):
    """A call of a method of `ArmCalls`."""

    __slots__ = ()

    @abstractmethod
    def call(self, arm: ArmCalls) -> A_co:
        """Make the call."""


@dataclass(frozen=True, slots=True)
class Raced(ArmRequest[bool]):
    """See `ArmCalls.raced`."""

    case: NetworkCase | FunctionCase | Case
    way: str = ""

    def call(self, arm: ArmCalls) -> bool:
        """Make the call."""
        return arm.raced(self.case, self.way)


@dataclass(frozen=True, slots=True)
class Prepare(ArmRequest[Prepared]):
    """See `ArmCalls.prepare`."""

    case: NetworkCase | FunctionCase | Case
    in_turn: bool = False
    where: Where = NOWHERE

    def call(self, arm: ArmCalls) -> Prepared:
        """Make the call."""
        return arm.prepare(self.case, self.where, in_turn=self.in_turn)


@dataclass(frozen=True, slots=True)
class Probe(ArmRequest[Seconds]):
    """See `ArmCalls.probe`."""

    least_s: float
    probes: Annotated[int, Between(1, _MOST_PROBES)] = 1

    def call(self, arm: ArmCalls) -> float:
        """Make the call."""
        return arm.probe(self.least_s, self.probes)


@dataclass(frozen=True, slots=True)
class TimeBatch(ArmRequest[Sample]):
    """See `ArmCalls.batch`."""

    name = "batch"
    iterations: int
    warm_s: float
    turn: int = 0
    pauses: bool = False

    def call(self, arm: ArmCalls) -> Sample:
        """Make the call."""
        return arm.batch(self.iterations, self.warm_s, self.turn, pauses=self.pauses)


@dataclass(frozen=True, slots=True)
class Finish(ArmRequest[Finished]):
    """See `ArmCalls.finish`."""

    def call(self, arm: ArmCalls) -> Finished:
        """Make the call."""
        return arm.finish()


@dataclass(frozen=True, slots=True)
class Dispatch(ArmRequest[Seconds | None]):
    """See `ArmCalls.dispatch`."""

    def call(self, arm: ArmCalls) -> float | None:
        """Make the call."""
        return arm.dispatch()


@dataclass(frozen=True, slots=True)
class DeviceTime(ArmRequest[DeviceTimes]):
    """See `ArmCalls.device_time`."""

    def call(self, arm: ArmCalls) -> DeviceTimes:
        """Make the call."""
        return arm.device_time()


@dataclass(frozen=True, slots=True)
class Release(ArmRequest[None]):
    """See `ArmCalls.release`."""

    def call(self, arm: ArmCalls) -> None:
        """Make the call."""
        arm.release()


@dataclass(frozen=True, slots=True)
class Trim(ArmRequest[None]):
    """See `ArmCalls.trim`."""

    def call(self, arm: ArmCalls) -> None:
        """Make the call."""
        arm.trim()


ARM_REQUESTS = (Open, Raced, Prepare, Probe, TimeBatch, Finish, Dispatch, DeviceTime, Release, Trim)
"""All that an arm's process answers."""
