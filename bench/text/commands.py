"""How our commands are typed: by path in a checkout, by module where everything is installed as `relu_bench`."""

from __future__ import annotations

import re
import shlex

__all__ = ["as_typed", "command_line"]

_ROOT = __name__.rpartition("bench.")[0]
_BENCH = re.compile(r"pytest bench/(?:(test_\w+)\.py)?")
_SCRIPT = re.compile(r"python scripts/(\w+)\.py")


def as_typed(text: str, root: str = _ROOT) -> str:
    """`text`, written for a checkout, with its commands as they are typed here; `root` is empty in a checkout."""
    if not root:
        return text
    text = _SCRIPT.sub(rf"python -m {root}scripts.\1", text)
    return _BENCH.sub(
        lambda found: f"pytest --pyargs {root}bench" + (f".{found[1]}" if found[1] else ""), text
    )


def command_line(*words: object, root: str = _ROOT) -> str:
    """These words of a command as a line for a shell, quoted where that takes it, as it is typed here."""
    return as_typed(shlex.join(map(str, words)), root)
