"""Finding runs by what a user types."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.records.find_runs import find_runs
from bench.records.reading import ReadError
from scripts._shared.run_files import cells_under
from tests.factories import as_csv, experiment, write_run

CELLS = experiment({"numpy_ufunc": 2e-3, "torch_eager": 1e-3})


def test_newest_first_but_never_a_reference(tmp_path: Path) -> None:
    for age, name in enumerate(["reference", "b", "a"]):
        write_run(tmp_path / name, CELLS)
        os.utime(tmp_path / name / "cells.csv", (1e9 - age, 1e9 - age))
    (tmp_path / "stray").mkdir()
    assert find_runs([], tmp_path) == [tmp_path / "b" / "cells.csv"]


def test_a_run_that_measured_nothing_is_not_the_newest(tmp_path: Path) -> None:
    """It was refused, or interrupted at once."""
    run = write_run(tmp_path / "measured", CELLS)
    empty = write_run(tmp_path / "refused", CELLS) / "cells.csv"
    header, *_ = empty.read_text(encoding="utf-8").splitlines(keepends=True)
    empty.write_text(header, encoding="utf-8")
    os.utime(run / "cells.csv", (1e9, 1e9))
    assert find_runs([], tmp_path) == [run / "cells.csv"]
    assert cells_under(tmp_path) == [run / "cells.csv"]
    assert find_runs(["refused"], tmp_path) == [empty]  # named, it is read, which says that it is empty


def test_by_directory_file_and_id(tmp_path: Path) -> None:
    run = write_run(tmp_path / "results" / "first", CELLS)
    reference = write_run(tmp_path / "results" / "reference" / "zen", CELLS)
    theirs = run / "theirs.csv"
    theirs.write_text(as_csv(CELLS))
    names = [str(run), str(run / "cells.csv"), "first", "reference/zen", str(theirs)]
    assert find_runs(names, tmp_path / "results") == [run / "cells.csv", reference / "cells.csv", theirs]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("frist", "did you mean 'first'?"),
        ("", "no such directory"),
        ("empty", "no cells.csv in this directory"),
        (".", "it holds the runs first: name one"),
    ],
)
def test_one_line_for_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "first", CELLS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError) as caught:
        find_runs([name], tmp_path)
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_no_run_at_all(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="run `pytest bench/` first"):
        find_runs([], tmp_path / "nowhere")
