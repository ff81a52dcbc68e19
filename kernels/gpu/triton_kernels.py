"""The Triton kernels.

They use no ``tl.maximum``, which loses NaN unless told not to; `where` keeps it, and its payload.  A program takes
BLOCK elements, found by a 64-bit index.  Whole blocks take a kernel without masks, which would keep Triton from
loading 16 bytes at a time; what is left over at the end is a launch of its own (TAIL), since a kernel that could do
both would hold registers for both.  EVICT and STORE are hints to the caches, for the loads and stores of whole blocks.

Where WORDS is given, two 16-bit floats are worked on at once, by PTX of `packed_words`, which a card has from sm_80 on.
Else they are compared and multiplied in float32 (which is exact) and rounded once, half to even.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,import-untyped,import-not-found"
# ruff: noqa: N803, PLR0917, SIM108  # Triton's style of names; arguments by place; branches that it prunes
# Triton evaluates annotations, and takes none but tl.constexpr.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import triton
import triton.language as tl

__all__ = ["BLOCK", "Tile", "backward", "flipped", "forward", "kept", "launcher", "packed_words", "xored"]

BLOCK = 2048
"""Elements a program: with 4 warps two to eight 16-byte loads a thread."""
_SHORT = {"bfloat16": "bf16x2", "float16": "f16x2"}
_SPREAD = "prmt.b32 m, m, m, 0xBB99;"
_CHOOSE = "lop3.b32 $0, {yes}, {no}, m, 0xE4;"


@dataclass(frozen=True, slots=True)
class Tile:
    """What a program takes, and how: `scripts/_card/sweep.py` measures which is the fastest on a card."""

    block: int = BLOCK
    """Elements, a power of two."""
    streaming: bool = False
    """Whether loads and stores say that nobody needs the line again."""

    @property
    def hints(self) -> dict[str, str]:
        """What `forward` and `backward` are told of it."""
        return {"EVICT": "evict_first", "STORE": ".cs"} if self.streaming else {}


def launcher(kernel: Any, n: int, block: int = BLOCK, **fixed: object) -> Callable[..., None]:
    """What launches `kernel` on arrays of `n` elements: once for whole blocks, and once for what is left over."""
    launches = [partial(kernel[(grid,)], **words) for grid, words in _launches(n, block, fixed)]
    return launches[0] if len(launches) == 1 else partial(_each, launches)


def kept(kernel: Any, arrays: Sequence[Any], n: int, stream: int, **fixed: object) -> Callable[[], None]:
    """The same on these arrays with the compiled kernels kept: no argument is looked at again, whatever it is."""
    launches = []
    for grid, words in _launches(n, BLOCK, {"EVICT": "", "STORE": "", **fixed}):
        compiled = kernel[(grid,)](*arrays, **words)
        given = [*arrays, *(words[name] for name in kernel.arg_names[len(arrays) :])]
        launches.append(partial(compiled[grid, 1, 1], *given, stream=stream))
    return launches[0] if len(launches) == 1 else partial(_each, launches)


def _launches(n: int, block: int, fixed: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """How many programs, and what they are told besides arrays: for whole blocks, and for what is left over."""
    whole, rest = divmod(n, block)
    body = {"first": 0, "n": 0, "TAIL": False, "BLOCK": block, **fixed}
    tail = {**body, "first": whole * block, "n": n, "TAIL": True}
    return [(whole, body)] * bool(whole) + [(1, tail)] * bool(rest)


def _each(launches: Sequence[Callable[..., object]], *arrays: object) -> None:
    for launch in launches:
        launch(*arrays)


def packed_words(direction: str, dtype: str, slope_bits: int | None) -> str:
    """PTX that works on two floats of `dtype`, float16 or bfloat16, in a word; without a slope (None) it is relu.

    ``$0`` is the result, ``$1`` x in forward; in backward ``$1`` is dy and ``$2`` x.  `slope_bits` are those of the
    slope in the dtype.  ``prmt`` spreads the sign bit of each half over that half, and ``lop3`` chooses bit by bit.
    ``fma`` with -0 is a product that is rounded once.  What is +0 stays so, and NaN is what the card makes of it.
    """
    short = _SHORT[dtype]
    scaled = ""
    if slope_bits is not None:
        scaled = f"mov.b32 s, 0x{slope_bits:04x}{slope_bits:04x}; mov.b32 z, 0x80008000; fma.rn.{short} s, $1, s, z;"
    if direction == "forward" and slope_bits is None:
        body = f"mov.b32 z, 0; max.NaN.{short} $0, $1, z;"
    elif direction == "forward":
        body = f"mov.b32 m, $1; {_SPREAD} {scaled} {_CHOOSE.format(yes='s', no='$1')}"
    else:
        # above 0: with 0x7FFF added, the magnitude has a sign unless it is 0; and x has none
        above = "and.b32 m, $2, 0x7FFF7FFF; add.u32 m, m, 0x7FFF7FFF; lop3.b32 m, m, $2, 0, 0x30;"
        chosen = "and.b32 $0, $1, m;" if slope_bits is None else _CHOOSE.format(yes="$1", no="s")
        body = f"{above} {_SPREAD} {scaled} {chosen}"
    return f"{{ .reg .b32 m, s, z; {body} }}"


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
def _forward(v, SLOPE: tl.constexpr, LEAKY: tl.constexpr, WORDS: tl.constexpr):
    if WORDS != "":
        result = tl.inline_asm_elementwise(WORDS, "=r,r", [v], dtype=v.dtype, is_pure=True, pack=2)
    else:
        result = tl.where(_wide(v) <= 0, _activate(v, SLOPE, LEAKY), v)
    return result


@triton.jit
def _backward(g, v, SLOPE: tl.constexpr, LEAKY: tl.constexpr, WORDS: tl.constexpr):
    if WORDS != "":
        result = tl.inline_asm_elementwise(WORDS, "=r,r,r", [g, v], dtype=g.dtype, is_pure=True, pack=2)
    else:
        result = tl.where(_wide(v) > 0, g, _activate(g, SLOPE, LEAKY))
    return result


@triton.jit
def forward(
    x,
    out,
    first,
    n,
    SLOPE: tl.constexpr,
    LEAKY: tl.constexpr,
    WORDS: tl.constexpr,
    BLOCK: tl.constexpr,
    TAIL: tl.constexpr,
    EVICT: tl.constexpr = "",
    STORE: tl.constexpr = "",
):
    """``out[:n] = relu(x[:n])``, or leaky_relu where LEAKY: whole blocks, or where TAIL what comes from `first` on."""
    if TAIL:
        i = first + tl.arange(0, BLOCK).to(tl.int64)
        tl.store(out + i, _forward(tl.load(x + i, mask=i < n), SLOPE, LEAKY, WORDS), mask=i < n)
    else:
        i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK).to(tl.int64)
        v = tl.load(x + i, eviction_policy=EVICT)
        tl.store(out + i, _forward(v, SLOPE, LEAKY, WORDS), cache_modifier=STORE)


@triton.jit
def backward(
    dy,
    x,
    out,
    first,
    n,
    SLOPE: tl.constexpr,
    LEAKY: tl.constexpr,
    WORDS: tl.constexpr,
    BLOCK: tl.constexpr,
    TAIL: tl.constexpr,
    EVICT: tl.constexpr = "",
    STORE: tl.constexpr = "",
):
    """``out[:n] = dy[:n]`` where x is positive, else 0, or the slope times dy where LEAKY."""
    if TAIL:
        i = first + tl.arange(0, BLOCK).to(tl.int64)
        g, v = tl.load(dy + i, mask=i < n), tl.load(x + i, mask=i < n)
        tl.store(out + i, _backward(g, v, SLOPE, LEAKY, WORDS), mask=i < n)
    else:
        i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK).to(tl.int64)
        g, v = tl.load(dy + i, eviction_policy=EVICT), tl.load(x + i, eviction_policy=EVICT)
        tl.store(out + i, _backward(g, v, SLOPE, LEAKY, WORDS), cache_modifier=STORE)


@triton.jit
def flipped(x, out, first, n, MASK: tl.constexpr, BLOCK: tl.constexpr, TAIL: tl.constexpr):
    """``out[:n] = x[:n] ^ MASK``, of whole numbers: with MASK 0 a copy, as the ceiling of a benchmark is."""
    if TAIL:
        i = first + tl.arange(0, BLOCK).to(tl.int64)
        tl.store(out + i, tl.load(x + i, mask=i < n) ^ MASK, mask=i < n)
    else:
        i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK).to(tl.int64)
        tl.store(out + i, tl.load(x + i) ^ MASK)


@triton.jit
def xored(dy, x, out, first, n, BLOCK: tl.constexpr, TAIL: tl.constexpr):
    """``out[:n] = dy[:n] ^ x[:n]``, of whole numbers."""
    if TAIL:
        i = first + tl.arange(0, BLOCK).to(tl.int64)
        tl.store(out + i, tl.load(dy + i, mask=i < n) ^ tl.load(x + i, mask=i < n), mask=i < n)
    else:
        i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK).to(tl.int64)
        tl.store(out + i, tl.load(dy + i) ^ tl.load(x + i))
