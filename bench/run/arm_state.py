"""What the coordinator knows of one arm while an experiment runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median

from bench.machine.own_usage import Cost
from bench.messages import Finished, Loaded, Prepared
from bench.plan.experiments import BASELINE, STAND_IN, Arm

__all__ = ["ArmState", "Batch", "acting_baseline", "end_round"]

_BURSTS = 1.25
"""An arm works in bursts if its batches, waits taken off, take so many times as long as most of their parts, beside how
much longer those of the other arms of its kind take: what a host does to all of them is not the arm's doing."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One timed batch of an arm, as rounds.csv has it; times are seconds per call unless they say otherwise."""

    process: int
    round: int
    order: int
    iterations: int
    seconds: float
    """The median of its parts."""
    mean_s: float
    """The mean of its parts."""
    part_q25_s: float
    part_q75_s: float
    contended: bool
    """Whether others used the CPUs meanwhile."""
    waited_s: float = 0.0
    """Seconds in the batch in which its threads were ready to run and had no CPU."""
    timed_s: float = 0.0
    """Seconds that the whole batch took."""
    wall_s: float = 0.0
    """Seconds from its beginning to its end, what is not timed in between included."""
    cpu_s: float = 0.0
    """CPU seconds of all its threads in them."""
    cost: Cost = field(default_factory=Cost)
    """Of its timed calls alone."""
    in_threads: bool = False
    """Whether threads besides the one that calls did some of the work."""
    sm_mhz: int | None = None
    """The clock of a card's multiprocessors right after it."""
    cpu_reading_s: float | None = None
    """How long the fixed arithmetic took beside it (see `bench.machine.cpu_speed`)."""
    shared_reading_s: float | None = None
    """The mean of these over the arms of its kind in that round, which were on the same CPUs; None until it is over."""


