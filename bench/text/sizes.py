"""The size grammar: ``1024``, ``1Ki``, ``16Mi``, and ranges ``1Ki:64Mi:x4`` (start, end, factor)."""

from __future__ import annotations

import re

__all__ = ["format_size", "one_number", "parse_range", "parse_size"]

_UNITS = {"": 1, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_SIZE = re.compile(r"(\d+)\s*(ki|mi|gi|)", re.IGNORECASE)
_GRAMMAR = "element counts such as 1024, 1Ki, 16Mi"
_LARGEST = 1 << 40
"""More elements than any machine's memory holds, so a larger number is a slip of the finger."""


def parse_size(text: str) -> int:
    """One element count.  Raises ValueError saying what came and what is allowed."""
    if "," in text or ":" in text:
        whole = one_number(text)
        hint = f"; did you mean {format_size(whole)!r}?" if whole is not None else ""
        raise ValueError(f"{text!r} is more than one size; allowed: one, such as 64Mi{hint}")
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no size; allowed: {_GRAMMAR}{_as_others_write(text)}")
    size = int(match[1]) * _UNITS[match[2].lower()]
    if not 0 < size <= _LARGEST:
        raise ValueError(f"{text!r} is out of range; allowed: 1 to 1024Gi elements")
    return size


def one_number(text: str) -> int | None:
    """The number that `text` is if its commas part thousands, as in ``4,194,304``; None where that is not likely.

    ``64,256,512`` is a list.  A group that begins with 0, or a multiple of 1024 in all, gives a number away.
    """
    if not re.fullmatch(r"\s*\d{1,3}(,\d{3})+\s*", text):
        return None
    first, *groups = text.strip().split(",")
    number = int(first + "".join(groups))
    return number if number % 1024 == 0 or any(group[0] == "0" for group in groups) else None


def _as_others_write(text: str) -> str:
    """A hint for their units: 1k, 16MiB, 4G."""
    match = re.fullmatch(r"(\d+)\s*([kmg])(i?b)?", text, re.IGNORECASE)
    return f"; did you mean '{match[1]}{match[2].upper()}i'?" if match else ""


def parse_range(text: str) -> tuple[int, ...]:
    """The element counts of a range, or of a single size.  Raises ValueError as `parse_size` does."""
    if ":" not in text:
        return (parse_size(text),)
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in (2, 3):
        raise ValueError(f"{text!r} is no range; allowed: START:END or START:END:xFACTOR, as 1Ki:64Mi:x4")
    start, end = parse_size(parts[0]), parse_size(parts[1])
    step = parts[2] if len(parts) == 3 else "x2"
    if not re.fullmatch(r"[xX]\d+", step) or int(step[1:]) < 2:
        raise ValueError(f"{text!r} has step {step!r}; allowed: x2 or more, as 1Ki:64Mi:x4")
    if end < start:
        raise ValueError(f"{text!r} ends before it starts; write the smaller size first")
    sizes = []
    while start <= end:
        sizes.append(start)
        start *= int(step[1:])
    return tuple(sizes)


def format_size(n: int) -> str:
    """`n` as it would be typed: 1024 is 1Ki, 1000 is 1000."""
    for unit, factor in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if n >= factor and n % factor == 0:
            return f"{n // factor}{unit}"
    return str(n)
