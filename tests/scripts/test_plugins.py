"""Backends made of others: forward and backward as one call, and a kernel whose result is summed."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from bench.arrays.call_ring import Slots
from bench.arrays.inputs import InputSource
from bench.judging.activation import ActivationGate
from bench.plan.experiments import Variant
from kernels.api import MAIN_OPS, Backend, Case
from kernels.correctness import policy
from kernels.plugins import instantiate
from kernels.tuned.mask import mask_bytes
from scripts._plugins.forward_backward import PAIRS, kept_bytes, pair_bytes
from scripts._plugins.then_sum import BASE, PLUGIN, ThenSum
from scripts._shared.measured import Arms, Figures, measure, settings_of

pytestmark = pytest.mark.slow


def needs_torch_for(name: str) -> None:
    if "torch" in name:
        pytest.importorskip("torch", reason=f"{name} is made of it")


def _slots(backend: Backend, case: Case) -> Slots:
    return Slots(backend, case, InputSource(3).of(case), 1 << 20)


@pytest.mark.parametrize("op", MAIN_OPS)
@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_gives_the_gradient_and_really_runs_its_forward(name: str, op: str) -> None:
    needs_torch_for(name)
    pair, case = instantiate(PAIRS[name]), Case(op, "backward", "out", n=1003)
    assert pair.name == name
    slots = _slots(pair, case)
    assert ActivationGate(slots).before().problem is None
    slot = slots.ring[0]
    slot.x *= -1
    result = pair.to_numpy(slot.call())
    assert policy.judge(case, slot.x, slot.dy, result).problem is None
    y = pair.to_numpy(pair.forward_result)  # type: ignore[attr-defined]  # a pair has it
    assert policy.judge(Case(op, n=1003), slot.x, None, y).problem is None


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_a_backward_into_a_given_array_only(name: str) -> None:
    needs_torch_for(name)
    pair = instantiate(PAIRS[name])
    for case in (Case("relu", placement="out"), Case("relu", "backward", "new")):
        assert "use direction backward, placement out" in str(pair.why_not(case))


def test_what_pairs_keep_and_move() -> None:
    case = Case("relu", "backward", "out", n=1 << 10)
    assert kept_bytes("pair_numba_tuned", case) == mask_bytes(case.n) == 128
    assert kept_bytes("pair_torch", case) == 4096
    assert pair_bytes("pair_torch", case) == 5 * 4096
    assert pair_bytes("pair_numba_tuned", case) == 4 * 4096 + 2 * 128


@pytest.mark.parametrize("base", ["numba_tuned", "torch_eager"])
def test_then_sum_sums_what_its_base_makes(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_torch_for(base)
    monkeypatch.setenv(BASE, base)
    backend, case = instantiate(PLUGIN["then_sum"]), Case("relu", placement="out", n=1003)
    assert isinstance(backend, ThenSum)
    slots = _slots(backend, case)
    assert ActivationGate(slots).before().problem is None
    slot = slots.ring[0]
    slot.x[...] = np.where(np.arange(case.n) % 2, -1.0, 2.0)
    assert slot.call() is not None
    assert backend.total == 2.0 * 502
    assert "float16" in str(backend.why_not(Case("relu", dtype="float16")))


def test_pairs_and_backwards_are_measured_in_one_experiment_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_torch_for("pair_torch")
    monkeypatch.setattr("kernels.registry._plugins", {})  # what a run registers would outlive the test
    monkeypatch.setattr("kernels.registry._loaded", {})
    options = Namespace(results=str(tmp_path), run_id="run", max_seconds="0.05")
    settings = settings_of(options, "targets", 1.0)
    profile = dataclasses.replace(settings.profile, batch_s=1e-4)
    settings = dataclasses.replace(settings, profile=profile, inline=True, processes=1)
    case, names = Case("relu", "backward", "out", n=256), ("numba_tuned", *PAIRS)
    arms = Arms(tuple((name, Variant()) for name in names), copies=False)
    path = measure(settings, [arms.of(case)], PAIRS)
    figures = Figures(str(path.parent), tmp_path)
    for name in names:
        assert figures.trouble(case, (name, "")) is None
        found = figures.gain(case, (name, ""), ("torch_eager", ""))
        assert found is not None
        assert found.times.lo <= found.times.value <= found.times.hi
    assert figures.largest() == case.n
    assert measure(settings, [arms.of(case)], PAIRS) == path  # nothing is left to measure
