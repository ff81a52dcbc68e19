"""How should our kernels go over a large array?  ``python -m scripts._card.sweep --json FILE``.

Times every way that numba_cuda and triton_jit can be told to: vectors a thread, blocks a multiprocessor, elements a
block, hints to the caches. By the card's own clock, by turns, beside the driver's copy of as many bytes. With --device
cpu Numba's simulator and Triton's interpreter go through the same, on a few elements, and no time of theirs means
anything.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.arm.device_clock import Queue
from bench.arm.timed_loop import without_gc
from bench.plugin.terminating import as_interrupt
from bench.text.sizes import format_size
from kernels import registry
from kernels.api import DIRECTIONS, Case
from kernels.numbers import host_arrays
from kernels.numbers.ulp import same_bits
from kernels.plugins import one_line
from scripts._card.transfers import transfers
from scripts._shared import cli

__all__ = ["Timer", "launches", "main", "measured", "plans_of"]

_ON_CARD = 64 << 20
"""Elements: several times what any cache holds."""
_DTYPES = ("float32", "bfloat16")
_ROUNDS = 5
"""Times that are taken of each way, by turns: the shortest counts, since a disturbance makes one longer."""
_IN_A_ROW = 4
"""Calls of each of them."""
_QUEUED = 64
"""Calls that are launched before one waits for them all."""
_LOOKED_AT = 4096
"""Elements of each way's result that are looked at."""
_SMALL = 1 << 10
"""Elements of a call that is little more than its launch."""
_BLOCK_BYTES = (4 << 10, 8 << 10, 16 << 10, 32 << 10)
_SIMULATED = {"NUMBA_ENABLE_CUDASIM": "1", "TRITON_INTERPRET": "1"}
_STAND_INS = {"numba_cuda": ("cuda", 1 << 9), "triton_jit": ("cpu", 1 << 14)}
"""Which device a simulator shows its backend, and how many elements it works off in a moment."""
_REHEARSED = 6
"""Of so many ways a simulator, which has no time for all, is shown one."""
_COPY = "copy"

