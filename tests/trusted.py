"""Pairs of known truth, judged, for the tests of `scripts/trust.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from scripts._trust import arms
from scripts._trust.judging import Judged

PAIR = Judged(
    profile="quick",
    hour="calm",
    base="numba_jit",
    experiment="relu-forward-out",
    n=1024,
    kind=arms.IDENTICAL,
    first="identical-1",
    second="identical-2",
    with_leader=1,
    verdict="same",
    ratio=1.001,
    noise_floor=0.02,
    rounds=16,
    process_sd=0.004,
    processes_needed=2,
)


def pairs(kind: str, words: Mapping[str, int], **changes: Any) -> list[Judged]:
    """So many pairs with each verdict, in turn on four sizes."""
    verdicts = [word for word, number in words.items() for _ in range(number)]
    return [
        dataclasses.replace(PAIR, kind=kind, verdict=word, n=1024 << place % 4, **changes)
        for place, word in enumerate(verdicts)
    ]
