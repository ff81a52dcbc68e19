"""What NVIDIA's own tool says of a card.  It comes with the driver, so it is there wherever a card can be used."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Sequence

from kernels.api import parse_device

__all__ = ["ask", "users"]

_TIMEOUT_S = 20.0
"""A driver that has to be loaded first takes seconds."""


def ask(fields: Sequence[str], device: str) -> dict[str, str]:
    """The values of these fields of ``--query-gpu`` for a device such as ``cuda:1``, without units.

    What the card or the tool does not know is left out: a field that another driver does not have costs itself alone.
    """
    rows = _rows(f"--query-gpu={','.join(fields)}", device)
    if rows and len(rows[0]) == len(fields):
        return {name: value for name, value in zip(fields, rows[0], strict=True) if _is_known(value)}
    if len(fields) == 1:
        return {}
    return {name: value for field in fields for name, value in ask([field], device).items()}


def users(device: str) -> list[tuple[str, str, str]]:
    """(process id, program, MiB of the card) of each process that computes on it, as far as it is shown here."""
    rows = _rows("--query-compute-apps=pid,process_name,used_memory", device)
    return [(row[0], row[1], row[2]) for row in rows if len(row) == 3]


def _rows(query: str, device: str) -> list[list[str]]:
    tool = shutil.which("nvidia-smi")
    if tool is None or not device.startswith("cuda"):
        return []
    command = [tool, query, "--format=csv,noheader,nounits", "-i", _name_of(device)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    if done.returncode:
        return []
    return [[value.strip() for value in row] for row in csv.reader(done.stdout.splitlines()) if row]


def _name_of(device: str) -> str:
    """What the tool calls the device: CUDA counts those alone that CUDA_VISIBLE_DEVICES names."""
    number = parse_device(device)[1]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return visible[number].strip() if number < len(visible) and visible[number].strip() else str(number)


def _is_known(value: str) -> bool:
    """Other answers are ``[N/A]``, ``[Not Supported]`` and the like."""
    return bool(value) and not value.startswith("[")
