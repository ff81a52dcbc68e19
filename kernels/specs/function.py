"""What ``--callable`` says: whose function it is, what it computes, on which arrays.  Standard library only.

``[NAME=][OP@][KIND:]FILE:FUNCTION``, as in ``MY.py:relu``, ``torch:MY.py:relu``, ``c:libfast.so:relu_f32`` or
``fast=leaky_relu@MY.py:f``.  Nothing of the file is imported here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KINDS", "CallableSpec", "is_callable_spec", "is_there", "parse_callable", "spec_of_text"]

KINDS = ("numpy", "torch", "jax", "triton", "cuda", "c")
"""What arrays a function is called with, or that it is a C symbol, which is called with addresses."""
_FORM = re.compile(
    r"(?:(?P<name>[^\s,:@=/]+)=)?(?:(?P<op>\w+)@)?(?:(?P<kind>\w+):)?(?P<path>[^:]+):(?P<function>[^\W\d]\w*)"
)
_ALLOWED = (
    "allowed: [NAME=][OP@][KIND:]FILE:FUNCTION, as in my.py:relu, torch:my.py:relu or c:libfast.so:relu_f32"
)


@dataclass(frozen=True, slots=True)
class CallableSpec:
    """One function, complete; as text it is one of the forms that ``--callable`` takes."""

    name: str
    """What it is called in tables."""
    op: str
    kind: str
    path: str
    function: str

    def __str__(self) -> str:
        return f"{self.name}={self.op}@{self.kind}:{self.path}:{self.function}"


def is_callable_spec(text: str) -> bool:
    """Whether it is a whole one, and not the ``MODULE:CLASS`` of a plugin."""
    match = _FORM.fullmatch(text)
    return match is not None and all(match.groupdict().values())


def spec_of_text(text: str) -> CallableSpec:
    """The spec of which `text` is the whole form.  Raises ValueError."""
    match = _FORM.fullmatch(text)
    if match is None or not all(match.groupdict().values()):
        raise ValueError(f"{text!r} is no whole callable; {_ALLOWED}")
    return CallableSpec(**match.groupdict())


def parse_callable(text: str, ops: Sequence[str], asked: Sequence[str] = ()) -> CallableSpec:
    """What a user typed, made whole: `ops` are all there are, `asked` those that are measured.

    The op is the one that is said, else the one that the function is named after, else the only one that is asked for,
    else relu.  Raises ValueError in one line: no such form, kind, op or file.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no function; {_ALLOWED}")
    kind, function = match["kind"] or "numpy", match["function"]
    _check("kind of function", kind, KINDS)
    op = match["op"] or (function if function in ops else asked[0] if len(asked) == 1 else "relu")
    _check("op", op, ops)
    path = Path(match["path"])
    _check_file(path, kind)
    return CallableSpec(match["name"] or function, op, kind, str(path.resolve()), function)


def _check(what: str, word: str, allowed: Sequence[str]) -> None:
    if word not in allowed:
        near = difflib.get_close_matches(word, allowed, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{word!r} is no {what}; allowed: {', '.join(allowed)}{hint}")


def is_there(path: Path) -> bool:
    """Whether there is a file that can be found; a name may be too long for one, or stand in a folder of another's."""
    try:
        return path.is_file()
    except OSError:
        return False


def _beside(path: Path) -> list[str]:
    """What else of that kind is in the folder."""
    try:
        return [each.name for each in path.parent.glob(f"*{path.suffix}")]
    except OSError:
        return []


def _check_file(path: Path, kind: str) -> None:
    if not is_there(path):
        beside = _beside(path)
        near = difflib.get_close_matches(path.name, beside, n=1)
        hint = f"; did you mean {path.with_name(near[0])}?" if near else ""
        raise ValueError(f"there is no file {path} (from {Path.cwd()}){hint}")
    if kind != "c" and path.suffix != ".py":
        raise ValueError(f"{path} is no Python file; a function of a shared library is c:{path}:SYMBOL")
