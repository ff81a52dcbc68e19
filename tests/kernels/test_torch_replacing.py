"""Our modules are modules, and take the place of a model's own."""

from __future__ import annotations

import copy
import io
import pickle

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import nn

from kernels.torch_module import (
    TunedLeakyReLU,
    TunedReLU,
    replace_activations,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tuned_everywhere")]


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
