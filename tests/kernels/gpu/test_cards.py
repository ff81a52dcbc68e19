"""What the harness asks of a card, by each framework, as far as it goes without one."""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.api import CARDS, DEVICE_KINDS, DTYPES, LAYOUTS, Case, parse_device
from kernels.numbers import host_arrays
from kernels.numbers.floats import bits
from tests.running import ROOT


def _arrays(case: Case) -> tuple[np.ndarray, np.ndarray, Any]:
    """An array, another one of the same layout, and an index of some of their elements, the ends among them."""
    x, other = host_arrays.host_array(case), host_arrays.host_array(case)
    host_arrays.fill(x, "special", 1)
    host_arrays.fill(other, "normal", 2)
    return x, other, np.unravel_index(np.array([0, 5, 17, case.n - 1]), x.shape)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_moves_elements(dtype: str, layout: str) -> None:
    pytest.importorskip("torch", reason="needs PyTorch")
    from kernels.backends import _torch_arrays
    from kernels.gpu.torch_card import TorchCard, to_card

    x, other, index = _arrays(Case("relu", dtype=dtype, n=36, layout=layout))
    card, handle = TorchCard("cpu"), to_card(_torch_arrays.from_host(x, dtype), "cpu")
    np.testing.assert_array_equal(bits(card.take(handle, index)), bits(x[index]))
    assert card.put(handle, index, other[index])
    x[index] = other[index]
    np.testing.assert_array_equal(bits(_torch_arrays.to_host(handle)), bits(x))
    assert card.copy(handle, to_card(_torch_arrays.from_host(other, dtype), "cpu"))
    np.testing.assert_array_equal(bits(_torch_arrays.to_host(handle)), bits(other))


@pytest.mark.parametrize("dtype", DTYPES)
def test_jax_shows_elements(dtype: str) -> None:
    pytest.importorskip("jax", reason="needs JAX")
    from kernels.backends.jax_jit import JaxJit

    case = Case("relu", dtype=dtype, n=36)
    x, _, index = _arrays(case)
    backend = JaxJit()
    taken = backend.card("cpu").take(backend.adopt(x, case), index)
    assert taken.dtype == x.dtype
    np.testing.assert_array_equal(bits(taken), bits(x[index]))


def test_a_profile_says_how_long_a_card_worked() -> None:
    """Of a text as JAX's profiler writes it: two kernels on a stream; the module that they make up is no third."""
    jax = pytest.importorskip("jax", reason="needs JAX")
    from kernels.gpu.jax_card import worked_s

    events = "".join(
        f"events {{ metadata_id: 1 offset_ps: {i}000000 duration_ps: 250000 }} " for i in range(2)
    )
    lines = "".join(
        f'lines {{ name: "{name}" {events} }} ' for name in ("Stream #13(Compute)", "XLA Modules")
    )
    kind = 'event_metadata { key: 1 value { id: 1 name: "loop_maximum_fusion" } }'
    planes = "".join(
        f'planes {{ name: "{name}" {lines} {kind} }} ' for name in ("/device:GPU:0", "/host:CPU")
    )
    profile = jax.profiler.ProfileData.from_text_proto(planes)
    assert worked_s([profile], 2) == pytest.approx(500e-9)
    assert worked_s([profile], 3) is None, "it did not see them all"
    assert worked_s([], 1) is None


def test_on_a_cpu_jax_s_profiler_sees_no_card() -> None:
    jax = pytest.importorskip("jax", reason="needs JAX")
    from kernels.gpu.jax_card import JaxCard

    made: list[object] = []
    assert JaxCard("cpu").profile(lambda: made.append(jax.numpy.ones(3).block_until_ready()), 1) is None
    assert len(made) == 1


def test_torch_is_given_a_device_with_its_number() -> None:
    """``torch.cuda.set_device`` refuses one without; here it has to get as far as asking for a driver."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    if torch.cuda.is_available():
        pytest.skip("there is a card")
    from kernels.gpu import torch_card

    assert torch_card.indexed("cuda") == torch.device("cuda", 0)
    assert torch_card.indexed("cuda:1").index == 1
    for ask in (torch_card.select, torch_card.TorchCard):
        with pytest.raises((RuntimeError, AssertionError, AttributeError)) as raised:  # not ValueError
            ask("cuda")
        assert "index" not in str(raised.value)


def test_nobody_else_makes_a_torch_device_of_a_case_s() -> None:
    made = [
        path.name
        for folder in ("kernels", "bench")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"torch\.device\(", path.read_text(encoding="utf-8"))
    ]
    assert made == ["torch_card.py"]


# --- numba.cuda, imported so that it compiles ----------------------------------------------


def test_numpy_has_row_stack_while_numba_cuda_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from kernels.gpu import cuda_import

    bare = types.SimpleNamespace(vstack=np.vstack)  # NumPy 2.5 has it no more
    monkeypatch.setattr(cuda_import, "np", bare)
    with cuda_import.row_stack():
        assert bare.row_stack is np.vstack
    assert not hasattr(bare, "row_stack")
    bare.row_stack = "NumPy's own"
    with cuda_import.row_stack():
        assert bare.row_stack == "NumPy's own"
    assert bare.row_stack == "NumPy's own"


def test_a_toolkit_is_one_that_has_the_compiler(tmp_path: Path) -> None:
    from kernels.gpu.cuda_import import toolkit

    empty, whole, usual = (tmp_path / name for name in ("empty", "whole", "usual"))
    for folder in (empty / "bin", whole / "bin", whole / "nvvm", usual / "nvvm"):
        folder.mkdir(parents=True)
    nvcc = whole / "bin" / "nvcc"
    nvcc.touch(mode=0o755)
    named = {"CUDA_HOME": str(empty), "CUDA_PATH": str(whole), "PATH": ""}
    assert toolkit(named, str(usual)) == whole
    assert toolkit({"CUDA_HOME": str(empty), "PATH": str(nvcc.parent)}, str(usual)) == whole
    assert toolkit({"PATH": ""}, str(usual)) == usual
    assert toolkit({"PATH": ""}, str(empty)) is None


# --- kinds of device -----------------------------------------------------------------------


def test_a_kind_of_device_is_declared_once() -> None:
    from kernels import registry

    assert {parse_device(kind) for kind in DEVICE_KINDS} == {(kind, 0) for kind in DEVICE_KINDS}
    assert {parse_device(f"{kind}:3") for kind in CARDS} == {(kind, 3) for kind in CARDS}
    with pytest.raises(ValueError, match="'cpu:1' is not a device; allowed: cpu, cuda, cuda:0 …"):
        parse_device("cpu:1")
    for name in registry.BUILTINS:
        assert set(registry.devices(name)) <= set(DEVICE_KINDS)
