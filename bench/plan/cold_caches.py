"""What compilers will have to do before a run's cases can be timed, as far as that is known before it begins.

A compiler keeps what it made on disk.  What its cache is not known to hold (`bench.records.compiled`) is taken to be
missing; where that turns out to be wrong, the run finds out while it goes on (`bench.run.time_left`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.plan.experiments import Arm, Experiment, Variant
from kernels.api import Case

__all__ = ["COMPILERS", "NOTHING", "Compiler", "Compiling", "Need", "compiling", "need_of"]

_LOOPS = ("op", "direction", "dtype", "layout", "params")
"""What a loop is compiled for: the same one runs all sizes, into whatever array."""
_GRAPHS = (*_LOOPS, "placement", "n", "device", "threads", "negative_slope")
"""What a graph is compiled for."""
_ANEW_S = 3.0
"""Starting arms anew that had to compile, once in a run."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """How long one takes, in seconds (of a CPU like that of the reference run), and what it compiles for."""

    first_s: float
    """Its first work with an empty cache."""
    each_s: float
    axes: tuple[str, ...]


COMPILERS: Mapping[str, Compiler] = {
    "numba_jit": Compiler(0.3, 0.2, _LOOPS),
    "numba_parallel": Compiler(0.3, 0.5, _LOOPS),
    "numba_tuned": Compiler(0.4, 0.1, _LOOPS),
    "torch_compile": Compiler(9.0, 1.0, _GRAPHS),
}
"""Those that keep what they compile.  Who compiles again in each process does it while it is prepared."""


@dataclass(frozen=True, slots=True)
class Need:
    """What is compiled once: for a backend under a variant, and for the values of the axes that matter to it."""

    backend: str
    variant: Variant
    kind: tuple[str, ...]
    """The first is the op."""


def need_of(arm: Arm, case: Case) -> Need | None:
    """What that arm has compiled for the case; None where its backend keeps nothing."""
    compiler = COMPILERS.get(arm.backend)
    if compiler is None:
        return None
    return Need(arm.backend, arm.variant, tuple(str(getattr(case, axis, "")) for axis in compiler.axes))


@dataclass(frozen=True, slots=True)
class Compiling:
    """Seconds that compilers will take for each case of a run, in its order: what one had compiled, others have."""

    missing: Mapping[Case, float] = field(default_factory=dict)
    """What their caches are not known to hold."""
    everything: Mapping[Case, float] = field(default_factory=dict)
    """If their caches were empty."""

    @property
    def seconds(self) -> float:
        """That are expected in all."""
        return sum(self.missing.values())


NOTHING = Compiling()


def compiling(chosen: Sequence[Experiment], held: Collection[Need]) -> Compiling:
    """Of these experiments, where caches are known to have `held` something."""
    return Compiling(dict(_costs(chosen, held)), dict(_costs(chosen, ())))


def _costs(chosen: Sequence[Experiment], held: Collection[Need]) -> Iterable[tuple[Case, float]]:
    there, known = set(held), {need.backend for need in held}
    anew_s = _ANEW_S
    for experiment in chosen:
        found = (need_of(arm, experiment.case_for(arm)) for arm in experiment.arms)
        needs = dict.fromkeys(need for need in found if need is not None and need not in there)
        seconds = anew_s if needs else 0.0
        for need in needs:
            compiler = COMPILERS[need.backend]
            seconds += compiler.each_s + (0.0 if need.backend in known else compiler.first_s)
            known.add(need.backend)
        there.update(needs)
        anew_s = 0.0 if needs else anew_s
        yield experiment.case, seconds
