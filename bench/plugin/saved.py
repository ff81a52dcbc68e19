"""What pytest-benchmark writes of the machine into its own files: no host and no folder where that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from bench.text.private import anonymous

__all__ = ["pytest_benchmark_update_commit_info", "pytest_benchmark_update_machine_info"]


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """With --anonymise: not the host's name."""
    _hide(config, machine_info)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_commit_info(config: pytest.Config, commit_info: dict[str, Any]) -> None:
    """With --anonymise: not the user's."""
    _hide(config, commit_info)


def _hide(config: pytest.Config, told: dict[str, Any]) -> None:
    if config.getoption("anonymise"):
        told.update(anonymous(told))
