"""Output that goes nowhere, or cannot be written: an end with a status and one line, never a traceback."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import REFERENCE, ROOT, WITHOUT, environ

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here"),
]

BENCH = ("-m", "pytest", "bench/", *WITHOUT)
SUMMARISE = ("scripts/summarise.py", str(REFERENCE))


def ended(arguments: tuple[str, ...], where: str) -> tuple[int, str]:
    """The status with standard output sent there, and what was said beside it."""
    command = f"{shlex.join([sys.executable, *arguments])} {where}"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize(
    ("arguments", "where", "status", "said"),
    [
        ((*BENCH, "--collect-only", "-q"), ">&-", 0, ""),
        ((*BENCH, "--isolation", "outline"), ">&-", 4, "ERROR: --isolation: 'outline' is not known"),
        (BENCH, ">/dev/full", 4, "ERROR: standard output cannot be written to (No space left on device)"),
        pytest.param(SUMMARISE, ">&-", 0, "", marks=pytest.mark.daily),
        (SUMMARISE, ">/dev/full", 2, "summarise.py: error: No space left on device"),
        pytest.param(
            ("scripts/summarise.py", "nowhere"), ">/dev/full 2>/dev/full", 2, "", marks=pytest.mark.daily
        ),
    ],
    ids=[
        "pytest, closed",
        "an error, closed",
        "pytest, full",
        "a script, closed",
        "a script, full",
        "both full",
    ],
)
def test_an_output_that_takes_nothing_is_no_traceback(
    arguments: tuple[str, ...], where: str, status: int, said: str
) -> None:
    code, text = ended(arguments, where)
    assert (code, text[: len(said)] if said else text) == (status, said)
    assert len(text.splitlines()) <= 1
