"""The arms of some cells, as figures name and draw them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.records.schema import ROLES
from bench.stats.fastest import COMPETING
from bench.stats.frames import group_ids
from kernels.registry import BUILTINS
from scripts._shared.looks import DASHES, GLYPHS, GREY, looks
from scripts._shared.remarks import arm_name

__all__ = ["Arm", "arms_of"]

_ROLES = (*COMPETING, *(role for role in ROLES if role not in COMPETING))


class Arm(NamedTuple):
    """How one arm is called and drawn: `scripts._shared.looks` has what belongs to its backend."""

    name: str
    role: str
    color: str
    shape: str
    dash: tuple[int, ...]

    @property
    def glyph(self) -> str:
        """The shape as a character."""
        return GLYPHS[self.shape]

    @property
    def competes(self) -> bool:
        """Whether it is ranked."""
        return self.role in COMPETING


def arms_of(cells: pd.DataFrame) -> tuple[list[Arm], npt.NDArray[np.int64]]:
    """The arms of `cells`, the baseline first and the controls last; and for each row the arm's place."""
    keys = ["backend", "variant", "role"]
    codes = group_ids(cells, keys)
    first = np.unique(codes, return_index=True)[1]
    rows = cells.iloc[first][keys].itertuples(index=False)
    found = [(str(row.backend), str(row.variant), str(row.role)) for row in rows]
    order = sorted(range(len(found)), key=lambda place: _rank(*found[place]))
    ranked = [found[place] for place in order]
    names = _distinct([arm_name(*arm) for arm in ranked])
    styles = looks(backend for backend, _, _ in ranked)
    variants = ["", *sorted({variant for _, variant, _ in ranked if variant})]
    arms = [
        Arm(
            name,
            role,
            styles[backend].color if role in COMPETING else GREY,
            styles[backend].shape,
            DASHES[variants.index(variant) % len(DASHES)],
        )
        for name, (backend, variant, role) in zip(names, ranked, strict=True)
    ]
    return arms, np.asarray(np.argsort(order)[codes], np.int64)


def _rank(backend: str, variant: str, role: str) -> tuple[Any, ...]:
    control = _ROLES.index(role)
    known = list(BUILTINS)
    return control, known.index(backend) if backend in known else len(known), backend, variant


def _distinct(names: Sequence[str]) -> list[str]:
    """`names`, numbered where two arms would read alike (they may differ in what cannot be printed)."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return result
