"""Measure from which sizes numba_tuned runs in parallel, streams, and uses its memory pool.

Every figure is the least of many short, interleaved timings, because a disturbance only makes one longer. Run it on a
quiet machine all the same: the first line says how far apart two measurements of the same thing are.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import numba
import numpy as np
from rich.console import Console
from rich.progress import Progress

from bench.plan.option_values import whole
from bench.text.hints import nearest
from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS
from kernels.numba_cpu.entry import locator
from kernels.numbers import host_arrays
from kernels.tuned.bind import Mode, Walk, bind, streams, walk_of
from kernels.tuned.caches import caches
from kernels.tuned.choice import TABLE, traffic
from kernels.tuned.elements import ELEMENTS
from kernels.tuned.loops import Loop
from kernels.tuned.memory_pool import Pool
from scripts._shared import cli

__all__ = ["crossing", "least_times", "main"]

Array = np.ndarray[Any, Any]
Call = Callable[[], object]

SHAPES = ("line", "pairs", "strided", "tiles")
_FLOATS = tuple(name for name, kind in ELEMENTS.items() if kind.op in MAIN_OPS and not kind.like)
_SIZES = tuple(int(step * 2**power) for power in range(11, 20) for step in (1, 1.5))
_MULTIPLES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
_POOL_BYTES = tuple(1 << power for power in range(16, 25))
_BATCH_S = 30e-6
"""Seconds of a batch: long beside the clock, and too short for most disturbances to hit every one."""
_GAIN = 0.97
"""A way has to take less than this share of the other's time to be chosen."""


def least_times(calls: Mapping[str, Call], rounds: int) -> dict[str, float]:
    """Seconds a call, the least over interleaved batches of each."""
    counts = {}
    for name, call in calls.items():
        call()
        start = time.perf_counter()
        call()
        counts[name] = max(1, int(_BATCH_S / max(time.perf_counter() - start, 1e-7)))
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            call()
            start = time.perf_counter()
            for _ in repeat(None, counts[name]):
                call()
            least[name] = min(least[name], (time.perf_counter() - start) / counts[name])
    return least


def crossing(points: Sequence[float], wins: Sequence[bool]) -> float | None:
    """The least point from which on all win; None if the last one does not."""
    found = None
    for point, won in zip(reversed(points), reversed(wins), strict=True):
        if not won:
            break
        found = point
    return found


def _arrays(element: str, dtype: str, shape: str, n: int) -> tuple[Array, list[Array], Walk]:
    """A target and inputs of about `n` elements that are walked in that shape."""
    rng = np.random.default_rng(n)
    kind = host_arrays.np_dtype(dtype)
    rows = 64 * max(round(n**0.5 / 64), 1)
    columns = 64 * max(round(n / rows / 64), 1)
    size = {"pairs": 2 * n, "strided": 3 * n, "tiles": rows * columns}.get(shape, n)
    inputs = []
    for _ in range(ELEMENTS[element].inputs):
        base = host_arrays.aligned_empty(size, kind)
        base[...] = np.resize(rng.standard_normal(min(size, 99_991)).astype(kind), size)
        step = {"pairs": 2, "strided": 3}.get(shape, 1)
        inputs.append(base.reshape(columns, rows).T if shape == "tiles" else base[::step])
    target = host_arrays.aligned_empty(inputs[0].shape, kind)
    target[...] = 0
    walk = walk_of(target, inputs)
    assert walk is not None
    assert walk.shape == shape
    return target, inputs, walk


def _call(loop: Loop, walk: Walk, inputs: list[Array], target: Array, mode: Mode) -> Call:
    bound = bind(loop, walk, inputs, 0.01, mode)
    entry, arguments = bound.entry, (target.ctypes.data, *bound.rest)
    return lambda: entry(*arguments)


def parallel_from(element: str, dtype: str, shape: str, threads: int, rounds: int) -> int | None:
    """Elements from which `threads` are faster than one."""
    sizes: list[int] = []
    wins: list[bool] = []
    for n in _SIZES:
        target, inputs, walk = _arrays(element, dtype, shape, n)
        sizes.append(target.size)
        loop = Loop(element, dtype, shape)
        calls = {
            "one": _call(loop, walk, inputs, target, Mode()),
            "all": _call(loop, walk, inputs, target, Mode(threads)),
        }
        least = least_times(calls, rounds)
        wins.append(least["all"] < _GAIN * least["one"])
        if wins[-3:] == [True] * 3:
            break
    found = crossing(sizes, wins)
    return None if found is None else int(found)


def streaming_from(element: str, shape: str, threads: int, rounds: int) -> tuple[float | None, list[str]]:
    """The multiple of the last-level cache from which streaming, then summing the result, is no slower."""
    wins, said = [], []
    for multiple in _MULTIPLES:
        probe = _arrays(element, "float32", shape, 1 << 10)[2]
        each = traffic(element, probe, 4) / (probe.n * max(probe.columns, 1))
        target, inputs, walk = _arrays(
            element, "float32", shape, int(multiple * caches().last / each) & -4096
        )
        if not streams(walk, target.ctypes.data, 4):
            return None, [f"{element} {shape}: this host cannot stream it"]
        alone, paired = {}, {}
        for name, streaming in (("plain", False), ("streaming", True)):
            call = _call(Loop(element, "float32", shape, streaming), walk, inputs, target, Mode(threads))
            alone[name], paired[name] = call, _then_sum(call, target)
        one, two = least_times(alone, rounds), least_times(paired, rounds)
        wins.append(one["streaming"] < one["plain"] and two["streaming"] < two["plain"])
        ratios = [f"{times['streaming'] / times['plain']:.2f}" for times in (one, two)]
        said.append(
            f"{element} {shape}, {multiple:g} x last-level cache: streaming takes {ratios[0]} of the time, "
            f"{ratios[1]} with a sum after it"
        )
    return crossing(_MULTIPLES, wins), said


