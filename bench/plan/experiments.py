"""From settings to experiments: the cases, and the arms that take part in each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.plan.function_case import FunctionCase
from bench.plan.option_values import device_kind
from bench.plan.profiles import Grid
from bench.text.sizes import format_size
from kernels import registry
from kernels.api import AXES, AXIS_TABLE, Axis, Case
from kernels.networks.case import ABLATED, NetworkCase
from kernels.op_facts import is_own, params_for

__all__ = [
    "BASELINE",
    "CONTROLS",
    "STAND_IN",
    "Arm",
    "Experiment",
    "Variant",
    "arm_label",
    "case_label",
    "cases",
    "cell_label",
    "copies_of",
    "experiments",
    "weight",
]

BASELINE = "torch_eager"
"""What speed-ups are over if nothing else is said: what most people use now."""
STAND_IN = "numpy_ufunc"
"""What they are over where that is not installed, or cannot run: NumPy is there wherever this suite is."""


_CONTROLS = f"{__package__.rpartition('.')[0]}.controls.arms"

CONTROLS: Mapping[str, str] = {
    "copy_plain": f"{_CONTROLS}:CopyPlain",
    "copy_streaming": f"{_CONTROLS}:CopyStreaming",
    "copy_allocating": f"{_CONTROLS}:CopyAllocating",
    "empty_call": f"{_CONTROLS}:EmptyCall",
}
SHOWING = ("ceiling", "allocation", "floor")
"""The roles of `CONTROLS`, which show what the machine can do: nothing is asked about them."""
CEILINGS = ("copy_plain", "copy_streaming")
ALLOCATION = "copy_allocating"
FLOOR = "empty_call"
_FLOOR_ELEMENTS = 1024
"""Of the arrays of an empty call, at most: it touches none, and large ones take long to make."""
_TWINS = 3
"""Backends that have a twin in a run, at one size or another: each is one more process to start."""
_CONTROL_WEIGHT = 0.5
"""Of an arm, beside one that is ranked: control arms are measured in few rounds."""
_CONTROL_ROLES = ("twin", "ablation", *SHOWING)


def arm_label(backend: str, variant: str = "", role: str = "") -> str:
    """How people see an arm: ``torch_eager``, ``torch_eager[thp]``, ``numpy_ufunc (twin)``; `role` if it is told."""
    name = f"{backend}[{variant}]" if variant else backend
    return f"{name} ({role})" if role else name


@dataclass(frozen=True, slots=True)
class Variant:
    """Environment variables under which a backend is measured besides its plain self."""

    name: str = ""
    environ: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # which may be secrets
    backend: str = ""
    """The one backend that it applies to; empty: every backend."""
    python: str = ""
    """The interpreter that it runs in; empty: this one."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One participant: a backend (or a control) under a variant, in a role of `schema.ROLES`."""

    backend: str
    role: str = "candidate"
    variant: Variant = field(default_factory=Variant)

    @property
    def label(self) -> str:
        """How people see it: ``torch_eager``, ``torch_eager[thp]``, ``numpy_ufunc (twin)``."""
        return arm_label(
            self.backend, self.variant.name, self.role if self.role in ("twin", "ablation") else ""
        )

    @property
    def is_control(self) -> bool:
        """Controls show the limits and the noise; they are never ranked."""
        return self.role in _CONTROL_ROLES


@dataclass(frozen=True, slots=True)
class Experiment:
    """One case and all its arms, measured in interleaved rounds."""

    case: Case
    arms: tuple[Arm, ...]

    @property
    def label(self) -> str:
        """As people see it; see `case_label`."""
        return case_label(self.case)

    def arms_in(self, process: int, ceiling: Arm | None = None) -> tuple[Arm, ...]:
        """Those that are measured in a process of theirs of that number.

        Of what shows the machine's limits only the `ceiling`, the fastest copy, is measured in more than one: it is
        what nobody may beat.  Who plans does not know which that will be; it is the first then.
        """
        if process == 1:
            return self.arms
        ceiling = ceiling or next((arm for arm in self.arms if arm.role == "ceiling"), None)
        return tuple(arm for arm in self.arms if arm.role not in SHOWING or arm == ceiling)

    def cell_label(self, arm: Arm) -> str:
        """What names the cell of one of its arms: ``relu-forward-out-float32-1Ki-numba_jit-thp``."""
        return cell_label(self.case, arm.backend, arm.variant.name, arm.role)

    def case_for(self, arm: Arm) -> Case:
        """What an arm runs: the case, in an ablation the same without its activation.

        An empty call touches no array, so small ones do, but where arrays that have to be fresh bound how many calls
        follow each other.
        """
        if arm.role == "ablation":
            return replace(self.case, op=ABLATED)
        if arm.role == "floor" and _calls_follow_each_other(self.case):
            return replace(self.case, n=min(self.case.n, _FLOOR_ELEMENTS))
        return self.case


