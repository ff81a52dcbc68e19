"""The words for what came of an arm that cheats."""

from __future__ import annotations

__all__ = ["CAUGHT", "HONEST", "OPEN", "UNTRIED", "WRONGED"]

CAUGHT = "noticed"
OPEN = "not noticed"
UNTRIED = "could not be tried"
HONEST = "honest, and measured"
WRONGED = "honest, and accused"
