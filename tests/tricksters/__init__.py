"""Backends that do something else than the work, or behave badly while they do it.

Plugins like any other (``--plugin tests.tricksters:Memoised``).  Those of `CAUGHT` have to end with the
status and a reason that names the trick; those of `HARMLESS` are odd and right, and must not be accused.
"""

from __future__ import annotations

from tests.tricksters.breaking import (
    Exits,
    Hangs,
    LoudWhyNot,
    OutOfMemory,
    RaisesInCompile,
    RaisesInThirdBatch,
    RaisesInWhyNot,
    RaisesUntilTold,
    SegfaultsInBatch,
    SegfaultsInCompile,
    VagueWhyNot,
    WrongReturns,
)
from tests.tricksters.harmless import (
    Chatty,
    CompilesLater,
    LeavesGcOff,
    OddVersions,
    PlansByShape,
    RecyclingPool,
    SettlesLate,
    StartsHelper,
)
from tests.tricksters.late import (
    LazySubclass,
    LazyToken,
    LiesInSync,
    ReturnsEarly,
)
from tests.tricksters.less import (
    AllocatesDespiteOut,
    LowPrecision,
    ReturnsInput,
    SkipsTail,
    TrustsTheEnds,
    WritesAllOnce,
    WritesInput,
)
from tests.tricksters.remembering import (
    CachesById,
    HashesInput,
    Memoised,
    RingOfBuffers,
    SharedBuffer,
    WatchesEnds,
)
from tests.tricksters.rushed import BackToBack, ComputesInAdopt
from tests.tricksters.watched import (
    AllocatesLater,
    CountsCalls,
    JudgesItself,
    KnowsTheGate,
    PatchesClock,
    PatchesHarness,
    ReplacesAFunction,
    ReplacesCode,
    SlowsOthers,
)

__all__ = [
    "CAUGHT",
    "HARMLESS",
    "HONEST_WITHOUT_OUT",
    "AllocatesDespiteOut",
    "AllocatesLater",
    "BackToBack",
    "CachesById",
    "Chatty",
    "CompilesLater",
    "ComputesInAdopt",
    "CountsCalls",
    "Exits",
    "Hangs",
    "HashesInput",
    "JudgesItself",
    "KnowsTheGate",
    "LazySubclass",
    "LazyToken",
    "LeavesGcOff",
    "LiesInSync",
    "LoudWhyNot",
    "LowPrecision",
    "Memoised",
    "OddVersions",
    "OutOfMemory",
    "PatchesClock",
    "PatchesHarness",
    "PlansByShape",
    "RaisesInCompile",
    "RaisesInThirdBatch",
    "RaisesInWhyNot",
    "RaisesUntilTold",
    "RecyclingPool",
    "ReplacesAFunction",
    "ReplacesCode",
    "ReturnsEarly",
    "ReturnsInput",
    "RingOfBuffers",
    "SegfaultsInBatch",
    "SegfaultsInCompile",
    "SettlesLate",
    "SharedBuffer",
    "SkipsTail",
    "SlowsOthers",
    "StartsHelper",
    "TrustsTheEnds",
    "VagueWhyNot",
    "WatchesEnds",
    "WritesAllOnce",
    "WritesInput",
    "WrongReturns",
]

WRONG = ("incorrect", "mistrusted")

CAUGHT: dict[type, tuple[tuple[str, ...], str]] = {
    Memoised: (WRONG, "returns an earlier result again|writes nothing"),
    CachesById: (WRONG, "returns an earlier result again|writes nothing|changes the shape"),
    WatchesEnds: (
        WRONG,
        "does nothing when the input has not changed|writes nothing|returns an earlier result",
    ),
    HashesInput: (WRONG, "does nothing when the input has not changed"),
    SharedBuffer: (WRONG, "returns an earlier result's memory again|allocates its result"),
    RingOfBuffers: (WRONG, "returns an earlier result's memory again|allocates its result"),
    ReturnsEarly: (WRONG, "returns before the work is done"),
    LiesInSync: (WRONG, "returns before the work is done"),
    LazyToken: (WRONG, "returns before the work is done|writes nothing"),
    LazySubclass: (WRONG, "writes nothing"),
    SkipsTail: (WRONG, "writes only a part"),
    WritesAllOnce: (WRONG, "writes only a part"),
    ReturnsInput: (WRONG, "its input"),
    TrustsTheEnds: (WRONG, "its input|writes nothing|returns an earlier result's memory|wrong"),
    LowPrecision: (WRONG, "computes in a lower precision .every value is a float16"),
    AllocatesDespiteOut: (WRONG, "allocates its result although placement is 'out'"),
    WritesInput: (WRONG, "writes into its input x"),
    KnowsTheGate: (WRONG, "drops NaN"),
    CountsCalls: (WRONG, "writes nothing|returns an earlier result again|elements wrong"),
    AllocatesLater: (
        WRONG,
        "writes nothing|returns an earlier result again|elements wrong",
    ),  # as chance will have it
    JudgesItself: (WRONG, "writes nothing"),
    PatchesClock: (WRONG, "replaces time.perf_counter"),
    PatchesHarness: (WRONG, "replaces bench.arm.call_loops.timed"),
    ReplacesAFunction: (WRONG, "replaces kernels.correctness.notes._zeros"),
    ReplacesCode: (WRONG, "replaces kernels.numbers.data.specials|drops NaN"),
    BackToBack: (
        WRONG,
        "where its input changes between two calls of a batch: returns an earlier result again",
    ),
    ComputesInAdopt: (WRONG, "copies what it is given"),
    SlowsOthers: (WRONG, "keeps a CPU busy while other arms are measured"),
    RaisesInCompile: (("failed",), "ValueError: no kernel for today nor for tomorrow"),
    RaisesInThirdBatch: (("failed",), "RuntimeError: the fifth input"),
    SegfaultsInCompile: (("crashed",), "killed by SIGSEGV in 'prepare'"),
    SegfaultsInBatch: (("crashed",), "killed by SIGSEGV in '(probe|batch)'"),
    Hangs: (("timeout",), "--cell-timeout"),
    Exits: (("crashed",), "exit status 3"),
    OutOfMemory: (("oom",), "cannot allocate 7 TiB"),
    RaisesInWhyNot: (("failed",), "KeyError: 'undecided'"),
    VagueWhyNot: (("failed",), "why_not returned False"),
    LoudWhyNot: (("skipped",), 'not "here", not.now'),
    WrongReturns: (WRONG, "returned list"),
}
"""The statuses that each may end with, and a pattern that its reason has to match."""

HONEST_WITHOUT_OUT = (AllocatesDespiteOut, AllocatesLater)
"""Those that have nothing to hide unless they are given an array for the result."""

HARMLESS: tuple[type, ...] = (
    Chatty, LeavesGcOff, StartsHelper, OddVersions, RecyclingPool, CompilesLater, SettlesLate, PlansByShape,
)  # fmt: skip
