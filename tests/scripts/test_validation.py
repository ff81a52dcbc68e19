"""Measurements of the suite itself: kept whole, shown on the page as kept, and said to be missing where they are."""

from __future__ import annotations

import dataclasses
import math
import re
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.records.schema import values_of
from scripts import agreement, estimators, fleet, intervals, simulate, trust
from scripts._agreement.compared import Compared
from scripts._shared.cli import UsageError
from scripts._shared.markers import MarkerError
from scripts._shared.stored import StoredError
from scripts._shared.validation import NOT_MEASURED
from scripts._trust.judging import Judged
from tests.factories import sampled
from tests.running import REFERENCE, ROOT

TRUST = [
    Judged(
        *("quick", "calm", "numpy_ufunc", "relu-forward-out", n, kind, "first", "second", 1, verdict),
        *(0.1 + 0.8, 0.01, 16, 0.004, 2),
    )
    for kind, verdicts in (("identical", ["same"] * 3 + ["faster"]), ("slower10", ["slower"] * 4))
    for n, verdict in enumerate(verdicts, 1)
]
INTERVALS = [
    intervals.Covered(number, "relu 64Ki", "torch_eager", 2.0, 1.9 if number else 2.05, 2.1)
    for number in range(4)
]
AGREEMENT = [
    Compared("relu 1Mi", "torch_eager", 1e-3, 1.05e-3),
    Compared("relu 1Mi", "jax_jit", 2e-3, 1e-3),
]
STUDIES = {
    "trust": (trust, TRUST, "25.0%"),
    "intervals": (intervals, INTERVALS, "| 3 of 4"),
    "agreement": (agreement, AGREEMENT, "1 of 2 agree within 10 %: 50.0%"),
}


def page(tmp_path: Path, name: str) -> Path:
    path = tmp_path / "page.md"
    path.write_text(f"# Page\n\n<!-- {name}:begin -->\n\n<!-- {name}:end -->\n", encoding="utf-8")
    return path


def kept(tmp_path: Path, script: Any, rows: Any) -> Path:
    """A folder as --save leaves it."""
    folder = tmp_path / "kept"
    script._STUDY.keep(rows, Namespace(save=folder, update=None, profile="quick", csv=tmp_path / "x"))
    return folder


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Any, Path, Path]:
    script, rows, _ = STUDIES[request.param]
    return request.param, script, kept(tmp_path, script, rows), page(tmp_path, request.param)


