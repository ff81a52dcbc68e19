"""A run knows what compilers' caches hold, whoever filled them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.plan.cold_caches import compiling, need_of
from bench.plan.experiments import Arm, Experiment
from bench.plan.options import parse
from bench.records.compiler_caches import CACHES, Place
from bench.run.run import Run
from kernels.api import Case
from tests.machines import ARMS, Machine

COMPILED = (*ARMS, Arm("numba_jit"), Arm("torch_compile"), Arm("numba_tuned"))


def caches_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All compilers' caches lie there, and are used."""
    (folder / "code").touch()
    place = Place(folder, "code", folder / "record.json")
    for backend, cache in CACHES.items():
        monkeypatch.setitem(CACHES, backend, replace(cache, place=lambda _: place))


def test_what_processes_found_in_caches_is_known_to_runs_with_other_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what had to be compiled, and no process has found since."""
    caches_in(tmp_path, monkeypatch)
    machine = Machine(0.005)
    machine.reports = {"numba_jit": {"cache_hit": 1}, "torch_compile": {"cache_hit": 0}}
    monkeypatch.setattr("bench.run.sitting.pool_of", machine.start)
    chosen = [Experiment(Case("relu", n=64), COMPILED)]
    settings = parse({"results": str(tmp_path / "one"), "processes": "1"})
    with Run(settings, chosen, machine.around) as first:
        cold_s = first.compile_s
        first.measure(chosen[0])
    elsewhere = parse({"results": str(tmp_path / "two"), "processes": "1"})
    known = [need_of(Arm("numba_jit"), chosen[0].case)]
    wanted_s = compiling(chosen, [need for need in known if need]).seconds
    assert 0 < wanted_s < cold_s
    assert Run(elsewhere, chosen, machine.around).compile_s == wanted_s