def _calls_follow_each_other(case: Case) -> bool:
    """Whether the calls of a batch are all on the same arrays, with nothing in between, however large these are."""
    usual = type(case) is Case and case.device == "cpu"
    return usual and case.cache == "hot" and case.placement != "inplace"


def case_label(case: Case) -> str:
    """The name of a case, short and unique in a run: of the rarer axes it has what differs from the usual."""
    if isinstance(case, NetworkCase | FunctionCase):
        return case.label
    plain = Case(case.op)
    usual = {axis.name: getattr(plain, axis.name) for axis in AXIS_TABLE}
    if is_own(case.op):
        usual["params"] = ""  # who reads a file does not know its usual ones, and both call the case the same
    values = [(axis, getattr(case, axis.name)) for axis in AXIS_TABLE]
    return "-".join(
        axis.label.format(_short(axis, value))
        for axis, value in values
        if axis.always or value != usual[axis.name]
    )


def _short(axis: Axis, value: Any) -> Any:
    """A value of an axis as it stands in a label: ``1Ki``, ``alpha0.5``."""
    if axis.kind == "size":
        return format_size(value)
    return value.replace("=", "").replace(";", "-") if axis.kind == "params" else value


def cell_label(case: Case, backend: str, variant: str, role: str) -> str:
    """What names a cell of a run: see `Experiment.cell_label`."""
    parts = (case_label(case), backend, variant, role if role in _CONTROL_ROLES else "")
    return "-".join(part for part in parts if part)


def cases(grids: Sequence[Grid]) -> tuple[Case, ...]:
    """The union of the grids' products, each case once, in the order of first appearance."""
    found: dict[Case, None] = {}
    for grid in grids:
        for op in grid["op"]:
            of_op: Grid = {**grid, "op": (op,), "params": params_for(str(op), map(str, grid["params"]))}
            for point in itertools.product(*(of_op[axis] for axis in AXES)):
                found[Case(**dict(zip(AXES, point, strict=True)))] = None  # type: ignore[arg-type]  # a product loses the axes' types
    return tuple(found)


def _arms(
    case: Case, backends: Sequence[str], baseline: str, variants: Sequence[Variant], twin: int
) -> Iterator[Arm]:
    """The arms of a case; `twin`, counted round and round, tells which backend has a second process."""
    yield Arm(baseline, "baseline")
    for backend in backends:
        if backend != baseline:
            yield Arm(backend)
        for variant in variants:
            if variant.backend in ("", backend):
                yield Arm(backend, "candidate", variant)
    ranked = tuple(dict.fromkeys((baseline, *backends)))
    places = [place * len(ranked) // _TWINS for place in range(_TWINS)]
    yield Arm(ranked[places[twin % _TWINS]], "twin")
    yield from copies_of(case)
    yield Arm(FLOOR, "floor")


def copies_of(case: Case) -> Iterator[Arm]:
    """The copies beside a case: its ceilings, and where results are allocated, what shows the price of that."""
    for ceiling in CEILINGS:
        yield Arm(ceiling, "ceiling")
    if case.placement == "new":
        yield Arm(ALLOCATION, "allocation")


def experiments(
    grids: Sequence[Grid], backends: Sequence[str], baseline: str, variants: Sequence[Variant] = ()
) -> tuple[Experiment, ...]:
    """Every case with every arm; smaller tensors first, so that answers come early.

    The twin is of another backend at each size, so that several of them show how much their processes differ.
    """
    ordered = sorted(cases(grids), key=lambda case: case.n * case.itemsize)
    kinds = {device_kind(case.device) for case in ordered}
    serving = {kind: _serving(kind, kinds, backends, baseline) for kind in kinds}
    twins = {size: place for place, size in enumerate(dict.fromkeys(case.n for case in ordered))}
    return tuple(
        Experiment(case, tuple(_arms(case, *serving[device_kind(case.device)], variants, twins[case.n])))
        for case in ordered
    )


def _serving(
    kind: str, kinds: set[str], backends: Sequence[str], baseline: str
) -> tuple[tuple[str, ...], str]:
    """The backends and the baseline on one kind of device.

    A built-in made for other devices of this run is left out; one made for none of them stays, so that its
    skip is told.  `BASELINE` stands in for a baseline that is not made for the device.
    """
    made = {name: set(registry.devices(name)) for name in (*backends, baseline) if name in registry.BUILTINS}
    chosen = tuple(n for n in backends if n not in made or kind in made[n] or not made[n] & kinds)
    return chosen, baseline if baseline not in made or kind in made[baseline] else BASELINE


def weight(experiment: Experiment, process: int = 1) -> float:
    """The relative time that an experiment deserves in such a process of its arms, in arms of a small case.

    Large tensors have long calls, which take more for as many rounds (scripts/trust.py measures what comes of it).
    """
    megabytes = experiment.case.bytes_moved / 1e6
    arms = sum(_CONTROL_WEIGHT if arm.is_control else 1.0 for arm in experiment.arms_in(process))
    return arms * (1.0 + 0.3 * float(min(megabytes, 1000.0) ** 0.5))
