"""Our activations in PyTorch: as torch's own to the bit, with a bit an element kept, or torch's own and a word why."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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
    replace_activations,
)
from kernels.tuned import tensors

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tuned_everywhere")]

Function = Callable[[Tensor], Tensor]
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PAIRS: dict[str, tuple[Function, Function]] = {
    "relu": (relu, functional.relu),
    "leaky 0.01": (leaky_relu, functional.leaky_relu),
    "leaky 1.7": (lambda x: leaky_relu(x, 1.7), lambda x: functional.leaky_relu(x, 1.7)),
    "leaky -0.3": (lambda x: leaky_relu(x, -0.3), lambda x: functional.leaky_relu(x, -0.3)),
    "leaky 0": (lambda x: leaky_relu(x, 0), lambda x: functional.leaky_relu(x, 0)),
}


def _mixed(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random numbers, with NaN, infinities, zeros and the smallest numbers among them."""
    x = torch.randn(shape).to(dtype)
    info = torch.finfo(dtype)
    special = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0, info.tiny, -info.tiny, info.max, info.min])
    where = torch.rand(shape) < 0.3
    x[where] = special.to(dtype)[torch.randint(len(special), (int(where.sum()),))]
    return x


def _same(one: Tensor, other: Tensor) -> None:
    """Equal, with strides and dtype; zeros of either sign and NaNs of any payload are."""
    assert (one.dtype, one.shape, one.stride()) == (other.dtype, other.shape, other.stride())
    assert torch.equal(torch.nan_to_num(one, 12.5), torch.nan_to_num(other, 12.5))
    assert torch.equal(one.isnan(), other.isnan())
    assert torch.equal(one.isinf(), other.isinf())


def _both_ways(f: Function, x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.detach().clone().requires_grad_()
    y = f(leaf)
    y.backward(dy)
    assert leaf.grad is not None
    return y.detach(), leaf.grad


def _on_a_copy(f: Function, x: Tensor) -> Tensor:
    """For what works in place, where the leaf of a graph may not be written."""
    return f(x * 1)


def _saved(y: Tensor) -> tuple[Tensor, ...]:
    """What autograd keeps for the backward of the function that made `y`."""
    node: Any = y.grad_fn
    return () if node is None else tuple(node.saved_tensors)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_and_gradients_are_those_of_torch(name: str, dtype: torch.dtype) -> None:
    ours, theirs = PAIRS[name]
    for shape in ((), (0,), (1,), (7,), (1023,), (3, 0, 2), (5, 1, 9)):
        x, dy = _mixed(*shape, dtype=dtype), _mixed(*shape, dtype=dtype)
        before = x.clone()
        _same(ours(x), theirs(x))
        _same(x, before)
        for one, other in zip(_both_ways(ours, x, dy), _both_ways(theirs, x, dy), strict=True):
            _same(one, other)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_on_several_threads(dtype: torch.dtype) -> None:
    x, dy = torch.randn(150_001).to(dtype), torch.randn(150_001).to(dtype)
    for ours, theirs in (PAIRS["relu"], PAIRS["leaky 0.01"]):
        for one, other in zip(_both_ways(ours, x, dy), _both_ways(theirs, x, dy), strict=True):
            assert torch.equal(one, other)


def test_large_results_come_from_the_pool_and_are_ordinary_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "_POOLED_FROM", 1 << 12)
    for dtype in DTYPES:
        x = _mixed(64, 80, dtype=dtype).t()
        one, other = _both_ways(relu, x, x), _both_ways(functional.relu, x, x)
        _same(one[0], other[0])
        _same(one[1], other[1])
    x = torch.randn(64, 64, requires_grad=True)
    y, z = relu(x), relu(x)
    assert not y._is_view()
    assert y.untyped_storage().data_ptr() != z.untyped_storage().data_ptr()
    y.mul_(2).add_(1)  # in place, under autograd
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, 2.0 * (x > 0))
    _same(pickle.loads(pickle.dumps(z.detach())), functional.relu(x.detach()))
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
    root = _mixed(3, 4, 5, 7)
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
    _same(found[0][0], found[1][0])
    _same(found[0][1], found[1][1])


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


def test_in_place() -> None:
    x = _mixed(2000)
    for ours, theirs in (
        (TunedReLU(inplace=True), nn.ReLU(inplace=True)),
        (TunedLeakyReLU(0.2, inplace=True), nn.LeakyReLU(0.2, inplace=True)),
    ):
        plain, copied = x.clone(), x.clone()
        assert ours(plain) is plain
        assert plain._version == 1
        _same(plain, theirs(copied))
        for one, other in zip(
            *(_both_ways(partial(_on_a_copy, f), x, x) for f in (ours, theirs)), strict=True
        ):
            _same(one, other)
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
    want = _both_ways(lambda v: functional.leaky_relu(v, -0.5), x, dy)
    for small in (0, 1000):
        monkeypatch.setattr(torch_module, "SMALL", small)
        got = _both_ways(lambda v: leaky_relu(v * 1, -0.5, True), x, dy)
        _same(got[0], want[0])
        _same(got[1], want[1])


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
    _same(exported.module()(x), functional.relu(x))


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


def test_modules_are_modules() -> None:
    model = nn.Sequential(TunedReLU(True), TunedLeakyReLU(0.25))
    assert not model.state_dict()
    assert repr(model[1]) == "TunedLeakyReLU(negative_slope=0.25)"
    assert isinstance(model[0], nn.ReLU)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert (type(other[0]), other[0].inplace, other[1].negative_slope) == (TunedReLU, True, 0.25)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    assert type(torch.load(file, weights_only=False)[1]) is TunedLeakyReLU


def test_replacing_the_activations_of_a_model() -> None:
    model = nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 3))
    x = torch.randn(4, 10)
    want = model(x)
    called = []
    model[1].register_forward_hook(lambda *_: called.append(1))
    assert replace_activations(model) == 1
    assert type(model[1]) is TunedReLU
    assert torch.equal(model(x), want)
    assert called == [1]
    assert replace_activations(model) == 0
    shared = nn.LeakyReLU(0.3)
    nested = nn.ModuleDict({"a": nn.ModuleList([shared, nn.ReLU6()]), "b": shared})
    assert replace_activations(nested) == 1
    assert type(nested["b"]) is TunedLeakyReLU
    assert nested["b"].negative_slope == 0.3
    alone = nn.ReLU(inplace=True)
    assert replace_activations(alone) == 1
    assert replace_activations(alone) == 0, "without a warning: all of it is replaced"
    assert type(alone) is TunedReLU
    assert alone.inplace


def test_a_model_that_calls_functions_is_told_that_nothing_was_replaced() -> None:
    class Functional(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.relu(x)

    with pytest.warns(UserWarning, match=r"^Functional has no nn.ReLU.*call kernels.torch_module.relu\(x\)$"):
        assert replace_activations(Functional()) == 0
