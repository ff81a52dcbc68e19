"""Commands in folders and environments that have nothing to do with the tests' own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

__all__ = ["STAND_IN", "run"]

STAND_IN = "get_kernel = 'of another distribution'\n"
"""What stands in a `kernels` that is not ours."""


def run(
    python: Path | str, *words: str, folder: Path, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """`python` with PYTHONPATH as given and nothing of the tests' own surroundings."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PYTHON"))}
    return subprocess.run(
        [str(python), *words],
        cwd=folder,
        env={**environ, "PYTHONPATH": path} if path else environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