def test_what_was_kept_is_read_back_and_shown(
    study: tuple[str, Any, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    name, script, folder, path = study
    assert script.main(["--read", str(folder), "--update", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert STUDIES[name][2] in text
    assert re.search(r"Measured on [\w-]+, 20\d\d-\S+Z, with commit \S+; profile quick\.", text)
    before = path.stat().st_mtime_ns
    assert script.main(["--read", str(folder), "--update", str(path), "--check"]) == 0
    path.write_text(text.replace(STUDIES[name][2], "else"), encoding="utf-8")
    assert script.main(["--read", str(folder), "--update", str(path), "--check"]) == 1
    assert "else" in path.read_text(encoding="utf-8")
    assert path.stat().st_mtime_ns > before
    assert "out of date" in capsys.readouterr().out


@pytest.mark.parametrize("name", STUDIES)
def test_a_measurement_can_go_to_the_page_at_once(name: str, tmp_path: Path) -> None:
    script, rows, shown = STUDIES[name]
    path = page(tmp_path, name)
    script._STUDY.keep(rows, Namespace(save=None, update=path, profile="quick"))
    assert shown in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_studies_under_several_conditions_stand_side_by_side(tmp_path: Path) -> None:
    folder, path = tmp_path / "kept", page(tmp_path, "trust")
    busy = [dataclasses.replace(pair, hour="busy", verdict="slower") for pair in TRUST]
    for rows, profile in ((TRUST, "quick"), (busy, "none"), (busy, "again")):
        trust._STUDY.keep(rows, Namespace(save=folder, update=path, profile=profile))
    text = path.read_text(encoding="utf-8")
    assert [text.count(part) for part in ("quick, calm hour", "quick, busy hour")] == [1, 1]
    assert [text.count(part) for part in ("profile quick.", "profile none.", "profile again.")] == [1, 0, 1]
    assert trust.main(["--read", str(folder), "--update", str(path), "--check"]) == 0
    assert trust.main(["--read", str(folder / "quick-busy")]) == 1


def test_the_files_hold_no_path_of_the_machine(study: tuple[str, Any, Path, Path]) -> None:
    _, _, folder, _ = study
    for file in files(folder):
        assert str(folder.parent) not in file.read_text(encoding="utf-8")


def test_the_terminal_says_the_same(
    study: tuple[str, Any, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    name, script, folder, _ = study
    assert script.main(["--read", str(folder)]) == {"trust": 1, "intervals": 1, "agreement": 1}[name]
    assert STUDIES[name][2] in capsys.readouterr().out


def test_what_was_never_measured_is_said_on_the_page(study: tuple[str, Any, Path, Path]) -> None:
    _, script, folder, path = study
    nowhere = folder.with_name("nowhere")
    assert script.main(["--read", str(nowhere), "--update", str(path)]) == 0
    assert NOT_MEASURED in path.read_text(encoding="utf-8")
    with pytest.raises(StoredError, match=r"No such file or directory; run \w+.py --save"):
        script.main(["--read", str(nowhere)])


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("measured.csv", "a,b\n1,2\n"),
        ("measured.csv", ""),
        ("environment.json", "{"),
        ("environment.json", "[]"),
        ("environment.json", "{}"),
    ],
)
def test_another_file_is_one_line(study: tuple[str, Any, Path, Path], file: str, content: str) -> None:
    name, script, folder, path = study
    (spoilt,) = (path for path in files(folder) if path.name == file)
    spoilt.write_text(content)
    with pytest.raises(StoredError, match=f"{name}.py --save") as caught:
        script.main(["--read", str(folder), "--update", str(path)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("script", "options", "idle"),
    [
        (trust, ["--in-turn", "--beside", "worker"], "--beside, --in-turn"),
        (trust, ["--in-turn", "--heard"], "--in-turn"),
        (intervals, ["--runs", "3"], "--runs"),
        (agreement, ["--sizes", "1Ki"], "--sizes"),
        (simulate, ["results"], "RECORDING"),
        (fleet, ["--machines", "2"], "--machines"),
    ],
)
def test_options_that_say_what_to_measure_are_refused_beside_read(
    script: Any, options: Sequence[str], idle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        script.main(["--read", "a", *options])
    assert ended.value.code == 2
    assert f"it takes what was measured: leave out {idle} (see --help)\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--read", "a", "--save", "b"], "leave out --save"),
        (["--check"], "--check needs --read"),
        (["--update", "nowhere.md"], "No such file"),
    ],
)
def test_options_that_do_not_fit_are_told_before_measuring(
    study: tuple[str, Any, Path, Path], options: list[str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        study[1].main(options)


def test_a_page_without_markers_is_told_before_measuring(
    study: tuple[str, Any, Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "none.md"
    path.write_text("nothing")
    with pytest.raises(MarkerError, match="no line with just"):
        study[1].main(["--update", str(path), "--save", str(tmp_path / "new")])


def test_estimators_come_from_the_rounds_of_a_run(tmp_path: Path) -> None:
    path = page(tmp_path, "estimators")
    run = str(REFERENCE)
    assert estimators.main([run, "--update", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert REFERENCE.name in text
    assert str(ROOT) not in text


@pytest.mark.daily  # the other studies' pages are checked above
def test_estimators_of_the_same_run_are_the_same(tmp_path: Path) -> None:
    path = page(tmp_path, "estimators")
    assert estimators.main([str(REFERENCE), "--update", str(path)]) == 0
    assert estimators.main([str(REFERENCE), "--update", str(path), "--check"]) == 0


def test_a_twin_is_paired_with_the_arm_that_it_repeats() -> None:
    """The twin of a candidate: 10 % apart; beside the others it would be far more."""
    samples = {
        "numpy_ufunc": [2e-3] * 8,
        "numba_jit": [1e-3] * 8,
        "jax_jit": [5e-3] * 8,
        "twin": [1.1e-3] * 8,
    }
    _, rounds = sampled(samples)
    rounds = [
        dataclasses.replace(each, backend="numba_jit") if each.role == "twin" else each for each in rounds
    ]
    found = estimators.errors(pd.DataFrame([values_of(each) for each in rounds]))
    assert found["error"].to_numpy() == pytest.approx(math.log(1.1))
