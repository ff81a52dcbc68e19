"""What is recorded of a program: every activation it runs, once, with its tensor and its module; and its steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import kernels
from kernels.recorder.cases_file import Recording, Used, read_recording
from kernels.torch_module import TunedReLU


class Net(nn.Module):
    """A module, one in place, a call of a function, and an activation that this suite may not measure."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.leaky = nn.LeakyReLU(0.2, inplace=True)
        self.last = nn.Conv2d(4, 4, 1)

    def forward(self, x: Any) -> Any:
        x = self.leaky(self.last(self.first(x)))
        return functional.hardswish(torch.relu(x[:, :1] + 1))


def train(model: nn.Module, steps: int, dtype: Any = torch.float32) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(2, 3, 8, 8, dtype=dtype)).sum().backward()
        optimizer.step()


def infer(model: nn.Module, steps: int) -> None:
    with torch.no_grad():
        for _ in range(steps):
            model(torch.ones(2, 3, 8, 8))


def recorded(folder: Path, program: Callable[[], Any], *, swap: bool = False) -> Recording:
    with kernels.recording(folder / "cases.json", swap=swap):
        program()
    return read_recording(folder / "cases.json")


def found(recording: Recording) -> dict[tuple[str, str, str], Used]:
    return {(used.op, used.direction, used.where[0]): used for used in recording.used}


def test_a_call_s_seconds_have_what_letting_go_of_its_new_result_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def dropping_s(result: Any) -> float:
        sizes.append(result.numel())
        return 1000.0

    monkeypatch.setattr("kernels.recorder.session._dropping_s", dropping_s)
    used = found(recorded(tmp_path, lambda: infer(Net(), 5)))
    assert (used["relu", "forward", "first.1"].seconds or 0) >= 1000
    assert (used["leaky_relu", "forward", "leaky"].seconds or 0) < 1000  # in place: nothing is let go of
    assert set(sizes) == {2 * 4 * 8 * 8, 2 * 8 * 8}


def test_a_training_step_is_counted_forward_and_backward_by_module(tmp_path: Path) -> None:
    model = Net()
    recording = recorded(tmp_path, lambda: train(model, 12))
    calls = found(recording)
    assert set(calls) == {
        (op, direction, where)
        for op, where in (("relu", "first.1"), ("leaky_relu", "leaky"), ("relu", "Net"))
        for direction in ("forward", "backward")
    }
    assert {used.calls for used in calls.values()} == {1.0}
    assert {used.where: used.shape for used in calls.values()} == {
        ("first.1",): (2, 4, 8, 8),
        ("leaky",): (2, 4, 8, 8),
        ("Net",): (2, 1, 8, 8),
    }
    assert calls["leaky_relu", "forward", "leaky"].placement == "inplace"
    assert calls["leaky_relu", "backward", "leaky"].placement == "new"
    assert calls["leaky_relu", "forward", "leaky"].negative_slope == 0.2
    assert calls["relu", "forward", "Net"].case.n == 128
    assert [(each.op, each.calls) for each in recording.unmeasured] == [("hardswish", 2.0)]
    assert recording.steps.what == "optimizer.step"
    assert recording.steps.counted == 3
    assert len(recording.steps.seconds) == 12 - 3 - 1  # the time between two of those that only were timed


def test_where_nothing_trains_a_step_is_a_forward_of_the_outermost_module(tmp_path: Path) -> None:
    model = Net()
    recording = recorded(tmp_path, lambda: infer(model, 12))
    assert {used.direction for used in recording.used} == {"forward"}
    assert {used.calls for used in recording.used} == {1.0}
    assert recording.steps.what == "forward of Net"
    assert len(recording.steps.seconds) == 12 - 4


def test_forwards_before_a_training_are_no_steps_of_it(tmp_path: Path) -> None:
    model = Net()

    def program() -> None:
        infer(model, 6)
        train(model, 14)

    recording = recorded(tmp_path, program)
    assert recording.steps.what == "optimizer.step"
    assert {used.calls for used in recording.used} == {1.0}
    assert {used.direction for used in recording.used} == {"forward", "backward"}
    assert len(recording.steps.seconds) == 14 - 1 - 3 - 1  # the first tells that it trains


def test_gradients_that_are_accumulated_make_one_step(tmp_path: Path) -> None:
    model = Net()

    def program() -> None:
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        for number in range(32):
            model(torch.ones(2, 3, 8, 8)).sum().backward()
            if number % 8 == 7:
                optimizer.step()

    recording = recorded(tmp_path, program)
    assert recording.steps.what == "optimizer.step"
    assert {used.calls for used in recording.used} == {8.0}


def test_the_alpha_of_elu_is_a_parameter_of_its_case(tmp_path: Path) -> None:
    def program() -> None:
        for alpha in (0.5, 1.0, -1.0):
            functional.elu(torch.ones(8), alpha)

    recording = recorded(tmp_path, program)
    assert [used.case.params for used in recording.used] == ["alpha=0.5", "alpha=1.0"]
    assert [each.why for each in recording.unmeasured] == ["an alpha that this suite does not measure"]


