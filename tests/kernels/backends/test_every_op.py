"""Every op on every backend that serves it: special values at every position, within the bound, in every placement."""

from __future__ import annotations

from itertools import product

import pytest

from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS, OPS, PLACEMENTS, Case
from tests.calls import CPU_BACKENDS, check, load

pytestmark = pytest.mark.slow

OTHERS = tuple(name for name in OPS if name not in MAIN_OPS)
_COMPILED = ("float32", "bfloat16")
"""Where each dtype is compiled for: one that is computed in, and one that is rounded to."""
_FEW = {"torch_compile": ("silu", "add_relu"), "numba_parallel": ("add_relu",)}
"""What those are tried on whose compiling takes a good part of a second, or whose loops are another's: in float32."""

_COMPILING = ("numba_jit", "jax_jit")
"""They compile a function for each value of a parameter."""


def dtypes(name: str) -> list[tuple[str, ...]]:
    """Those that are tried together."""
    if name in _FEW:
        return [_COMPILED[:1]]
    if name in ("numba_jit", "jax_jit"):
        return [_COMPILED[:1], _COMPILED[1:]]
    return [DTYPES if name in ("numpy_ufunc", "torch_eager") else _COMPILED]


def rare(op: str, name: str, some: tuple[str, ...]) -> bool:
    """Compiled for long, by code that others show: an op's expression is the same whatever it is rounded to."""
    return (op, name) == ("silu", "torch_compile") or (some == _COMPILED[1:] and op != "add_relu")


@pytest.mark.parametrize(
    ("op", "name", "some"),
    [
        pytest.param(
            op,
            name,
            some,
            marks=pytest.mark.daily if rare(op, name, some) else (),
            id=f"{op}-{name}-{some[-1]}",
        )
        for name in CPU_BACKENDS
        for op in _FEW.get(name, OTHERS)
        for some in dtypes(name)
    ],
)
def test_every_placement_is_right_or_refused(op: str, name: str, some: tuple[str, ...]) -> None:
    backend, served = load(name), 0
    placements = PLACEMENTS[:1] if name in _FEW else PLACEMENTS
    for direction, placement, dtype in product(DIRECTIONS, placements, some):
        case = Case(op, direction, placement, dtype, 71)
        reason = backend.why_not(case)
        if reason is None:
            check(backend, case, step=5)
            served += 1
        else:
            assert len(reason.split()) > 5
    expected = {
        "numba_tuned": {"relu6", "relu_squared", "prelu", "add_relu"},
        "numpy_ufunc": {*OTHERS} - {"gelu"},
    }
    assert bool(served) == (op in expected.get(name, OTHERS))


@pytest.mark.parametrize("name", ["numpy_ufunc", "numba_jit", "numba_tuned", "torch_eager"])
@pytest.mark.parametrize("layout", ["strided", "transposed"])
def test_two_inputs_in_any_layout(layout: str, name: str) -> None:
    for placement in PLACEMENTS:
        check(load(name), Case("add_relu", placement=placement, n=35, layout=layout), step=5)


def test_numba_tuned_is_right_in_every_mode_and_length() -> None:
    """The vector body, the tail and the parallel loop are different code: for a bound, two results and two inputs."""
    from kernels.backends.numba_tuned import NumbaTuned
    from kernels.tuned.bind import Mode

    for mode, streaming in product((Mode(), Mode(2)), (False, True)):
        backend = NumbaTuned((mode, streaming))
        for op, direction in product(("relu6", "prelu", "add_relu"), DIRECTIONS):
            for n in (7, 1023):
                case = Case(op, direction, "out", n=n)
                if backend.why_not(case) is None:
                    check(backend, case, step=11)


@pytest.mark.parametrize(
    ("op", "params", "name"),
    [
        pytest.param(op, params, name, marks=pytest.mark.daily if again and name in _COMPILING else ())
        for op, params, again in (
            ("elu", "alpha=0.3", False),
            ("elu", "alpha=100", True),
            ("prelu", "slope=-3.3", False),
        )
        for name in ("numpy_ufunc", *_COMPILING, "numba_tuned", "torch_eager")
    ],
)
def test_an_op_is_right_with_other_parameters(op: str, params: str, name: str) -> None:
    backend = load(name)
    for direction, dtype in (("forward", "float32"), ("forward", "bfloat16"), ("backward", "float32")):
        case = Case(op, direction, dtype=dtype, n=71, params=params)
        assert (backend.why_not(case) is None) == (op == "prelu" or name != "numba_tuned")
        if backend.why_not(case) is None:
            check(backend, case, step=9)
