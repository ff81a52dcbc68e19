"""Profiles: which cases are run when nothing is said.

A profile is a list of grids, and its cases are the union of their products: a full product of
all axes would run for weeks, so `full` varies the rarer axes one at a time around a common centre.
An option such as ``--dtypes`` replaces that axis in every grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.text.sizes import parse_sizes
from kernels.api import CACHES, DATA, DIRECTIONS, DTYPES, LAYOUTS, OPS, PLACEMENTS

__all__ = ["AXIS_OPTIONS", "PROFILES", "Grid", "Profile"]

Grid = Mapping[str, tuple[object, ...]]

AXIS_OPTIONS: Mapping[str, str] = {
    "ops": "op",
    "directions": "direction",
    "placements": "placement",
    "dtypes": "dtype",
    "sizes": "n",
    "layouts": "layout",
    "data": "data",
    "cache_states": "cache",
    "devices": "device",
    "threads": "threads",
    "negative_slopes": "negative_slope",
}
"""Option name (as `--cache-states` is spelt in Python) -> the case's field."""

_CENTRE: Grid = {
    "op": OPS,
    "direction": DIRECTIONS,
    "placement": ("new", "out"),
    "dtype": ("float32",),
    "n": parse_sizes("1Ki,32Ki,1Mi,16Mi"),
    "layout": ("contiguous",),
    "data": ("normal",),
    "cache": ("hot",),
    "device": ("cpu",),
    "threads": (0,),
    "negative_slope": (0.01,),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """`seconds` is what all timed experiments may take together; `batch_s` a timed batch's least length."""

    grids: tuple[Grid, ...]
    seconds: float
    batch_s: float
    min_rounds: int
    max_rounds: int


def _grid(**axes: tuple[object, ...]) -> Grid:
    return {**_CENTRE, **axes}


_LARGE = parse_sizes("32Ki,16Mi")

PROFILES: Mapping[str, Profile] = {
    "quick": Profile((_CENTRE,), seconds=200.0, batch_s=0.024, min_rounds=8, max_rounds=100),
    "standard": Profile(
        (
            _grid(placement=PLACEMENTS, n=parse_sizes("1,64,1Ki:16Mi:x4")),
            _grid(direction=("forward",), n=parse_sizes("64Mi")),
            _grid(
                placement=("out",),
                dtype=("float16", "bfloat16", "float64"),
                n=parse_sizes("1Ki,32Ki,1Mi,16Mi"),
            ),
            _grid(placement=("out",), cache=("cold",), n=_LARGE),
        ),
        seconds=1200.0,
        batch_s=0.024,
        min_rounds=10,
        max_rounds=300,
    ),
    "full": Profile(
        (
            _grid(placement=PLACEMENTS, dtype=DTYPES, n=parse_sizes("1,64,1Ki:64Mi:x4")),
            _grid(placement=("out",), data=DATA, n=_LARGE),
            _grid(placement=("new", "out"), layout=LAYOUTS, n=_LARGE),
            _grid(placement=("new", "out"), cache=CACHES, n=parse_sizes("1Ki,32Ki,1Mi,16Mi")),
            _grid(placement=("out",), threads=(0, 1), n=_LARGE),
            _grid(op=("leaky_relu",), negative_slope=(0.0, 0.01, 0.2, 1.0, 1.5, -0.5), n=_LARGE),
        ),
        seconds=21600.0,
        batch_s=0.024,
        min_rounds=24,
        max_rounds=600,
    ),
}
