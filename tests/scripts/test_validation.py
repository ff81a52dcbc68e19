"""Measurements of the suite itself: kept whole, shown on the page as kept, and said to be missing where they are."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from scripts import agreement, estimators, guard, trust
from scripts._agreement.compared import Compared
from scripts._shared.cli import UsageError
from scripts._shared.markers import MarkerError
from scripts._shared.stored import StoredError
from scripts._shared.validation import NOT_MEASURED
from tests.running import ROOT

TRUST = [
    trust.Judged("numpy_ufunc", "relu-forward-out", n, arm, verdict, 0.1 + 0.8, 0.01)
    for arm, verdicts in (("again", ["tie"] * 3 + ["faster"]), ("slower10", ["slower"] * 4))
    for n, verdict in enumerate(verdicts, 1)
]
GUARD = [
    guard.Judged(condition, "relu 1Mi", "torch_eager", verdict, speedup)
    for condition, verdict, speedup in (
        *(("undisturbed", "faster", 2.0),) * 3,
        *(("busy, guard off", "slower", 1.0),) * 2,
        *(("busy, guard on", "faster", 2.0),) * 2,
    )
]
AGREEMENT = [
    Compared("relu 1Mi", "torch_eager", 1e-3, 1.05e-3),
    Compared("relu 1Mi", "jax_jit", 2e-3, 1e-3),
]
STUDIES = {
    "trust": (trust, TRUST, "75.0 %"),
    "guard": (guard, GUARD, "| busy, guard off |          2 |       2 | 100.0%"),
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


def test_the_files_hold_no_path_of_the_machine(study: tuple[str, Any, Path, Path]) -> None:
    _, _, folder, _ = study
    for file in folder.iterdir():
        assert str(folder.parent) not in file.read_text(encoding="utf-8")


def test_the_terminal_says_the_same(
    study: tuple[str, Any, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    name, script, folder, _ = study
    assert script.main(["--read", str(folder)]) == {"trust": 1, "guard": 0, "agreement": 1}[name]
    assert {"trust": "75.0 %", "guard": "100.0%", "agreement": "50.0%"}[name] in capsys.readouterr().out


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
    (folder / file).write_text(content)
    with pytest.raises(StoredError, match=f"{name}.py --save") as caught:
        script.main(["--read", str(folder), "--update", str(path)])
    assert "\n" not in str(caught.value)


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
    run = str(ROOT / "results/reference/amd-epyc-2c-network")
    assert estimators.main([run, "--update", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert "amd-epyc-2c-network" in text
    assert str(ROOT) not in text
    assert estimators.main([run, "--update", str(path), "--check"]) == 0
