"""The CUDA backends without a card: numba_cuda in Numba's simulator, triton_jit in Triton's interpreter.

Both are chosen by environment variables that are read on import, so each runs in a process of its own,
`tests.card_checks`, which holds the backend to what test_backends.py asks of the others.
"""

from __future__ import annotations

import pytest

from tests.fresh_python import run

pytestmark = pytest.mark.slow

SIMULATED = {
    "numba_cuda": {"NUMBA_ENABLE_CUDASIM": "1"},
    "triton_jit": {"TRITON_INTERPRET": "1"},
}


def needs_triton() -> None:
    pytest.importorskip("triton", reason="it interprets and compiles without a card: pip install triton")
    pytest.importorskip("torch", reason="the Triton kernels take PyTorch's tensors")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("numba_cuda", "special,patterns,shapes,elements,plans,copies,older"),
        ("triton_jit", "special,patterns,shapes,elements,plans,copies"),
        *(pytest.param(name, "everywhere", marks=pytest.mark.daily) for name in SIMULATED),
    ],
)
def test_a_simulated_backend_keeps_the_policy(name: str, parts: str) -> None:
    if name == "triton_jit":
        needs_triton()
    done = run("-m", "tests.card_checks", name, parts, **SIMULATED[name])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1].startswith("checked ")


def test_other_ops_are_computed_by_their_expressions_and_indexes_are_64_bits_wide() -> None:
    """A thread far beyond 2**31 elements, in Numba's simulator, on a range that only pretends to be there."""
    done = run("-m", "tests.card_checks", "numba_cuda", "formulas,indexes", **SIMULATED["numba_cuda"])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) >= 75


def test_triton_compiles_for_a_card_what_it_should_and_launches_it_kept_as_plain() -> None:
    """No 32-bit arithmetic between the block's number and the address, and none in float32 on 16-bit floats."""
    needs_triton()
    done = run("-m", "tests.card_checks", "triton_jit", "compiled,launched")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "checked 38"


def test_numba_compiles_for_a_card_what_it_should() -> None:
    """Every kernel, also beside a NumPy that has no ``row_stack`` any more, where libNVVM is there."""
    pytest.importorskip("numba_cuda", reason="needs libNVVM: pip install 'numba-cuda[cu13]'")
    done = run("-m", "tests.card_checks", "numba_cuda", "assembled")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "checked 36"


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
@pytest.mark.parametrize("name", ["numba_cuda", "triton_jit", "torch_graph"])
def test_without_a_card_there_is_a_reason(name: str, device: str) -> None:
    from kernels import registry
    from kernels.api import Case

    try:
        backend = registry.load(name)
    except registry.MissingBackendError as error:
        pytest.skip(str(error))
    reason = backend.why_not(Case("relu", device=device))
    if reason is None:
        pytest.skip("there is a card")
    assert reason.startswith(f"no CUDA device {device}" if "there " in reason else "no CUDA device: ")
    assert backend.why_not(Case("relu", device="cpu")) == f"{name} runs on CUDA only; device is 'cpu'"
