"""Colour and shape of a backend: they belong to its name, so that it looks the same on every page and figure.

Built-in backends have theirs in a table.  A plugin's follow from its name alone; only where two of one page would look
alike does one of them move on to the next free pair.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["DASHES", "GLYPHS", "GREY", "Look", "looks"]

GREY = "#808080"
"""Of controls, which are not ranked."""

GLYPHS = {
    **{"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "cross": "✚", "triangle-down": "▼"},
    **{"triangle-right": "▶", "triangle-left": "◀"},
    "M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5Z": "⬢",
    "M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z": "⬟",
}
"""Vega's shapes, by name or as a path, each with the character that looks like it."""

DASHES = ((1, 0), (6, 3), (2, 3), (9, 3, 2, 3))
"""Of the plain environment, and of variants."""

_COLORS = ("#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#B8A800", "#7B5EA7", "#8C5A2B")
"""Okabe and Ito (Color Universal Design, 2008), the yellow darkened to show on white, and two more."""


class Look(NamedTuple):
    """A colour, and a shape of `GLYPHS`."""

    color: str
    shape: str


_SHAPES = tuple(GLYPHS)
_BUILTINS = {
    "numpy_ufunc": Look(GREY, "circle"),
    "numba_jit": Look("#E69F00", "square"),
    "numba_parallel": Look("#56B4E9", "diamond"),
    "numba_tuned": Look("#009E73", "triangle-up"),
    "jax_jit": Look("#0072B2", "cross"),
    "torch_eager": Look("#D55E00", "triangle-down"),
    "torch_compile": Look("#CC79A7", "triangle-right"),
    "torch_graph": Look("#B8A800", "triangle-left"),
    "numba_cuda": Look("#8C5A2B", _SHAPES[-1]),
    "triton_jit": Look("#7B5EA7", _SHAPES[-2]),
    "jax_sharded": Look("#0072B2", "diamond"),
}


def looks(backends: Iterable[str]) -> dict[str, Look]:
    """The look of each backend, in any order; no two are alike while there are pairs left."""
    names = sorted(set(backends))
    found = {name: _BUILTINS[name] for name in names if name in _BUILTINS}
    taken = set(_BUILTINS.values())
    for name in names:
        if name not in found:
            found[name] = _own(name, taken)
            taken.add(found[name])
    return found


def _own(name: str, taken: set[Look]) -> Look:
    """The look that follows from `name`, or the next one that nobody has."""
    first = zlib.crc32(name.encode())
    pairs = [Look(color, shape) for shape in _SHAPES for color in _COLORS]
    turn = [pairs[(first + step) % len(pairs)] for step in range(len(pairs))]
    return next((look for look in turn if look not in taken), turn[0])
