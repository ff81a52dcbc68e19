"""Seconds per call over sizes that were not measured: a model for each cache level, corrected by the measured sizes.

Seconds are latency + bytes / bandwidth (Hockney, see `bench.stats.latency_fit`) with one bandwidth per cache level.
A working set of half the cache fits; one of twice the cache misses fully; between, the share that the next level serves
grows with the logarithm of the size.  (Caches are shared, and replace lines by rules that nobody publishes, so there is
no sharp edge.)

The model is fitted to all sizes by relative misses and gives the shape of the curve.  The measured sizes beside the one
asked for correct its height, so a measured size comes out as it was measured.  To see how good the curve is, leave a
measured size out and tell it from the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Curve", "Stretch", "ratio_misses", "stretches"]

_Floats = npt.NDArray[np.float64]
_STEPS = 32
"""Grid points in each doubling of the size where curves are compared."""
_AS_NEAR = 1e-9
"""Sums of squared relative misses that differ by less are those of equally good fits."""


class Stretch(NamedTuple):
    """Sizes from `first` to `last` (elements) over which `name` is not beaten beyond the noise."""

    first: int
    last: int
    name: str


class Curve:
    """The time of one arm over sizes.

    `sizes` (elements, each once) and `seconds` (above 0) are what was measured, at least two of them;
    `moved` and `held` are the bytes that a call moves and works on, per element; `caches` are bytes,
    the smallest first.
    """

    def __init__(
        self, sizes: Sequence[int], seconds: Sequence[float], moved: float, held: float, caches: Sequence[int]
    ) -> None:
        order = np.argsort(np.asarray(sizes, float))
        self.sizes: _Floats = np.asarray(sizes, float)[order]
        self.seconds: _Floats = np.asarray(seconds, float)[order]
        self._moved, self._held = moved, held
        beyond = [float(size) for size in caches if self.sizes[-1] * held > size / 2]
        self._caches = np.asarray(beyond)
        self._costs = _non_negative(self._columns(self.sizes) / self.seconds[:, None])
        self._corrections = np.log(self.seconds / self._model(self.sizes))

    def at(self, n: npt.ArrayLike) -> _Floats:
        """Seconds per call at `n` elements (1 or more): between measured sizes told, beyond them guessed."""
        sizes = np.asarray(n, float)
        correction = np.interp(np.log(sizes), np.log(self.sizes), self._corrections)
        return np.asarray(self._model(sizes) * np.exp(correction))

    def covers(self, n: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether `n` is between the smallest and the largest measured size."""
        sizes = np.asarray(n, float)
        return np.asarray((self.sizes[0] <= sizes) & (sizes <= self.sizes[-1]))

    @property
    def latency_s(self) -> float:
        """The model's seconds of a call that moves nothing."""
        return float(self._costs[0])

    @property
    def bytes_per_s(self) -> list[float]:
        """The model's bytes per second out of each level that was reached, the smallest cache first; inf
        where a level took no time that could be seen."""
        with np.errstate(divide="ignore"):
            return [float(speed) for speed in 1 / np.cumsum(self._costs[1:])]

    def without(self, place: int) -> Curve:
        """The curve without its measured size number `place`."""
        rest = np.arange(len(self.sizes)) != place
        sizes = [int(n) for n in self.sizes[rest]]
        caches = [int(size) for size in self._caches]
        return Curve(sizes, self.seconds[rest].tolist(), self._moved, self._held, caches)

    def misses(self) -> dict[int, float]:
        """told / measured of each size between others, told from the others; needs three sizes."""
        inner = range(1, len(self.sizes) - 1)
        return {int(self.sizes[i]): float(self.without(i).at(self.sizes[i]) / self.seconds[i]) for i in inner}

    def _columns(self, sizes: _Floats) -> _Floats:
        moved = sizes * self._moved
        held = np.maximum(sizes * self._held, 1)
        shares = [np.clip(np.log2(2 * held / cache) / 2, 0, 1) for cache in self._caches]
        return np.stack([np.ones_like(moved), moved, *(moved * share for share in shares)], axis=-1)

    def _model(self, sizes: _Floats) -> _Floats:
        return np.asarray(self._columns(sizes) @ self._costs)


def _non_negative(rows: _Floats) -> _Floats:
    """The coefficients, none below 0, for which `rows` times them come nearest to 1; as few as will do.

    Where several would do, the first columns and the last are preferred: a step that may be any level's is
    the one into memory, the steepest.
    """
    from scipy.optimize import nnls  # type: ignore[import-untyped]  # noqa: PLC0415  # longer to import than to fit

    scale = np.linalg.norm(rows, axis=0)
    scaled, ones = rows / np.where(scale > 0, scale, 1), np.ones(len(rows))
    kept = [0, 1, *range(rows.shape[1] - 1, 1, -1)]
    found, least = nnls(scaled[:, kept], ones)
    for column in reversed(kept):
        rest = [each for each in kept if each != column]
        without, miss = nnls(scaled[:, rest], ones) if rest else (found, np.inf)
        if miss**2 < least**2 + _AS_NEAR:
            kept, found = rest, without
    costs = np.zeros(rows.shape[1])
    costs[kept] = found / scale[kept]
    return costs


def ratio_misses(numerator: Curve, denominator: Curve) -> list[float]:
    """told / measured of the ratio of two curves at each size that lies between others in both.

    Each is told from the others.  What bends both curves alike, as a cache does, leaves a ratio alone.
    """
    one, other = numerator.misses(), denominator.misses()
    return [one[n] / other[n] for n in one if n in other]


def stretches(curves: Mapping[str, Curve], noise: float) -> list[Stretch]:
    """Which curve is lowest over which sizes, from the smallest measured size to the largest.

    The lead changes only where the new leader comes to be ahead by more than `noise` (a fraction), and
    then from the size on at which the curves cross.
    """
    if not curves:
        return []
    names = list(curves)
    low = min(curve.sizes[0] for curve in curves.values())
    high = max(curve.sizes[-1] for curve in curves.values())
    count = max(2, int(_STEPS * np.log2(high / low)) + 1)
    grid = np.geomspace(low, high, count)
    times = np.stack([np.where(curve.covers(grid), curve.at(grid), np.inf) for curve in curves.values()])
    lead, starts = int(times[:, 0].argmin()), [(0, int(times[:, 0].argmin()))]
    for place in range(1, count):
        first = int(times[:, place].argmin())
        if times[lead, place] > times[first, place] * (1 + noise):
            starts.append((_crossing(times[lead], times[first], place, starts[-1][0]), first))
            lead = first
    ends = [start for start, _ in starts[1:]] + [count - 1]
    return [
        Stretch(round(grid[start]), round(grid[end]), names[index])
        for (start, index), end in zip(starts, ends, strict=True)
    ]


def _crossing(old: _Floats, new: _Floats, place: int, start: int) -> int:
    """The first grid point, at or before `place`, from which on `new` stays below `old`."""
    while place - 1 > start and new[place - 1] < old[place - 1]:
        place -= 1
    return place
