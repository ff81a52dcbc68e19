"""16-bit floats to float32 and back, as LLVM IR for scalars and vectors alike.

float32 holds every float16 and bfloat16 and every product of two of them exactly (bfloat16: down
to float32's own smallest subnormal), so that rounding back is the only rounding.  The way back
rounds half to even and keeps NaN.

Sources: IEEE 754 layouts; F. Giesen, "float->half variants" (2012, public domain).
"""

from __future__ import annotations

from llvmlite import ir  # type: ignore[import-untyped]  # it carries no type hints

__all__ = ["from_bfloat", "from_half", "native_from_half", "native_to_half", "to_bfloat", "to_half"]

_I16, _I32, _HALF, _FLOAT = ir.IntType(16), ir.IntType(32), ir.HalfType(), ir.FloatType()


def _shaped(kind: ir.Type, like: ir.Value) -> ir.Type:
    return ir.VectorType(kind, like.type.count) if isinstance(like.type, ir.VectorType) else kind


def _number(value: int, like: ir.Value) -> ir.Constant:
    kind = _shaped(_I32, like)
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def _as_float(builder: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    return builder.bitcast(bits, _shaped(_FLOAT, bits))


def _as_bits(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    return builder.bitcast(number, _shaped(_I32, number))


def native_from_half(builder: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    """float16 bits (i16) to float, by the host's own instruction."""
    return builder.fpext(builder.bitcast(bits, _shaped(_HALF, bits)), _shaped(_FLOAT, bits))


def native_to_half(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    """Float to float16 bits (i16), by the host's own instruction."""
    return builder.bitcast(builder.fptrunc(number, _shaped(_HALF, number)), _shaped(_I16, number))


def from_bfloat(builder: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    """bfloat16 bits (i16) to float: they are its upper half."""
    wide = builder.zext(bits, _shaped(_I32, bits))
    return _as_float(builder, builder.shl(wide, _number(16, bits)))


def to_bfloat(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    """Float to bfloat16 bits (i16), for a product of two bfloat16s.

    Such a product, if it is NaN, has no bits in its lower half, so that rounding does not carry it over to
    infinity.  AVX512-BF16 has an instruction for this, which takes subnormals for zero: it is not used.
    """
    bits = _as_bits(builder, number)
    odd = builder.and_(builder.lshr(bits, _number(16, bits)), _number(1, bits))
    rounded = builder.add(bits, builder.add(odd, _number(0x7FFF, bits)))
    return builder.trunc(builder.lshr(rounded, _number(16, bits)), _shaped(_I16, bits))


def from_half(builder: ir.IRBuilder, bits: ir.Value) -> ir.Value:
    """float16 bits (i16) to float, by arithmetic on the bits."""
    wide = builder.zext(bits, _shaped(_I32, bits))
    magnitude = builder.and_(wide, _number(0x7FFF, bits))
    # As a float's bits the value is 2**112 too small, subnormals included; one exact product mends it.
    scaled = builder.fmul(
        _as_float(builder, builder.shl(magnitude, _number(13, bits))),
        _as_float(builder, _number((127 + 112) << 23, bits)),
    )
    finite = _as_bits(builder, scaled)
    unbounded = builder.or_(finite, _number(0xFF << 23, bits))
    chosen = builder.select(builder.icmp_unsigned(">=", magnitude, _number(0x7C00, bits)), unbounded, finite)
    sign = builder.shl(builder.and_(wide, _number(0x8000, bits)), _number(16, bits))
    return _as_float(builder, builder.or_(chosen, sign))


def to_half(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    """Float to float16 bits (i16), by arithmetic on the bits."""
    bits = _as_bits(builder, number)
    magnitude = builder.and_(bits, _number(0x7FFFFFFF, bits))
    odd = builder.and_(builder.lshr(magnitude, _number(13, bits)), _number(1, bits))
    biased = builder.sub(
        builder.add(magnitude, builder.add(odd, _number(0xFFF, bits))), _number(112 << 23, bits)
    )
    normal = builder.lshr(biased, _number(13, bits))
    # The last bit of 0.5 is worth 2**-24, the smallest float16: the sum rounds there.
    half = _number(0x3F000000, bits)
    sum_ = builder.fadd(_as_float(builder, magnitude), _as_float(builder, half))
    subnormal = builder.sub(_as_bits(builder, sum_), half)
    below = builder.icmp_unsigned("<", magnitude, _number(113 << 23, bits))
    chosen = builder.select(below, subnormal, normal)
    infinite = builder.icmp_unsigned(">=", magnitude, _number(143 << 23, bits))
    chosen = builder.select(infinite, _number(0x7C00, bits), chosen)
    nan = builder.icmp_unsigned(">", magnitude, _number(0xFF << 23, bits))
    chosen = builder.select(nan, _number(0x7E00, bits), chosen)
    sign = builder.and_(builder.lshr(bits, _number(16, bits)), _number(0x8000, bits))
    return builder.trunc(builder.or_(chosen, sign), _shaped(_I16, bits))
