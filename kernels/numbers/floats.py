"""The four float formats, bit by bit.

`==` cannot see the sign of a zero or the payload of a NaN, and NumPy's own helpers (finfo,
nextafter) do not know bfloat16.  So everything here that must be exact works on the bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from kernels.api import DTYPES

__all__ = ["FORMATS", "Array", "Format", "bits", "blocks", "flat_index", "format_of", "is_nan", "np_dtype"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Format:
    """One IEEE-754 style format: `mantissa` explicit fraction bits in a word of `width` bits.

    `poison` is the payload of the NaN that marks memory nobody has written yet.
    """

    name: str
    dtype: np.dtype[Any]
    width: int
    mantissa: int
    poison_payload: int

    @cached_property
    def unsigned(self) -> np.dtype[Any]:
        """The unsigned integer type of the same size."""
        return np.dtype(f"u{self.width // 8}")

    @cached_property
    def signed(self) -> np.dtype[Any]:
        """The signed integer type of the same size."""
        return np.dtype(f"i{self.width // 8}")

    @property
    def sign(self) -> int:
        """The bit of the sign: also the bits of -0."""
        return 1 << (self.width - 1)

    @property
    def smallest_normal(self) -> int:
        """The bits of the smallest positive normal number; all below it are subnormal or 0."""
        return 1 << self.mantissa

    @property
    def infinity(self) -> int:
        """The bits of +inf; all above it (without the sign) are NaN."""
        return self.sign - self.smallest_normal

    @property
    def quiet(self) -> int:
        """The bit that makes a NaN a quiet one."""
        return 1 << (self.mantissa - 1)

    @property
    def poison(self) -> int:
        """The bits of the poison: a quiet NaN whose payload no computation makes."""
        return self.infinity | self.quiet | self.poison_payload

    @cached_property
    def tiny(self) -> float:
        """The value of the smallest positive normal number."""
        return float(np.array(self.smallest_normal, self.unsigned).view(self.dtype))


FORMATS: dict[str, Format] = {
    "float16": Format("float16", np.dtype(np.float16), 16, 10, 0x1A5),
    "bfloat16": Format("bfloat16", np.dtype(ml_dtypes.bfloat16), 16, 7, 0x25),
    "float32": Format("float32", np.dtype(np.float32), 32, 23, 0x25A5A5),
    "float64": Format("float64", np.dtype(np.float64), 64, 52, 0x5A5A5A5A5A5A5),
}
_BY_DTYPE = {form.dtype: form for form in FORMATS.values()}


def np_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of that name; ``bfloat16`` is `ml_dtypes.bfloat16`.

    Raises ValueError for a name that is not one of the four.
    """
    if name not in FORMATS:
        raise ValueError(f"dtype is {name!r}; allowed: {', '.join(DTYPES)}")
    return FORMATS[name].dtype


def format_of(dtype: npt.DTypeLike) -> Format:
    """The format of a NumPy dtype.  Raises TypeError unless it is one of the four, in native byte order."""
    form = _BY_DTYPE.get(np.dtype(dtype))
    if form is None:
        raise TypeError(f"dtype is {np.dtype(dtype)}; allowed: {', '.join(DTYPES)}, in native byte order")
    return form


def bits(array: Array) -> Array:
    """The bits of `array` as unsigned integers: a view, of the same shape and strides."""
    return array.view(format_of(array.dtype).unsigned)


def is_nan(array: Array) -> npt.NDArray[np.bool_]:
    """Where `array` is NaN.  Unlike `np.isnan` it never warns, signalling NaNs in bfloat16 included."""
    form = format_of(array.dtype)
    return np.asarray((bits(array) & form.unsigned.type(form.sign - 1)) > form.infinity)


def blocks(shape: tuple[int, ...], limit: int = 1 << 16) -> Iterator[tuple[slice, ...]]:
    """Indices that together cover `shape` once, none of more than `limit` elements.

    Work on big arrays goes block by block, so that its temporaries stay in the cache.  The
    longest axis is halved, whatever the strides: a block of a transposed array is a tile.
    """
    todo = [tuple(slice(0, length) for length in shape)]
    while todo:
        block = todo.pop()
        lengths = [part.stop - part.start for part in block]
        size = 1
        for length in lengths:
            size *= length
        if size <= limit:
            yield block
            continue
        axis = lengths.index(max(lengths))
        start, stop = block[axis].start, block[axis].stop
        middle = (start + stop) // 2
        # The first half goes on top, so that 1-D arrays are walked from their start.
        todo.append((*block[:axis], slice(middle, stop), *block[axis + 1 :]))
        todo.append((*block[:axis], slice(start, middle), *block[axis + 1 :]))


def flat_index(inside: int, block: tuple[slice, ...], shape: tuple[int, ...]) -> int:
    """The C-order index in the whole array of element `inside` of a block."""
    if not shape:
        return 0
    lengths = tuple(part.stop - part.start for part in block)
    place = (int(i) + part.start for i, part in zip(np.unravel_index(inside, lengths), block, strict=True))
    return int(np.ravel_multi_index(tuple(place), shape))