def _then_sum(call: Call, target: Array) -> Call:
    def pair() -> None:
        call()
        target.sum()

    return pair


def pool_from(threads: int, rounds: int) -> int:
    """Bytes from which a result from the pool costs less than one from malloc, first writes included."""
    wins = []
    for size in _POOL_BYTES:
        target, inputs, walk = _arrays("relu", "float32", "line", size // 4)
        bound = bind(Loop("relu", "float32"), walk, inputs, 0.0, Mode(threads if size > 1 << 18 else 1))
        ways: dict[str, Callable[..., Array]] = {"malloc": np.empty, "pool": Pool(1 << 26).empty}
        calls = {name: _allocating(empty, bound.entry, bound.rest, target) for name, empty in ways.items()}
        least = least_times(calls, rounds)
        wins.append(least["pool"] < least["malloc"])
    found = crossing(_POOL_BYTES, wins)
    return int(found) if found is not None else _POOL_BYTES[-1]


def _allocating(
    empty: Callable[..., Array], entry: Callable[..., None], rest: tuple[Any, ...], like: Array
) -> Call:
    locate, shape, dtype = locator(like.ndim, like.itemsize), like.shape, like.dtype

    def call() -> None:
        result = empty(shape, dtype, "C")
        entry(locate(result), *rest)

    return call


def _measured(
    table: dict[str, Any], only: str, rounds: int, say: Callable[[str], None], done: Callable[[], None]
) -> None:
    """Measure into `table` the entries whose key contains `only`; `done` is called after each of them."""
    threads = int(numba.get_num_threads())
    target, inputs, walk = _arrays("relu", "float32", "line", 1 << 16)
    twins = {name: _call(Loop("relu", "float32"), walk, inputs, target, Mode()) for name in ("a", "b")}
    least = least_times(twins, 4 * rounds)
    say(f"{threads} threads, {caches()}; the same loop twice: {abs(least['a'] / least['b'] - 1):.1%} apart")
    for key in _keys("parallel_from"):
        if only in key and threads > 1:
            element, dtype, shape = key.split()
            table["parallel_from"][key] = parallel_from(element, dtype, shape, threads, rounds)
            found = table["parallel_from"][key]
            say(f"{key}: {'never parallel' if found is None else f'parallel from {found} elements'}")
            done()
    for key in _keys("streaming_from"):
        if only in key:
            direction, shape = key.split()
            element = "relu" if direction == "forward" else "relu_backward"
            multiple, said = streaming_from(element, shape, threads, max(rounds // 4, 3))
            table["streaming_from"][key] = multiple
            from_ = (
                "never streaming" if multiple is None else f"streaming from {multiple:g} x last-level cache"
            )
            say("\n".join([*said, f"{key}: {from_}"]))
            done()
    if only in "pool_from":
        table["pool_from"] = pool_from(threads, rounds)
        say(f"pool from {table['pool_from']} bytes")
        done()


def _keys(part: str) -> list[str]:
    """The keys of a part of the table."""
    if part == "streaming_from":
        shapes = [shape for shape in SHAPES if shape != "strided"]
        return [f"{direction} {shape}" for direction, shape in itertools.product(DIRECTIONS, shapes)]
    return [" ".join(key) for key in itertools.product(_FLOATS, DTYPES, SHAPES)]


def _parser() -> cli.Parser:
    parser = cli.Parser(
        description=__doc__ or "",
        epilog="examples:\n"
        "  python scripts/tune.py                            # print what would change\n"
        "  python scripts/tune.py --write                    # keep it in kernels/tuned/thresholds.json\n"
        "  python scripts/tune.py --only 'float16 line'      # these entries; the others stay as they are",
    )
    parser.add_argument("--write", action="store_true", help="keep what was measured")
    parser.add_argument(
        "--output", type=cli.writable, default=TABLE, metavar="FILE", help=f"default: {TABLE.name}"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="entries whose key contains TEXT")
    parser.add_argument(
        "--rounds",
        type=cli.option_type(partial(whole, low=1)),
        default=20,
        metavar="N",
        help="timings of each (default 20)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, as JSON on standard output and with the evidence on standard error."""
    parser = _parser()
    options = parser.parse_args(arguments)
    keys = [*_keys("parallel_from"), *_keys("streaming_from"), "pool_from"]
    if not any(options.only in key for key in keys):
        near = nearest(options.only, keys, alike=0.0)
        parser.error(f"argument --only: no key contains {options.only!r}; the nearest is {near!r}")
    table = json.loads(TABLE.read_text())
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("thresholds", total=sum(options.only in key for key in keys))
        _measured(table, options.only, options.rounds, console.print, lambda: bar.advance(task))
    text = json.dumps(table, indent=2) + "\n"
    sys.stdout.write(text)
    if options.write:
        options.output.write_text(text)
    return 0


if __name__ == "__main__":
    cli.run(main, (cli.UsageError,))
