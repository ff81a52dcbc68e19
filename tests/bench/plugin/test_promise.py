"""An end that cannot be kept is said anew, and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.plan.experiments import Experiment
from bench.plan.options import parse
from bench.plan.time_plan import TimePlan
from bench.plugin.promise import Promise
from bench.run.run import plan
from tests.machines import ARMS, Course, Machine

SECONDS = 210.0
CALM = Course(start_s=4.0, prepare_s=0.1, per_byte_s=1.5e-9)


@pytest.mark.parametrize(
    ("course", "kept"),
    [
        pytest.param(replace(CALM, slow=30.0, until_s=20.0), True, id="others had the machine at first"),
        pytest.param(
            replace(CALM, slow=3.0), True, id="slow all along, and done in time", marks=pytest.mark.daily
        ),
        pytest.param(replace(CALM, slow=14.0), False, id="too slow"),
    ],
)
def test_what_is_said_anew_is_what_comes_late(course: Course, kept: bool) -> None:
    """As in a quick run, whose first experiments are small: what they take when disturbed says little of large ones."""
    settings = parse({"results": "nowhere", "profile": "quick"})
    chosen = [Experiment(each.case, ARMS) for each in plan(settings)]
    machine = Machine(0.05, 0.02, course=course)
    began, promise = machine.around.now, Promise(SECONDS, machine.around.now)
    machine.sits(settings, chosen, TimePlan(SECONDS, course.start_s, 2))
    took_s = machine.around.now - began
    assert (took_s <= 1.25 * SECONDS) is kept
    asked = zip(machine.estimates, machine.leasts, strict=True)
    said = [now - began for (now, left), least in asked if promise.visit(left, least, now)]
    if kept:
        assert not said
    else:
        assert said[0] < 0.5 * took_s
        assert len(said) == 1


def test_it_is_kept_to_a_quarter_more_and_not_doubted_at_once() -> None:
    promise = Promise(100.0, 0.0)
    assert [promise.visit(500.0, 300.0, 1.0) for _ in range(3)] == [False] * 3
    assert not promise.visit(500.0, 124.0, 1.0)
    assert promise.visit(500.0, 125.0, 1.0)
    assert not promise.visit(500.0, 500.0, 2.0)
    assert promise.visit(700.0, 625.0, 2.0)
