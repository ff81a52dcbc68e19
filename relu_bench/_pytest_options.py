"""Makes pytest know our options where ``--pyargs relu_bench.bench`` names the benchmark.

pytest loads the conftest.py of a folder that is named before it reads the options, but not that of a package.
"""

from __future__ import annotations

from importlib import import_module

import pytest

__all__: list[str] = []


def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Load our hooks if the benchmark is asked for; every other run of pytest is left alone."""
    ours = f"{__package__}.bench"
    if early_config.known_args_namespace.pyargs and any(
        arg == ours or arg.startswith((f"{ours}.", f"{ours}::")) for arg in args
    ):
        early_config.pluginmanager.import_plugin(f"{import_module(ours).__name__}.plugin.hooks")
