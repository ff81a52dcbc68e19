"""Whether a run that somebody sends is whole and agrees with itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.machine.environment import DIFFERS, name_of_machine
from bench.records.columns import TIMED
from bench.records.lines import key_of
from bench.records.schema import Cell
from bench.stats.fastest import COMPETING
from scripts._merge.parts import Part, Whole
from scripts._merge.recomputed import Recomputed
from scripts._shared.environments import resolve_of
from scripts._shared.remarks import clean

__all__ = ["faults"]


def faults(part: Part) -> Iterator[str]:
    """A sentence for each thing that is wrong; none for a run that can be believed as far as its files tell."""
    yield from _fingerprint(part)
    yield from _versions(part)
    wholes = list(part.cells.values())
    for whole in wholes:
        for fault in _faults_of(whole):
            yield f"{_name(whole.cell)}: {fault}"
    recomputed = Recomputed(resolve_of(part.environment))
    by_case: dict[Any, list[Whole]] = {}
    for whole in wholes:
        by_case.setdefault(key_of(whole.cell)[4:], []).append(whole)
    for case in by_case.values():
        yield from (f"{_name(cell)}: {fault}" for cell, fault in recomputed.faults(case))


def _fingerprint(part: Part) -> Iterator[str]:
    """What environment.json has to say of the machine, and whether the rows are of that machine."""
    told = part.environment
    lacking = [name for name in DIFFERS if told.get(name) in (None, "", {})]
    if lacking:
        yield f"environment.json does not say {', '.join(lacking)}"
    if not told.get("commit"):
        yield "environment.json does not say of which commit the suite was"
    machines = sorted({whole.cell.machine for whole in part.cells.values()})
    if any(name != told.get("machine") for name in machines):
        there = clean(str(told.get("machine")))
        yield f"the rows are of {', '.join(map(clean, machines))}, environment.json of {there}"
    cpu, cores = told.get("cpu"), told.get("cores")
    if isinstance(cpu, str) and isinstance(cores, int) and told.get("machine") != name_of_machine(cpu, cores):
        called, name = clean(str(told.get("machine"))), name_of_machine(cpu, cores)
        yield f"environment.json calls {clean(cpu)} with {cores} CPUs {called}; its name is {name}"


def _versions(part: Part) -> Iterator[str]:
    """Rows that were not measured with what environment.json says, each kind once."""
    yield from dict.fromkeys(
        fault for whole in part.cells.values() for fault in _unlike(whole.cell, part.environment)
    )


def _unlike(cell: Cell, environment: Mapping[str, Any]) -> Iterator[str]:
    """The versions of a cell that are not those of the run; an arm of another interpreter (--arm) has its own."""
    packages, options = environment.get("packages"), environment.get("options")
    if isinstance(options, dict) and cell.variant in (options.get("interpreters") or {}):
        return
    rows = f"rows of {clean(cell.backend)}"
    if cell.python and cell.python != environment.get("python"):
        said = clean(str(environment.get("python")))
        yield f"{rows} ran in Python {clean(cell.python)}, environment.json says {said}"
    for name, version in _listed(cell.versions).items():
        known = packages.get(name) if isinstance(packages, dict) else None
        if known is not None and _public(str(known)) != _public(version):
            yield f"{rows} say {clean(name)} {clean(version)}, environment.json {clean(str(known))}"


def _listed(versions: str) -> Mapping[str, str]:
    """``numba 0.68.1; llvmlite 0.50.0`` as names and versions."""
    pairs = (each.strip().rpartition(" ") for each in versions.split(";"))
    return {name: version for name, _, version in pairs if name}


def _public(version: str) -> str:
    """Without what builds of one version differ in: ``2.13.0+cpu`` is 2.13.0."""
    return version.partition("+")[0]


def _faults_of(whole: Whole) -> Iterator[str]:
    cell = whole.cell
    if cell.status not in TIMED:
        if not cell.reason:
            yield f"{cell.status} without a reason"
        return
    if not whole.rounds or cell.time_s is None:
        yield "timed, and has no rounds"
        return
    if cell.role in COMPETING and cell.max_ulp is None and not cell.special_values:
        yield "timed, and did not pass the gate"


def _name(cell: Cell) -> str:
    return clean(", ".join(filter(None, key_of(cell)[1:9])))
