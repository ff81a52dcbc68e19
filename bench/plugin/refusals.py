"""What `pytest bench/` cannot be run with: other plugins' options, refused before anything is measured."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from bench.machine import needed
from bench.plugin.replay import typed_flags

__all__ = ["pytest_benchmark_compare_machine_info", "refuse", "refuse_exclusive", "timing_is_off"]

_AT_ONCE = (
    ("dist", "no", "--numprocesses (-n) or --dist", "pytest-xdist"),
    ("forked", False, "--forked", "pytest-forked"),
    ("workers", None, "--workers", "pytest-parallel"),
    ("tests_per_worker", None, "--tests-per-worker", "pytest-parallel"),
    ("parallel_threads", 1, "--parallel-threads", "pytest-run-parallel"),
)
"""Options under which cells would be measured beside each other, or more than once: as pytest knows them, with the
value that does no harm, as they are typed, and whose they are."""

_TIMING = (
    "min-time",
    "max-time",
    "min-rounds",
    "precision",
    "confidence",
    "timer",
    "calibration-precision",
    "warmup",
    "warmup-iterations",
    "disable-gc",
    "cprofile",
    "cprofile-loops",
    "cprofile-top",
    "cprofile-dump",
)
"""Options of pytest-benchmark (``--benchmark-…``) that say how it times or profiles a call: here it does neither."""
_NEEDING = (
    ("benchmark_histogram", "", "--benchmark-histogram", "pygal", "histogram"),
    (
        "benchmark_storage",
        "elasticsearch+",
        "--benchmark-storage=elasticsearch+",
        "elasticsearch",
        "elasticsearch",
    ),
)
"""Options that need a package: as pytest knows them, what their value begins with, as they are typed, the package,
and the extra of pytest-benchmark that brings it."""
_WRITTEN = (
    ("benchmark_json", "", "--benchmark-json"),
    ("benchmark_histogram", ".svg", "--benchmark-histogram"),
    ("xmlpath", "", "--junitxml"),
    ("log_file", "", "--log-file"),
)
"""Options that name a file to write: as pytest knows them, what is put behind their value, and as they are typed."""


def refuse(config: pytest.Config) -> None:
    """Look at the system and at the options of other plugins.

    Raises pytest.UsageError, one line that says what to do.
    """
    said = needed.refusal("pytest bench/")
    if said is not None:
        raise pytest.UsageError(said)
    if config.getoption("benchmark_disable", None) is None:
        raise pytest.UsageError(
            "pytest bench/ needs the plugin pytest-benchmark, which is not loaded: leave out -p no:benchmark, "
            "unset PYTEST_DISABLE_PLUGIN_AUTOLOAD, or pip install pytest-benchmark"
        )
    for name, harmless, flag, plugin in _AT_ONCE:
        given = config.getoption(name, harmless)
        if str(given) not in (str(harmless), "None"):
            raise pytest.UsageError(
                f"{flag} of {plugin} ({given!r}) would measure several cells at once; pytest bench/ measures one "
                f"after the other: leave it out, in PYTEST_ADDOPTS too"
            )
    if config.getoption("timeout", None) or os.environ.get("PYTEST_TIMEOUT"):
        raise pytest.UsageError(
            "--timeout of pytest-timeout (or PYTEST_TIMEOUT) would end a cell in the middle of its measurement, which "
            "is all of its case's: leave it out, in PYTEST_ADDOPTS too; --minutes limits a run"
        )
    _refuse_timing(config)
    _refuse_missing(config)
    _refuse_unwritable(config)


def refuse_exclusive(devices: Iterable[str]) -> None:
    """Look whether the arms, each in a process of its own, can share these devices.

    Raises pytest.UsageError, as above.
    """
    for device in sorted(set(devices) - {"cpu"}):
        from bench.machine import nvidia  # noqa: PLC0415  # costs nothing where no card is asked for

        mode = nvidia.exclusive_mode(device)
        if mode:
            raise pytest.UsageError(
                f"--devices: {device} is in compute mode {mode!r}, in which one process has the card to itself, and "
                "each arm has its own: set it to default (sudo nvidia-smi -c 0), or choose --isolation inline"
            )


def _refuse_timing(config: pytest.Config) -> None:
    """Who asks for them believes that they do something."""
    given = typed_flags(config)
    for name in _TIMING:
        if f"--benchmark-{name}" in given:
            raise pytest.UsageError(
                f"--benchmark-{name} has no effect on pytest bench/, which times calls in processes of its own: leave "
                "it out, in PYTEST_ADDOPTS too; --minutes, --resolve and --target-ci say how long is measured"
            )


def _refuse_missing(config: pytest.Config) -> None:
    """pytest-benchmark looks for the package when the run is over."""
    for name, beginning, flag, package, extra in _NEEDING:
        given = config.getoption(name)
        if given and str(given).startswith(beginning) and importlib.util.find_spec(package) is None:
            raise pytest.UsageError(
                f"{flag} needs a package that is not installed: pip install 'pytest-benchmark[{extra}]', or "
                "leave it out"
            )


def _refuse_unwritable(config: pytest.Config) -> None:
    """What others write, they write at the end: a place that takes no files would cost all that was timed."""
    saves = any(config.getoption(f"benchmark_{name}") for name in ("save", "autosave", "save_data"))
    storage = str(config.getoption("benchmark_storage")).removeprefix("file://")
    if saves and "://" not in storage and not _can_be_made(Path(storage)):
        raise pytest.UsageError(
            f"--benchmark-storage: no file can be written below {storage}; name another folder, as in "
            "--benchmark-storage=file:///tmp/benchmarks"
        )
    for name, ending, flag in _WRITTEN:
        given = _first(config.getoption(name, None))
        if given and not _can_be_written(Path(f"{given}{ending}")):
            raise pytest.UsageError(f"{flag}: {given} cannot be written; name another file")


def _first(given: object) -> object:
    """Of the values of an option that may be given several times the first, which pytest-benchmark takes."""
    return next(iter(given), None) if isinstance(given, list) else given


def _can_be_written(file: Path) -> bool:
    """Whether it can be a file, in a folder that may have to be made."""
    try:
        return not file.is_dir() and _can_be_made(file.parent)
    except OSError:  # the name is too long, or the folder another's
        return False


def _can_be_made(folder: Path) -> bool:
    """Whether files can be written there, once the folder has been made."""
    try:
        there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    except OSError:
        return False
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_benchmark_compare_machine_info() -> Generator[None, object, object]:
    """Compare with a file of another machine, too, that lies outside of the current folder.

    pytest-benchmark warns that it is another's, and cannot word the place of such a file.
    """
    try:
        return (yield)
    except ValueError:
        warnings.warn(
            pytest.PytestWarning("--benchmark-compare: the saved run is another machine's"), stacklevel=1
        )
        return None


def timing_is_off(config: pytest.Config) -> bool:
    """Whether cells are only to be checked: ``--benchmark-disable``."""
    return bool(config.getoption("benchmark_disable")) and not config.getoption("benchmark_enable")
