"""Our activations in other people's PyTorch programs: what they are given, derive and hand on is as torch's own."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor, nn
from torch.nn import functional

from kernels.torch_module import (
    TunedLeakyReLU,
    TunedReLU,
    leaky_relu,
    relu,
    replace_activations,
    restore_activations,
)
from tests.tensors import OURS_AND_THEIRS, Function, same_bits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("tuned_everywhere"),
    pytest.mark.filterwarnings("ignore::kernels.tuned.tensor_scope.FallbackWarning"),
]


# --- derivatives of derivatives -------------------------------------------------------------------


@pytest.mark.parametrize("op", [relu, leaky_relu])
@pytest.mark.parametrize("n", [10, 70_000])
@pytest.mark.parametrize("inplace", [False, True])
def test_the_second_derivative_is_zeros_whatever_the_size(
    op: Callable[..., Tensor], n: int, inplace: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernels.torch_module.SMALL", 1 << 16)
    a = torch.randn(n, requires_grad=True)
    (g,) = torch.autograd.grad(op(a * 1, inplace=inplace).sum(), a, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), a)
    assert h.shape == a.shape
    assert not h.any()


@OURS_AND_THEIRS
def test_derivatives_of_any_order_are_torchs(ours: Function, theirs: Function) -> None:
    def run(f: Function, view: Function) -> list[Tensor]:
        torch.manual_seed(1)
        x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
        found, y = [], (f(view(x)) ** 3 * view(x)).sum()
        for _ in range(4):
            (g,) = torch.autograd.grad(y, x, create_graph=True)
            found.append(g.detach())
            y = g.sum()
        return found

    for view in (lambda v: v, lambda v: v.t(), lambda v: v[0, 0]):
        for one, other in zip(run(ours, view), run(theirs, view), strict=True):
            assert torch.equal(one, other)


def test_a_graph_lives_on_after_its_second_derivative() -> None:
    a = torch.randn(9, requires_grad=True)
    y = relu(a)
    (g,) = torch.autograd.grad(y.sum(), a, create_graph=True)
    torch.autograd.grad(g.sum(), a)
    y.sum().backward()
    assert a.grad is not None
    assert torch.equal(a.grad, (a > 0).float())


@OURS_AND_THEIRS
def test_hessians(ours: Function, theirs: Function) -> None:
    x = torch.randn(4, dtype=torch.float64)
    for vectorize in (False, True):
        one, other = (
            torch.autograd.functional.hessian(lambda v, f=f: (f(v) * v).sum(), x, vectorize=vectorize)
            for f in (ours, theirs)
        )
        assert torch.equal(one, other)
        one, other = (
            torch.autograd.functional.hessian(lambda v, f=f: f(v).sum(), x, vectorize=vectorize)
            for f in (ours, theirs)
        )
        assert torch.equal(one, other)


# --- arguments ----------------------------------------------------------------------------------


def _outcome(f: Callable[..., Tensor], *arguments: Any) -> Any:
    try:
        return f(*arguments)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        return type(error), str(error)


SLOPES = (
    "0.1", decimal.Decimal("0.1"), None, np.array(0.1), np.array([0.1]), torch.tensor([0.1]), 2**70, 1e39, -1e39,
    torch.tensor(0.1, requires_grad=True), 1 + 0j, torch.inf, -torch.inf, torch.nan, 0, 2, True, -0.0, 0.0, -0.7,
    np.float32(0.1), np.float64(-0.1), np.int64(2), np.True_, torch.tensor(0.1), torch.tensor(-2),
)  # fmt: skip


@pytest.mark.parametrize("slope", SLOPES, ids=repr)
def test_slopes_are_taken_and_refused_as_torch_does(slope: Any) -> None:
    for dtype in (torch.float16, torch.float32, torch.float64):
        x = torch.tensor([-2.0, -0.0, 0.0, 3.0, torch.nan], dtype=dtype)
        one, other = _outcome(leaky_relu, x, slope), _outcome(functional.leaky_relu, x, slope)
        if isinstance(other, Tensor):
            assert one.dtype == other.dtype
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
            numbers = ~other.isnan()
            assert torch.equal(one.signbit()[numbers], other.signbit()[numbers])
        else:
            assert one == other


def test_zeros_of_either_sign_do_not_depend_on_earlier_slopes() -> None:
    x, dy = torch.tensor([-2.0, 3.0]), torch.tensor([-1.0, 1.0])
    for slope in (0.0, -0.0, 0.0):
        found = []
        for f in (leaky_relu, functional.leaky_relu):
            leaf = x.clone().requires_grad_()
            y = f(leaf, slope)
            y.backward(dy)
            assert leaf.grad is not None
            found.append((f(x, slope), y.detach(), leaf.grad))
        for one, other in zip(*found, strict=True):
            same_bits(one, other)


@pytest.mark.parametrize("slope", [-0.5, np.float32(-0.5), torch.tensor(-0.5)], ids=repr)
@pytest.mark.parametrize("small", [0, 1000])
def test_a_negative_slope_in_place_whatever_its_type(
    slope: Any, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernels.torch_module.SMALL", small)
    x = torch.tensor([-2.0, 3.0], requires_grad=True)
    leaky_relu(x * 1, slope, inplace=True).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-0.5, 1.0]


@pytest.mark.parametrize("x", [[1.0], "x", None, np.ones(3)], ids=["list", "str", "None", "array"])
def test_what_is_no_tensor_is_torchs_error(x: Any) -> None:
    for inplace in (False, True):
        with pytest.raises(TypeError) as ours:
            leaky_relu(x, -0.5, inplace)
        with pytest.raises(TypeError) as theirs:
            functional.leaky_relu(x, -0.5, inplace)
        assert str(ours.value) == str(theirs.value)
        with pytest.raises(TypeError):
            relu(x, inplace)


# --- the way back -------------------------------------------------------------------------------


def test_restored_activations_fuse() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.LeakyReLU(0.3)).train(False)
    x = torch.randn(2, 4)
    want = model(x)
    called: list[int] = []
    model[2].register_forward_hook(lambda *_: called.append(1))
    assert replace_activations(model) == 2
    assert (type(model[1]), type(model[2])) == (TunedReLU, TunedLeakyReLU)
    assert restore_activations(model) == 2
    assert (type(model[1]), type(model[2])) == (nn.ReLU, nn.LeakyReLU)
    assert restore_activations(model) == 0
    fused = torch.ao.quantization.fuse_modules(model, ["0", "1"])
    assert torch.equal(fused(x), want)
    assert called == [1]


# --- results as other tensors -------------------------------------------------------------------


def test_large_results_can_be_shared_and_handed_on() -> None:
    x = torch.randn(1 << 20)
    y = relu(x)
    want = functional.relu(x)
    assert torch.equal(torch.utils.dlpack.from_dlpack(y), want)
    assert torch.equal(y.share_memory_(), want)
    assert y.is_shared()


def test_an_operator_of_a_library_may_call_ours() -> None:
    @torch.library.custom_op("relu_bench_tests::twice", mutates_args=())
    def twice(x: Tensor) -> Tensor:
        return relu(x) * 2

    twice.register_autograd(
        lambda ctx, dy: dy * 2 * ctx.saved_tensors[0].sign().clamp_min(0),
        setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
    )
    x = torch.randn(9, requires_grad=True)
    y = twice(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, 2.0 * (x > 0))
