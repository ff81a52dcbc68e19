"""Is it cheap, and is it cheap because it is linear?

Timed in this process on one thread, torch, float32, into a given array: all functions in interleaved rounds, ratios
paired round by round.  Additivity is counted, not timed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from bench.arm.timed_loop import without_gc
from bench.machine.clocks import clock
from bench.stats.verdicts import interval_of, pair_of
from bench.text.sizes import format_size
from kernels.api import Case
from kernels.registry import load
from scripts._claims.data import rng
from scripts._claims.model import Figure, Outcome, Part, Rule
from scripts._claims.nets import ACTIVATIONS, fixed

__all__ = ["additivity", "cost"]

Call = Callable[[], object]
_SIZES = {1 << 10: 41, 1 << 20: 41, 1 << 24: 15}
"""Rounds by number of elements; at the largest a single tanh takes a tenth of a second or more."""
_BATCH_S = 0.003
"""Seconds of a batch at least: long beside the clock, short beside what disturbs a machine."""
_PROBES = 3
"""Probes that tell how long a call is; the fastest counts."""
_LIKE_COPY = Rule("<=", 1.25)
_DEARER = Rule(">=", 1.5)
_TIMED = "trimmed mean of paired ratios of interleaved rounds, torch, one thread, float32, into a given array"
_PAIRS = 100_000


def _calls(n: int) -> dict[str, Call]:
    """The functions on n random numbers; the activations are the kernels that the suite measures as torch_eager."""
    x = torch.from_numpy(rng(0, 6).standard_normal(n, dtype=np.float32))
    out = torch.empty_like(x)
    backend = load("torch_eager")

    def activation(op: str, slope: float) -> Call:
        return backend.compile(Case(op, placement="out", n=n, negative_slope=slope), x, None, out)

    return {
        "copy": lambda: out.copy_(x),
        "relu": activation("relu", 0.0),
        "leaky_relu": activation("leaky_relu", 0.01),
        "sigmoid": lambda: torch.sigmoid(x, out=out),
        "tanh": lambda: torch.tanh(x, out=out),
        "square": lambda: torch.mul(x, x, out=out),
    }


def _batch(call: Call, iterations: int) -> float:
    start = clock()
    for _ in range(iterations):
        call()
    return (clock() - start) / iterations


def _rounds(calls: Mapping[str, Call], rounds: int) -> dict[str, np.ndarray]:
    """Seconds per call of each, one value per round; each round in a fresh order."""
    order, generator = list(calls), rng(0, 7)
    with without_gc():
        quickest = {name: min(_batch(call, 3) for _ in range(_PROBES)) for name, call in calls.items()}
        iterations = {name: max(1, int(_BATCH_S / seconds)) for name, seconds in quickest.items()}
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(rounds):
            generator.shuffle(order)
            for name in order:
                calls[name]()
                seconds[name].append(_batch(calls[name], iterations[name]))
    return {name: np.array(values) for name, values in seconds.items()}


def cost(seeds: Sequence[int]) -> Outcome:
    """Time of relu and leaky_relu over copy's, and of sigmoid, tanh and a square over relu's; seeds play no part."""
    outcome = Outcome()
    for n, rounds in _SIZES.items():
        with fixed():
            seconds = _rounds(_calls(n), rounds)
        outcome.parts += _cost_parts(seconds, format_size(n))
    return outcome


def _cost_parts(seconds: Mapping[str, np.ndarray], size: str) -> list[Part]:
    def figure(above: str, below: str) -> Figure:
        one, other = ({(1, n): float(s) for n, s in enumerate(seconds[name])} for name in (above, below))
        pair = pair_of(one, other)
        assert pair is not None, "all functions have all rounds"
        found = interval_of(pair, 0.0, math.inf)  # of this process, as it says
        return Figure(f"{above} / {below}", (found.lo, found.value, found.hi), "x")

    def part(name: str, says: str, judged: Figure, rule: Rule, *beside: Figure) -> Part:
        return Part(f"{name}_{size}", f"{says} at {size} elements", _TIMED, judged, rule, beside, timed=True)

    sigmoid, tanh = figure("sigmoid", "relu"), figure("tanh", "relu")
    return [
        part(
            "relu_copy",
            "relu costs about what a copy costs",
            figure("relu", "copy"),
            _LIKE_COPY,
            figure("leaky_relu", "copy"),
        ),
        part("sigmoid", "sigmoid costs clearly more than relu", sigmoid, _DEARER, tanh),
        part(
            "square",
            "x * x, which is not linear, costs more than relu",
            figure("square", "relu"),
            Rule(">=", 1.25),
        ),
    ]


def additivity(seeds: Sequence[int]) -> Outcome:
    """The share of random pairs for which f(a + b) is not f(a) + f(b), beyond rounding."""

    def failing(name: str, seed: int) -> float:
        function = ACTIVATIONS[name].function
        a, b = torch.from_numpy(rng(seed, 8).normal(0, 1, (2, _PAIRS)).astype(np.float32))
        off = (function(a + b) - function(a) - function(b)).abs() > 1e-5 * (a.abs() + b.abs())
        return float(off.double().mean())

    figures = [
        Figure(name, tuple(failing(name, seed) for seed in seeds), "share") for name in ("relu", "leaky_relu")
    ]
    part = Part(
        "additive",
        "relu is linear: f(a + b) = f(a) + f(b)",
        f"share of {_PAIRS:,} normal pairs per seed where that fails beyond rounding",
        figures[0],
        Rule("<=", 0.01),
        (figures[1],),
    )
    return Outcome([part])
