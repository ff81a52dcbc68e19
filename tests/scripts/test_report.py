"""`scripts/report.py` without a browser: what stands in the page, and wrong input."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("altair", reason="the report needs Vega-Altair: pip install altair vl-convert-python")
pytest.importorskip("vl_convert", reason="the report needs vl-convert: pip install vl-convert-python")

from bench.records.reading import ReadError
from kernels.api import AXES, Case
from kernels.registry import BUILTINS
from scripts._report.data import FigureError, overall, reduce
from scripts._report.rounds import by_process, rounds_of
from scripts._report.rounds import drawn as drawn_rounds
from scripts._shared.cli import UsageError
from scripts._shared.drawn_arms import arms_of
from scripts._shared.looks import looks
from scripts._shared.run_files import paths_of_runs, rounds_of_runs
from scripts.report import main
from tests.factories import cell, experiment, write_run
from tests.reports import EVIL, Page, cells_of, crowded, hostile, mixed
from tests.running import REFERENCE, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def source(folder: Path) -> str:
    assert main([str(mixed(folder / "mixed")), "--output", str(folder / "mixed.html")]) == 0
    return (folder / "mixed.html").read_text(encoding="utf-8")


def test_the_page_holds_everything_and_asks_for_nothing(source: str) -> None:
    page = Page(source)
    assert len(source.encode()) < 5e6
    assert [tag for tag, _ in page.elements if tag in ("link", "img", "iframe", "object", "base")] == []
    urls = [value for _, named in page.elements for key, value in named.items() if key in ("src", "href")]
    assert [url for url in urls if not str(url).startswith("#")] == []
    policies = [named["content"] for tag, named in page.elements if "http-equiv" in named]
    assert len(policies) == 1
    assert str(policies[0]).startswith("default-src 'none'")
    assert not re.search(r"/work/|/tmp/|/home/", source)


def test_the_same_run_gives_the_same_page(source: str, folder: Path) -> None:
    main([str(folder / "mixed"), "--output", str(folder / "again.html")])
    assert (folder / "again.html").read_text(encoding="utf-8") == source


def test_the_page_holds_every_cell_with_its_figures(source: str, folder: Path) -> None:
    data = Page(source).data
    cells = cells_of(folder / "mixed")
    assert sorted(data["columns"]["n"]) == sorted(cells["n"])
    times = [time for time in data["columns"]["time_s"] if time is not None]
    np.testing.assert_allclose(sorted(times), np.sort(cells["time_s"].dropna()), rtol=1e-4)
    assert len(data["slices"]) == 3


def test_the_legend_says_what_marks_mean(source: str) -> None:
    legend = source[source.index("How to read it") :]
    assert "★ marks the leader, ≈ what is the same" in legend
    assert "? what is unresolved" in legend
    assert "~ marks a noisy cell: a verdict on it is unresolved" in legend


def test_names_from_files_stay_text(folder: Path) -> None:
    main([str(hostile(folder / "hostile")), "--output", str(folder / "hostile.html")])
    source = (folder / "hostile.html").read_text(encoding="utf-8")
    page = Page(source)
    assert len(page.scripts) == 3
    assert not set("<>&") & set(page.scripts[0])
    assert {arm["name"] for arm in page.data["arms"]} > {EVIL[0], EVIL[2], EVIL[3]}
    assert [tag for tag, _ in page.elements if tag in ("img", "svg", "text")] == []
    assert [key for _, named in page.elements for key in named if key.startswith("on")] == []


def test_an_anonymised_page_shows_neither_host_nor_user_nor_folders(tmp_path: Path) -> None:
    cells = [cell("x", 1e-6), cell("y", None, status="failed", reason="OSError: no /secret/place/lib.so")]
    environment = {"cpu": "C", "environ": {"LD_PRELOAD": "/secret/place/m.so"}, "options": {"a": "/secret/b"}}
    page = tmp_path / "page.html"
    write_run(tmp_path / "run", cells, environment=environment)
    assert main([str(tmp_path / "run"), "--output", str(page)]) == 0
    assert page.read_text(encoding="utf-8").count("/secret/") >= 4
    assert main([str(tmp_path / "run"), "--output", str(page), "--anonymise"]) == 0
    shown = page.read_text(encoding="utf-8")
    assert "/secret" not in shown
    assert "lib.so" in shown


def long(slices: int, sizes: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"machine": "m", "run_id": "r", "arm": arm}
            | {axis: getattr(Case("relu", n=n, threads=threads), axis) for axis in AXES}
            for n in reversed(range(1, sizes + 1))
            for threads in range(slices)
            for arm in (0, 1)
        ]
    )


def test_too_many_sizes_are_thinned_evenly_and_the_ends_stay() -> None:
    reduced = reduce(long(1, 1000), most_rows=10_000, most_sizes=11)
    sizes = reduced.cells["n"].unique()
    assert (len(sizes), sizes[0], sizes[-1]) == (11, 1, 1000)
    assert set(np.diff(sizes)) <= {99, 100, 101}
    assert (reduced.cells.groupby("n").size() == 2).all()
    assert "22 of 2,000 cells: at most 11 sizes" in reduced.notes[0]


def test_too_many_combinations_are_cut_from_the_end_and_said() -> None:
    reduced = reduce(long(30, 5), most_rows=100, most_sizes=48)
    assert reduced.cells["slice"].unique().tolist() == list(range(10))
    assert "100 of 300 cells: the first 10 of 30 combinations" in reduced.notes[0]
    assert "sizes" not in reduced.notes[0]


def test_a_normal_run_is_not_reduced() -> None:
    reduced = reduce(long(3, 48))
    assert (len(reduced.cells), reduced.notes) == (288, [])


def test_over_all_cases_everything_is_counted(folder: Path) -> None:
    table = overall(cells_of(mixed(folder / "counted"))).set_index("arm")
    assert table.loc["torch_eager", "cases"] == 9
    assert [table.loc["jax_jit", column] for column in ("cases", "fastest", "other")] == [0, 0, 6]
    assert table.loc["numpy_ufunc", "speedup"] == pytest.approx(1.0)
    assert table.index[0] in ("torch_eager", "my_relu")


def test_a_backend_looks_the_same_whatever_else_is_on_the_page() -> None:
    alone, among = looks(["my_relu"]), looks(["zeta", "torch_eager", "my_relu", "numba_jit", "alpha"])
    assert among["my_relu"] == alone["my_relu"]
    assert looks(["torch_eager"])["torch_eager"] == among["torch_eager"]
    many = looks([*BUILTINS, *(f"plugin_{number}" for number in range(40))])
    assert len(set(many.values())) == len(many)


def test_rounds_are_left_out_by_whole_cells_and_that_is_said(folder: Path) -> None:
    run = crowded(folder / "crowded")
    cells = cells_of(run)
    every = rounds_of(cells, rounds_of_runs(paths_of_runs([run / "cells.csv"])))
    assert [[len(process) for process in by_process(cell)] for cell in every] == [[6, 6]] * 3
    assert drawn_rounds(every) == (every, [])
    some, said = drawn_rounds(every, most=20)
    assert [len(cell) for cell in some] == [12, 0, 0]
    assert said == ["The rounds of 2 cells are not drawn."]


def test_arms_are_told_apart_without_colour(folder: Path) -> None:
    arms, code = arms_of(cells_of(mixed(folder / "told-apart")))
    assert [arm.name for arm in arms][:2] == ["numpy_ufunc", "jax_jit"]
    assert len({(arm.shape, arm.dash) for arm in arms}) == len(arms)
    by_name = {arm.name: arm for arm in arms}
    assert by_name["torch_eager"].color == by_name["torch_eager[thp]"].color
    assert by_name["torch_eager"].dash != by_name["torch_eager[thp]"].dash
    assert set(code) == set(range(len(arms)))


# ---- wrong input


def newer(folder: Path) -> Path:
    return write_run(folder, [cell(schema=99)])


def several(folder: Path) -> Path:
    return write_run(folder, [row for name in "ab" for row in experiment({"numpy_ufunc": 1.0}, run_id=name)])


def untimed(folder: Path) -> Path:
    return write_run(folder, [cell("jax_jit", None, status="skipped", reason="no")])


@pytest.mark.parametrize(
    ("make", "options", "said"),
    [
        (None, ["no-such-run"], "no such directory, file or run"),
        (lambda folder: folder, ["{run}"], "cells.csv"),
        (newer, ["{run}"], "newest known here"),
        (mixed, ["{run}", "--ops", "leaky_relu"], "no cell has 'leaky_relu'"),
        (mixed, ["{run}", "--output", "{run}/cells.csv/page.html"], "cannot be written"),
        (mixed, ["{run}", "--output", "{run}/none/page.html"], "there is no folder"),
        (mixed, ["{run}", "--figures", "{run}/none/figures"], "there is no folder"),
        (mixed, ["{run}", "--figures", "{run}/cells.csv"], "cannot be written"),
        (several, ["{run}", "--figures", "{run}/f"], "figures show one run"),
        (untimed, ["{run}", "--figures", "{run}/f"], "nothing was timed"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, make: Any, options: list[str], said: str) -> None:
    run = make(tmp_path / "run") if make else tmp_path
    run.mkdir(exist_ok=True)
    with pytest.raises((ReadError, UsageError, FigureError)) as caught:
        main([option.format(run=run) for option in options])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_that_makes_a_folder_can_be_typed(tmp_path: Path) -> None:
    folder = tmp_path / "tom's runs" / "new"
    with pytest.raises(UsageError) as caught:
        main([str(mixed(tmp_path / "run")), "--output", str(folder / "page.html")])
    _, _, command = str(caught.value).partition("create it first: ")
    assert shlex.split(command) == ["mkdir", "-p", str(folder)]


@pytest.mark.parametrize(
    "options",
    [["--check"], ["--png"], ["--output", "cells.csv"], ["--figures", "f", "--check", "--output", "a.html"]],
)
def test_options_that_make_no_sense_together(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(REFERENCE), *options])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_page_of_a_run_where_nothing_was_timed(tmp_path: Path) -> None:
    assert main([str(untimed(tmp_path / "run")), "--output", str(tmp_path / "page.html")]) == 0


def test_a_command_line_ends_in_one_line_and_status_2(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "report.py"), "nothing-here"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert list(tmp_path.iterdir()) == []
