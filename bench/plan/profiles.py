"""Profiles: which cases are run when nothing is said.

A profile is a list of grids, and its cases are the union of their products: a full product of
all axes would run for weeks, so `full` varies the rarer axes one at a time around a common centre.
An option such as ``--dtypes`` replaces that axis in every grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.plan.option_values import sizes
from kernels.api import AXIS_TABLE, CACHES, DATA, DIRECTIONS, DTYPES, LAYOUTS, MAIN_OPS, PLACEMENTS, USUAL

__all__ = ["PROFILES", "Grid", "Profile"]

Grid = Mapping[str, tuple[object, ...]]
"""The values of every axis, by its name."""

_CENTRE: Grid = {axis: (value,) for axis, value in USUAL.items()} | {
    "op": MAIN_OPS,
    "direction": DIRECTIONS,
    "placement": ("new", "out"),
    "n": sizes("1Ki,32Ki,1Mi,16Mi"),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """`max_rounds` are those in one process."""

    grids: tuple[Grid, ...]
    arm_s: float
    """Seconds that measuring one arm of a small case takes, preparing and all processes included."""
    processes: int
    """In how many each arm is measured, where there is time to start them."""
    max_rounds: int
    asked_s: float | None = None
    """The same as `arm_s` where options name the cases: a question of one's own is answered sooner, and finds a fifth
    where the profile's own cases are measured long enough to find a tenth.  None: `arm_s`."""
    batch_s: float = 0.0015
    """The least length of a timed batch.  Rounds of 1.5 ms differ no more than those of 24: more of them tell more."""


def _grid(**axes: tuple[object, ...]) -> Grid:
    return {**_CENTRE, **axes}


def _on_card(**axes: tuple[object, ...]) -> Grid:
    return _grid(device=("cuda",), **axes)


_LARGE = sizes("32Ki,16Mi")
_FIRST_LOOK = (
    _grid(op=("relu",), direction=("forward",)),
    _grid(op=("relu",), direction=("backward",), n=sizes("1Mi")),
    _grid(op=("leaky_relu",), direction=("forward",), n=sizes("1Mi")),
)
"""The main question at all sizes; its gradient, and the other op, which does the same with memory, at one of them.
Few cases have the time that telling their arms apart takes (scripts/trust.py); more of them stay unresolved."""
_VARIED = ("op", "direction", "placement", "dtype", "layout", "data", "cache")
"""The axes of words that the grids of `full` vary; any other is varied around the common centre."""

PROFILES: Mapping[str, Profile] = {
    "quick": Profile(_FIRST_LOOK, arm_s=0.88, processes=3, max_rounds=150, asked_s=0.5),
    "standard": Profile(
        (
            _grid(op=("relu",), placement=PLACEMENTS, n=sizes("1,1Ki,8Ki,64Ki,512Ki,1Mi,4Mi,16Mi")),
            _grid(op=("leaky_relu",), n=sizes("1Ki,64Ki,1Mi,16Mi")),
            _grid(direction=("forward",), n=sizes("64Mi")),
            _grid(
                op=("relu",),
                placement=("out",),
                dtype=("float16", "bfloat16", "float64"),
                n=sizes("1Ki,1Mi,16Mi"),
            ),
            _grid(op=("relu",), placement=("out",), cache=("cold",), n=_LARGE),
        ),
        arm_s=1.2,
        processes=5,
        max_rounds=400,
        asked_s=0.7,
    ),
    "full": Profile(
        (
            _grid(placement=PLACEMENTS, dtype=DTYPES, n=sizes("1,64,1Ki:64Mi:x4")),
            _grid(placement=("out",), data=DATA, n=_LARGE),
            _grid(placement=("new", "out"), layout=LAYOUTS, n=_LARGE),
            _grid(placement=("new", "out"), cache=CACHES, n=sizes("1Ki,32Ki,1Mi,16Mi")),
            _grid(placement=("out",), threads=(0, 1), n=_LARGE),
            _grid(op=("leaky_relu",), negative_slope=(0.0, 0.01, 0.2, 1.0, 1.5, -0.5), n=_LARGE),
            *(
                _grid(placement=("out",), n=_LARGE, **{axis.name: axis.values})
                for axis in AXIS_TABLE
                if axis.values and axis.name not in _VARIED
            ),
        ),
        arm_s=1.3,
        processes=4,
        max_rounds=600,
    ),
    "card": Profile(
        (
            _on_card(n=sizes("1Ki,64Ki,1Mi,16Mi,256Mi")),
            _on_card(dtype=("float16", "bfloat16"), n=sizes("256Mi")),
            _on_card(cache=("cold",), n=sizes("1Mi")),
        ),
        arm_s=0.1,
        processes=2,
        max_rounds=100,
    ),
}
