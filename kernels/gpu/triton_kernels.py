"""The Triton kernels.

They use no ``tl.maximum``, which loses NaN unless told not to; `where` keeps it, and its payload.  A program takes
BLOCK elements, found by a 64-bit index.  Whole blocks take a path without masks, which would keep Triton from
loading 16 bytes at a time.  16-bit floats are compared and multiplied in float32 (which is exact) and rounded
once, half to even.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,import-untyped,import-not-found"
# ruff: noqa: N803, PLR0917, SIM108  # Triton's style of names; arguments by place; branches that it prunes
# Triton evaluates annotations, and takes none but tl.constexpr.

import triton
import triton.language as tl

__all__ = ["BLOCK", "backward", "forward"]

BLOCK = 2048
"""Elements a program: with 4 warps two to eight 16-byte loads a thread."""


@triton.jit
def _activate(v, SLOPE: tl.constexpr, LEAKY: tl.constexpr):
    if LEAKY:
        result = _scaled(v, SLOPE)
    else:
        result = tl.zeros_like(v)
    return result


@triton.jit
def _scaled(v, SLOPE: tl.constexpr):
    wide = _wide(v)
    product = wide * tl.full(v.shape, SLOPE, wide.dtype)
    if v.dtype == tl.bfloat16:
        result = _rounded(product)
    else:
        result = product.to(v.dtype)
    return result


@triton.jit
def _wide(v):
    if v.dtype == tl.bfloat16:
        result = (v.to(tl.uint16, bitcast=True).to(tl.uint32) << 16).to(tl.float32, bitcast=True)
    elif v.dtype == tl.float16:
        result = v.to(tl.float32)
    else:
        result = v
    return result


@triton.jit
def _rounded(f):
    bits = f.to(tl.uint32, bitcast=True)  # Triton's interpreter cannot round to bfloat16
    nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    kept = tl.where(f == f, nearest, (bits >> 16) | 0x40)  # noqa: PLR0124  # NaN is not itself
    return kept.to(tl.uint16).to(tl.bfloat16, bitcast=True)


@triton.jit
def forward(x, out, n, SLOPE: tl.constexpr, LEAKY: tl.constexpr, BLOCK: tl.constexpr):
    """``out[:n] = relu(x[:n])``, or leaky_relu where LEAKY."""
    start = tl.program_id(0).to(tl.int64) * BLOCK
    i = start + tl.arange(0, BLOCK).to(tl.int64)
    if start + BLOCK <= n:
        v = tl.load(x + i)
        tl.store(out + i, tl.where(_wide(v) <= 0, _activate(v, SLOPE, LEAKY), v))
    else:
        v = tl.load(x + i, mask=i < n)
        tl.store(out + i, tl.where(_wide(v) <= 0, _activate(v, SLOPE, LEAKY), v), mask=i < n)


@triton.jit
def backward(
    dy,
    x,
    out,
    n,
    SLOPE: tl.constexpr,
    LEAKY: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """``out[:n] = dy[:n]`` where x is positive, else 0, or the slope times dy where LEAKY."""
    start = tl.program_id(0).to(tl.int64) * BLOCK
    i = start + tl.arange(0, BLOCK).to(tl.int64)
    if start + BLOCK <= n:
        g, v = tl.load(dy + i), tl.load(x + i)
        tl.store(out + i, tl.where(_wide(v) > 0, g, _activate(g, SLOPE, LEAKY)))
    else:
        g, v = tl.load(dy + i, mask=i < n), tl.load(x + i, mask=i < n)
        tl.store(out + i, tl.where(_wide(v) > 0, g, _activate(g, SLOPE, LEAKY)), mask=i < n)
