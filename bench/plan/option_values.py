"""What may be typed for an option, and what a wrong value is told: one line with the nearest match."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from typing import Any

from bench.text.sizes import parse_sizes
from kernels.networks.case import parse_widths

__all__ = ["OptionError", "batches", "choice", "choices", "devices", "items", "number", "sizes", "widths"]


class OptionError(ValueError):
    """A value that an option does not take; one line that says what came and what is allowed."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(f"--{option.replace('_', '-')}: {message}")


def items(option: str, text: str) -> tuple[str, ...]:
    """The items of a comma list, each once."""
    found = tuple(item.strip() for item in str(text).split(","))
    if not all(found):
        raise OptionError(option, f"{text!r} has an empty item; allowed: a comma list without gaps")
    return tuple(dict.fromkeys(found))


def choice(option: str, value: str, allowed: Sequence[str]) -> str:
    """`value`, which has to be one of `allowed`."""
    if value not in allowed:
        raise OptionError(
            option, f"{value!r} is not known; allowed: {', '.join(allowed)}{_nearest(value, allowed)}"
        )
    return value


def choices(option: str, text: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """A comma list of `allowed`."""
    return tuple(choice(option, item, allowed) for item in items(option, text))


def _nearest(value: str, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(value, allowed, n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else ""


def number(option: str, value: Any, low: float, high: float, *, whole: bool = False) -> float:
    """A number from `low` to `high`."""
    kind = "a whole number" if whole else "a number"
    bounds = f"{kind} from {low:g} to {high:g}" if high != float("inf") else kind
    try:
        given = int(value) if whole else float(value)
    except ValueError:
        raise OptionError(option, f"{value!r} is not {kind}; allowed: {bounds}") from None
    if low <= given <= high or (math.isnan(given) and high == math.inf):  # NaN slopes are reported only
        return given
    raise OptionError(option, f"{value} is out of range; allowed: {bounds}")


def batches(text: str) -> tuple[int, ...]:
    """Rows of a network's input, a comma list."""
    return tuple(int(number("batches", item, 1, 1 << 20, whole=True)) for item in items("batches", text))


def widths(text: str) -> tuple[str, ...]:
    """Widths of networks as in ``10-5-3``, a comma list."""
    found = items("widths", text)
    for item in found:
        try:
            parse_widths(item)
        except ValueError as error:
            raise OptionError("widths", str(error)) from error
    return found


def sizes(text: str) -> tuple[int, ...]:
    """Element counts and ranges of them, a comma list."""
    try:
        return parse_sizes(text)
    except ValueError as error:
        raise OptionError("sizes", str(error)) from error


def devices(text: str) -> tuple[str, ...]:
    """``cpu``, ``cuda``, ``cuda:1``, a comma list."""
    found = items("devices", text)
    for device in found:
        if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
            raise OptionError(
                "devices",
                f"{device!r} is not a device; allowed: cpu, cuda, cuda:0 …{_nearest(device, ('cpu', 'cuda'))}",
            )
    return found
