"""The words for what came of an arm that cheats, and of one that is identical to another."""

from __future__ import annotations

__all__ = ["ALARMS", "CAUGHT", "HARMLESS", "HONEST", "OPEN", "UNTRIED", "WRONGED"]

CAUGHT = "noticed"
OPEN = "not noticed"
HARMLESS = "gained nothing"
UNTRIED = "could not be tried"
HONEST = "honest, and measured"
WRONGED = "honest, and accused"
ALARMS = ("faster", "slower")
"""Verdicts on identical programs that are false."""
