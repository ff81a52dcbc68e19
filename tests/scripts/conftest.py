"""What the tests of several scripts share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import reports
from tests.factories import write_run
from tests.summaries import lines, skips


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with one run, which has known answers and skipped cells."""
    write_run(tmp_path / "results" / "run1", [*lines(), *skips()])
    return tmp_path / "results"


@pytest.fixture(scope="session")
def tab() -> Iterator[Any]:
    """The one tab of the system's Chromium, for `tests.browsing.visiting`."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium.new_page()
        chromium.close()


class _Pages(dict[str, Path]):
    """Each is made when it is first asked for: a process of tests needs some of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, name: str) -> Path:
        from scripts.report import main  # needs optional packages

        path = self._folder / f"{name}.html"
        main([str(getattr(reports, name)(self._folder / name)), "--output", str(path)])
        self[name] = path
        return path


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of each of the runs in `tests.reports`, by name."""
    return _Pages(tmp_path_factory.mktemp("pages"))
