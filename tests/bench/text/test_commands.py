"""What a message tells to type is what works where it is printed."""

from __future__ import annotations

import shlex

import pytest

from bench.text.commands import as_typed, command_line


@pytest.mark.parametrize(
    ("written", "installed"),
    [
        ("run `pytest bench/` first", "run `pytest --pyargs relu_bench.bench` first"),
        (
            "pytest bench/test_network.py --widths 8",
            "pytest --pyargs relu_bench.bench.test_network --widths 8",
        ),
        ("  python scripts/report.py a\n", "  python -m relu_bench.scripts.report a\n"),
        ("nothing to type", "nothing to type"),
    ],
)
def test_commands_are_typed_by_module_where_it_is_installed(written: str, installed: str) -> None:
    assert as_typed(written, root="relu_bench.") == installed
    assert as_typed(written) == written


def test_a_command_is_quoted_where_a_shell_needs_it() -> None:
    folder = "/home/tom's runs/20260102"
    line = command_line("python", "scripts/report.py", folder, "--n", 4, root="relu_bench.")
    assert line.startswith("python -m relu_bench.scripts.report ")
    assert shlex.split(line)[3:] == [folder, "--n", "4"]
    assert command_line("pytest", "bench/", "--sizes", "1Ki,4Mi") == "pytest bench/ --sizes 1Ki,4Mi"
