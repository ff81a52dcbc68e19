"""Whether a block of an answer is plain: it has the bits of the reference and nothing of its own to note.

Nearly all blocks are.  So this works in memory that is there already, and passes over it as seldom as it can.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kernels.correctness import reference
from kernels.correctness.rules import Question
from kernels.numbers.floats import Array, bits, format_of, np_dtype

__all__ = ["Workspace", "scaled"]


class Workspace:
    """Memory for blocks of up to `size` elements of a dtype."""

    def __init__(self, dtype: npt.DTypeLike, size: int) -> None:
        self._form = format_of(dtype)
        self._result = np.empty(size, dtype)
        self._words, self._others = (np.empty(size, self._form.unsigned) for _ in range(2))
        self._zeros = np.zeros(size, self._form.signed)
        self._differ = np.empty(size, bool)

    def settled(self, result: Array) -> Array:
        """A copy of a block, 1-D: what is still being written cannot be judged.  Good until the next one."""
        copy = self._result[: result.size]
        np.copyto(copy.reshape(result.shape), result)
        return copy

    def plain(self, question: Question, x: Array, source: Array, result: Array) -> bool:
        """Whether every element of `result` is the reference's, and neither it nor what made it is a special value.

        All are 1-D; `source` is x itself in forward, dy in backward.  False may also be said of a plain block.
        """
        wanted = self._expected(question, x, source)
        differ = self._differ[: x.size]
        if np.not_equal(wanted, bits(result), out=differ).any():
            return False
        looked_at = [x] if question.direction == "forward" else [x, source]
        if question.scales and question.slope != 0:
            looked_at.append(result)
        return not any(self._has_special(values) for values in looked_at)

    def _expected(self, question: Question, x: Array, source: Array) -> Array:
        """The bits of the right answer, special values left aside."""
        form, words = self._form, self._words[: x.size]
        came = source.view(form.signed)
        if not question.scales and source is x:
            zeros = self._zeros[: x.size]  # of an array and a number NumPy has no vector loop
            np.maximum(came, zeros, out=words.view(form.signed))  # a negative number is a negative integer
            return words
        others = self._others[: x.size]
        np.right_shift(
            x.view(form.signed), form.width - 1, out=words.view(form.signed)
        )  # ones where negative
        if question.scales:
            others = self._scaled(question, source)
            np.bitwise_xor(others, bits(source), out=others)
            np.bitwise_and(others, words, out=others)
        else:
            np.bitwise_and(bits(source), words, out=others)
        return np.bitwise_xor(others, bits(source), out=others)

    def _scaled(self, question: Question, source: Array) -> Array:
        """The bits of the products, in memory that may be written over."""
        others = self._others[: source.size]
        if question.form.width > 16 and question.model == "A":
            # The product of two of the dtype, rounded once: what IEEE 754's multiplication is.
            slope = source.dtype.type(question.slope)
            with np.errstate(all="ignore"):
                np.multiply(source, slope, out=others.view(source.dtype))
        else:
            np.copyto(others, bits(scaled(question, source)))
        return others

    def _has_special(self, values: Array) -> bool:
        """Whether any is zero, subnormal, infinite or NaN: the exponents with a meaning of their own."""
        form, words = self._form, self._words[: values.size]
        if not values.size:
            return False
        np.left_shift(bits(values), form.unsigned.type(1), out=words)  # the sign goes; the rest is in order
        np.subtract(words, form.unsigned.type(2 * form.smallest_normal), out=words)
        return bool(words.max() >= 2 * (form.infinity - form.smallest_normal))


def scaled(question: Question, source: Array) -> Array:
    """The reference's product of the slope and `source`, under the question's model."""
    if question.form.width > 16:
        return reference.scale(source, question.slope, question.model)
    return _products(question.form.name, question.slope, question.model)[bits(source)]


@lru_cache(maxsize=8)
def _products(dtype_name: str, slope: float, model: str) -> Array:
    """The reference's product for each of the 65,536 patterns of a 16-bit dtype."""
    every = np.arange(1 << 16, dtype=np.uint16).view(np_dtype(dtype_name))
    return reference.scale(every, slope, model)
