"""What compilers make of the kernels for a card that is not here: parts of `tests.card_checks`."""

from __future__ import annotations

from importlib import import_module
from itertools import product
from typing import Any

import numpy as np

from kernels.api import DIRECTIONS, DTYPES, Backend, Case

__all__ = ["assembled", "compiled"]

SIXTEEN = ("float16", "bfloat16")
WORKS = ("relu", "leaky_relu", "copy", "flip", "relu_grad", "leaky_relu_grad", "xor")


def assembled(backend: Backend) -> int:
    """What numba.cuda makes of every kernel for a card that is not here, as libNVVM compiles it."""
    from types import SimpleNamespace

    from numba import from_dtype, types

    from kernels.gpu.cuda_elements import ELEMENT_BITS
    from kernels.gpu.cuda_kernels import inputs_of, kernel
    from kernels.gpu.cuda_words import cuda

    capability, count = (9, 0), 0
    card = SimpleNamespace(compute_capability=capability)
    dispatcher: Any = import_module("numba.cuda.dispatcher")
    dispatcher.get_current_device = lambda: card  # device functions ask what to compile for
    for (dtype, form), work in product(ELEMENT_BITS.items(), WORKS):
        array = types.Array(from_dtype(np.dtype(form.carrier)), 1, "C")
        slope = types.float64 if dtype == "float64" else types.float32
        signature = types.void(*[array] * (inputs_of(work) + 1), types.int64, slope)
        ptx = cuda.compile_ptx(kernel(work, dtype, capability).py_func, signature, cc=capability)[0]
        assert ptx.count("ld.global.v4.u32") >= 3 * inputs_of(work), (dtype, work)
        assert "st.global.v4.u32" in ptx
        if dtype in SIXTEEN:
            assert ("fma.rn." in ptx) == work.startswith("leaky_relu"), (dtype, work)
            assert ("max.NaN." in ptx) == (work == "relu"), (dtype, work)
            assert "selp" not in ptx
        count += 1
    return count + _planned(capability) + _ready(capability)


def _ready(capability: tuple[int, int]) -> int:
    """A launch whose arguments are ready has those that the kernel takes, in number and in kind."""
    from kernels.gpu.cuda_ready import arguments_of, assembled

    for work, dtype in product(("relu", "leaky_relu_grad"), ("bfloat16", "float64")):
        ptx, name = assembled(work, dtype, capability)
        head = ptx[ptx.index(f"{name}(") :].partition(")")[0]
        taken = [line.split()[1].strip(".") for line in head.splitlines() if ".param" in line]
        slope = np.float64(0.01) if dtype == "float64" else np.float32(0.01)
        addresses = [4096 * (i + 1) for i in range(len(taken) // 7)]
        given = arguments_of(addresses, Case("relu", dtype=dtype, n=64), slope)
        kinds = {int: "u64", np.int64: "u64", np.float32: "f32", np.float64: "f64"}
        assert taken == [kinds[type(each)] for each in given], (work, dtype)
        assert given[4] == 4096
    return 4


def _planned(capability: tuple[int, int]) -> int:
    """Of other ways to go over an array: all of a thread's vectors are loaded before one is stored, with the hints."""
    from numba import types

    from kernels.gpu.cuda_kernels import kernel
    from kernels.gpu.cuda_words import cuda

    array = types.Array(types.uint32, 1, "C")
    signature = types.void(array, array, types.int64, types.float32)
    for unroll, streaming in product((1, 4), (False, True)):
        made = kernel("relu", "float32", capability, unroll, streaming=streaming)
        lines = cuda.compile_ptx(made.py_func, signature, cc=capability)[0].splitlines()
        moves = [line for line in lines if "global" in line and ".v4.u32" in line]
        order = "".join("L" if "ld." in line else "S" for line in moves)
        assert order.startswith("L" * unroll + "S" * unroll), order
        assert all((".cs." in line) == streaming for line in moves), moves
    return 4


def compiled(backend: Backend) -> int:
    """PTX for a card that is not here: 16-byte loads and stores, indexes of 64 bits, and two 16-bit floats at once."""
    from kernels.gpu.triton_kernels import packed_words

    count = 0
    for dtype, direction, leaky in product(DTYPES, DIRECTIONS, (False, True)):
        words = ""
        if dtype in SIXTEEN:
            words = packed_words(direction, dtype, 0x3C24 if leaky else None)
        for tail in (False, True):
            made = triton_compiled(dtype, direction, leaky, words, tail=tail)
            offsets = [line for line in made["ttir"].splitlines() if "tt.addptr" in line]
            assert offsets
            assert all("xi64>" in line for line in offsets), offsets
            if not tail:
                wide = ".v2.b64" if dtype == "float64" else ".v4.b32"
                assert f"ld.global{wide}" in made["ptx"], dtype
                assert f"st.global{wide}" in made["ptx"], dtype
            if words:
                assert_packed(made["ptx"], direction, leaky=leaky)
            count += 1
    hinted = triton_compiled("float32", "backward", True, "", tail=False, EVICT="evict_first", STORE=".cs")[
        "ptx"
    ]
    assert hinted.count("evict_first") >= 2
    assert "st.global.cs.v4.b32" in hinted
    return count


def assert_packed(ptx: str, direction: str, *, leaky: bool) -> None:
    """Of 16-bit floats nothing is converted, compared or chosen one by one."""
    assert ("fma.rn." in ptx) == leaky
    assert ("max.NaN." in ptx) == (direction == "forward" and not leaky)
    assert not [line for line in ptx.splitlines() if "cvt." in line and "16" in line]
    assert "setp.gtu.f32" not in ptx
    assert "selp" not in ptx


def triton_compiled(
    dtype: str, direction: str, leaky: bool, words: str, *, tail: bool, **hints: str
) -> dict[str, str]:
    """The texts of a kernel, compiled for sm_80 and assembled."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from kernels.gpu import triton_kernels

    short = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32", "float64": "fp64"}[dtype]
    pointers = ["x", "out"] if direction == "forward" else ["dy", "x", "out"]
    signature = dict.fromkeys(pointers, f"*{short}") | {"first": "i64", "n": "i64"}
    constants = {"SLOPE": 0.01, "LEAKY": leaky, "WORDS": words, "BLOCK": triton_kernels.BLOCK, "TAIL": tail}
    constants |= {"EVICT": "", "STORE": "", **hints}
    signature |= dict.fromkeys(constants, "constexpr")
    aligned = {(place,): [["tt.divisibility", 16]] for place in range(len(pointers))}
    source = ASTSource(getattr(triton_kernels, direction), signature, constants, aligned)
    texts: dict[str, str] = triton.compile(source, target=GPUTarget("cuda", 80, 32)).asm
    return texts
