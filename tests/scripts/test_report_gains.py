"""How the page's rows compare: as `scripts/recommend.py` has it within a run, as `scripts/compare.py` between runs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("altair", reason="the report needs Vega-Altair: pip install altair vl-convert-python")

from bench.records.reading import read_cells
from scripts import compare, recommend
from scripts._report.data import COLUMNS, reduce
from scripts._report.gains import Gain, between_runs, within_runs
from scripts._report.rounds import rounds_of
from scripts._shared.run_files import files_of_runs, paths_of_runs, rounds_of_runs
from scripts._shared.summary import prepare, ranked
from tests.factories import experiment, write_run
from tests.reports import crowded, drifting, mixed, twice


def page(*runs: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[pd.DataFrame]]:
    """(all cells, those of the page, the rounds)."""
    paths = [run / "cells.csv" for run in runs]
    cells = ranked(prepare(read_cells(paths, COLUMNS)))
    return cells, reduce(cells).cells, rounds_of_runs(paths_of_runs(paths))


def gains(*runs: Path) -> dict[tuple[str, str], Gain]:
    """Of a page with one case, by what is used now and what is beside it."""
    _, cells, rounds = page(*runs)
    names = cells["backend"].astype(str).tolist()
    found, said = within_runs(cells, rounds_of(cells, rounds), {})
    assert said == []
    return {(names[each.now], names[each.row]): each for each in found}


@pytest.mark.parametrize("make", [crowded, drifting])
def test_within_a_run_it_is_what_recommend_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Any
) -> None:
    run = make(tmp_path / "run")
    found = gains(run)
    assert len(found) == 3  # of three arms, each pair once
    n = str(page(run)[1]["n"].iloc[0])
    for (now, name), each in found.items():
        recommend.main(["--n", n, "--placement", "new", "--now", now, "--no-try", "--json", str(run)])
        (answer,) = json.loads(capsys.readouterr().out)["answers"]
        (wanted,) = (arm["over_now"] for arm in answer["arms"] if arm["name"] == name)
        figures = [wanted[key] for key in ("value", "lo", "hi", "noise_floor")]
        assert [each.value, each.lo, each.hi, each.floor] == pytest.approx(figures)
        assert each.word == wanted["verdict"]


def test_pairs_show_what_speedups_hide(tmp_path: Path) -> None:
    found = gains(drifting(tmp_path / "run"))
    each = found.get(("numba_jit", "jax_jit")) or found["jax_jit", "numba_jit"]
    assert max(each.value, 1 / each.value) == pytest.approx(2)
    assert each.hi / each.lo < 1.02


def test_within_runs_leaves_out_whole_cases_and_says_so(tmp_path: Path) -> None:
    _, cells, _ = page(mixed(tmp_path / "run"))
    found, said = within_runs(cells, [{}] * len(cells), {}, most=20)
    assert len(found) == 18  # nine cases with six pairs each
    assert said == ["Of 6 cases the page does not hold how arms compare with each other."]


def test_between_runs_it_is_what_compare_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = twice(tmp_path / "both")
    cells = pd.read_csv(run / "cells.csv", dtype=str, keep_default_na=False)
    halves = {name: tmp_path / name for name in ("first", "second")}
    for name, folder in halves.items():
        write_run(folder, [])
        cells[cells["run_id"] == name].to_csv(folder / "cells.csv", index=False)
    compare.main([*map(str, halves.values()), "--format", "csv"])
    wanted = {
        row["backend"]: row for row in pd.read_csv(io.StringIO(capsys.readouterr().out)).to_dict("records")
    }
    found, said = between_runs(*page(run))
    assert (len(found), said) == (2, [])
    for each in found:
        row = wanted[str(page(run)[1]["backend"].iloc[each.now])]
        assert [each.value, each.lo, each.hi] == pytest.approx(
            [1 / row[name] for name in ("ratio", "ratio_hi", "ratio_lo")]
        )
        assert (each.word, row["change"]) == ("slower", "slower")


def test_many_runs_are_not_all_compared_and_that_is_said(tmp_path: Path) -> None:
    found, said = between_runs(*page(twice(tmp_path / "run")), most=1)
    assert (found, said) == ([], ["1 more runs are not compared with the others."])


def test_which_run_is_in_which_file_is_told_by_the_cells_that_were_read(tmp_path: Path) -> None:
    arms = {"numpy_ufunc": 2e-3, "torch_eager": 1e-3}
    for name in ("one", "two"):
        write_run(tmp_path / name, experiment(arms, run_id=name))
    paths = [tmp_path / "two" / "cells.csv", tmp_path / "one" / "cells.csv"]
    found = files_of_runs(read_cells(paths, ("op",), sourced=True), paths)
    assert {run_id: path for (_, run_id), path in found.items()} == {"two": paths[0], "one": paths[1]}
    assert found == paths_of_runs(paths)
