"""What a kind of call takes in a program, from the calls of the steps that are counted."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

from kernels.recorder.activations import Call
from kernels.recorder.tally import Event, summed

RELU = Call("relu", "forward", "new", "float32", (64,), "contiguous", "cpu", 0, 0.0, "")


def seconds(*steps: tuple[float, ...], by_optimizer: bool = False) -> float | None:
    events = [
        Event(RELU, "layer", 0 if by_optimizer else number, number if by_optimizer else 0, each, 0)
        for number, calls in enumerate(steps)
        for each in calls
    ]
    ((used,), _) = summed(events, by_optimizer=by_optimizer, steps=len(steps))
    assert used.calls == len(steps[0])
    return used.seconds


@pytest.mark.parametrize("by_optimizer", [False, True])
def test_steps_in_which_a_program_warms_up_do_not_count(by_optimizer: bool) -> None:
    assert seconds((9.0, 8.0), (5.0, 1.0), (1.0, 3.0), by_optimizer=by_optimizer) == 2.0
