"""How the time of a run on a card is shared out among its steps."""

from __future__ import annotations

from collections.abc import Sequence

from scripts._card.steps import Step

__all__ = ["chosen", "limit_of"]


def chosen(steps: Sequence[Step], left_s: float) -> list[Step]:
    """Those of `steps` for which `left_s` seconds are enough: the most useful come first, so it is cut from the end.

    Steps that are always made have their time set aside.
    """
    room_s = left_s - sum(step.least_s for step in steps if step.always)
    found, full = [], False
    for step in steps:
        full = full or (not step.always and step.least_s > room_s)
        if step.always or not full:
            found.append(step)
            room_s -= 0.0 if step.always else step.least_s
    return found


def limit_of(steps: Sequence[Step], left_s: float) -> float:
    """Seconds that the first of `steps` may take, of `left_s` for all that are chosen; 0 if it is not.

    Each has its least, and a share of the rest by what it usually takes.  What one does not use is for those after it.
    """
    now = chosen(steps, left_s)
    if not now or now[0] is not steps[0]:
        return 0.0
    first, spare_s = now[0], max(left_s - sum(step.least_s for step in now), 0.0)
    wants = [max(step.usual_s - step.least_s, 0.0) for step in now]
    return first.least_s + spare_s * wants[0] / (sum(wants) or 1.0)
