"""`pytest bench/`: options, one item for each cell, and what is printed.

An item asks the run for its cell; the first item of an experiment makes the run measure it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.plan.experiments import Arm, Experiment
from bench.plan.networks import network_plan
from bench.plan.option_table import OPTIONS
from bench.plan.option_values import option_flag
from bench.plan.options import OptionError, parse
from bench.plan.settings import Settings
from bench.plugin import console
from bench.plugin.display import Display, ticking
from bench.plugin.output import usable_output
from bench.plugin.quiet import Quiet, display_of
from bench.plugin.refusals import (
    pytest_benchmark_compare_machine_info,
    refuse,
    refuse_exclusive,
    timing_is_off,
)
from bench.plugin.replay import Replay
from bench.plugin.saved import pytest_benchmark_update_commit_info, pytest_benchmark_update_machine_info
from bench.plugin.spelling import misspelt
from bench.plugin.terminating import as_interrupt
from bench.records.errors import RunFilesError
from bench.run.gate_only import GateOnly
from bench.run.run import CellResult, Run, plan
from kernels.networks.case import NETWORK_DIRECTIONS, NETWORK_OPS

__all__ = [
    "PlannedCell",
    "pytest_benchmark_compare_machine_info",
    "pytest_benchmark_update_commit_info",
    "pytest_benchmark_update_machine_info",
]

_PIPED = 120
"""Columns of the end of a run where it goes to no terminal."""

_SETTINGS = pytest.StashKey[Settings]()
_RUN = pytest.StashKey[Run]()
_PLANNED = pytest.StashKey[Sequence[Experiment]]()
_OPEN = pytest.StashKey[contextlib.ExitStack]()
_DISPLAY = pytest.StashKey[Display]()


@dataclasses.dataclass(slots=True, repr=False)
class PlannedCell:
    """What an item stands for, and the clock that tells pytest-benchmark what was measured."""

    experiment: Experiment
    """As it will be measured: with the arms of the items that were selected, their baseline and controls."""
    arm: Arm
    replay: Replay

    @property
    def id(self) -> str:
        """As it stands in brackets in the item's name."""
        return self.experiment.cell_label(self.arm)

    def __repr__(self) -> str:
        return self.id  # pytest-benchmark writes it into its files; what an arm is started with stays here


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Offer the options of `bench.plan.options`, and the nearest of them where pytest knows none of that name."""
    config: Any = pluginmanager.get_plugin("pytestconfig")
    arguments = map(str, config.invocation_params.args) if config is not None else ()
    parser.extra_info |= misspelt(arguments, [option_flag(spec.name) for spec in OPTIONS])
    group = parser.getgroup("relu-bench", "which ReLU, for my tensor, on my machine")
    for spec in OPTIONS:
        flag = option_flag(spec.name)
        if spec.action == "store_true":
            group.addoption(flag, action="store_true", help=spec.help)
        else:
            group.addoption(flag, action=spec.action, metavar=spec.metavar, help=spec.help)
    group.addoption(
        "--tables",
        action="store_true",
        help="at the end a row for each experiment, and every reason, instead of one screen",
    )
    group.addoption(
        "--run-path",
        metavar="FILE",
        help="write the path of the run's directory there, for what a script does next",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Check all values before anything runs, and before pytest looks at where it prints to."""
    usable_output(config)
    refuse(config)
    # A cell that failed, or was interrupted, has nothing to replay; said here, it also holds at session end.
    config.addinivalue_line("filterwarnings", "ignore:Benchmark fixture was not used")
    given = {spec.name: config.getoption(spec.name) for spec in OPTIONS}
    try:
        settings = config.stash[_SETTINGS] = _scoped(parse(given), config)
    except OptionError as error:
        raise pytest.UsageError(str(error)) from error
    if not settings.inline:
        refuse_exclusive(str(device) for grid in settings.grids for device in grid["device"])
    config.pluginmanager.register(Quiet(config))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Find out where a display goes, while pytest does not capture what is written there."""
    opened = session.config.stash[_OPEN] = contextlib.ExitStack()
    session.config.stash[_DISPLAY] = display_of(session.config, opened)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what was opened."""
    if _OPEN in config.stash:
        config.stash[_OPEN].close()


