"""A plugin of pytest: whenever a run looks at the clock on the wall, it has been set back by another hour."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

__all__ = ["pytest_configure"]

_HOUR_S = 3600.0


class _SetBack(datetime):
    """The time of day as it is then."""

    looks = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        cls.looks += 1
        return datetime.now(tz) - cls.looks * timedelta(seconds=_HOUR_S)


def pytest_configure() -> None:
    """Set it back from now on."""
    patch, real = pytest.MonkeyPatch(), time.time
    patch.setattr(time, "time", lambda: real() - _SetBack.looks * _HOUR_S)
    for module in ("bench.machine.environment", "bench.plugin.texts", "bench.run.identity"):
        patch.setattr(f"{module}.datetime", _SetBack)
    assert _SetBack.now(UTC) < datetime.now(UTC)
