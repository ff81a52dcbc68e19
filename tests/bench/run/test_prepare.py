"""Arms whose compiler had to work start anew, so that identical arms have one past."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.messages import Finished, Prepared
from bench.plan.experiments import Arm, Experiment
from bench.plan.options import parse
from bench.run.arm_state import ArmState
from bench.run.experiment import Limits, Measured, run
from bench.run.inline_pool import InlinePool
from bench.run.pool import Pool
from bench.run.process_pool import ProcessPool
from bench.run.rows import Stamp, cells_of, compiles_of
from bench.run.run import Run, plan
from bench.run.time_account import TimeAccount
from kernels import registry
from kernels.api import Case
from scripts._plugins.slowed import SlowedNumbaJit, SlowedNumpyUfunc
from tests.compilers import compiled_by

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("forked_arms")]

PLUGINS = {
    "compiler": "tests.compilers:Compiler",
    "compiler_without_cache": "tests.compilers:CompilerWithoutCache",
    "dies_once_compiled": "tests.compilers:DiesOnceCompiled",
    "dies_when_released": "tests.compilers:DiesWhenReleased",
    "starts_once": "tests.compilers:StartsOnce",
}
LIMITS = Limits(seconds=0.0, batch_s=0.001, warm_s=0.0, max_rounds=2)
CASE = Case("relu", n=64)
STAMP = Stamp("r", "m", "now")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_registry: None) -> Path:
    """A compiler's cache that is empty."""
    folder = tmp_path / "compiled"
    folder.mkdir()
    monkeypatch.setenv("TEST_COMPILED", str(folder))
    return folder


@pytest.fixture
def pool(cache: Path) -> Iterator[ProcessPool]:
    made = ProcessPool(PLUGINS, cell_timeout=60)
    yield made
    made.close()


def of(backend: str, case: Case = CASE) -> Experiment:
    """The backend twice, and one that has nothing to compile."""
    return Experiment(case, (Arm(backend, "baseline"), Arm("numpy_ufunc"), Arm(backend, "twin")))


def pids(pool: Pool, experiment: Experiment) -> list[int]:
    return [pool.pid(arm) for arm in experiment.arms]


@dataclass(frozen=True)
class FromNothing:
    """An experiment that began with an empty cache: what became of it, and in which processes."""

    measured: Measured
    first: list[int]
    then: list[int]
    compiler: int


@pytest.fixture(scope="module")
def from_nothing(tmp_path_factory: pytest.TempPathFactory, forked_arms: None) -> FromNothing:
    folder, experiment = tmp_path_factory.mktemp("compiled"), of("compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_plugins", {})
        patch.setattr(registry, "_loaded", {})
        patch.setenv("TEST_COMPILED", str(folder))
        made = ProcessPool(PLUGINS, cell_timeout=60)
        try:
            made.open(experiment.arms, threads=0)
            first = pids(made, experiment)
            measured = run(experiment, made, LIMITS, seed=0)
            return FromNothing(measured, first, pids(made, experiment), compiled_by(folder)["relu"])
        finally:
            made.close()


def test_no_arm_is_timed_where_its_compiler_has_worked(from_nothing: FromNothing) -> None:
    assert all(len(state.batches) == 2 for state in from_nothing.measured.states)
    assert from_nothing.measured.renewed_s > 0
    assert from_nothing.compiler in (from_nothing.first[0], from_nothing.first[2])
    kept = [old == new for old, new in zip(from_nothing.first, from_nothing.then, strict=True)]
    assert kept == [False, True, False]  # the arm that found the code, too: both have one past


def test_the_process_that_compiled_goes_ahead_from_then_on(pool: ProcessPool, cache: Path) -> None:
    run(of("compiler"), pool, LIMITS, seed=0)
    first = pids(pool, of("compiler"))
    other = of("compiler", Case("leaky_relu", n=64))
    states = run(other, pool, LIMITS, seed=1).states
    assert pids(pool, other) == first
    assert compiled_by(cache)["leaky_relu"] == compiled_by(cache)["relu"]
    assert [state.prepared.compile_report for state in states if state.prepared] == [
        {"cache_hit": 1},
        {},
        {"cache_hit": 1},
    ]
    assert states[0].compiled == states[2].compiled
    assert {row.cache_hit for row in compiles_of(other, states, STAMP)} == {0}


def test_a_compiler_that_finds_the_code_is_dismissed(pool: ProcessPool, cache: Path) -> None:
    run(of("compiler"), pool, LIMITS, seed=0)
    (compiler,) = pool.compilers
    process = psutil.Process(pool.pid(compiler))
    (cache / "leaky_relu").write_text(str(os.getpid()))
    other = of("compiler", Case("leaky_relu", n=64))
    states = run(other, pool, LIMITS, seed=1).states
    assert not process.is_running()
    assert not pool.compilers
    assert {row.cache_hit for row in compiles_of(other, states, STAMP)} == {1}


@pytest.mark.parametrize("threads", [1, pytest.param(0, marks=pytest.mark.daily)])
def test_what_becomes_of_a_compiler_costs_no_arm_its_place(
    pool: ProcessPool, cache: Path, threads: int
) -> None:
    """It dies, and with another number of threads all processes end."""
    run(of("compiler"), pool, LIMITS, seed=0)
    psutil.Process(pool.pid(*pool.compilers)).kill()
    other = of("compiler", Case("leaky_relu", n=64, threads=threads))
    states = run(other, pool, LIMITS, seed=1).states
    assert [len(state.batches) for state in states] == [2, 2, 2]
    assert compiled_by(cache)["leaky_relu"] not in pids(pool, other)


