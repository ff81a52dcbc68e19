"""Numbers as people read them: seconds, ratios and rates at three significant digits.

ASCII only, so that a table survives any terminal, log or encoding.  A missing value (NaN) is
``-`` everywhere.
"""

from __future__ import annotations

import math

__all__ = [
    "MISSING",
    "bytes_text",
    "calls_text",
    "count_text",
    "number_text",
    "percent_text",
    "ratio_text",
    "seconds_text",
    "span_text",
]

MISSING = "-"
_BYTES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "bytes"))
_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_MOST_PERCENT = 1000
"""Percentages above say that nothing is known, and their digits nothing."""


def number_text(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits and no exponent between 1e-4 and 1e7."""
    if math.isnan(value):
        return MISSING
    if value == 0 or math.isinf(value):
        return f"{value:g}"
    rounded = float(f"{value:.{digits - 1}e}")
    if not 1e-4 <= abs(rounded) < 1e7:
        return f"{rounded:.{digits - 1}e}"
    return f"{rounded:.{_decimals(rounded, digits)}f}"


def seconds_text(seconds: float) -> str:
    """A duration in the unit that keeps it between 1 and 1000: ``12.3 us``."""
    if math.isnan(seconds) or math.isinf(seconds):
        return number_text(seconds)
    rounded = float(f"{seconds:.2e}")
    unit, name = next(((u, m) for u, m in _SECONDS if abs(rounded) >= u), _SECONDS[-1])
    return f"{number_text(rounded / unit)} {name}"


def span_text(seconds: float) -> str:
    """A time as people tell it: ``a moment``, ``40 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 0.5:
        return "a moment"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


_LONG = 1e6
"""From here on the bound of a ratio is written with an exponent."""


def ratio_text(value: float, low: float = math.nan, high: float = math.nan) -> str:
    """A speed-up with its interval where it has one: ``2.31x [2.25, 2.38]``."""
    if math.isnan(value):
        return MISSING
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{number_text(value)}x"
    decimals = _decimals(value, 3) if 1e-4 <= abs(value) < 1e7 else 2
    bounds = (f"{each:.{decimals}f}" if abs(each) < _LONG else number_text(each, 2) for each in (low, high))
    return f"{number_text(value)}x [{', '.join(bounds)}]"


def percent_text(fraction: float) -> str:
    """A fraction as a percentage, of two significant digits: ``84%``, ``2.1%``; from tenfold on ``>1000%``."""
    if math.isnan(fraction):
        return MISSING
    percent = 100 * fraction
    if percent >= _MOST_PERCENT:
        return f">{_MOST_PERCENT}%"
    return f"{percent:.0f}%" if abs(percent) >= 9.95 else f"{percent:.1f}%"


def count_text(count: int, one: str, several: str = "") -> str:
    """``1 cell``, ``1,234 cells``; `several` where an s will not do."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def calls_text(calls: float) -> str:
    """A number of calls: ``1,234``; 0 is ``at once`` and infinity is ``never``."""
    if math.isnan(calls):
        return MISSING
    if math.isinf(calls):
        return "never"
    return f"{calls:,.0f}" if calls else "at once"


def bytes_text(count: float) -> str:
    """Bytes in the largest binary unit of which there is one: ``80.0 MiB``."""
    if math.isnan(count):
        return MISSING
    unit, name = next((each for each in _BYTES if count >= each[0]), _BYTES[-1])
    return f"{number_text(count / unit)} {name}" if unit > 1 else f"{count:.0f} {name}"


def _decimals(value: float, digits: int) -> int:
    """Digits after the point that leave `value` with `digits` significant ones."""
    return max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else digits - 1
