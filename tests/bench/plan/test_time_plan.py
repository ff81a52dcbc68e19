"""What a run may take grows with what is asked, and so does the number of processes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import pytest

from bench.plan.option_table import OPTIONS
from bench.plan.options import parse
from bench.plan.profiles import PROFILES
from bench.plan.time_plan import TimePlan, time_plan
from bench.run.run import plan
from kernels.registry import BUILTINS, devices, is_usual
from tests.running import ROOT

CPU = [name for name in BUILTINS if is_usual(name) and "cpu" in devices(name)]
SMALL = {"ops": "relu", "directions": "forward", "sizes": "64Ki"}
TWELVE = {"ops": "relu", "directions": "forward", "sizes": "1Ki,2Ki,4Ki,8Ki,16Ki,32Ki"}


def allowed(words: Mapping[str, str]) -> TimePlan:
    settings = parse({"backends": ",".join(CPU), **words})
    return time_plan(settings, plan(settings))


@pytest.mark.parametrize(
    ("words", "most_s", "processes"), [(SMALL, 30.0, 2), (TWELVE, 90.0, 3), ({"profile": "quick"}, 240.0, 3)]
)
def test_a_small_question_is_answered_soon(words: Mapping[str, str], most_s: float, processes: int) -> None:
    found = allowed(words)
    assert 0.5 * most_s < found.seconds <= most_s
    assert found.processes == processes


def test_the_help_says_what_profiles_take() -> None:
    helps = {spec.name: spec.help for spec in OPTIONS}
    told = re.findall(r"(\w+) \((?:default, about )?(\d+) (minute|hour)s\)", helps["profile"])
    assert {name for name, *_ in told} == PROFILES.keys() - {"card"}
    for name, count, unit in told:
        minutes = int(count) * {"minute": 1, "hour": 60}[unit]
        assert allowed({"profile": name}).seconds / 60 == pytest.approx(minutes, rel=0.1)
    processes = [profile.processes for profile in PROFILES.values()]
    assert f"the profile's {min(processes)} to {max(processes)}," in helps["processes"]


def test_a_question_of_ones_own_has_less_time_an_arm_than_the_profiles_own_cases() -> None:
    own_op = str(ROOT / "examples" / "own_op.py") + ":Swish"
    for words in ({"sizes": "64Ki"}, {"directions": "backward"}, {"op": [own_op]}):
        assert parse(words).profile.arm_s == PROFILES["quick"].asked_s
    for words in ({}, {"backends": "numba_jit"}):
        assert parse(words).profile == PROFILES["quick"]
    assert (PROFILES["quick"].asked_s or math.inf) < PROFILES["quick"].arm_s


def test_more_arms_take_more_time() -> None:
    one, two = (
        allowed({**TWELVE, "backends": names}).seconds for names in ("numba_jit", "numba_jit,jax_jit")
    )
    assert one < two


def test_minutes_are_kept_whatever_is_asked() -> None:
    found = allowed({"profile": "standard", "minutes": "3"})
    assert found.seconds == 180.0
    assert found.processes == 1  # in two, no arm would have enough rounds in either
    assert allowed({"profile": "standard", "minutes": "60"}).processes > 1


def test_a_bad_hour_gets_more_only_where_the_least_would_not_fit() -> None:
    """And no other number of processes: a run goes on in another hour."""
    settings = parse({"backends": ",".join(CPU), **SMALL})
    calm, slow, awful = (time_plan(settings, plan(settings), slowness=each) for each in (1.0, 1.5, 8.0))
    assert slow.seconds == calm.seconds
    assert awful.seconds > 1.25 * calm.seconds
    assert awful.seconds > awful.start_up_s == 8.0 * calm.start_up_s
    assert slow.processes == awful.processes == calm.processes


def test_processes_that_were_asked_for_are_paid_for() -> None:
    few, many = (allowed({**SMALL, "processes": count}) for count in ("1", "8"))
    assert (few.processes, many.processes) == (1, 8)
    assert (
        4 * few.start_up_s < many.seconds - few.seconds < 7 * few.start_up_s
    )  # of the controls one is enough


def test_max_seconds_are_an_experiments() -> None:
    once, twice = (allowed({**TWELVE, "max_seconds": each, "processes": "1"}) for each in ("2", "4"))
    assert twice.seconds - once.seconds == pytest.approx(once.seconds - once.start_up_s)


def test_nothing_is_started_where_all_run_in_this_process() -> None:
    assert allowed({**TWELVE, "isolation": "inline"}).start_up_s == 0.0
