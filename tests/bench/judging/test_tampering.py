"""Whatever stands where a part of the harness stood is seen."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import time
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any

import pytest

from bench.judging import tampering
from kernels.correctness import policy
from kernels.networks import weights


@pytest.fixture(autouse=True)
def _all_that_judges_is_there() -> None:
    """As in an arm's process: what is not imported yet is not looked at."""
    importlib.import_module("bench.arm.worker")


@pytest.mark.parametrize(
    "name",
    [
        "time.perf_counter",
        "bench.arm.timed_loop.timed",
        "bench.arm.workload.workload_of",
        "bench.arm.device_clock.steady",
        "bench.judging.plants.Plants.problem",
        "kernels.api.Case.itemsize",  # a property
        "kernels.correctness.notes.take_notes",
        "kernels.correctness.policy.judge",
        "kernels.gpu.card.Card.mark",
        "kernels.numbers.data._FILLERS",  # a constant
        "kernels.numbers.floats.Format.tiny",  # a cached property
    ],
)
def test_replacing_a_judge_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = tampering.Watch(tampering.watched())
    assert watch.replaced() is None
    monkeypatch.setattr(name, lambda *_: None)
    assert watch.replaced() == name


def test_a_library_that_looks_up_the_time_zone_replaces_no_clock() -> None:
    """As pandas does when it is imported, which a function's file may do."""
    watches = tampering.Watch(), tampering.Watch(tampering.watched())
    time.tzset()
    assert [watch.replaced() for watch in watches] == [None, None]


def test_what_wraps_a_judge_is_seen_to_wrap_another(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = tampering.Watch(tampering.watched())
    monkeypatch.setattr(weights._drawn, "__wrapped__", lambda *_: None)
    assert watch.replaced() == "kernels.networks.weights._drawn"


def test_a_name_that_has_come_hides_nothing_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was found is found again."""
    watch = tampering.Watch(tampering.watched())
    monkeypatch.setattr(weights, "_come", 1, raising=False)
    assert watch.replaced() is None
    monkeypatch.setattr(weights, "_gone", 1, raising=False)
    monkeypatch.setattr(policy, "judge", lambda *_: None)
    assert watch.replaced() == watch.replaced() == "kernels.correctness.policy.judge"


@pytest.mark.parametrize("value", [1, None])
def test_a_name_that_is_gone_is_seen(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_there", value, raising=False)
    watch = tampering.Watch(tampering.watched())
    monkeypatch.delattr(policy, "_there")
    assert watch.replaced() == "kernels.correctness.policy._there"


def test_a_module_that_stands_in_for_another_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = tampering.Watch(tampering.watched())
    monkeypatch.setitem(sys.modules, policy.__name__, ModuleType(policy.__name__))
    assert watch.replaced() == policy.__name__


def _code(name: str) -> FunctionType:
    """The function behind a dotted name, out of what wraps it."""
    found: Any = pkgutil.resolve_name(name)
    found = (
        found.fget
        if isinstance(found, property)
        else found.func
        if isinstance(found, cached_property)
        else found
    )
    function = inspect.unwrap(found)
    assert isinstance(function, FunctionType)
    return function


@pytest.mark.parametrize(
    "name",
    [
        "bench.arm.timed_loop.without_gc",  # wrapped by contextmanager
        "bench.arrays.shared_inputs._fill",
        "bench.judging.plants.share_memory",
        "bench.judging.plants.Plants.change",
        "bench.machine.memory.free_bytes",
        "kernels.api.Case.itemsize",
        "kernels.correctness.notes.take_notes",
        "kernels.networks.weights._drawn",  # wrapped by lru_cache
        "kernels.numbers.data.fill",
        "kernels.numbers.floats.Format.tiny",
        "kernels.numbers.floats.bits",
    ],
)
@pytest.mark.parametrize("part", ["__code__", "__defaults__"])
def test_replacing_a_judges_code_is_seen(name: str, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = tampering.Watch(tampering.watched())
    function = _code(name)
    # one of its own kind: Python warns where a generator's code becomes a plain function's
    other = (lambda *_: (yield)) if inspect.isgeneratorfunction(function) else (lambda *_: None)
    monkeypatch.setattr(function, part, other.__code__ if part == "__code__" else (None,))
    assert watch.replaced() == name
