"""What all tests share: the same examples every time, slow files first, a patient collector, and fixtures."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from bench.plan.settings import FORCE
from bench.run import offspring
from kernels import registry
from tests.forking import forked_guardian

settings.register_profile("same-examples", derandomize=True, deadline=None)
settings.load_profile("same-examples")

os.environ[FORCE] = "1"
"""Nobody believes the times of tests, which run beside each other."""
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
"""Hundreds of processes import the same modules: the first compiles them for all.  This one as well: the assertions of
240 files are rewritten once, and not by each run."""
os.environ.setdefault("TORCHINDUCTOR_VEC_ISA_OK", "1")
"""torch.compile takes what instructions the CPU has; trying which of them the compiler knows takes ten seconds, and two
in every process.  Where it is older than the CPU, set the variable to nothing."""
gc.set_threshold(200_000, 50, 50)
"""Compilers make millions of objects that live on; with Python's own threshold, a third of their time goes into
looking for cycles among them."""


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors here, and not in `pytest bench/`: there, other plugins warn of what is no fault."""
    config.addinivalue_line("filterwarnings", "error")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: the short ones then fill what is left of each worker's time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="module")
def _old_objects_are_not_searched() -> None:
    """What earlier files have imported and compiled stays: a full collection need not look at it again."""
    gc.collect(1)
    gc.freeze()


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins that the test registers are gone after it, and those of other tests are not there."""
    monkeypatch.setattr(registry, "_plugins", {})
    monkeypatch.setattr(registry, "_loaded", {})


@pytest.fixture(scope="module")
def forked_arms() -> Iterator[None]:
    """Arms of the test's own process are forked, where that shows the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offspring, "_current", forked_guardian())
        yield
