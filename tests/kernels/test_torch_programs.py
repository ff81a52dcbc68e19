"""Our activations in other people's PyTorch programs: what watches, compiles, saves or fuses finds what it expects."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from kernels.torch_module import (
    FallbackWarning,
    leaky_relu,
    relu,
    replace_activations,
)
from tests.tensors import OURS_AND_THEIRS, Function, same_bits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("tuned_everywhere"),
    pytest.mark.filterwarnings("ignore::kernels.tuned.tensor_scope.FallbackWarning"),
]


def _relu(x: Tensor) -> Tensor:  # of one argument, as tracers want it
    return relu(x)


# --- compilers and tracers -------------------------------------------------------------------


def _model() -> nn.Sequential:
    activations = (nn.ReLU(), nn.LeakyReLU(0.1), nn.ReLU(inplace=True), nn.LeakyReLU(-0.2, inplace=True))
    return nn.Sequential(*(each for pair in zip(_linears(), activations, strict=True) for each in pair))


def _linears() -> list[nn.Module]:
    return [nn.Linear(6, 6) for _ in range(4)]


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torchscript_compiles_a_replaced_model() -> None:
    model, x = _model().eval(), torch.randn(3, 6)
    want = model(x)
    assert replace_activations(model) == 4
    scripted = torch.jit.script(model)
    assert torch.equal(scripted(x), want)
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    assert torch.equal(torch.jit.load(file)(x), want)
    assert "aten::relu(" in str(torch.jit.freeze(scripted).inlined_graph)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torchscript_compiles_a_model_that_calls_our_functions() -> None:
    class Calling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return relu(leaky_relu(x, 0.1) + 1) + leaky_relu(x - 1, negative_slope=-0.2, inplace=True)

    model, x = Calling(), torch.randn(3, 6)
    scripted = torch.jit.script(model)
    assert torch.equal(scripted(x), model(x))
    assert "aten::leaky_relu(" in str(torch.jit.freeze(scripted.eval()).inlined_graph)


class _Functions(TorchFunctionMode):
    """Writes down the functions that are called."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(func.__name__)
        return func(*args, **(kwargs or {}))


class _Dispatched(TorchDispatchMode):
    """Writes down the operators that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


def _in(mode: Any, f: Function, x: Tensor) -> str:
    with mode:
        f(x)
    return " ".join(mode.seen)


def _functionalized(f: Function, x: Tensor) -> str:
    return str(make_fx(torch.func.functionalize(f))(x).code)


def _fx(f: Function, x: Tensor) -> str:
    return str(torch.fx.symbolic_trace(f).graph)


WATCHERS: dict[str, Callable[[Function, Tensor], str]] = {
    "make_fx": lambda f, x: str(make_fx(f)(x).code),
    "make_fx before dispatch": lambda f, x: str(make_fx(f, pre_dispatch=True)(x).code),
    "make_fx of functionalize": _functionalized,
    "torch.jit.trace": lambda f, x: str(torch.jit.trace(f, x).graph),
    "torch.fx": _fx,
    "a function mode": lambda f, x: _in(_Functions(), f, x),
    "a dispatch mode": lambda f, x: _in(_Dispatched(), f, x),
    "export": lambda f, x: str(torch.export.export(_Called(f), (x,), strict=False).graph),
}


class _Called(nn.Module):
    def __init__(self, f: Function) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


@OURS_AND_THEIRS
@pytest.mark.parametrize("watcher", WATCHERS)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_whatever_watches_torch_sees_torchs_own(watcher: str, ours: Function, theirs: Function) -> None:
    x = torch.randn(5)
    seen = WATCHERS[watcher](ours, x)
    assert "relu" in seen
    assert "empty" not in seen
    if watcher == "a dispatch mode":
        assert seen == WATCHERS[watcher](theirs, x)


def test_a_graph_recorded_before_dispatch_computes_relu() -> None:
    x = torch.randn(5)
    graph = make_fx(_relu, pre_dispatch=True)(x)
    assert torch.equal(graph(-x), functional.relu(-x))


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, contextlib.nullcontext])
def test_what_does_not_watch_leaves_ours_in_place(mode: Callable[[], Any]) -> None:
    x = torch.randn(5)
    for context in (
        torch.device("cpu"),
        torch.autocast("cpu"),
        torch.autograd.detect_anomaly(check_nan=False),
    ):
        with pytest.MonkeyPatch.context() as patch, mode(), context:
            patch.setattr(functional, "relu", None)
            assert torch.equal(relu(x), x.clamp_min(0))


def test_a_profile_names_ours() -> None:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        relu(torch.randn(5))
        leaky_relu(torch.randn(5))
    names = {event.key for event in profile.key_averages()}
    assert {"kernels.torch_module.relu", "kernels.torch_module.leaky_relu"} <= names


# --- checkpoints and hooks ----------------------------------------------------------------------


@OURS_AND_THEIRS
@pytest.mark.parametrize("where", ["neither", "forward", "recomputation", "dual forward"])
def test_a_checkpoint_whose_two_runs_see_different_modes(
    where: str, ours: Function, theirs: Function
) -> None:
    def run(f: Function) -> Tensor:
        torch.manual_seed(1)
        x = torch.randn(40, requires_grad=True)
        with contextlib.ExitStack() as stack:
            if where == "forward":
                stack.enter_context(FlopCounterMode(display=False))
            if where == "dual forward":
                stack.enter_context(torch.autograd.forward_ad.dual_level())
            y = checkpoint(lambda v: f(v * 2).sin(), x, use_reentrant=False)
        with FlopCounterMode(display=False) if where == "recomputation" else contextlib.nullcontext():
            y.sum().backward()
        assert x.grad is not None
        return x.grad

    same_bits(run(ours), run(theirs))


@OURS_AND_THEIRS
def test_hooks_that_change_the_dtype_of_what_is_saved(ours: Function, theirs: Function) -> None:
    def run(f: Function) -> tuple[list[torch.dtype], Tensor]:
        torch.manual_seed(1)
        x, packed = torch.randn(40, requires_grad=True), []

        def pack(tensor: Tensor) -> Tensor:
            packed.append(tensor.dtype)
            return tensor.to(torch.bfloat16)

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor.float()):
            y = f(x)
        y.sum().backward()
        assert x.grad is not None
        return packed, x.grad

    (kept, gradient), (their_kept, their_gradient) = run(ours), run(theirs)
    assert kept == their_kept
    same_bits(gradient, their_gradient)


def test_a_fallback_is_a_warning_of_its_own_kind() -> None:
    with pytest.warns(FallbackWarning, match="TorchFunctionMode"), _Functions():
        relu(torch.randn(3))
