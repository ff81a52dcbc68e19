"""Limits of what a message may hold, stated in its type hints: ``Annotated[int, Between(0, 9)]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

__all__ = ["Between", "Count", "Finite", "OneOf", "Positive", "Seconds", "Sized"]

_MOST_INTEGER = 2**63
"""Counts are those of int64: what a column can hold."""
_MOST_FLOAT = 1e300
"""Beyond it sums of a few would be infinite."""


@dataclass(frozen=True, slots=True)
class Between:
    """A range for a number, as in ``Annotated[int, Between(0, 9)]``; NaN is in none."""

    least: float
    most: float

    def refusal(self, value: Any) -> str | None:
        """Why the value is refused; None if it is not."""
        within = self.least <= value <= self.most
        return None if within else f"{value!r} is not between {self.least} and {self.most}"


@dataclass(frozen=True, slots=True)
class Sized:
    """How many items a tuple or a mapping may have."""

    least: int
    most: int

    def refusal(self, value: Any) -> str | None:
        """Why the value is refused; None if it is not."""
        within = self.least <= len(value) <= self.most
        return None if within else f"{len(value)} items are not {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """The values that are allowed."""

    allowed: tuple[object, ...]

    def refusal(self, value: Any) -> str | None:
        """Why the value is refused; None if it is not."""
        return None if value in self.allowed else f"{value!r} is none of {', '.join(map(repr, self.allowed))}"


Finite = Annotated[float, Between(-_MOST_FLOAT, _MOST_FLOAT)]
Seconds = Annotated[float, Between(0, _MOST_FLOAT)]
Positive = Annotated[float, Between(1e-300, _MOST_FLOAT)]
Count = Annotated[int, Between(0, _MOST_INTEGER)]