def test_layout_dtype_and_threads_are_those_of_the_tensor(tmp_path: Path) -> None:
    x = torch.ones(8, 6)

    def program() -> None:
        torch.relu(x.t())  # another order of dimensions: the same memory
        torch.relu(x[:, ::2])
        torch.relu(x.to(torch.bfloat16))
        torch.relu(torch.ones(0))  # nothing to compute
        torch.relu(torch.ones(3, dtype=torch.int32))

    recording = recorded(tmp_path, program)
    assert [(used.layout, used.dtype, used.shape) for used in recording.used] == [
        ("contiguous", "float32", (6, 8)),
        ("strided", "float32", (8, 3)),
        ("contiguous", "bfloat16", (8, 6)),
    ]
    assert "int32" in recording.unmeasured[0].why
    assert recording.steps == type(recording.steps)("the whole program", 0, (), ())


@pytest.mark.parametrize(
    ("call", "op"),
    [
        (functional.relu6, "relu6"),
        (functional.silu, "silu"),
        (functional.gelu, "gelu"),
        (lambda x: functional.gelu(x, approximate="tanh"), "gelu_tanh"),
        (functional.elu, "elu"),
        (torch.sigmoid, "sigmoid"),
        (torch.tanh, "tanh"),
        (nn.PReLU(), "prelu"),
    ],
)
def test_other_activations_are_the_ops_of_this_suite(
    tmp_path: Path, call: Callable[[Any], Any], op: str
) -> None:
    x = torch.ones(6, 7, requires_grad=True)
    recording = recorded(tmp_path, lambda: call(x).sum().backward())
    assert [(used.op, used.direction, used.shape) for used in recording.used] == [
        (op, "forward", (6, 7)),
        (op, "backward", (6, 7)),
    ]
    assert not recording.unmeasured


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (functional.hardtanh, "other bounds"),
        (lambda x: functional.elu(x, alpha=-2.0), "an alpha that this suite does not measure"),
        (functional.selu, "a scale other than 1"),
        (nn.PReLU(7), "slopes by channel"),
        (functional.mish, "this suite measures"),
    ],
)
def test_what_is_no_case_of_an_op_is_told(tmp_path: Path, call: Callable[[Any], Any], why: str) -> None:
    recording = recorded(tmp_path, lambda: call(torch.ones(6, 7)))
    assert not recording.used
    assert why in recording.unmeasured[0].why


def test_a_watcher_of_the_programs_own_is_left_alone(tmp_path: Path) -> None:
    """A mode that was entered after ours is on top of it: ours stays until that has gone."""
    model, flops = Net(), []

    def program() -> None:
        with FlopCounterMode(display=False) as counter:
            train(model, 5)
        flops.append(counter.get_total_flops())
        train(model, 4)

    recording = recorded(tmp_path, program)
    with FlopCounterMode(display=False) as counter:
        train(Net(), 5)
    assert flops == [counter.get_total_flops()]
    assert {used.calls for used in recording.used} == {1.0}
    assert not torch.utils._python_dispatch._get_current_dispatch_mode_stack()


@pytest.mark.slow
def test_swapping_is_undone_and_changes_no_result(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = Net()
    torch.manual_seed(0)
    swapped = Net()
    train(plain, 4 + 5 * 8)
    recording = recorded(tmp_path, lambda: train(swapped, 4 + 5 * 8), swap=True)
    assert not any(isinstance(each, TunedReLU) for each in swapped.modules())
    for one, other in zip(plain.parameters(), swapped.parameters(), strict=True):
        assert torch.equal(one, other)
    # five pairs of turns of four steps, but for the first pair
    assert len(recording.steps.seconds) == len(recording.steps.ours) == 4


@pytest.mark.slow
def test_what_is_swapped_in_a_trial_is_put_back_before_the_training(tmp_path: Path) -> None:
    """Forward passes that were taken for steps are neither timed beside steps of the training, nor left swapped."""
    model = Net()

    def program() -> None:
        infer(model, 30)
        train(model, 1 + 4 + 3 * 8)

    recording = recorded(tmp_path, program, swap=True)
    assert recording.steps.what == "optimizer.step"
    assert len(recording.steps.ours) == 2  # three pairs of turns, but for the first
    assert {used.calls for used in recording.used} == {1.0}
    assert not any(isinstance(each, TunedReLU) for each in model.modules())


def test_a_slope_that_is_no_number_is_told(tmp_path: Path) -> None:
    recording = recorded(tmp_path, lambda: functional.leaky_relu(torch.ones(3), float("nan")))
    assert not recording.used
    assert "a slope that is no finite number" in recording.unmeasured[0].why


def test_an_error_in_the_program_goes_through_and_what_was_seen_stays(tmp_path: Path) -> None:
    def program() -> None:
        torch.relu(torch.ones(3))
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        recorded(tmp_path, program)
    assert read_recording(tmp_path / "cases.json").used[0].op == "relu"
    assert not torch.utils._python_dispatch._get_current_dispatch_mode_stack()
