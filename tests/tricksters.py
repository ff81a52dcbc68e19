"""Backends that do something else than the work, or behave badly while they do it.

Plugins like any other (``--plugin tests.tricksters:Memoised``).  Those of `CAUGHT` have to end with the
status and a reason that names the trick; those of `HARMLESS` are odd and right, and must not be accused.
"""

from __future__ import annotations

import ctypes
import gc
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.mutants import Array, HonestNumpy

Call = Callable[[], Any]


class Trickster(HonestNumpy):
    """Derived classes say in `trick` what a call does, given an honest call."""

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Call:
        honest = super().compile(case, x, dy, out)
        self.case, self.x, self.dy, self.out = case, x, dy, out
        return self.trick(honest, x, out)

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        raise NotImplementedError

    def fresh(self, x: Array, out: Array | None) -> Array:
        """Where the result goes: `out`, or memory as it comes."""
        return np.empty_like(x) if out is None else out


# Remembering.


class Memoised(Trickster):
    """Works once and returns that result ever after."""

    name = "memoised"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        first = honest()
        return lambda: first


class CachesById(HonestNumpy):
    """Remembers a result for each array object that it was given."""

    name = "caches_by_id"

    def __init__(self) -> None:
        self.results: dict[tuple[int, int], Array] = {}

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Call:
        honest, key = super().compile(case, x, dy, out), (id(x), id(out))

        def call() -> Array:
            if key not in self.results:
                self.results[key] = honest()
            return self.results[key]

        return call


class WatchesEnds(Trickster):
    """Does nothing while the ends of its input and of its output are as it left them."""

    name = "watches_ends"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        seen, result = b"", None

        def call() -> Any:
            nonlocal seen, result
            ends = x[:4].tobytes() + x[-4:].tobytes()
            if result is not None:
                ends += result[:4].tobytes() + result[-4:].tobytes()
            if result is None or ends != seen:
                result = honest()
                seen = x[:4].tobytes() + x[-4:].tobytes() + result[:4].tobytes() + result[-4:].tobytes()
            return result

        return call


class HashesInput(Trickster):
    """Reads all of its input, and writes nothing if that has not changed."""

    name = "hashes_input"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        seen, result = None, None

        def call() -> Any:
            nonlocal seen, result
            now = hash(x.tobytes())
            if now != seen:
                seen, result = now, honest()
            return result

        return call


class SharedBuffer(Trickster):
    """Right each time, but always in the same memory: an earlier result changes under its owner."""

    name = "shared_buffer"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        buffer = np.empty_like(x)

        def call() -> Array:
            buffer[...] = honest()
            return buffer

        return call


class RingOfBuffers(Trickster):
    """As SharedBuffer, with eight buffers in turn."""

    name = "ring_of_buffers"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        ring = [np.empty_like(x) for _ in range(8)]
        turn = 0

        def call() -> Array:
            nonlocal turn
            turn = (turn + 1) % len(ring)
            ring[turn][...] = honest()
            return ring[turn]

        return call


# Being late.


class Job:
    """A result that is written by another thread, some time."""

    def __init__(self, work: Call, target: Array) -> None:
        self.target, self.done, self._work = target, threading.Event(), work

    def run(self) -> None:
        self.target[...] = self._work()
        self.done.set()


class ReturnsEarly(Trickster):
    """A call only says what is to be done; a thread does it a little later, and `sync` knows nothing."""

    name = "returns_early"

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            job = self._jobs.get()
            if self._jobs.empty():  # else it is late anyway, and what waits for it would take minutes
                time.sleep(0.0001)
            job.run()

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def work() -> Array:
            return np.where(x <= 0, x.dtype.type(0), x)

        def call() -> Array:
            job = Job(work, self.fresh(x, out))
            self._jobs.put(job)
            return self.handle(job)

        return call

    def handle(self, job: Job) -> Any:
        return job.target


class LiesInSync(ReturnsEarly):
    """`sync` returns at once; the waiting is done where the result is looked at, which is not timed."""

    name = "lies_in_sync"

    def handle(self, job: Job) -> Any:
        return job

    def to_numpy(self, result: Any) -> Array:
        if isinstance(result, Job):
            result.done.wait()
            return result.target
        return result


class LazyToken(Trickster):
    """Returns a promise, and computes when it is looked at."""

    name = "lazy_token"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        return lambda: honest

    def to_numpy(self, result: Any) -> Array:
        return result() if callable(result) else result


class LazyArray(np.ndarray):
    """Computes when it is read."""

    work: Call

    def _now(self) -> Array:
        return np.asarray(self.work())

    def __getitem__(self, key: Any) -> Any:
        return self._now()[key]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(
            *(each._now() if isinstance(each, LazyArray) else each for each in inputs), **kwargs
        )

    def view(self, *args: Any, **kwargs: Any) -> Any:
        return self._now().view(*args, **kwargs)


