"""What ``--op`` says: whose op it is, and where it stands.  A process of its own looks at it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kernels.op_facts import OpFacts, Parameter, declare_op, is_own
from kernels.specs.asking import fields_in, replies
from kernels.specs.function import is_callable_spec, is_there

__all__ = ["MARK", "OP_FORM", "all_checked", "checked", "file_of", "is_op_spec"]

OP_FORM = "FILE.py:Name"
_LOADER = f"{__package__.rpartition('.')[0]}.own.op"
"""What looks at an op, in a process of its own."""
MARK = "op="
"""Before the text of an op wherever a plugin's ``MODULE:CLASS`` may stand."""


def is_op_spec(spec: str) -> bool:
    """Whether it is the spec of an op that `checked` has made."""
    return spec.startswith(MARK) and not is_callable_spec(spec)


def file_of(spec: str) -> Path:
    """The file that the op of a spec stands in."""
    return Path(spec.removeprefix(MARK).rpartition(":")[0])


def all_checked(texts: Iterable[str]) -> dict[str, str]:
    """What `checked` says of each, the specs by name.  Raises ValueError, also where two are called the same."""
    found: dict[str, str] = {}
    for name, spec in map(checked, texts):
        if found.setdefault(name, spec) != spec:
            raise ValueError(f"two ops are called {name!r}; rename one of the classes")
    return found


def checked(text: str) -> tuple[str, str]:
    """The name of the op that `text`, ``FILE.py:Name``, stands for, and its spec; a case may then have that name.

    Raises ValueError in one line: no such form, file or class, and all that is wrong with the class.
    """
    file, _, name = text.rpartition(":")
    if not file or not is_own(name):
        raise ValueError(
            f"{text!r} is no op; allowed: {OP_FORM}, the name of a class, which begins with a capital letter"
        )
    path = Path(file)
    if not is_there(path):
        raise ValueError(f"there is no file {file} (from {Path.cwd()})")
    spec = f"{MARK}{path.resolve()}:{name}"
    what = f"{path.name}:{name}"
    said = replies(_LOADER, (spec,), what=what)[-1]
    (problem,) = fields_in(said, what, "problem")
    if problem:
        raise ValueError(f"{what}: {problem}")
    declare_op(name, _facts(fields_in(said, what, "inputs", "params"), what))
    return name, spec


def _facts(said: list[Any], what: str) -> OpFacts:
    """What another process says of an op, which foreign code may have said instead."""
    inputs, given = said
    right = isinstance(given, list) and all(
        isinstance(each, list) and list(map(type, each)) == [str, float, float, float] for each in given
    )
    params = tuple(Parameter(*each) for each in given) if right else ()
    if inputs not in (1, 2) or not right or not all(each.allows(each.usual) for each in params):
        raise ValueError(f"{what}: importing it gave no facts of an op but {repr(said)[:80]}")
    return OpFacts(inputs=1 if inputs == 1 else 2, params=params)
