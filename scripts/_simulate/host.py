"""A host that is made up: two CPUs, each of which is slow half of the time by itself.

An arm that works in one thread goes to the faster CPU at the beginning of a batch; one that works on both waits for the
slower.  Their true times are the same, so whatever ratio is found is an error of the candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bench.stats.slow_cpus import SlowCpus
from scripts._simulate.disturbance import SUITE
from scripts._simulate.figures import Figure
from scripts._simulate.recordings import Floats

__all__ = ["host_table"]

_SLOW = 1.7
"""Times that a call takes on a slow CPU."""
_DWELLS_S = (0.005, 0.02, 0.1, 0.5, 2.0)
"""Mean seconds that a CPU stays fast or slow; a batch takes 0.02."""
_STEP_S = 0.00025
"""Of the simulated time."""
_PART_STEPS = 10
"""Steps that a part of a batch takes on a fast CPU."""
_PARTS = 8
_LOOK_EVERY = 2
_GAP_S = 0.1
"""Mean seconds between two batches, in which others are measured."""
_NOISE = 0.02
"""Of a part, and of a reading: logs."""
_ROUNDS = 16
_EXPERIMENTS = 60


@dataclass(frozen=True, slots=True)
class _Batches:
    """Of one arm in all experiments: seconds of the parts, and of the looks; shape experiments, rounds, parts."""

    parts: Floats
    looks: Floats


def host_table(table: str, seed: int = 1) -> Iterator[Figure]:
    """The error of parallel over serial under each candidate, in per cent: how far it is off on average."""
    for dwell in _DWELLS_S:
        serial, parallel = _measured(np.random.default_rng(seed), dwell)
        slow = SlowCpus()
        for reading in np.concatenate([serial.looks, parallel.looks]).mean(axis=2).ravel().tolist():
            slow.see(reading)
        for name, way in _WAYS.items():
            ratio = way(parallel, slow) - way(serial, slow)
            bias = 100 * float(np.median(ratio, axis=1).mean())
            yield Figure(table, name, f"{1000 * dwell:g} ms", bias)


_Way = Callable[[_Batches, SlowCpus], Floats]
"""The logs of the batches of an arm; the readings of all arms are known."""


def _plain(value: Callable[[Floats], Floats]) -> _Way:
    return lambda batches, _: np.asarray(np.log(value(batches.parts)))


def _modelled(value: Callable[[Floats], Floats], slope: float | None = None) -> _Way:
    def way(batches: _Batches, slow: SlowCpus) -> Floats:
        logs = np.log(value(batches.parts))
        beyond = np.vectorize(slow.excess)(batches.looks.mean(axis=2))
        own = SlowCpus()
        for y, x in zip(logs, beyond, strict=True):
            own.learn("", list(zip(y.tolist(), x.tolist(), strict=True)))
        return np.asarray(logs - (own.slope("") if slope is None else slope) * beyond)

    return way


def _median(parts: Floats) -> Floats:
    return np.asarray(np.median(parts, axis=2))


def _quartile(parts: Floats) -> Floats:
    return np.asarray(np.quantile(parts, 0.25, axis=2))


_WAYS: Mapping[str, _Way] = {
    "median of parts": _plain(_median),
    "lower quartile of parts": _plain(_quartile),
    "mean": _plain(lambda parts: parts.mean(axis=2)),
    "median, slope 0.5 beyond 10 %": _modelled(_median, 0.5),
    SUITE: _modelled(_median),
    "lower quartile, a slope a class beyond 10 %": _modelled(_quartile),
}


def _measured(rng: np.random.Generator, dwell: float) -> tuple[_Batches, _Batches]:
    shape = (2, _EXPERIMENTS, _ROUNDS)
    parts, looks = np.empty((*shape, _PARTS)), np.empty((*shape, 1 + _PARTS // _LOOK_EVERY))
    for experiment in range(_EXPERIMENTS):
        slow = _timeline(rng, dwell, 2 * _ROUNDS)
        at = 0
        for number in range(_ROUNDS):
            for arm in rng.permutation(2):
                at += 1 + int(rng.exponential(_GAP_S) / _STEP_S)
                felt = slow[0] | slow[1] if arm else slow[_faster(rng, slow[:, at])]
                at = _batch(felt, at, parts[arm, experiment, number], looks[arm, experiment, number])
    parts *= np.exp(_NOISE * rng.standard_normal(parts.shape))
    looks *= np.exp(np.abs(_NOISE * rng.standard_normal(looks.shape)))  # the least of tries errs upwards
    return _Batches(parts[0], looks[0]), _Batches(parts[1], looks[1])


def _timeline(rng: np.random.Generator, dwell: float, batches: int) -> np.ndarray:
    """Whether each CPU is slow, step by step, for longer than that many batches and gaps take."""
    seconds = batches * (_GAP_S + _PARTS * _PART_STEPS * _STEP_S * _SLOW) * 2 + 2
    steps = np.arange(int(seconds / _STEP_S)) * _STEP_S
    found = np.empty((2, len(steps)), bool)
    for cpu in range(2):
        changes = np.cumsum(rng.exponential(dwell, int(2 * seconds / dwell) + 50))
        found[cpu] = (np.searchsorted(changes, steps) + rng.integers(2)) % 2 == 1
    return found


def _faster(rng: np.random.Generator, slow: np.ndarray) -> int:
    return int(rng.integers(2)) if slow[0] == slow[1] else int(np.argmin(slow))


def _batch(slow: np.ndarray, at: int, parts: Floats, looks: Floats) -> int:
    """One batch from step `at`; the step at its end."""
    looks[0] = _SLOW if slow[at] else 1.0
    for part in range(_PARTS):
        began, left = at, float(_PART_STEPS)
        while left > 0:
            left -= 1 / _SLOW if slow[at] else 1.0
            at += 1
        parts[part] = (at - began) / _PART_STEPS
        if part % _LOOK_EVERY == 1:
            looks[1 + part // _LOOK_EVERY] = _SLOW if slow[at] else 1.0
    return at