class LazySubclass(Trickster):
    """Returns an array of a subclass that computes when it is read."""

    name = "lazy_subclass"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def call() -> Any:
            lazy = np.ndarray.view(self.fresh(x, out), LazyArray)
            lazy.work = honest
            return lazy

        return call


# Doing less.


class SkipsTail(Trickster):
    """The last seven elements are never written."""

    name = "skips_last_seven"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def call() -> Array:
            result = self.fresh(x, out)
            result[:-7] = np.where(x[:-7] <= 0, x.dtype.type(0), x[:-7])
            return result

        call_out = call()
        if out is not None:
            call_out[-7:] = 0
        return call


class WritesAllOnce(Trickster):
    """The first call writes everything, later ones the first half: the rest stands there already."""

    name = "writes_all_once"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        half = x.size // 2

        def call() -> Array:
            result = self.fresh(x, out)
            result[:half] = np.where(x[:half] <= 0, x.dtype.type(0), x[:half])
            return result

        return call


class ReturnsInput(Trickster):
    """What relu makes of positive numbers."""

    name = "returns_input"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def copy() -> Array:
            assert out is not None
            out[...] = x
            return out

        return (lambda: x) if out is None else copy


class TrustsTheEnds(Trickster):
    """Returns its input if both ends of it are positive, and works otherwise."""

    name = "trusts_the_ends"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def call() -> Array:
            if not (x[0] > 0 and x[-1] > 0):
                return honest()
            if out is None:
                return x
            out[...] = x
            return out

        return call


class LowPrecision(HonestNumpy):
    """Computes in float16 and returns float32."""

    name = "low_precision"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        return super().answer(case, x.astype(np.float16), None).astype(x.dtype)


class AllocatesDespiteOut(HonestNumpy):
    """Right, but in memory of its own, whatever array it was given for the result."""

    name = "allocates_despite_out"

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Call:
        return lambda: self.answer(case, x, dy)


class WritesInput(HonestNumpy):
    """Clamps its input as well."""

    name = "writes_input"

    def answer(self, case: Any, x: Array, dy: Array | None) -> Array:
        np.maximum(x, x.dtype.type(0), out=x)
        return x.copy()


# Knowing when it is watched.


class KnowsTheGate(Trickster):
    """Keeps NaN only if an end of the input is NaN, as it is when the gate laces it."""

    name = "knows_the_gate"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        def call() -> Array:
            if np.isnan(x[0]) or np.isnan(x[-1]):
                return honest()
            result = self.fresh(x, out)
            result[...] = np.where(x > 0, x, x.dtype.type(0))
            return result

        return call


class CountsCalls(Trickster):
    """Works for its first 40 calls, and leaves everything as it is from then on."""

    name = "counts_calls"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        calls = 0

        def call() -> Array:
            nonlocal calls
            calls += 1
            return honest() if calls <= 40 else self.fresh(x, out)

        return call


class AllocatesLater(Trickster):
    """Writes into `out` for its first 40 calls, and into memory of its own from then on."""

    name = "allocates_later"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        calls = 0

        def call() -> Array:
            nonlocal calls
            calls += 1
            return honest() if calls <= 40 else self.answer(self.case, x, None)

        return call


class JudgesItself(Trickster):
    """Offers the method that control arms are judged by, and does nothing."""

    name = "judges_itself"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        return lambda: self.fresh(x, out)

    def expected(self, case: Any, x: Array, dy: Array | None) -> None:
        return None


class PatchesClock(Trickster):
    """Makes the clock go ten times slower."""

    name = "patches_clock"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        real = time.perf_counter
        if real.__name__ == "perf_counter":
            time.perf_counter = lambda: real() / 10
        return honest


class PatchesHarness(Trickster):
    """Replaces the loop that times it, in the harness's own module."""

    name = "patches_harness"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        from bench.arm import call_loops

        real: Callable[..., Any] = vars(call_loops)["timed"]
        if real.__name__ == "timed":

            def third(*args: Any) -> Any:
                return real(*args) / 3

            setattr(call_loops, "timed", third)  # noqa: B010  # mypy sees an assignment to what it does not export
        return honest


class ReplacesAFunction(Trickster):
    """Puts a function of its own in place of one that makes the judge's notes, and only there."""

    name = "replaces_a_function"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        from kernels.correctness import notes

        def _zeros(e: Any) -> Any:
            return iter(())

        notes._zeros = _zeros
        return honest


class ReplacesCode(Trickster):
    """Drops NaN, and has the gate try zeros only: by new code in a function that stays where it is."""

    name = "replaces_code"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        from kernels.numbers import data

        data.specials.__code__ = (lambda dtype: np.zeros(4, dtype)).__code__

        def call() -> Array:
            result = self.fresh(x, out)
            result[...] = np.where(x > 0, x, x.dtype.type(0))
            return result

        return call


