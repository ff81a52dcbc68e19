"""What a page says of the machine that a run was made on: environment.json, the telling part of it first."""

from __future__ import annotations

import json
from typing import Any

from bench.text.units import number_text
from scripts._shared.environments import Environment
from scripts._shared.remarks import clean

__all__ = ["machine_section"]

_TELLING = (
    *(
        "machine",
        "cpu",
        "cores",
        "caches",
        "memory_bytes",
        "kernel",
        "libc",
        "governor",
        "transparent_hugepage",
    ),
    *("virtual_machine", "load_average", "python", "packages", "environ"),
)

_IN_BYTES = ("caches", "memory_bytes")


def machine_section(name: str, machine: Environment | None) -> dict[str, Any]:
    """`name`, (what, value) pairs, and all of environment.json as text; for None that there is none."""
    if machine is None:
        return {
            "name": clean(name),
            "entries": [("environment.json", "there is none beside this run")],
            "rest": "",
        }
    entries = [(key, _value(machine[key], key in _IN_BYTES)) for key in _TELLING if key in machine]
    return {"name": clean(name), "entries": entries, "rest": json.dumps(machine, indent=1, sort_keys=True)}


def _value(value: Any, in_bytes: bool = False) -> str:
    """An entry of environment.json, of whatever type, as one line."""
    if isinstance(value, dict):
        return (
            ", ".join(f"{clean(key)} {_value(item, in_bytes)}" for key, item in value.items()) or "none set"
        )
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if in_bytes and isinstance(value, int):
        return _bytes_text(value)
    return (
        number_text(value) if isinstance(value, float) else "unknown" if value is None else clean(str(value))
    )


def _bytes_text(count: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{number_text(count / factor)} {unit}"
    return f"{count} bytes"
