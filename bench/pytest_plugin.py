"""`pytest bench/`: options, one item for each cell, and what is printed.

An item asks the run for its cell; the first item of an experiment makes the run measure it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from bench import report
from bench.options import OPTIONS, OptionError, Settings, parse
from bench.plan import Arm, Experiment
from bench.records import RunFilesError
from bench.replay import Replay
from bench.session import Run, plan

__all__ = ["PlannedCell"]

_SETTINGS = pytest.StashKey[Settings]()
_RUN = pytest.StashKey[Run]()
_PLANNED = pytest.StashKey[Sequence[Experiment]]()


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedCell:
    """What an item stands for, and the clock that tells pytest-benchmark what was measured."""

    experiment: Experiment
    arm: Arm
    replay: Replay

    @property
    def id(self) -> str:
        """As it stands in brackets in the item's name."""
        role = f"-{self.arm.role}" if self.arm.is_control else ""
        variant = f"-{self.arm.variant.name}" if self.arm.variant.name else ""
        return f"{self.experiment.label}-{self.arm.backend}{variant}{role}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the options of `bench.options`."""
    group = parser.getgroup("relu-bench", "which ReLU, for my tensor, on my machine")
    for spec in OPTIONS:
        flag = "--" + spec.name.replace("_", "-")
        if spec.action == "store_true":
            group.addoption(flag, action="store_true", help=spec.help)
        else:
            group.addoption(flag, action=spec.action, metavar=spec.metavar, help=spec.help)


def pytest_configure(config: pytest.Config) -> None:
    """Check all values before anything runs."""
    # A cell that failed, or was interrupted, has nothing to replay; said here, it also holds at session end.
    config.addinivalue_line("filterwarnings", "ignore:Benchmark fixture was not used")
    given = {spec.name: config.getoption(spec.name) for spec in OPTIONS}
    try:
        config.stash[_SETTINGS] = parse(given)
    except OptionError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item for each arm of each experiment."""
    if "cell" not in metafunc.fixturenames:
        return
    planned = plan(metafunc.config.stash[_SETTINGS])
    cells = [PlannedCell(experiment, arm, Replay()) for experiment in planned for arm in experiment.arms]
    metafunc.parametrize(
        "cell",
        [
            pytest.param(
                cell,
                id=cell.id,
                marks=pytest.mark.benchmark(group=cell.experiment.label, timer=cell.replay.clock),
            )
            for cell in cells
        ],
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep what was selected: an experiment runs the chosen arms, its baseline and its controls."""
    chosen: dict[Experiment, set[Arm]] = {}
    for item in session.items:
        cell = getattr(item, "callspec", None) and item.callspec.params.get("cell")  # type: ignore[attr-defined]  # only functions have one
        if isinstance(cell, PlannedCell):
            chosen.setdefault(cell.experiment, set()).add(cell.arm)
    session.config.stash[_PLANNED] = [
        dataclasses.replace(
            experiment,
            arms=tuple(a for a in experiment.arms if a in arms or a.is_control or a.role == "baseline"),
        )
        for experiment, arms in chosen.items()
    ]


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """The run that all items share."""
    config = request.config
    try:
        with Run(config.stash[_SETTINGS], config.stash[_PLANNED]) as run:
            config.stash[_RUN] = run
            report.announce(run, _writer(config))
            yield run
    except RunFilesError as error:
        pytest.exit(f"--run-id/--results: {error}", returncode=pytest.ExitCode.USAGE_ERROR)


def measured(cell: PlannedCell, run: Run, request: pytest.FixtureRequest) -> Any:
    """The cell's result; skips or fails the item as its status says."""
    experiment = next(each for each in run.chosen if each.case == cell.experiment.case)
    result = run.result(
        experiment, cell.arm, lambda ended: report.progress(run, ended, _writer(request.config))
    )
    row = result.row
    if row["status"] == "skipped":
        if cell.arm.backend in run.settings.require and not cell.arm.is_control:
            pytest.fail(f"skipped, but --require names it: {row['reason']}", pytrace=False)
        pytest.skip(row["reason"])
    if not result.passed:
        pytest.fail(f"{row['status']}: {row['reason']}", pytrace=False)
    return result


def _writer(config: pytest.Config) -> report.Write:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return lambda _line: None
    capture = config.pluginmanager.get_plugin("capturemanager")

    def write(line: str) -> None:
        # While a test runs, pytest captures what its own reporter writes too.
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            reporter.ensure_newline()
            reporter.write_line(line)

    return write


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The fastest of each experiment, the statuses, and where the files are."""
    run = config.stash.get(_RUN, None)
    if run is not None and not config.getoption("collectonly"):
        terminalreporter.section("relu-bench")
        report.summary(run, terminalreporter.write_line, terminalreporter._tw.fullwidth)
