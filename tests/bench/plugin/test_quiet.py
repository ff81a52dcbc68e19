"""Of what passed pytest keeps the number, and pytest-benchmark nothing that nobody looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.plugin.quiet import Quiet
from bench.plugin.replay import is_told, wants_table

ITEM = "bench/test_activations.py::test_activation[x]"


class Config:
    """What is asked of pytest's configuration."""

    def __init__(self, *args: str, reporter: Any = None, **options: Any) -> None:
        self._options, self._reporter = options, reporter
        self.pluginmanager = self
        self.invocation_params = self
        self.args = args

    def getoption(self, name: str, default: Any = None) -> Any:
        return self._options.get(name, default)

    def get_plugin(self, _name: str) -> Any:
        return self._reporter


class Reporter:
    """Keeps reports as pytest's own does."""

    def __init__(self) -> None:
        self.stats: dict[str, list[Any]] = {}
        self.showfspath, self.reportchars = True, "fE"


def report(outcome: Any) -> pytest.TestReport:
    return pytest.TestReport(ITEM, ("bench/test_activations.py", 1, "x"), {}, outcome, None, "call")


def kept(*args: str, **options: Any) -> dict[str, tuple[int, int]]:
    """Of each category, how many reports are counted, and how many are kept."""
    reporter = Reporter()
    quiet = Quiet(Config(*args, reporter=reporter, **options))  # type: ignore[arg-type]
    quiet.pytest_sessionstart()
    for outcome in ("passed", "failed", "skipped", "passed", "failed", "skipped"):
        made = report(outcome)
        reporter.stats.setdefault(outcome, []).append(made)
        quiet.pytest_runtest_logreport(made)
    return {
        outcome: (len(reports), len(set(map(id, reports)))) for outcome, reports in reporter.stats.items()
    }


def test_reports_of_what_passed_are_counted_and_not_kept() -> None:
    assert kept() == {"passed": (2, 1), "failed": (2, 2), "skipped": (2, 1)}


@pytest.mark.parametrize("args", [("-rA",), ("-rp",)])
def test_they_are_kept_where_they_are_to_be_listed(args: tuple[str, ...]) -> None:
    assert kept(*args) == dict.fromkeys(("passed", "failed", "skipped"), (2, 2))


@pytest.mark.parametrize("options", [{"durations": 5}, {"durations": 0}, {"verbose": 1}])
def test_they_are_kept_where_an_option_is_about_them(options: dict[str, int]) -> None:
    assert kept(**options) == dict.fromkeys(("passed", "failed", "skipped"), (2, 2))


@pytest.mark.parametrize(
    ("args", "options", "told"),
    [
        ((), {}, False),
        ((), {"verbose": 1}, False),
        ((), {"verbose": 2}, True),
        (("--benchmark-sort=name",), {}, True),
        (("--benchmark-compare",), {}, True),
        ((), {"benchmark_json": Path("x")}, True),
        ((), {"benchmark_autosave": True}, True),
    ],
)
def test_pytest_benchmark_is_told_what_somebody_looks_at(
    args: tuple[str, ...], options: dict[str, Any], told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    assert is_told(Config(*args, **options)) is told  # type: ignore[arg-type]
    monkeypatch.setenv("PYTEST_ADDOPTS", "-q --benchmark-columns=min")
    assert wants_table(Config(*args, **options))  # type: ignore[arg-type]
