"""Puts the harness's pytest hooks in place for ``pytest bench/``."""

pytest_plugins = [f"{__package__}.plugin.hooks"]
