"""Our activations in place: as torch's own, where torch allows it and where it does not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor, nn
from torch.nn import functional

from kernels import torch_module
from kernels.torch_module import (
    TunedLeakyReLU,
    TunedReLU,
    leaky_relu,
    relu,
)
from tests.tensors import both_ways, mixed, on_a_copy, same

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tuned_everywhere")]


def test_in_place() -> None:
    x = mixed(2000)
    for ours, theirs in (
        (TunedReLU(inplace=True), nn.ReLU(inplace=True)),
        (TunedLeakyReLU(0.2, inplace=True), nn.LeakyReLU(0.2, inplace=True)),
    ):
        plain, copied = x.clone(), x.clone()
        assert ours(plain) is plain
        assert plain._version == 1
        same(plain, theirs(copied))
        for one, other in zip(*(both_ways(partial(on_a_copy, f), x, x) for f in (ours, theirs)), strict=True):
            same(one, other)
    # the output of a Linear on three dimensions is a view
    layer, batch = nn.Linear(4, 6), torch.randn(2, 3, 4)
    results = []
    for f in (lambda h: relu(h, True), functional.relu_):
        layer.zero_grad()
        (f(layer(batch)) * torch.arange(6)).sum().backward()
        results.append((layer.weight.grad, layer.bias.grad))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_in_place_a_negative_slope_is_right_for_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    x, dy = torch.randn(50), torch.randn(50)
    want = both_ways(lambda v: functional.leaky_relu(v, -0.5), x, dy)
    for small in (0, 1000):
        monkeypatch.setattr(torch_module, "SMALL", small)
        got = both_ways(lambda v: leaky_relu(v * 1, -0.5, True), x, dy)
        same(got[0], want[0])
        same(got[1], want[1])


def _inference_tensor() -> Tensor:
    with torch.inference_mode():
        return torch.randn(9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.randn(9, requires_grad=True),
        lambda: torch.randn(9, requires_grad=True)[:],
        lambda: (torch.randn(4, 9, requires_grad=True) * 1).unbind(0)[1],
        _inference_tensor,
    ],
    ids=["a leaf", "a view of a leaf", "one of several views", "an inference tensor"],
)
def test_in_place_where_torch_forbids_it(make: Callable[[], Tensor]) -> None:
    left = []
    for f in (relu, functional.relu):
        torch.manual_seed(3)
        x = make()
        with pytest.raises(RuntimeError) as raised:
            f(x, inplace=True)
        left.append((str(raised.value), x.detach().tolist()))
    assert left[0] == left[1]


def test_autograd_notices_a_change_in_place_of_what_it_kept() -> None:
    x = torch.randn(10, requires_grad=True)
    y = torch.exp(x * 1)  # keeps its result
    relu(y, inplace=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    z = torch.exp(x)
    with torch.no_grad():
        relu(z, inplace=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
