"""The kernels on a processor that is not x86, as far as that can be played on any: by what they ask of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.running import printed_by

pytestmark = pytest.mark.slow

PROGRAM = """
import platform
import llvmlite.binding

platform.machine = lambda: {machine!r}
llvmlite.binding.get_host_cpu_features = llvmlite.binding.FeatureMap  # none

import ml_dtypes
import numpy as np
import kernels
from bench.controls.arms import CopyStreaming
from kernels.tuned import simd

said = CopyStreaming().why_not(kernels.Case("relu", placement="out"))
x = np.array([-2.0, -0.5, 0.0, 1.5, 3.0, -1.0, np.inf, -np.inf, 6e-8] * 29)
for dtype in {dtypes}:
    given = x.astype(np.dtype(dtype))
    ours, theirs = (kernels.leaky_relu(given, 0.5, backend=name) for name in ("numba_tuned", "numpy_ufunc"))
    assert np.array_equal(ours, theirs), dtype
    ours, theirs = (
        kernels.relu_backward(given[::-1].copy(), given, backend=name) for name in ("numba_tuned", "numpy_ufunc")
    )
    assert np.array_equal(ours, theirs), dtype
print(simd.VECTOR_BYTES, simd.STREAMING, simd.HALF_CONVERSIONS, said is not None, sep=",")
"""


@pytest.mark.parametrize(
    ("machine", "halves", "dtypes"),
    [
        ("riscv64", False, ["float16", "float32"]),
        pytest.param("riscv64", False, ["bfloat16", "float64"], marks=pytest.mark.daily),
        pytest.param("aarch64", True, ["float16", "bfloat16", "float32", "float64"], marks=pytest.mark.daily),
    ],
)
def test_without_wide_vectors_and_streaming_stores_results_are_the_same(
    machine: str, halves: bool, dtypes: list[str], tmp_path: Path
) -> None:
    program = PROGRAM.format(machine=machine, dtypes=dtypes)
    variables = {"NUMBA_CACHE_DIR": str(tmp_path), **({} if halves else {"NUMBA_CPU_NAME": "generic"})}
    assert printed_by(program, **variables) == f"16,False,{halves},True"
