"""What may be typed for an option, of ``pytest bench/`` and of the scripts alike.

A parser takes text and returns the value; what it does not take is a ValueError of one line: what came,
what is allowed, and the nearest match.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from bench.text.foreign import plain
from bench.text.hints import did_you_mean
from bench.text.sizes import format_size, one_number, parse_range, parse_size
from kernels.api import DEVICE_KINDS, Axis, parse_device
from kernels.networks.case import parse_widths
from kernels.op_facts import facts_of, params_of_text, text_of_params, whole_params

__all__ = [
    "ALL",
    "OptionError",
    "axis_list",
    "axis_value",
    "device",
    "device_kind",
    "fraction",
    "items",
    "list_of",
    "number",
    "one_of",
    "one_taken",
    "option_flag",
    "params",
    "refuse_params",
    "several_taken",
    "sizes",
    "taken",
    "whole",
    "widths",
]

T = TypeVar("T")
ALL = "all"
"""What stands for every word of an axis."""
_MOST_THREADS = 4096
"""More than any machine has CPUs, so a larger number is a slip of the finger."""

_LONGEST = 1000
"""Characters of an error; of a longer one its middle, which is what was typed, is left out."""


class OptionError(ValueError):
    """A value that an option does not take; one line that says what came and what is allowed."""

    def __init__(self, option: str, message: str) -> None:
        text = plain(message)
        if len(text) > _LONGEST:
            text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
        super().__init__(f"{option_flag(option)}: {text}")


def option_flag(option: str) -> str:
    """``--cache-states`` for ``cache_states``."""
    return f"--{option.replace('_', '-')}"


def taken(option: str, parse: Callable[[str], T], text: Any) -> T:
    """What `parse` makes of the text of an option.  Raises OptionError."""
    try:
        return parse(str(text))
    except ValueError as error:
        raise OptionError(option, str(error)) from None


def one_taken(option: str, text: Any, allowed: Sequence[str]) -> str:
    """The one of the `allowed` words that the text of an option is.  Raises OptionError."""
    return taken(option, partial(one_of, allowed), text)


def several_taken(option: str, text: Any, allowed: Sequence[str]) -> tuple[str, ...]:
    """Those that a comma list is.  Raises OptionError."""
    return taken(option, partial(list_of, partial(one_of, allowed)), text)


def items(text: str) -> tuple[str, ...]:
    """The items of a comma list, each once."""
    found = tuple(item.strip() for item in text.split(","))
    if not all(found):
        raise ValueError(f"{text!r} has an empty item; allowed: a comma list without gaps")
    return tuple(dict.fromkeys(found))


def list_of(parse: Callable[[str], T], text: str) -> tuple[T, ...]:
    """What `parse` makes of the items of a comma list, each once."""
    return tuple(dict.fromkeys(map(parse, items(text))))


def one_of(allowed: Sequence[str], text: str) -> str:
    """One of the words `allowed`."""
    if text not in allowed:
        raise ValueError(f"{text!r} is not known; allowed: {', '.join(allowed)}{did_you_mean(text, allowed)}")
    return text


def number(
    text: str, low: float = -math.inf, high: float = math.inf, *, whole: bool = False, above: bool = False
) -> float:
    """A finite number from `low` (`above`: above it) to `high`; any at all where both are infinite."""
    kind = "a whole number" if whole else "a number"
    bounds = _bounds(kind, low, high, above=above)
    try:
        given = int(text) if whole else float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not {kind}; allowed: {bounds}") from None
    anything = low == -math.inf and high == math.inf
    inside = math.isfinite(given) and (low < given if above else low <= given) and given <= high
    if anything or inside:
        return given
    raise ValueError(f"{text} is out of range; allowed: {bounds}")


def _bounds(kind: str, low: float, high: float, *, above: bool) -> str:
    if math.isfinite(low) and math.isfinite(high):
        return f"{kind} from {low:g} to {high:g}"
    if math.isfinite(low):
        return f"{kind} above {low:g}" if above else f"{kind}, {low:g} or more"
    return kind


def whole(text: str, low: int = 0, high: float = math.inf) -> int:
    """A whole number from `low` to `high`."""
    return int(number(text, low, high, whole=True))


def fraction(text: str, low: float, high: float) -> float:
    """A fraction from `low` to `high`, as 0.02 or as 2%."""
    percent = text.strip().endswith("%")
    try:
        found = number(text.strip().removesuffix("%"), -math.inf, math.inf) / (100 if percent else 1)
    except ValueError:
        found = math.nan
    if low <= found <= high:
        return found
    raise ValueError(f"{text!r} is out of range; allowed: {low:g} to {high:g}, or as in 2%")


def sizes(text: str) -> tuple[int, ...]:
    """Element counts and ranges of them, a comma list."""
    number = one_number(text)
    if number is not None:
        raise ValueError(
            f"{text!r} reads as the number {number} and as a list; write {format_size(number)}, or the list with the "
            "largest first"
        )
    return tuple(dict.fromkeys(n for item in items(text) for n in parse_range(item)))


def device(text: str) -> str:
    """``cpu``, ``cuda`` or ``cuda:1``."""
    try:
        parse_device(text)
    except ValueError as error:
        raise ValueError(f"{error}{did_you_mean(text, DEVICE_KINDS)}") from None
    return text


def device_kind(name: str) -> str:
    """``cuda`` of ``cuda:1``."""
    return name.partition(":")[0]


def widths(text: str) -> str:
    """Widths of a network as in ``10-5-3``."""
    parse_widths(text)
    return text


def params(text: str) -> str:
    """Parameters of an op as in ``alpha=0.5``, spelled as they stand in files; empty for the usual ones."""
    return text_of_params(params_of_text(text.strip()))


def refuse_params(texts: Sequence[str], ops: Sequence[str]) -> None:
    """Raise ValueError for the first of `texts` that is of no op among `ops`, or out of its range."""
    for text in filter(None, texts):
        names = params_of_text(text).keys()
        having = [op for op in ops if names <= {each.name for each in facts_of(op).params}]
        if not having:
            raise ValueError(f"{text!r} is of none of the ops; {_params_of(ops)}")
        for op in having:
            whole_params(op, text)


def _params_of(ops: Sequence[str]) -> str:
    """What may be given to these ops."""
    there = [f"{each.name} of {op} ({each.range_text})" for op in ops for each in facts_of(op).params]
    if any(facts_of(op).sloped for op in ops):
        there.append("the slope of leaky_relu is an option of its own")
    return f"allowed: {', '.join(there)}" if there else f"{', '.join(ops) or 'networks'}: no parameters"


def axis_value(axis: Axis, words: Sequence[str] = ()) -> Callable[[str], Any]:
    """The parser of one value of an axis, of one of `words` (by default the axis' own) where it takes words."""
    if axis.values:
        return partial(one_of, words or axis.values)
    parsers: dict[str, Callable[[str], Any]] = {
        "size": parse_size,
        "device": device,
        "count": partial(whole, high=_MOST_THREADS),
        "number": number,
        "params": params,
    }
    return parsers[axis.kind]


def axis_list(axis: Axis, words: Sequence[str] = ()) -> Callable[[str], tuple[Any, ...]]:
    """The parser of a comma list of an axis' values; of words, ``all`` stands for all of the axis' own."""
    if axis.kind == "size":
        return sizes
    parse = partial(list_of, axis_value(axis, words))
    return (lambda text: axis.values if text == ALL else parse(text)) if axis.values else parse