class SlowsOthers(Trickster):
    """Keeps a CPU busy while the other arms are measured."""

    name = "slows_others"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        if threading.active_count() == 1:
            threading.Thread(target=self._burn, daemon=True).start()
        return honest

    def _burn(self) -> None:
        block = np.ones(1 << 16)
        while True:
            np.sqrt(block, out=block)


# Breaking.


class RaisesInCompile(Trickster):
    name = "raises_in_compile"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        raise ValueError("no kernel for today\nnor for tomorrow")


class RaisesInThirdBatch(Trickster):
    """Raises at the fifth input: two are the gate's, and each batch brings one more."""

    name = "raises_in_third_batch"

    def __init__(self) -> None:
        self._seen: dict[str, set[bytes]] = {}

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        seen = self._seen.setdefault("new" if out is None else "out", set())

        def call() -> Any:
            seen.add(x.tobytes())
            if len(seen) == 5:
                raise RuntimeError("the fifth input is one too many")
            return honest()

        return call


class SegfaultsInCompile(Trickster):
    name = "segfaults_in_compile"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        ctypes.string_at(0)
        return honest


class SegfaultsInBatch(Trickster):
    name = "segfaults_in_batch"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        calls = 0

        def call() -> Any:
            nonlocal calls
            calls += 1
            if calls == 40:
                ctypes.string_at(0)
            return honest()

        return call


class Hangs(Trickster):
    name = "hangs"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        return threading.Event().wait


class Exits(Trickster):
    name = "exits"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        return lambda: os._exit(3)


class OutOfMemory(Trickster):
    name = "out_of_memory"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        raise MemoryError("cannot allocate 7 TiB")


class RaisesInWhyNot(HonestNumpy):
    name = "raises_in_why_not"

    def why_not(self, case: Any) -> str | None:
        raise KeyError("undecided")


class VagueWhyNot(HonestNumpy):
    """Refuses and does not say why."""

    name = "vague_why_not"

    def why_not(self, case: Any) -> Any:
        return False


class LoudWhyNot(HonestNumpy):
    """A reason that would break a file of lines."""

    name = "loud_why_not"

    def why_not(self, case: Any) -> str | None:
        return 'not "here",\nnot\0now\udc80, ' + "never " * 1000


class RaisesUntilTold(HonestNumpy):
    """Raises in `compile` unless the environment says otherwise."""

    name = "raises_until_told"

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Call:
        if "RELU_BENCH_TOLD" not in os.environ:
            raise RuntimeError("nobody has told me")
        return super().compile(case, x, dy, out)


class WrongReturns(HonestNumpy):
    """Hands over a list where an array is wanted."""

    name = "wrong_returns"

    def to_numpy(self, result: Any) -> Any:
        return list(result)


# Odd, but right.


class Chatty(Trickster):
    """Prints a megabyte in each `compile` and a line in each call."""

    name = "chatty"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        sys.stdout.write("chatter " * (1 << 17))
        sys.stderr.write("chatter " * (1 << 17))

        def call() -> Any:
            print("called")
            return honest()

        return call


class LeavesGcOff(Trickster):
    """Switches Python's cycle collector off and leaves it so."""

    name = "leaves_gc_off"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        gc.disable()
        return honest


class StartsHelper(Trickster):
    """Starts a process of its own that would go on for ever."""

    name = "starts_helper"

    def trick(self, honest: Call, x: Array, out: Array | None) -> Call:
        if not hasattr(self, "helper"):
            self.helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return honest


class OddVersions(HonestNumpy):
    """Describes itself by objects that no other process can unpickle."""

    name = "odd_versions"

    def versions(self) -> Any:
        class Local(str):
            __slots__ = ()

        return {"local": Local("1.0"), "function": lambda: None}


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
    AllocatesLater: (WRONG, "writes nothing"),
    JudgesItself: (WRONG, "writes nothing"),
    PatchesClock: (WRONG, "replaces time.perf_counter"),
    PatchesHarness: (WRONG, "replaces bench.arm.call_loops.timed"),
    ReplacesAFunction: (WRONG, "replaces kernels.correctness.notes._zeros"),
    ReplacesCode: (WRONG, "replaces kernels.numbers.data.specials"),
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
    LoudWhyNot: (("skipped",), 'not "here", not now'),
    WrongReturns: (WRONG, "returned list"),
}
"""The statuses that each may end with, and a pattern that its reason has to match."""

HONEST_WITHOUT_OUT = (AllocatesDespiteOut, AllocatesLater)
"""Those that have nothing to hide unless they are given an array for the result."""

HARMLESS: tuple[type, ...] = (Chatty, LeavesGcOff, StartsHelper, OddVersions)