def pytest_enter_pdb(config: pytest.Config) -> None:
    """A debugger has the terminal to itself."""
    config.stash[_DISPLAY].close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item for each arm of each experiment."""
    if "cell" not in metafunc.fixturenames:
        return
    config = metafunc.config
    if metafunc.function.__name__ == "test_network":
        planned = network_plan(config.stash[_SETTINGS], alone=_all_are(config, "test_network.py"))
    else:
        planned = plan(config.stash[_SETTINGS])
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


def _all_are(config: pytest.Config, name: str) -> bool:
    """Whether nothing but that file was named on the command line, by its path or, with --pyargs, by its module."""
    named = [arg.partition("::")[0] for arg in config.args]
    return all(Path(each).name == name or each.endswith(f".{Path(name).stem}") for each in named)


def _scoped(settings: Settings, config: pytest.Config) -> Settings:
    """Refuse what means nothing to the file that is named alone; networks alone have a budget of their own.

    Raises OptionError.
    """
    whole = dataclasses.replace(settings, shard=None)  # a shard may well have nothing of it
    if _all_are(config, "test_activations.py") and not plan(whole):
        raise OptionError("ops", "with --directions it leaves no activation; see bench/test_network.py")
    if not _all_are(config, "test_network.py"):
        return settings
    for option in settings.network.foreign:
        raise OptionError(
            option, "networks have one value of it only; leave it out, or see --batches, --widths"
        )
    if not network_plan(whole, alone=True):
        works = f"{', '.join(NETWORK_OPS)}; {', '.join(NETWORK_DIRECTIONS)}"
        raise OptionError("ops", f"with --directions it leaves no network; allowed: {works}")
    return settings


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem() -> Generator[None, Any, Any]:
    """A file for which nothing is planned has no items; pytest makes one of an empty list, to be skipped."""
    made = yield
    if not isinstance(made, list):
        return made
    return [item for item in made if "cell" not in _parameters(item) or _cell_of(item) is not None]


def _parameters(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)  # only parametrised functions have one
    return dict(callspec.params) if callspec is not None else {}


def _cell_of(item: pytest.Item) -> PlannedCell | None:
    cell = _parameters(item).get("cell")
    return cell if isinstance(cell, PlannedCell) else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep what was selected: an experiment runs the chosen arms, its baseline and its controls."""
    chosen: dict[Experiment, list[PlannedCell]] = {}
    for item in session.items:
        cell = _cell_of(item)
        if cell is not None:
            chosen.setdefault(cell.experiment, []).append(cell)
    session.config.stash[_PLANNED] = [_selected(experiment, cells) for experiment, cells in chosen.items()]


def _selected(experiment: Experiment, cells: Sequence[PlannedCell]) -> Experiment:
    """The experiment with what these cells of it need, which they carry from now on."""
    arms = {cell.arm for cell in cells}
    selected = dataclasses.replace(
        experiment, arms=tuple(arm for arm in experiment.arms if arm in arms or _needed(arm, arms))
    )
    for cell in cells:
        cell.experiment = selected
    return selected


def _needed(arm: Arm, chosen: Collection[Arm]) -> bool:
    """The baseline and the controls always are; an ablation where its arm was chosen."""
    if arm.role == "ablation":
        return any((arm.backend, arm.variant) == (other.backend, other.variant) for other in chosen)
    return arm.is_control or arm.role == "baseline"


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say so where nothing will be timed."""
    if timing_is_off(config):
        return "--benchmark-disable: every cell passes the gate; nothing is timed, nothing is written"
    return None


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """The run that all items share."""
    config = request.config
    if timing_is_off(config):
        with GateOnly(config.stash[_SETTINGS], config.stash[_PLANNED]) as run:
            yield run
        return
    display = config.stash[_DISPLAY]
    try:
        made = Run(config.stash[_SETTINGS], config.stash[_PLANNED], observer=display)
        with as_interrupt(), made as run, ticking(display):
            config.stash[_RUN] = run
            display.begins(run)
            _note_path(run, config.getoption("run_path"))
            yield run
    except RunFilesError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


def _note_path(run: Run, file: str | None) -> None:
    if file is None:
        return
    try:
        Path(file).write_text(f"{run.files.folder}\n", encoding="utf-8")
    except OSError as error:
        pytest.exit(f"--run-path {file}: {error.strerror}", returncode=pytest.ExitCode.USAGE_ERROR)


def measured(cell: PlannedCell, run: Run, request: pytest.FixtureRequest) -> CellResult:
    """The cell's result; skips or fails the item as its status says."""
    try:
        run.measure(cell.experiment)
    except RunFilesError as error:  # what cannot be stored is not worth measuring
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    result = run.result(cell.experiment, cell.arm)
    found = result.cell
    if found.status == "skipped":
        if cell.arm.backend in run.settings.require and not cell.arm.is_control:
            pytest.fail(f"skipped, but --require names it: {found.reason}", pytrace=False)
        pytest.skip(found.reason)
    if not result.passed:
        pytest.fail(f"{found.status}: {found.reason}", pytrace=False)
    return result


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The fastest of each experiment, the statuses, and where the files are."""
    run = config.stash.get(_RUN, None)
    if run is not None and not config.getoption("collectonly"):
        terminalreporter.section("relu-bench")
        width = terminalreporter._tw.fullwidth if terminalreporter.isatty else _PIPED
        tables = config.getoption("tables")
        console.summary(run, terminalreporter.write_line, width, tables=tables)
