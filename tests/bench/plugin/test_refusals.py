"""`pytest bench/` beside other plugins and their options: it obeys them, or refuses before it measures."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path

import pytest

from tests.running import INLINE, ROOT, Outcome, bench

pytestmark = pytest.mark.slow

ONE = ("--backends", "numpy_ufunc", "--ops", "relu", "--directions", "forward", "--placements", "new")
SMALL = (*ONE, "--sizes", "64", *INLINE)


def line_of(outcome: Outcome) -> str:
    """The one line of a refusal."""
    lines = outcome.text.strip().splitlines()
    assert outcome.code == pytest.ExitCode.USAGE_ERROR, outcome.text[-2000:]
    assert len(lines) == 1, outcome.text[-2000:]
    assert not outcome.folder.exists()
    return lines[0]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A finished run, which pytest-benchmark has saved."""
    folder = tmp_path_factory.mktemp("kept")
    outcome = bench(folder, *SMALL, f"--benchmark-storage=file://{folder}/saved", "--benchmark-save=first")
    assert outcome.code == 0, outcome.text[-2000:]
    return outcome


@pytest.mark.parametrize("options", [("-n", "2"), ("--dist", "load", "--tx", "popen")])
def test_cells_are_not_measured_beside_each_other(tmp_path: Path, options: tuple[str, ...]) -> None:
    pytest.importorskip("xdist")
    assert "measures one after the other: leave it out" in line_of(bench(tmp_path, *SMALL, *options))


def test_a_limit_of_time_for_each_test_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pytest-timeout has it on the command line, or in the environment."""
    option = "def pytest_addoption(parser): parser.addoption('--timeout', type=float, dest='timeout')"
    if importlib.util.find_spec("pytest_timeout") is None:
        (tmp_path / "pytest_timeout.py").write_text(option)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    monkeypatch.setattr("tests.running.environ", lambda: {**os.environ, "PYTHONPATH": path})
    assert "--minutes limits a run" in line_of(
        bench(tmp_path, *SMALL, "-p", "pytest_timeout", "--timeout", "9")
    )
    monkeypatch.setattr("tests.running.environ", lambda: {**os.environ, "PYTEST_TIMEOUT": "9"})
    assert "--minutes limits a run" in line_of(bench(tmp_path, *SMALL))


def test_xdist_that_is_off_does_no_harm(kept: Outcome) -> None:
    pytest.importorskip("xdist")
    assert bench(kept.folder.parent, *SMALL, "-n", "0").code == 0


def test_without_pytest_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "leave out -p no:benchmark" in line_of(bench(tmp_path, *SMALL, "-p", "no:benchmark"))
    without = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    monkeypatch.setattr("tests.running.environ", lambda: without)
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" in line_of(bench(tmp_path, *SMALL))


def test_a_histogram_is_drawn_or_refused_beforehand(kept: Outcome, tmp_path: Path) -> None:
    histogram = f"--benchmark-histogram={tmp_path}/drawn"
    if importlib.util.find_spec("pygal") is None:
        assert "pip install 'pytest-benchmark[histogram]'" in line_of(bench(tmp_path, *SMALL, histogram))
    else:
        assert bench(kept.folder.parent, *SMALL, histogram).code == 0
        assert list(tmp_path.glob("drawn*.svg"))


@pytest.mark.skipif(
    importlib.util.find_spec("elasticsearch") is not None, reason="elasticsearch is installed"
)
def test_a_store_whose_package_is_missing_is_refused_beforehand(tmp_path: Path) -> None:
    store = "--benchmark-storage=elasticsearch+http://localhost/benchmarks"
    assert "pip install 'pytest-benchmark[elasticsearch]'" in line_of(bench(tmp_path, *SMALL, store))


def test_what_cannot_be_saved_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    storage = f"--benchmark-storage=file://{tmp_path}/file/in"
    for saving in ("--benchmark-save=x", "--benchmark-autosave"):
        assert "--benchmark-storage: no file" in line_of(bench(tmp_path, *SMALL, storage, saving))
    for option in ("--benchmark-json", "--benchmark-histogram", "--junitxml", "--log-file"):
        said = line_of(bench(tmp_path, *SMALL, f"{option}={tmp_path}/file/in/it"))
        assert f"{option}: {tmp_path}/file/in/it cannot be written" in said
    assert "xxx cannot be written" in line_of(bench(tmp_path, *SMALL, f"--benchmark-json={'x' * 300}"))


@pytest.mark.parametrize("option", ["--benchmark-min-rounds=3", "--benchmark-cprofile=tottime"])
def test_how_pytest_benchmark_would_time_is_refused(tmp_path: Path, option: str) -> None:
    """It times nothing here: the one had no effect, and the other profiled nothing but the replay."""
    assert f"{option.partition('=')[0]} has no effect" in line_of(bench(tmp_path, *SMALL, option))


def test_a_run_of_another_machine_is_compared_with(kept: Outcome, tmp_path: Path) -> None:
    """The saved file lies outside of the folder that pytest runs in, which pytest-benchmark cannot word."""
    (saved,) = (kept.folder.parent / "saved").rglob("*.json")
    report = json.loads(saved.read_text())
    report["machine_info"]["node"] = "another"
    moved = tmp_path / saved.parent.name / saved.name
    moved.parent.mkdir()
    moved.write_text(json.dumps(report))
    compared = bench(
        kept.folder.parent, *SMALL, f"--benchmark-storage=file://{tmp_path}", "--benchmark-compare"
    )
    assert compared.code == 0, compared.text[-2000:]
    assert "the saved run is another machine's" in compared.text
    assert "(0001_first" in compared.text


def test_nothing_to_compare_with_is_no_error(kept: Outcome, tmp_path: Path) -> None:
    alone = bench(kept.folder.parent, *SMALL, f"--benchmark-storage=file://{tmp_path}", "--benchmark-compare")
    assert alone.code == 0, alone.text[-2000:]
    assert "Can't compare" in alone.text


def test_a_place_without_a_cache_is_no_error(kept: Outcome, tmp_path: Path) -> None:
    """A read-only checkout, for one."""
    (tmp_path / "file").touch()
    outcome = bench(kept.folder.parent, *SMALL, "-p", "cacheprovider", "-o", f"cache_dir={tmp_path}/file/in")
    assert outcome.code == 0, outcome.text[-2000:]
    assert "Traceback" not in outcome.text


def test_benchmark_disable_checks_and_times_nothing(tmp_path: Path) -> None:
    """The wrong one fails, the others pass, and no file is written."""
    plugins = ("--plugin", "tests.mutants:DropsNan", "--backends", "numpy_ufunc,drops_nan")
    outcome = bench(tmp_path, *plugins, *SMALL[2:], "--benchmark-disable")
    assert outcome.code == pytest.ExitCode.TESTS_FAILED, outcome.text[-2000:]
    assert re.search(r"^E? *incorrect: ", outcome.text, re.MULTILINE), outcome.text[-2000:]
    assert "1 failed, 6 passed" in outcome.text
    assert not outcome.folder.exists()
    assert "leads with" not in outcome.text


def test_a_system_without_what_it_needs_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, as far as that can be played here."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, psutil, select, subprocess, sys; del select.poll, os.killpg; sys.modules['resource'] = None"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    monkeypatch.setattr("tests.running.environ", lambda: {**os.environ, "PYTHONPATH": path})
    said = line_of(bench(tmp_path, *SMALL))
    assert "does not have (select.poll, os.killpg, the module resource): measure on Linux" in said
