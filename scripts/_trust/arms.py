"""Experiments on arms whose true ratios are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.plan.experiments import Arm, Experiment, Variant, cases
from bench.plan.options import parse
from bench.plan.profiles import PROFILES
from kernels.api import DIRECTIONS, MAIN_OPS
from scripts._plugins import slowed

__all__ = [
    "BASES",
    "IDENTICAL",
    "INSTALLED",
    "INSTALLED_SLOWED",
    "SLOWED",
    "base_of",
    "kind_of",
    "passes",
]

BASES = {
    "numpy_ufunc": "torch_eager",
    "numba_jit": "numba_parallel",
    "torch_eager": "numpy_ufunc",
    "numba_parallel": "numba_jit",
}
"""Backends, and the baseline that each runs beside: serial ones beside a parallel one, and the other way round."""
IDENTICAL = "identical"
INSTALLED = "installed"
"""An identical arm in another Python, of an equal environment."""
SLOWED = {"slower5": 20, "slower10": 10}
"""Kinds of arms that are slowed by a known amount, one part in so many."""
INSTALLED_SLOWED = {"installed10": "slower10"}
"""Those of them that are in the other Python besides: is it seen between installs as often as within one?"""
_PREFIX = "slowed_"
_COPIES = 3
"""Identical arms of an experiment: each pair of them is judged."""


def _arms(base: str, python: str) -> tuple[Arm, ...]:
    """The baseline is another backend, and so slow that it never leads: the others are then raced as leaders are."""
    copies = (_slower(base, f"{IDENTICAL}-{number + 1}", 0) for number in range(_COPIES))
    baseline = Arm("behind", "baseline", Variant(base, ((slowed.BASE, BASES[base]),)))
    planted = (_slower(base, kind, every) for kind, every in SLOWED.items())
    return (baseline, *copies, *(_elsewhere(base, python) if python else ()), *planted)


def _elsewhere(base: str, python: str) -> tuple[Arm, ...]:
    planted = (_slower(base, kind, SLOWED[like], python) for kind, like in INSTALLED_SLOWED.items())
    return (_slower(base, f"{INSTALLED}-1", 0, python), *planted)


def _slower(base: str, name: str, every: int, python: str = "") -> Arm:
    environ = ((slowed.EVERY, str(every)),)
    return Arm(f"{_PREFIX}{base}", "candidate", Variant(name, environ, python=python))


def base_of(backend: str) -> str:
    """The backend that an arm is made of, by the name of its own."""
    return backend.removeprefix(_PREFIX)


def kind_of(variant: str) -> str:
    """Which arm it is, by its variant's name: `IDENTICAL`, `INSTALLED` or one of the slowed; the baseline is none."""
    return variant.partition("-")[0]


def passes(bases: Sequence[str], sizes: str, python: str = "") -> list[list[Experiment]]:
    """Both ops, directions and placements, of each base, in runs of no more experiments than the quick profile has.

    `sizes` is as for ``pytest bench/``.  `python` is one of an equal environment, in which each base is measured,
    too.  Raises OptionError.
    """
    asked = parse({"sizes": sizes, "ops": ",".join(MAIN_OPS), "directions": ",".join(DIRECTIONS)})
    alike = sorted(cases(asked.grids), key=lambda case: (case.op, case.direction, case.placement, case.n))
    every = [Experiment(case, _arms(base, python)) for case in alike for base in bases]
    runs = math.ceil(len(every) / len(cases(PROFILES["quick"].grids)))
    ends = [len(every) * (number + 1) // runs for number in range(runs)]
    return [every[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
