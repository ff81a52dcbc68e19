"""`scripts/trust.py`: the arms that it plants, and how much slower they are."""

from __future__ import annotations

import pytest

from bench.plan.experiments import cases
from bench.plan.profiles import PROFILES
from scripts._plugins import slowed
from scripts._trust import arms
from scripts._trust.rates import ENOUGH


class TestArms:
    def test_each_backend_runs_beside_one_of_the_other_kind(self) -> None:
        parallel = {"torch_eager", "numba_parallel"}
        assert all((base in parallel) != (baseline in parallel) for base, baseline in arms.BASES.items())

    def test_a_pass_is_about_as_large_as_the_quick_profile(self) -> None:
        """What is learnt from it of how processes differ is no more than a run learns."""
        profile, chosen = PROFILES["quick"], arms.passes(tuple(arms.BASES), "1Ki,32Ki,1Mi,16Mi")
        for count in map(len, chosen):
            assert 0.75 * len(cases(profile.grids)) <= count <= len(cases(profile.grids))
        every = [each for some in chosen for each in some]
        assert len({each.case for each in every}) * len(arms.BASES) == len(every)

    def test_no_two_arms_of_a_pass_are_one_process(self) -> None:
        (some, *_) = arms.passes(("numba_jit", "torch_eager"), "1Ki")
        assert len({arm for each in some for arm in each.arms}) == 2 * 6

    def test_pairs_enough_for_the_promises(self) -> None:
        every = [each for some in arms.passes(tuple(arms.BASES), "1Ki,32Ki,1Mi,16Mi") for each in some]
        copies = sum(arms.kind_of(arm.variant.name) == arms.IDENTICAL for arm in every[0].arms)
        assert len(every) * min(copies, copies * (copies - 1) // 2) >= ENOUGH


class Clock:
    """Time that goes on by itself with each reading, and with each call by `call_s`."""

    def __init__(self, call_s: float, reading_s: float) -> None:
        self.now, self.call_s, self.reading_s = 0.0, call_s, reading_s

    def __call__(self) -> float:
        self.now += self.reading_s
        return self.now

    def call(self) -> None:
        self.now += self.call_s


@pytest.mark.parametrize("call_s", [1.2e-5, 1e-3])
@pytest.mark.parametrize("every", [10, 20])
def test_a_long_call_is_slowed_by_what_was_asked(
    call_s: float, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(call_s, reading_s=5e-8)
    monkeypatch.setattr(slowed, "perf_counter", clock)

    def taken(every: int) -> float:
        stretched, start = slowed._stretched(clock.call, lambda _: None, every), clock.now
        for number in range(1000):
            clock.call_s = call_s * (1 + number / 5000)
            stretched()
        return clock.now - start

    assert taken(every) / taken(0) == pytest.approx(1 + 1 / every, abs=0.005)


@pytest.mark.parametrize(("every", "made"), [(0, 1000), (10, 1100), (20, 1050)])
def test_short_calls_are_made_again_now_and_then(every: int, made: int) -> None:
    calls: list[int] = []
    call = slowed._sometimes_twice(lambda: calls.append(1), lambda _: None, every)
    for _ in range(1000):
        call()
    assert len(calls) == made
