"""Programs in a Python of their own, whose environment is as a test says."""

from __future__ import annotations

import subprocess
import sys

from tests.running import ROOT, environ


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What that Python did with these arguments, from the root of the checkout."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=ROOT,
        env={**environ(), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