def test_a_compiler_that_dies_at_rest_is_none(pool: ProcessPool) -> None:
    states = run(of("dies_when_released"), pool, LIMITS, seed=0).states
    assert [len(state.batches) for state in states] == [2, 2, 2]
    assert not pool.compilers


def test_the_ledger_has_what_the_compiler_took(from_nothing: FromNothing) -> None:
    experiment, states = of("compiler"), from_nothing.measured.states
    compiler_at = from_nothing.first.index(from_nothing.compiler)
    state = states[compiler_at]
    assert state.compiled is not None
    assert state.prepared is not None
    assert state.compiled.first_call_s is not None
    assert state.prepared.first_call_s is not None
    assert state.compiled.first_call_s > state.prepared.first_call_s
    cell = cells_of(experiment, states, STAMP)[compiler_at]
    assert cell.first_call_s == state.compiled.first_call_s
    assert cell.second_call_s == state.compiled.second_call_s
    hits = {row.role: row.cache_hit for row in compiles_of(experiment, states, STAMP)}
    assert set(hits.values()) == {0, 1}
    assert len(hits) == 2
    assert hits[state.arm.role] == 0


def test_a_compiler_that_keeps_nothing_starts_anew_only_once(pool: ProcessPool) -> None:
    experiment = of("compiler_without_cache")
    states = run(experiment, pool, LIMITS, seed=0).states
    assert states[0].compiled is not None
    first = pids(pool, experiment)
    states = run(of("compiler_without_cache", Case("leaky_relu", n=64)), pool, LIMITS, seed=1).states
    assert pids(pool, experiment) == first
    assert not pool.compilers
    assert states[0].compiled is None
    assert [state.failure for state in states] == [None] * 3
    assert {row.cache_hit for row in compiles_of(experiment, states, STAMP)} == {0}


@pytest.mark.parametrize(("backend", "method"), [("dies_once_compiled", "prepare"), ("starts_once", "open")])
def test_an_arm_that_cannot_start_anew_fails_alone(pool: ProcessPool, backend: str, method: str) -> None:
    experiment = Experiment(CASE, (Arm(backend, "baseline"), Arm("numpy_ufunc")))
    states = run(experiment, pool, LIMITS, seed=0).states
    assert states[0].failure == ("crashed", f"exit status 3 in '{method}'")
    assert states[1].failure is None
    assert len(states[1].batches) == 2


def test_inline_arms_stay_where_they_are(cache: Path) -> None:
    pool = InlinePool(PLUGINS)
    experiment = of("compiler")
    measured = run(experiment, pool, LIMITS, seed=0)
    states = measured.states
    assert measured.renewed_s == pytest.approx(0, abs=0.01)
    assert [len(state.batches) for state in states] == [2, 2, 2]
    assert {row.cache_hit for row in compiles_of(experiment, states, STAMP)} == {0}
    pool.close()


def test_starting_anew_counts_as_start_up(tmp_path: Path, cache: Path) -> None:
    words = {"backends": "compiler", "baseline": "compiler", "sizes": "64", "ops": "relu", "run_id": "r"}
    words |= {"directions": "forward", "placements": "out", "results": str(tmp_path / "results")}
    settings = parse({**words, "plugin": [PLUGINS["compiler"]]})
    (whole,) = plan(settings)
    experiment = replace(whole, arms=tuple(arm for arm in whole.arms if not arm.is_control))
    with Run(settings, [experiment]) as measured:
        began = time.monotonic()
        assert measured.measure(experiment)
        assert not measured.measure(experiment)
        took_s, account = time.monotonic() - began, measured.account
        assert 0 < account.renewed_s < account.start_up_s < took_s
        assert account.sitting()["renewed_s"] == pytest.approx(account.renewed_s, abs=1e-3)


def test_what_was_added_is_told_apart() -> None:
    account = TimeAccount(start_up_s=2.0)
    account.add_renewed(3.0)
    assert (account.start_up_s, account.renewed_s) == (5.0, 3.0)


def test_a_hit_is_one_that_no_process_had_to_compile_for() -> None:
    def hit(compiled: int | None, prepared: int, finished: int) -> int:
        state = ArmState(Arm("any"), prepared=Prepared(compile_report={"cache_hit": prepared, "graphs": 3}))
        state.finished = Finished(None, {"cache_hit": finished, "graphs": 4})
        state.compiled = None if compiled is None else Prepared(compile_report={"cache_hit": compiled})
        assert state.compile_report["graphs"] == 4
        return int(state.compile_report["cache_hit"])

    assert [hit(None, 1, 1), hit(1, 1, 1)] == [1, 1]
    assert [hit(0, 1, 1), hit(None, 0, 0), hit(None, 1, 0)] == [0, 0, 0]


def test_slowed_arms_tell_whether_their_base_has_compiled() -> None:
    base: Any = registry.load("numba_jit")
    report = SlowedNumbaJit().compile_report()
    assert report == base.compile_report()
    assert "cache_hit" in report
    assert SlowedNumpyUfunc().compile_report() == {}
