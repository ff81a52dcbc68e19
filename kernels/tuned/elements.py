"""The arithmetic of one element, emitted as LLVM IR for scalars and vectors alike.

Nothing here is "fastmath".  What is chosen where there is a choice is torch's: relu keeps -0 (not
so the 16-bit types) and lets the gradient through at NaN; leaky_relu's gradient at 0 and NaN is the slope.

- float32, float64: ``maxps(0, x)`` for relu, which returns its second operand where one is NaN;
  one multiplication by the slope, rounded to the dtype beforehand, for leaky_relu.
- float16, bfloat16 relu: a comparison of the bits as signed integers.  The negative numbers, -0 to
  -inf, are the smallest of them, and the negative NaNs follow; so ``bits <= bits(-inf)``.
- float16, bfloat16 leaky_relu: the product in float32, where it is exact, rounded once, half to even.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from llvmlite import ir  # type: ignore[import-untyped]  # it carries no type hints

from kernels.tuned.half_floats import (
    from_bfloat,
    from_half,
    native_from_half,
    native_to_half,
    to_bfloat,
    to_half,
)
from kernels.tuned.simd import HALF_CONVERSIONS

__all__ = ["CARRIERS", "ELEMENTS", "Carrier", "Kind", "forward", "gradient", "positive", "sign_bit"]


@dataclass(frozen=True, slots=True)
class Carrier:
    """The LLVM type in which a dtype travels, and how it becomes a number and back."""

    type: ir.Type
    itemsize: int
    minus_infinity: int = 0
    widen: Callable[[ir.IRBuilder, ir.Value], ir.Value] | None = None
    narrow: Callable[[ir.IRBuilder, ir.Value], ir.Value] | None = None

    @property
    def sixteen(self) -> bool:
        """Whether the bits of a 16-bit float travel, as an integer."""
        return self.widen is not None


_HALF = (native_from_half, native_to_half) if HALF_CONVERSIONS else (from_half, to_half)
_I16 = ir.IntType(16)

CARRIERS: Mapping[str, Carrier] = {
    "float16": Carrier(_I16, 2, 0xFC00 - 0x10000, *_HALF),
    "float16bits": Carrier(_I16, 2, 0xFC00 - 0x10000, from_half, to_half),
    "bfloat16": Carrier(_I16, 2, 0xFF80 - 0x10000, from_bfloat, to_bfloat),
    "float32": Carrier(ir.FloatType(), 4),
    "float64": Carrier(ir.DoubleType(), 8),
    "uint16": Carrier(_I16, 2),
    "uint32": Carrier(ir.IntType(32), 4),
    "uint64": Carrier(ir.IntType(64), 8),
}
"""By dtype.  ``float16bits`` is float16 on a host without instructions for it; uints are copied only."""


def _splat(builder: ir.IRBuilder, scalar: ir.Value, like: ir.Type) -> ir.Value:
    """`scalar` (a double) in the number type of `like`, in every lane."""
    vector = isinstance(like, ir.VectorType)
    kind = like.element if vector else like
    if kind != ir.DoubleType():
        scalar = builder.fptrunc(scalar, kind)
    if not vector:
        return scalar
    lone = builder.insert_element(ir.Constant(like, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), like.count), None)
    return builder.shuffle_vector(lone, ir.Constant(like, ir.Undefined), zeros)


def _constant(kind: ir.Type, value: int) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def positive(builder: ir.IRBuilder, carrier: Carrier, op: str, x: ir.Value) -> ir.Value:
    """Where the gradient of `op` passes as it is: ``x > 0``, and at NaN for relu.  A mask of i1."""
    zero = ir.Constant(x.type, None)
    nan = op == "relu"
    if not carrier.sixteen:
        return builder.fcmp_unordered(">", x, zero) if nan else builder.fcmp_ordered(">", x, zero)
    above = builder.icmp_signed(">", x, zero)
    infinity = _constant(x.type, carrier.minus_infinity + 0x8000)
    return (
        builder.or_(above, _negative_nan(builder, carrier, x))
        if nan
        else builder.and_(above, builder.icmp_signed("<=", x, infinity))
    )


def forward(
    builder: ir.IRBuilder, carrier: Carrier, op: str, inputs: Sequence[ir.Value], slope: ir.Value
) -> ir.Value:
    """relu(x) or leaky_relu(x)."""
    (x,) = inputs
    zero = ir.Constant(x.type, None)
    if op == "leaky_relu":
        kept = positive(builder, carrier, "relu", x)
        return builder.select(kept, x, _scaled(builder, carrier, x, slope))
    if carrier.sixteen:
        kept = builder.icmp_signed(">", x, _constant(x.type, carrier.minus_infinity))
        return builder.select(kept, x, zero)
    return builder.select(builder.fcmp_ordered(">", zero, x), zero, x)


def gradient(
    builder: ir.IRBuilder, carrier: Carrier, op: str, inputs: Sequence[ir.Value], slope: ir.Value
) -> ir.Value:
    """dy where the mask is set, else 0 or dy * slope; `inputs` are the mask and dy."""
    mask, dy = inputs
    below = ir.Constant(dy.type, None) if op == "relu" else _scaled(builder, carrier, dy, slope)
    return builder.select(mask, dy, below)


def _backward(
    builder: ir.IRBuilder, carrier: Carrier, op: str, inputs: Sequence[ir.Value], slope: ir.Value
) -> ir.Value:
    x, dy = inputs
    return gradient(builder, carrier, op, (positive(builder, carrier, op, x), dy), slope)


def _negative_nan(builder: ir.IRBuilder, carrier: Carrier, x: ir.Value) -> ir.Value:
    below_zero = builder.icmp_signed("<", x, ir.Constant(x.type, None))
    return builder.and_(below_zero, builder.icmp_signed(">", x, _constant(x.type, carrier.minus_infinity)))


def _scaled(builder: ir.IRBuilder, carrier: Carrier, x: ir.Value, slope: ir.Value) -> ir.Value:
    if carrier.widen is None or carrier.narrow is None:
        return builder.fmul(x, _splat(builder, slope, x.type))
    wide = carrier.widen(builder, x)
    return carrier.narrow(builder, builder.fmul(wide, _splat(builder, slope, wide.type)))


def _computed(
    builder: ir.IRBuilder,
    carrier: Carrier,
    values: Sequence[ir.Value],
    compute: Callable[[Sequence[ir.Value]], ir.Value],
) -> ir.Value:
    """What `compute` makes of the values as numbers; 16-bit floats in float32, rounded once."""
    if carrier.widen is None or carrier.narrow is None:
        return compute(values)
    return carrier.narrow(builder, compute([carrier.widen(builder, value) for value in values]))


def _above_zero(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """relu of a number."""
    zero = ir.Constant(x.type, None)
    return builder.select(builder.fcmp_ordered(">", zero, x), zero, x)


def _relu6(
    builder: ir.IRBuilder, carrier: Carrier, _: str, inputs: Sequence[ir.Value], __: ir.Value
) -> ir.Value:
    def compute(values: Sequence[ir.Value]) -> ir.Value:
        low, six = _above_zero(builder, values[0]), _constant(values[0].type, 6)
        return builder.select(builder.fcmp_ordered(">", low, six), six, low)

    return _computed(builder, carrier, inputs, compute)


def _relu6_backward(
    builder: ir.IRBuilder, carrier: Carrier, _: str, inputs: Sequence[ir.Value], __: ir.Value
) -> ir.Value:
    x, dy = inputs
    wide = x if carrier.widen is None else carrier.widen(builder, x)
    zero, six = ir.Constant(wide.type, None), _constant(wide.type, 6)
    inside = builder.and_(builder.fcmp_ordered(">", wide, zero), builder.fcmp_ordered("<", wide, six))
    return builder.select(inside, dy, ir.Constant(dy.type, None))


def _relu_squared(
    builder: ir.IRBuilder, carrier: Carrier, _: str, inputs: Sequence[ir.Value], __: ir.Value
) -> ir.Value:
    def compute(values: Sequence[ir.Value]) -> ir.Value:
        low = _above_zero(builder, values[0])
        twice = builder.fadd(low, low) if len(values) == 2 else low
        return builder.fmul(values[-1] if len(values) == 2 else low, twice)

    return _computed(builder, carrier, inputs, compute)


def _add_relu(
    builder: ir.IRBuilder, carrier: Carrier, _: str, inputs: Sequence[ir.Value], __: ir.Value
) -> ir.Value:
    return _computed(
        builder, carrier, inputs, lambda values: _above_zero(builder, builder.fadd(values[0], values[1]))
    )


def _copied(
    builder: ir.IRBuilder, carrier: Carrier, way: str, inputs: Sequence[ir.Value], _: ir.Value
) -> ir.Value:
    x = inputs[0]
    if way == "copy":
        return x
    return builder.xor(x, inputs[1] if way == "xor" else _constant(x.type, sign_bit(carrier.itemsize)))


def sign_bit(itemsize: int) -> int:
    """The sign bit of a float of `itemsize` bytes, as an unsigned integer."""
    return int(1 << (8 * itemsize - 1))


@dataclass(frozen=True, slots=True)
class Kind:
    """What an element computes: ``emit(builder, carrier, op, inputs, slope)``, and what it reads (x, then dy)."""

    emit: Callable[[ir.IRBuilder, Carrier, str, Sequence[ir.Value], ir.Value], ir.Value]
    op: str
    inputs: int
    like: str = ""
    """The element of the same memory streams whose row of thresholds.json it has; empty for one with its own."""


ELEMENTS: Mapping[str, Kind] = {
    "relu": Kind(forward, "relu", 1),
    "leaky_relu": Kind(forward, "leaky_relu", 1),
    "relu_backward": Kind(_backward, "relu", 2),
    "leaky_relu_backward": Kind(_backward, "leaky_relu", 2),
    "relu6": Kind(_relu6, "relu6", 1, "relu"),
    "relu6_backward": Kind(_relu6_backward, "relu6", 2, "relu_backward"),
    "relu_squared": Kind(_relu_squared, "relu_squared", 1, "relu"),
    "relu_squared_backward": Kind(_relu_squared, "relu_squared", 2, "relu_backward"),
    "prelu": Kind(forward, "leaky_relu", 1, "leaky_relu"),
    "prelu_backward": Kind(_backward, "leaky_relu", 2, "leaky_relu_backward"),
    "add_relu": Kind(_add_relu, "add_relu", 2, "relu_backward"),
    "copy": Kind(_copied, "copy", 1),
    "flip": Kind(_copied, "flip", 1),
    "xor": Kind(_copied, "xor", 2),
}
"""By name; the last three move bits, for the control arms of a benchmark."""