Call = Callable[[], Any]
Wait = Callable[[Any], None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; 1 if nothing could be measured, or a way is wrong."""
    given = _parse(argv)
    if given.device == "cpu":
        os.environ.update(_SIMULATED)  # before either framework is imported
    until = time.monotonic() + 60 * given.minutes
    found: dict[str, Any] = {
        "device": given.device,
        "cases": [],
        "launches": [],
        "transfers": [],
        "skipped": [],
    }
    with as_interrupt():
        try:
            for line in _sweep(given.device, until, found):
                print(line, flush=True)
        except KeyboardInterrupt:
            found["skipped"].append("the rest: it was ended")
    given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return int(not found["cases"] or any(each["wrong"] for each in found["cases"]))


def _parse(argv: Sequence[str] | None) -> Any:
    parser = cli.Parser(description=__doc__ or "", epilog="`scripts/card.py` runs it as one of its steps.")
    parser.add_argument("--device", type=cli.device, default="cuda", help="cuda (the default), cuda:1 …, cpu")
    parser.add_argument(
        "--minutes", type=cli.number(0.1, 1440), default=2.0, help="for all of it (default 2)"
    )
    parser.add_argument("--json", type=cli.writable, required=True, metavar="FILE", help="what was found")
    return parser.parse_args(argv)


def _sweep(device: str, until: float, found: dict[str, Any]) -> Iterator[str]:
    """Fills `found`; a line for each case as it is done."""
    for dtype, direction, name in itertools.product(_DTYPES, DIRECTIONS, _STAND_INS):
        on, n = _STAND_INS[name] if device == "cpu" else (device, _ON_CARD)
        case = Case("leaky_relu", direction, "out", dtype, n, device=on)
        label = f"{name} {case.op} {direction} {dtype} {format_size(n)}"
        if time.monotonic() > until:
            found["skipped"].append(f"{label}: no time was left")
            continue
        try:
            backend: Any = registry.load(name)
            reason = backend.why_not(case)
        except ImportError as error:
            reason = str(error)
        if reason is not None:
            if (line := f"{name}: {reason}") not in found["skipped"]:
                found["skipped"].append(line)
            continue
        found["cases"].append({"backend": name, **measured(backend, case, until)})
        yield f"{label}: {len(found['cases'][-1]['plans'])} ways"
    yield from _beside(device, {each["backend"] for each in found["cases"]}, found)


def _beside(device: str, seen: set[str], found: dict[str, Any]) -> Iterator[str]:
    """What lies beside the kernels, of those backends that were seen: the way to the card, and launches."""
    for name in sorted(seen)[:1]:  # the way is the same for all
        on, n = _STAND_INS[name] if device == "cpu" else (device, _ON_CARD)
        for size in sorted({min(n, _SMALL), n}):
            one = transfers(registry.load(name), Case("relu", n=size, device=on))
            found["transfers"].append({"backend": name, **one})
            yield f"{name}: {format_size(size)} to the device and back"
    for name in _STAND_INS:
        if device == "cpu":
            found["skipped"].append(f"{name}, launches: what a launch costs is a card's to say")
        elif name in seen:
            case = Case("relu", "forward", "out", "float32", _SMALL, device=device)
            found["launches"].append({"backend": name, **launches(registry.load(name), case)})
            yield f"{name}: launches"


def launches(backend: Any, case: Case) -> dict[str, Any]:
    """Seconds of a call among many, waited for once: as Python programs launch it, and with all of it ready before."""
    x, out = (_adopted(backend, case, seed) for seed in (1, 2))
    ways: dict[str, Call] = {"plain": backend.bind(case, x, None, out)}
    try:
        ways["ready"] = backend.kept(case, x, None, out)
    except (AttributeError, ImportError, TypeError, ValueError) as error:  # parts of frameworks that change
        return {"n": case.n, "seconds": {}, "reason": one_line(error)}
    card = backend.card(case.device)
    wrong = _wrong(backend, card, case, out, ways)
    return {"n": case.n, "seconds": _queued(ways, backend.sync), "reason": "wrong" if wrong else ""}


def _queued(ways: Mapping[str, Call], sync: Wait) -> dict[str, float]:
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(_ROUNDS):
        for name, call in ways.items():
            with without_gc():
                began = time.perf_counter()
                for _ in range(_QUEUED):
                    result = call()
                sync(result)
                best[name] = min(best[name], (time.perf_counter() - began) / _QUEUED)
    return best


def measured(backend: Any, case: Case, until: float) -> dict[str, Any]:
    """The shortest time of each way to do the case, and of the driver's copy of an array, in seconds a call."""
    x, dy, out = (_adopted(backend, case, seed) for seed in (1, 2, 3))
    if case.direction == "forward":
        dy = None
    card, plans = backend.card(case.device), plans_of(backend.name, case)
    simulated = bool(os.environ.keys() & _SIMULATED)
    if simulated:
        plans = dict(list(plans.items())[::_REHEARSED])
    calls: dict[str, Call] = {_COPY: partial(_copied, card, out, x)}
    calls |= {name: backend.bind(case, x, dy, out, plan=plan) for name, plan in plans.items()}
    wrong = _wrong(backend, card, case, out, calls)
    times = Timer(card, backend.sync, simulated=simulated).least(calls, until)
    moved = case.bytes_moved / (2 * case.n * case.itemsize)
    return {
        **{name: getattr(case, name) for name in ("op", "direction", "dtype", "n")},
        "copy_s": times[_COPY],
        "usual": next(iter(plans)),
        "wrong": wrong,
        "plans": [
            {
                "name": name,
                **asdict(plan),
                "seconds": times[name],
                "share": moved * times[_COPY] / times[name],
            }
            for name, plan in plans.items()
        ],
    }


def plans_of(name: str, case: Case) -> dict[str, Any]:
    """The ways that a backend can be told, by what they are called; the usual one is the first."""
    if name == "numba_cuda":
        from kernels.gpu.cuda_kernels import Plan  # noqa: PLC0415  # brings Numba

        ways = itertools.product((2, 1, 4), (Plan().blocks_per_processor, 8, 16, 0), (False, True))
        return {_named(plan): plan for plan in (Plan(*way) for way in ways)}
    from kernels.gpu.triton_kernels import Tile  # noqa: PLC0415  # brings Triton

    blocks = (Tile().block, *(size // case.itemsize for size in _BLOCK_BYTES))
    return {_named(tile): tile for tile in itertools.starmap(Tile, itertools.product(blocks, (False, True)))}


def _named(plan: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in asdict(plan).items())


@dataclass(frozen=True, slots=True)
class Timer:
    """Times calls on a card; `simulated`: there is none, and the clock of the CPU stands in for its own."""

    card: Any
    sync: Wait
    simulated: bool = False

    def least(self, calls: Mapping[str, Call], until: float) -> dict[str, float]:
        """Seconds of each call, the shortest of some, by turns; one round at least, and one of a simulator."""
        best = dict.fromkeys(calls, float("inf"))
        queue = Queue(self.card, self.sync)
        for _ in range(_ROUNDS):
            for name, call in calls.items():
                took_s = self._span(queue, call)
                if took_s is not None:
                    best[name] = min(best[name], took_s)
            late = self.simulated or time.monotonic() > until
            if late and all(each < float("inf") for each in best.values()):
                break
        return best

    def _span(self, queue: Queue, call: Call) -> float | None:
        if not self.simulated:
            took_s = queue.span([call] * _IN_A_ROW)
            return None if took_s is None else took_s / _IN_A_ROW
        began = time.perf_counter()
        self.sync(call())
        return time.perf_counter() - began


def _adopted(backend: Any, case: Case, seed: int) -> Any:
    host = host_arrays.host_array(case)
    host_arrays.fill(host, "normal", seed)
    return backend.adopt(host, case)


def _copied(card: Any, target: Any, source: Any) -> Any:
    card.copy(target, source)
    return target


def _wrong(backend: Any, card: Any, case: Case, out: Any, calls: Mapping[str, Call]) -> list[str]:
    """Which ways give another result than the first one; each is called for the first time here."""
    rng = np.random.default_rng(7)
    index = (np.unique(np.append(rng.integers(0, case.n, _LOOKED_AT), (0, case.n - 1))),)
    poison = np.empty(index[0].shape, host_arrays.np_dtype(case.dtype))
    host_arrays.poison(poison)
    seen: dict[str, Any] = {}
    for name, call in calls.items():
        card.put(out, index, poison)
        backend.sync(call())
        seen[name] = card.take(out, index)
    ways = [name for name in calls if name != _COPY]
    return [name for name in ways if not same_bits(seen[name], seen[ways[0]])]


if __name__ == "__main__":
    cli.run(main, (cli.UsageError,))
