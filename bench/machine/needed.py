"""What measuring cannot do without: who lacks it is refused in one line.  What has a plain path is not here."""

from __future__ import annotations

import importlib.util
import os
import select

__all__ = ["MODULES", "refusal"]

MODULES = ("fcntl", "resource")
"""Python's own that only Unix has: locks and memory files; what a batch used up."""


def refusal(who: str) -> str | None:
    """None where `who` can measure, else the sentence that says what is missing and what to do."""
    there = {
        "select.poll": hasattr(select, "poll"),  # how children are asked with a deadline
        "os.killpg": hasattr(os, "killpg"),  # how a child ends with all that it started
        **{f"the module {name}": _is_there(name) for name in MODULES},
    }
    missing = [name for name, found in there.items() if not found]
    if not missing:
        return None
    return (
        f"{who} needs what this system does not have ({', '.join(missing)}): measure on Linux, on macOS, "
        "or on Windows in WSL; the functions of `kernels` need none of it"
    )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # set to None, which is how an import of it is forbidden
        return False
