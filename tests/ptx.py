"""A few lines of PTX, run on words in NumPy as the PTX ISA says, for what no card is here to run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import ml_dtypes
import numpy as np

__all__ = ["run"]

Words = np.ndarray
_HALVES = {"bf16x2": np.dtype(ml_dtypes.bfloat16), "f16x2": np.dtype(np.float16)}
_CANONICAL = 0x7FFF
"""The NaN that packed arithmetic makes."""


def run(text: str, operands: Mapping[str, Words]) -> Words:
    """What stands in ``$0`` after the instructions of `text`; `operands` are ``$1`` and so on, of uint32."""
    registers = dict(operands)
    for line in re.sub(r"[{}]|\.reg[^;]*;", "", text).split(";"):
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            target, *sources = (each.strip() for each in rest.split(","))
            values = [registers[s] if s in registers else np.uint32(int(s, 0)) for s in sources]
            registers[target] = _OPERATIONS[name](*values)
    return registers["$0"]


def _prmt(a: Words, b: Words, selector: np.uint32) -> Words:
    result = np.zeros_like(a)
    for place in range(4):
        chosen = (int(selector) >> 4 * place) & 0xF
        source, shift = (a, chosen & 3) if chosen & 7 < 4 else (b, chosen & 3)
        byte = (source >> np.uint32(8 * shift)) & np.uint32(0xFF)
        if chosen & 8:
            byte = np.where(byte >> np.uint32(7), np.uint32(0xFF), np.uint32(0))
        result |= byte.astype(np.uint32) << np.uint32(8 * place)
    return result


def _lop3(a: Words, b: Words, c: Words, table: np.uint32) -> Words:
    result = np.zeros_like(np.asarray(a) | b | c)
    for line in range(8):
        if int(table) >> line & 1:
            parts = [each if line >> bit & 1 else ~np.asarray(each) for each, bit in ((a, 2), (b, 1), (c, 0))]
            result |= parts[0] & parts[1] & parts[2]
    return result


def _packed(kind: str, work: Callable[..., np.ndarray]) -> Callable[..., Words]:
    """`work` on the halves of words in float64, where products are exact, and rounded once."""
    dtype = _HALVES[kind]

    def on_words(*words: Words) -> Words:
        shape = np.broadcast_shapes(*(np.shape(word) for word in words))
        with np.errstate(all="ignore"):  # signalling NaNs are among them
            halves = [
                np.ascontiguousarray(np.broadcast_to(w, shape)).view(dtype).astype(np.float64) for w in words
            ]
            exact = work(*halves)
            bits = exact.astype(np.float32).astype(dtype).view(np.uint16)
        return np.where(np.isnan(exact), np.uint16(_CANONICAL), bits).astype(np.uint16).view(np.uint32)

    return on_words


def _larger(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """+0 is larger than -0, and NaN stays; here b is +0."""
    assert not b.any()
    return np.where(np.isnan(a), np.nan, np.where(a > 0, a, 0.0))


_OPERATIONS: dict[str, Callable[..., Words]] = {
    "mov.b32": lambda a: a,
    "and.b32": lambda a, b: a & b,
    "add.u32": lambda a, b: a + b,
    "prmt.b32": _prmt,
    "lop3.b32": _lop3,
}
for _kind in _HALVES:
    _OPERATIONS[f"fma.rn.{_kind}"] = _packed(_kind, lambda a, b, c: a * b + c)
    _OPERATIONS[f"max.NaN.{_kind}"] = _packed(_kind, _larger)