@dataclass(slots=True)
class ArmState:
    """What is known of one arm: how it was prepared, its batches, and how it failed if it did."""

    arm: Arm
    process: int = 1
    """The number of the process that is measured now."""
    loaded: Loaded | None = None
    prepared: Prepared | None = None
    compiled: Prepared | None = None
    """What the first process answered, or one that had compiled (see `bench.run.process_pool`)."""
    finished: Finished | None = None
    dispatch_s: float | None = None
    device_s: float | None = None
    queued_s: float | None = None
    batch_s: float = 0.0
    """Seconds that a batch should take at least."""
    probed_s: float = 0.0
    """Seconds of a call, by the probes of its first process."""
    iterations: int = 1
    batches: list[Batch] = field(default_factory=list)
    failure: tuple[str, str] | None = None
    way: str = ""
    """Of a copy, the way that it goes in this process without a race."""
    idle_s: float = 0.0
    idle_cpu_s: float = 0.0
    """Seconds between its batches, and CPU seconds that its process used in them."""
    idle_faults: int = 0
    """Pages that its process was given in them."""
    pauses: int = 0
    """How many of them there were."""
    others_unsteady: float = 1.0
    """Times that batches of the other arms of its kind take as long as most of their parts, by the median arm."""
    beside_bursts: bool = False
    """Whether an arm that is nearly as fast works in bursts, or this one does (see `bench.run.near_arms`)."""
    _seen: tuple[int, Batch | None] = field(default=(0, None), init=False, repr=False, compare=False)
    """How many batches there were, and the last of them, when it was last told how they were spent."""
    _spent: tuple[float, bool, float] = field(
        default=(1.0, False, 0.0), init=False, repr=False, compare=False
    )

    @property
    def alive(self) -> bool:
        """Whether it still takes part."""
        return self.failure is None

    @property
    def timed(self) -> bool:
        """Whether it takes part and has a time."""
        return self.alive and bool(self.batches)

    @property
    def contended(self) -> int:
        """Batches beside which others used the CPUs."""
        return sum(batch.contended for batch in self.batches)

    @property
    def has_compiled(self) -> bool:
        """Whether the present process compiled what a compiler's cache could have held."""
        return self.alive and self.prepared is not None and self.prepared.has_compiled

    @property
    def fetched(self) -> bool:
        """Whether the present process found its code in a compiler's cache: there it is for others, too."""
        latest = self.finished or self.prepared
        return latest is not None and latest.compile_report.get("cache_hit") == 1

    @property
    def compile_report(self) -> dict[str, int]:
        """As it stands now; a cache hit is one that no process of this arm had to compile for."""
        latest = self.finished or self.prepared
        report = dict(latest.compile_report) if latest else {}
        first = self.compiled or self.prepared
        before = first.compile_report if first else {}
        if "cache_hit" in report and "cache_hit" in before:
            report["cache_hit"] = min(report["cache_hit"], before["cache_hit"])
        return report

    def fail(self, status: str, reason: str) -> None:
        """Leave the experiment."""
        self.failure = (status, reason)

    def renew(self, process: int) -> None:
        """Go on in another process, of that number; the times of the first one's preparing are kept."""
        self.process = process
        self.compiled = self.compiled or self.prepared
        self.finished = None
        self.idle_s = self.idle_cpu_s = 0.0
        self.idle_faults = self.pauses = 0

    @property
    def cost_of_a_call(self) -> tuple[float, float, float]:
        """CPU seconds, those in the kernel, and page faults: means over all timed calls."""
        calls = sum(batch.iterations for batch in self.batches)
        costs = [batch.cost for batch in self.batches]
        return (
            sum(cost.cpu_s for cost in costs) / calls,
            sum(cost.system_s for cost in costs) / calls,
            sum(cost.page_faults for cost in costs) / calls,
        )

    @property
    def mean_over_median(self) -> float | None:
        """How much longer a batch takes than most of its parts, as its rounds have it."""
        return median(each.mean_s / each.seconds for each in self.batches) if self.batches else None

    @property
    def in_bursts(self) -> bool:
        """Whether it works in bursts: its batches take far longer than most of their parts.

        Waiting for a CPU does that, and is taken off; what remains is the arm's own doing (work put off, memory given
        back now and then), and only the whole batch has its cost.
        """
        return self.unsteady > _BURSTS * self.others_unsteady

    @property
    def by_whole_batches(self) -> bool:
        """Whether whole batches count.  Beside most parts of an equal arm's batches they are far longer."""
        return self.in_bursts or self.beside_bursts

    @property
    def least_s(self) -> float:
        """The least that a call of it was seen to take, by batches or else by probes; 0 where nothing is known."""
        return self._how_spent()[2]

    @property
    def unsteady(self) -> float:
        """Times that its batches, waits taken off, take as long as most of their parts."""
        return self._how_spent()[0]

    @property
    def is_parallel(self) -> bool:
        """Whether several threads work: it is then not kept on the CPU that the serial arms of a round share.

        CPU seconds a second do not tell it of small calls, most of whose time is spent waking threads.
        """
        return self._how_spent()[1]

    def _how_spent(self) -> tuple[float, bool, float]:
        """Unsteady, parallel, and its least time: asked dozens of times a round, and worked out once."""
        if not self.batches:
            return 1.0, False, self.probed_s
        count, last = len(self.batches), self.batches[-1]
        if self._seen[0] != count or self._seen[1] is not last:
            bursts = median((b.mean_s - b.waited_s / b.iterations) / b.seconds for b in self.batches)
            threads = fmean(b.in_threads for b in self.batches)
            least_s = min(b.seconds for b in self.batches)
            self._seen, self._spent = (count, last), (bursts, threads > 0.5, least_s)
        return self._spent

    def seconds(self, batch: Batch) -> float:
        """Seconds per call that a batch has by itself."""
        return batch.mean_s if self.by_whole_batches else batch.seconds


def end_round(states: Sequence[ArmState]) -> list[float]:
    """Tell arms that had a batch in the round what those of their kind show together; the mean readings, one a kind."""
    found = []
    for kind in (False, True):
        mine = [state for state in states if state.is_parallel is kind]
        for state in mine:
            others = [each.unsteady for each in mine if each is not state]
            state.others_unsteady = max(median(others), 1.0) if len(others) > 1 else 1.0
        read = [each.batches[-1].cpu_reading_s for each in mine]
        readings = [reading for reading in read if reading is not None]
        if readings:
            found.append(fmean(readings))
            for state in mine:
                state.batches[-1] = replace(state.batches[-1], shared_reading_s=found[-1])
    return found


def acting_baseline(states: Sequence[ArmState]) -> ArmState | None:
    """The arm that the others are compared with: the baseline, or what stands in where the usual one cannot run."""
    planned = next((state for state in states if state.arm.role == "baseline"), None)
    if planned is None or planned.alive or planned.arm.backend != BASELINE:
        return planned
    instead = (state for state in states if state.alive and state.arm == Arm(STAND_IN))
    return next(instead, planned)
