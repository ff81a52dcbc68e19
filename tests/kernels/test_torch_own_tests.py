"""PyTorch's own test inputs (in every installed torch: OpInfo, ModuleInfo), through our functions and modules.

torch's tests run each operator and module on these samples.  Here torch's own and ours run on the same ones, and
have to agree: values, strides, gradients, the gradients' gradients.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("expecttest", reason="torch.testing._internal needs expecttest")

import torch
from torch import Tensor, nn

from kernels.torch_module import leaky_relu, relu, replace_activations

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("tuned_everywhere"),
    pytest.mark.filterwarnings("ignore::kernels.tuned.tensor_scope.FallbackWarning"),
]

OURS: dict[str, Callable[..., Tensor]] = {"nn.functional.relu": relu, "nn.functional.leaky_relu": leaky_relu}
MODULES = {"nn.ReLU": nn.ReLU, "nn.LeakyReLU": nn.LeakyReLU}
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
BY_OP = pytest.mark.parametrize("op", OURS, indirect=True)
BY_MODULE = pytest.mark.parametrize("info", MODULES, indirect=True)
DAILY = (torch.float16, torch.float64)
BY_DTYPE = pytest.mark.parametrize(
    "dtype",
    [pytest.param(each, marks=pytest.mark.daily if each in DAILY else ()) for each in DTYPES],
    ids=str,
)
BY_LEAKY_OP, BY_LEAKY_MODULE = (
    pytest.mark.parametrize(
        name,
        [pytest.param(each, marks=pytest.mark.daily if each == plain else ()) for each in every],
        indirect=True,
    )
    for name, every, plain in (("op", OURS, "nn.functional.relu"), ("info", MODULES, "nn.ReLU"))
)
"""ReLU is a leaky one of slope 0: differences, which take a thousand calls, try it once a day."""


@pytest.fixture
def op(request: pytest.FixtureRequest) -> Any:
    """What torch's tests know of an operator; importing them takes seconds, which collecting need not."""
    from torch.testing._internal.common_methods_invocations import op_db

    (found,) = (each for each in op_db if each.name == request.param)
    return found


@pytest.fixture
def info(request: pytest.FixtureRequest) -> Any:
    """What they know of a module."""
    from torch.testing._internal.common_modules import module_db

    (found,) = (each for each in module_db if each.module_cls is MODULES[request.param])
    return found


def _agree(one: Any, other: Any) -> None:
    """Equal to the bit but for the sign of zero, with their strides."""
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True, check_stride=True)


def _samples(make: Callable[..., Iterator[Any]], dtype: torch.dtype) -> Iterator[Any]:
    for sample in make("cpu", dtype, requires_grad=False):
        yield sample
        yield sample.noncontiguous()


@BY_OP
@BY_DTYPE
def test_values(op: Any, dtype: torch.dtype) -> None:
    ours, count = OURS[op.name], 0
    for sample in _samples(op.reference_inputs, dtype):
        x = sample.input
        want = op(x, *sample.args, **sample.kwargs)
        _agree(ours(x, *sample.args, **sample.kwargs), want)
        copied = x.clone()
        arguments = {**sample.kwargs, "inplace": True}
        assert ours(copied, *sample.args, **arguments) is copied
        _agree(copied, op.op(x.clone(), *sample.args, **arguments))
        count += 1
    assert count > 4


@BY_OP
@BY_DTYPE
def test_gradients(op: Any, dtype: torch.dtype) -> None:
    def derived(f: Callable[..., Tensor], sample: Any, inplace: bool) -> tuple[Tensor, ...]:
        torch.manual_seed(0)
        x = sample.input.detach().clone().requires_grad_()
        arguments = {**sample.kwargs, **({"inplace": True} if inplace else {})}
        y = f(x * 1 if inplace else x, *sample.args, **arguments)
        dy = torch.randn_like(y).requires_grad_()
        (dx,) = torch.autograd.grad(y, x, dy, create_graph=True)
        second = torch.autograd.grad(dx, (x, dy), torch.randn_like(dx))
        return y.detach(), dx.detach(), *second

    for sample in _samples(op.sample_inputs, dtype):
        for inplace in (False, True):
            _agree(derived(OURS[op.name], sample, inplace), derived(op.op, sample, inplace))


@BY_LEAKY_OP
def test_derivatives_against_differences(op: Any) -> None:
    for sample in op.sample_inputs("cpu", torch.float64, requires_grad=True):
        for each in (sample, sample.noncontiguous()):

            def f(x: Tensor, each: Any = each) -> Tensor:
                return OURS[op.name](x, *each.args, **each.kwargs)

            x = each.input.detach().requires_grad_()
            assert torch.autograd.gradcheck(f, (x,), check_batched_grad=True)
            assert torch.autograd.gradgradcheck(f, (x,), check_batched_grad=True)


def _called(
    info: Any, dtype: torch.dtype, training: bool
) -> Iterator[tuple[nn.Module, nn.Module, tuple[Any, ...]]]:
    """torch's module, the same replaced, and what torch's tests call it with."""
    for each in info.module_inputs_func(
        info, device="cpu", dtype=dtype, requires_grad=False, training=training
    ):
        made = each.constructor_input
        theirs = info.module_cls(*made.args, **made.kwargs).train(training)
        ours = copy.deepcopy(theirs)
        assert replace_activations(ours) == 1
        yield theirs, ours, each.forward_input.args


@BY_MODULE
@BY_DTYPE
def test_modules(info: Any, dtype: torch.dtype) -> None:
    for training in (True, False):
        for theirs, ours, (x,) in _called(info, dtype, training):
            loaded = pickle.loads(pickle.dumps(ours))
            views = (x, x.transpose(0, -1), torch.stack([x, x], -1)[..., 0]) if x.dim() else (x,)
            for view in views:
                for module in (ours, loaded):
                    found = []
                    for each in (module, theirs):
                        leaf = view.detach().clone(memory_format=torch.preserve_format).requires_grad_()
                        y = each(leaf * 1 if each.inplace else leaf)
                        (gradient,) = torch.autograd.grad(y, leaf, torch.ones_like(y))
                        found.append((y.detach(), gradient))
                    _agree(*found)


@BY_LEAKY_MODULE
def test_derivatives_of_modules_against_differences(info: Any) -> None:
    for _, ours, (x,) in _called(info, torch.float64, training=True):
        leaf = x.detach().requires_grad_()
        assert torch.autograd.gradcheck(ours, (leaf,))
        assert torch.autograd.gradgradcheck(ours, (leaf,))
