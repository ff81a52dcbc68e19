"""A plugin of pytest: ``pytest bench/ -p tests.timeless`` has arms that take no time; all else is a run's own.

Its clock stands still but when an arm works.  So nobody waits, and the same run takes the same course each time.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from bench.messages import Sample, TimeBatch
from bench.plan.experiments import Arm
from bench.run.run import Run
from tests.scripted import FakePool, FakeSurroundings

__all__ = ["pytest_configure"]


class _Forgetful(FakePool):
    """Keeps nothing of its batches."""

    def _batch(self, arm: Arm, request: TimeBatch) -> Sample:
        sample = super()._batch(arm, request)
        self.batches.clear()
        return sample


def pytest_configure() -> None:
    """Put them in the place of processes, for as long as this one lives."""
    around, patch = FakeSurroundings(), pytest.MonkeyPatch()

    def pool_of(*_: Any) -> FakePool:
        return _Forgetful(around)

    patch.setattr("bench.run.sitting.pool_of", pool_of)
    patch.setattr("bench.plugin.hooks.Run", partial(Run, surroundings=around))
