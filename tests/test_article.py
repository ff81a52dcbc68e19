"""What the introductory article shows, as it shows it, and through every implementation here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kernels
from kernels import networks
from kernels.networks import reference
from kernels.networks.case import NetworkCase
from kernels.networks.weights import pristine
from kernels.numbers.host_arrays import aligned_empty
from kernels.registry import BUILTINS, MissingBackendError, devices, is_usual

pytestmark = pytest.mark.slow

LIST = [-2, -1, 0, 1, 2]
RELU, LEAKY = [0, 0, 0, 1, 2], [-0.02, -0.01, 0, 1, 2]
BACKENDS = [name for name in BUILTINS if is_usual(name) and "cpu" in devices(name)]


def usable(name: str) -> str:
    try:
        kernels.load(name)
    except MissingBackendError as error:
        pytest.skip(str(error))
    return name


@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "torch_compile"])
def test_examples_through_every_backend(name: str) -> None:
    x = np.array(LIST, np.float32)
    assert kernels.relu(x, backend=usable(name)).tolist() == RELU
    assert np.array_equal(kernels.leaky_relu(x, 0.01, backend=name), np.array(LEAKY, np.float32))


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("integers", [LIST, np.array(LIST), np.array(LIST, np.int8), np.array(LIST) > 0])
def test_integers_are_refused_alike_whatever_the_backend(name: str, integers: Any) -> None:
    """A list of ints is an int64 array to NumPy; to round it to some float type is the caller's choice."""
    for call in (kernels.relu, kernels.leaky_relu):
        with pytest.raises(
            TypeError, match=r"^x is of dtype (int|bool).*; allowed are .*float32.*astype$"
        ) as caught:
            call(integers, backend=name)
        assert "\n" not in str(caught.value)


def test_a_list_of_floats_is_a_float64_array() -> None:
    result = kernels.leaky_relu([float(x) for x in LIST], backend="numpy_ufunc")
    assert result.dtype == np.float64
    assert result.tolist() == LEAKY


class TestTorch:
    """The article's own lines, and what its framework makes of integers."""

    @pytest.fixture
    def torch(self) -> Any:
        return pytest.importorskip("torch", reason="the article's examples are in PyTorch")

    def test_relu(self, torch: Any) -> None:
        assert torch.relu(torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])).tolist() == RELU

    def test_leaky_relu(self, torch: Any) -> None:
        x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
        assert torch.equal(torch.nn.LeakyReLU(negative_slope=0.01)(x), torch.tensor(LEAKY))

    def test_integers_stay_integers_in_relu(self, torch: Any) -> None:
        result = torch.relu(torch.tensor(LIST))
        assert result.dtype == torch.int64
        assert result.tolist() == RELU

    def test_integers_are_refused_by_leaky_relu(self, torch: Any) -> None:
        with pytest.raises((RuntimeError, NotImplementedError), match="not implemented for 'Long'"):
            torch.nn.LeakyReLU(0.01)(torch.tensor(LIST))

    def test_a_list_is_no_tensor(self, torch: Any) -> None:
        with pytest.raises(TypeError, match="must be Tensor, not list"):
            torch.relu(LIST)

    def test_network_is_the_one_that_is_measured(self, torch: Any) -> None:
        from torch import nn

        from kernels.networks.torch_eager import model_of

        case = NetworkCase("mlp_relu")
        model = nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 3))
        ours = model_of(case)
        assert [str(layer) for layer in ours] == [str(layer) for layer in model]
        x = torch.randn(1, 10)
        assert model(x).shape == ours(x).shape == (1, 3)
        model.load_state_dict(ours.state_dict())
        assert torch.equal(model(x), ours(x))


class TestJax:
    @pytest.fixture
    def nn(self) -> Any:
        return pytest.importorskip("jax.nn", reason="what JAX makes of integers")

    def test_integers_stay_integers_in_relu(self, nn: Any) -> None:
        result = nn.relu(np.array(LIST, np.int32))
        assert result.dtype == np.int32
        assert result.tolist() == RELU

    def test_integers_become_floats_in_leaky_relu(self, nn: Any) -> None:
        result = nn.leaky_relu(np.array(LIST, np.int32), 0.01)
        assert result.dtype == np.float32
        assert np.allclose(result, LEAKY)


def test_numpy_rounds_the_slope_to_an_integers_type() -> None:
    """np.maximum on integers is relu; a slope of 0.01 makes float64 of them."""
    x = np.array(LIST)
    assert np.maximum(x, 0).tolist() == RELU
    assert np.maximum(x, 0.01 * x).dtype == np.float64


@pytest.mark.parametrize("name", [name for name in networks.NETWORKS if name != "torch_compile"])
def test_every_framework_computes_the_same_network(name: str) -> None:
    usable(name)
    case = NetworkCase("mlp_relu")
    x = aligned_empty((1, 10), np.float32)
    x[...] = np.random.default_rng(0).standard_normal((1, 10))
    network = networks.load(name)
    assert network.why_not(case) is None
    result = network.compile(case, network.adopt(x, case), None, None)()
    network.sync(result)
    y = network.to_numpy(result)
    assert y.shape == (1, 3)
    wanted = reference.forward(case, pristine(case), x)
    assert (np.abs(y - wanted.y) <= wanted.y_bound).all()
