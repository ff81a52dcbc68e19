"""What pytest-benchmark keeps of a run: no secret, and with --anonymise no host."""

from __future__ import annotations

import platform
from typing import Any

import pytest

from bench.plan.experiments import Arm, Experiment, Variant
from bench.plugin.hooks import PlannedCell
from bench.plugin.replay import Replay
from bench.plugin.saved import pytest_benchmark_update_machine_info
from bench.text import private
from kernels.api import Case


class Config:
    def __init__(self, anonymise: bool) -> None:
        self._anonymise = anonymise

    def getoption(self, name: str) -> bool:
        assert name == "anonymise"
        return self._anonymise


@pytest.mark.parametrize(("anonymise", "node"), [(True, "host"), (False, "lab-7.example.org")])
def test_the_host_is_left_out_where_asked(
    anonymise: bool, node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "lab-7.example.org")
    private._names.cache_clear()
    info: dict[str, Any] = {"node": platform.node(), "cpu": {"count": 2}}
    pytest_benchmark_update_machine_info(Config(anonymise), info)  # type: ignore[arg-type]
    private._names.cache_clear()
    assert info == {"node": node, "cpu": {"count": 2}}


def test_what_an_arm_is_started_with_is_not_shown() -> None:
    """pytest-benchmark writes the text of an item's parameters; pytest shows it where one fails."""
    arm = Arm("numpy_ufunc", variant=Variant("v", (("MY_TOKEN", "a secret"),)))
    cell = PlannedCell(Experiment(Case("relu", n=64), (arm,)), arm, Replay())
    assert repr(cell) == cell.id
    assert "a secret" not in repr(arm) + repr(cell.experiment) + repr(cell)
