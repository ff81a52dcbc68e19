"""Our activations in PyTorch: as torch's own to the bit, with a bit an element kept, or torch's own and a word why."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import Tensor, nn
from torch.nn import functional

from kernels import torch_module
from kernels.torch_module import (
    FallbackWarning,
    TunedLeakyReLU,
    TunedReLU,
    leaky_relu,
    relu,
)
from kernels.tuned import tensors
from tests.tensors import Function, both_ways, mixed, same

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tuned_everywhere")]

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PAIRS: dict[str, tuple[Function, Function]] = {
    "relu": (relu, functional.relu),
    "leaky 0.01": (leaky_relu, functional.leaky_relu),
    "leaky 1.7": (lambda x: leaky_relu(x, 1.7), lambda x: functional.leaky_relu(x, 1.7)),
    "leaky -0.3": (lambda x: leaky_relu(x, -0.3), lambda x: functional.leaky_relu(x, -0.3)),
    "leaky 0": (lambda x: leaky_relu(x, 0), lambda x: functional.leaky_relu(x, 0)),
}


def _saved(y: Tensor) -> tuple[Tensor, ...]:
    """What autograd keeps for the backward of the function that made `y`."""
    node: Any = y.grad_fn
    return () if node is None else tuple(node.saved_tensors)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_and_gradients_are_those_of_torch(name: str, dtype: torch.dtype) -> None:
    ours, theirs = PAIRS[name]
    for shape in ((), (0,), (1,), (7,), (1023,), (3, 0, 2), (5, 1, 9)):
        x, dy = mixed(*shape, dtype=dtype), mixed(*shape, dtype=dtype)
        before = x.clone()
        same(ours(x), theirs(x))
        same(x, before)
        for one, other in zip(both_ways(ours, x, dy), both_ways(theirs, x, dy), strict=True):
            same(one, other)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_on_several_threads(dtype: torch.dtype) -> None:
    x, dy = torch.randn(150_001).to(dtype), torch.randn(150_001).to(dtype)
    for ours, theirs in (PAIRS["relu"], PAIRS["leaky 0.01"]):
        for one, other in zip(both_ways(ours, x, dy), both_ways(theirs, x, dy), strict=True):
            assert torch.equal(one, other)


def test_large_results_come_from_the_pool_and_are_ordinary_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "_POOLED_FROM", 1 << 12)
    for dtype in DTYPES:
        x = mixed(64, 80, dtype=dtype).t()
        one, other = both_ways(relu, x, x), both_ways(functional.relu, x, x)
        same(one[0], other[0])
        same(one[1], other[1])
    x = torch.randn(64, 64, requires_grad=True)
    y, z = relu(x), relu(x)
    assert not y._is_view()
    assert y.untyped_storage().data_ptr() != z.untyped_storage().data_ptr()
    y.mul_(2).add_(1)  # in place, under autograd
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, 2.0 * (x > 0))
    same(pickle.loads(pickle.dumps(z.detach())), functional.relu(x.detach()))
    with pytest.raises(RuntimeError, match="resiz"):
        z.detach().resize_(10_000)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x,
        lambda x: x.permute(0, 2, 3, 1),
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: x[1:],  # off a vector's boundary
        lambda x: x.transpose(0, 3)[:, :, :, :1],  # a gap
        lambda x: x[:, ::2],
        lambda x: x[:1].expand(5, -1, -1, -1),
    ],
    ids=["contiguous", "permuted", "channels_last", "offset", "one of many", "every second", "expanded"],
)
@pytest.mark.parametrize("dy_kind", ["same", "contiguous", "expanded"])
def test_any_strides(view: Function, dy_kind: str) -> None:
    root = mixed(3, 4, 5, 7)
    shape = view(root).shape
    dy = {
        "same": lambda: torch.randn_like(view(root)),
        "contiguous": lambda: torch.randn(shape),
        "expanded": lambda: torch.randn(1).expand(shape),
    }[dy_kind]()
    found = []
    for f in (lambda x: leaky_relu(x, 0.2), lambda x: functional.leaky_relu(x, 0.2)):
        leaf = root.clone().requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FallbackWarning)
            y = f(view(leaf))
        y.backward(dy)
        assert leaf.grad is not None
        found.append((y.detach(), leaf.grad))
    same(found[0][0], found[1][0])
    same(found[0][1], found[1][1])


def test_derivatives_first_and_second_against_differences() -> None:
    x = torch.randn(3, 5, dtype=torch.float64)
    x = (x + 0.1 * x.sign()).requires_grad_()  # away from 0
    for f in (relu, lambda v: leaky_relu(v, 0.3), lambda v: leaky_relu(v * 1, -0.5, True)):
        assert torch.autograd.gradcheck(f, (x,), check_batched_grad=False)
        assert torch.autograd.gradgradcheck(lambda v, f=f: f(v) * f(v), (x,))
        _, dy = torch.autograd.functional.vjp(f, x, torch.ones_like(x), create_graph=True)
        assert not torch.autograd.grad(dy.sum(), x)[0].any()


def test_a_bit_an_element_is_kept_and_only_where_a_gradient_is_wanted() -> None:
    for dtype in DTYPES:
        x = torch.randn(4096, dtype=dtype)
        leaf = x.clone().requires_grad_()
        for module in (TunedReLU(), TunedLeakyReLU(0.1)):
            (bits,) = _saved(module(leaf))
            assert bits.untyped_storage().nbytes() * 16 <= x.nbytes
            assert _saved(module(x)) == ()
            with torch.no_grad():
                assert _saved(module(leaf)) == ()
            with torch.inference_mode():
                assert module(leaf).is_inference()


def test_the_input_can_be_freed_before_backward() -> None:
    # If anything but the bits held on to x or y, changing them in place would be noticed by autograd.
    leaf = torch.randn(5000, requires_grad=True)
    x = leaf * 1
    y = leaky_relu(x, 0.1)
    x.zero_()
    y.zero_()
    leaky_relu(leaf, 0.1).sum().backward()
    assert leaf.grad is not None
    assert torch.equal(leaf.grad, torch.where(leaf > 0, 1.0, 0.1))


def test_small_tensors_with_a_gradient_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_module, "SMALL", 100)
    assert type(relu(torch.ones(99, requires_grad=True)).grad_fn).__name__ == "ReluBackward0"
    assert type(relu(torch.ones(100, requires_grad=True)).grad_fn).__name__ == "_ActivationBackward"


class _Marked(Tensor):
    pass


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: torch.tensor([-1, 2]), "torch.int64 is not one of float16, bfloat16, float32, float64"),
        (lambda: torch.randn(4, device="meta"), "on meta, not on the CPU"),
        (lambda: torch.randn(4, 4).relu().to_sparse(), "layout is torch.sparse_coo"),
        (lambda: torch.randn(4, 4)[:, ::2], "gaps or repeats"),
        (lambda: torch.randn(1, dtype=torch.complex64).conj().imag, "sign is lazy"),
        (lambda: torch.randn(4).as_subclass(_Marked), "_Marked is not a plain torch.Tensor"),
    ],
    ids=["int64", "meta", "sparse", "strided", "lazy sign", "subclass"],
)
def test_what_does_not_apply_is_said_once(make: Callable[[], Tensor], reason: str) -> None:
    x = make()
    with pytest.warns(FallbackWarning, match=reason):
        y = relu(x)
    again = relu(x)  # warnings are errors
    assert type(y) is type(again) is type(x)
    if not x.is_meta:
        assert torch.equal(torch.as_tensor(y.to_dense()), functional.relu(x).to_dense())


def test_errors_are_those_of_torch() -> None:
    with pytest.warns(FallbackWarning, match="complex64"), pytest.raises(RuntimeError, match="complex"):
        relu(torch.ones(3, dtype=torch.complex64))


@pytest.mark.filterwarnings("ignore::kernels.tuned.tensor_scope.FallbackWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.func.jvp scripts its own decompositions
def test_transforms_and_forward_mode() -> None:
    x = torch.randn(4, 6, dtype=torch.float64)

    def f(v: Tensor) -> Tensor:
        return (leaky_relu(v, 0.3) * v).sum()

    def g(v: Tensor) -> Tensor:
        return (functional.leaky_relu(v, 0.3) * v).sum()

    for transform in (torch.func.grad, torch.func.hessian, lambda h: torch.vmap(torch.func.grad(h))):
        assert torch.equal(transform(f)(x), transform(g)(x))
    assert torch.equal(torch.func.jvp(f, (x,), (x,))[1], torch.func.jvp(g, (x,), (x,))[1])
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        tangent = torch.autograd.forward_ad.unpack_dual(leaky_relu(dual, 0.3)).tangent
    assert torch.equal(tangent, torch.where(x > 0, x.new_tensor(1.0), x.new_tensor(0.3)))


@pytest.mark.filterwarnings("ignore::kernels.tuned.tensor_scope.FallbackWarning")
def test_a_batched_gradient_reads_the_same_bits() -> None:
    for view in (lambda v: v, lambda v: v.t()):
        x = torch.randn(3, 5, requires_grad=True)
        y = leaky_relu(view(x), 0.3)
        directions = torch.randn(4, *y.shape)
        (batched,) = torch.autograd.grad(y, x, directions, is_grads_batched=True, retain_graph=True)
        for one, direction in zip(batched, directions, strict=True):
            assert torch.equal(one, torch.autograd.grad(y, x, direction, retain_graph=True)[0])


def test_traced_by_compilers() -> None:
    model = nn.Sequential(nn.Linear(4, 5), TunedReLU(), nn.Linear(5, 5), TunedLeakyReLU(-0.2, inplace=True))
    x = torch.randn(3, 4)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    gradients = []
    for each in (model, compiled):
        model.zero_grad()
        each(x).sum().backward()
        gradients.append(model[0].weight.grad)
    torch.testing.assert_close(*gradients)
    exported = torch.export.export(nn.Sequential(TunedReLU(), TunedLeakyReLU(0.5)), (x,))
    assert "aten.relu" in str(exported.graph)
    same(exported.module()(x), functional.relu(x))


def test_threads() -> None:
    model = nn.Sequential(TunedReLU(), TunedLeakyReLU(0.1, inplace=True))

    def work(seed: int) -> bool:
        x = torch.randn(200_000, generator=torch.Generator().manual_seed(seed)).requires_grad_()
        y = model(x * 1)
        y.backward(x.detach())
        assert x.grad is not None
        return torch.equal(y, functional.relu(x)) and torch.equal(x.grad, torch.where(x > 0, x, 0.0))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(12)))


def test_one_thread_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real: Callable[..., Any] = vars(tensors)["choose"]

    def choose(*arguments: Any) -> Any:
        seen.append(arguments[-1])
        return real(*arguments)

    monkeypatch.setattr(tensors, "choose", choose)
    tensors._call.cache_clear()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        relu(torch.randn(100_000))
    finally:
        torch.set_num_threads(before)
        tensors._call.cache_clear()
    assert seen == [1]


def test_autocast() -> None:
    layer = nn.Linear(8, 8)
    x = torch.randn(16, 8)
    found = []
    for activation in (TunedLeakyReLU(0.1), nn.LeakyReLU(0.1)):
        layer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = activation(layer(x))
        assert y.dtype == torch.bfloat16
        y.float().square().sum().backward()
        assert layer.weight.grad is not None
        found.append(layer.weight.grad)
    assert torch.equal(found[0], found[1])


def test_bits_that_come_back_as_something_else_are_refused() -> None:
    y = relu(torch.randn(9, requires_grad=True))
    node: Any = y.grad_fn
    node._raw_saved_tensors[0].register_hooks(lambda t: t, lambda t: t.float())
    with pytest.raises(RuntimeError, match="uint8 tensors as they were"):
        y.sum().backward()
