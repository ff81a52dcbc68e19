"""An op's file says all of `Op`, and says the same thing in each framework's words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kernels.api import DTYPES, OPS
from kernels.correctness import reference
from kernels.numbers.floats import is_nan, np_dtype
from kernels.numbers.host_arrays import specials
from kernels.numbers.ulp import same_bits
from kernels.ops import Op, leaky_relu, op_of, relu

FILES: dict[str, Op] = {"relu": relu, "leaky_relu": leaky_relu}  # where mypy holds them to the protocol


def test_every_op_has_a_file_and_every_file_is_an_op() -> None:
    assert tuple(FILES) == OPS
    assert all(op_of(name) is op for name, op in FILES.items())
    found = {path.stem for path in Path(str(relu.__file__)).parent.glob("*.py")}
    assert found - {"__init__", "scalars"} == set(OPS)


def test_an_unknown_op_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="op is 'gelu'; allowed: relu, leaky_relu"):
        op_of("gelu")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPS)
def test_the_formula_of_one_element_is_the_reference(name: str, dtype: str) -> None:
    """As it stands, in NumPy's scalars; what Numba compiles of it is held to the policy with the backends."""
    op, kind = op_of(name), np_dtype(dtype)
    x = specials(dtype)
    dy = np.resize(np.array([1.5, -3.0, np.inf, 0.0], kind), x.shape)
    with np.errstate(all="ignore"):
        slope = (np.float32(kind.type(0.3)) if kind.itemsize == 2 else kind.type(0.3),) if op.scales else ()
        y = np.array([op.scalar(v, *slope) for v in x], kind)
        dx = np.array([op.scalar_derivative(g, v, *slope) for g, v in zip(dy, x, strict=True)], kind)
    wanted, gradient = reference.forward(name, x, 0.3), reference.backward(name, dy, x, 0.3)
    numbers = ~is_nan(x)
    assert same_bits(y[numbers], wanted[numbers])
    assert is_nan(y[~numbers]).all()
    assert same_bits(dx[numbers], gradient[numbers])
