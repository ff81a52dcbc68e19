"""What the tests of several scripts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories import write_run
from tests.summaries import lines, skips


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with one run, which has known answers and skipped cells."""
    write_run(tmp_path / "results" / "run1", [*lines(), *skips()])
    return tmp_path / "results"
