"""A run's folder that has its CSV files alone: what is whole of it goes on, what is not is measured again."""

from __future__ import annotations

import codecs
import math
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.records.errors import RunFilesError
from bench.records.lines import Key
from bench.records.writing import RunFiles
from tests.running import ROOT, read
from tests.stored import backends, cell, rounds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of the cells a (two rounds), b (one) and c (skipped) that has lost its journal."""
    files = RunFiles(tmp_path / "r")
    files.open()
    files.append(
        [cell("a", rounds=2), cell("b", rounds=1, reason="ok, so"), cell("c", status="skipped")],
        [*rounds("a", 1.0, 2.0), *rounds("b", 3.0)],
    )
    files.write_environment({"cpu": "x"})
    (files.folder / "journal.jsonl").unlink()
    return files.folder


def test_a_run_goes_on_with_its_csv_files(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    files = RunFiles(folder)
    stored = files.open()
    assert backends(stored) == ["a", "b", "c"]
    assert [each.rounds for each in stored.values()] == [{(1, 0): 1.0, (1, 1): 2.0}, {(1, 0): 3.0}, {}]
    assert files.environment() == {"cpu": "x"}
    assert files.warnings == []
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert RunFiles(folder).open() == stored


def test_what_a_spreadsheet_has_saved_goes_on(folder: Path) -> None:
    """It begins with a byte-order mark, ends its lines in another way, and writes 0.0 as 0."""
    for path in (folder / "cells.csv", folder / "rounds.csv"):
        text = path.read_text().replace(",0.0,", ",0,")
        path.write_bytes(codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode())
    files = RunFiles(folder)
    assert backends(files.open()) == ["a", "b", "c"]
    assert files.warnings == []
    assert not list(folder.glob("*.damaged"))


def row(number: int, old: str, new: str) -> Callable[[str], str]:
    """What changes that row, counted from 1, of a file."""

    def change(text: str) -> str:
        lines = text.splitlines(keepends=True)
        assert old in lines[number - 1]
        lines[number - 1] = lines[number - 1].replace(old, new, 1)
        return "".join(lines)

    return change


@pytest.mark.parametrize(
    ("name", "change", "left", "says"),
    [
        ("rounds.csv", lambda text: text[:-1], "ac", "1 row (row 4: the last one is cut off)"),
        (
            "rounds.csv",
            lambda text: text[: text.index("3.0")],
            "ac",
            "1 row (row 4: the last one is cut off)",
        ),
        (
            "rounds.csv",
            lambda text: text[: text.rindex("r,b")],
            "ac",
            "not have the rounds of 1 cell in cells.csv",
        ),
        ("rounds.csv", lambda text: "", "c", "not have the rounds of 2 cells in cells.csv"),
        ("rounds.csv", row(3, ",2.0,", ",,"), "bc", "1 row (row 3: column seconds: could not convert"),
        ("rounds.csv", row(3, ",2.0,", ",abc,"), "bc", "1 row (row 3: column seconds: could not convert"),
        (
            "rounds.csv",
            row(3, ",2.0,", ",-2.0,"),
            "bc",
            "1 row (row 3: column seconds: -2.0; above 0 belongs",
        ),
        ("rounds.csv", row(3, ",2.0,", ",nan,"), "bc", "1 row (row 3: column seconds: nan; above 0 belongs"),
        ("rounds.csv", row(2, ",0,0,10,", ",0.0,0,10,"), "bc", "1 row (row 2: column round: invalid literal"),
        ("rounds.csv", row(2, "relu,", "relu,,"), "bc", "1 row (row 2: 29 fields where the header has 28)"),
        ("rounds.csv", row(2, "r,a", "1,2,3\nr,a"), "abc", "1 row (row 2: 3 fields where the header has 28)"),
        ("rounds.csv", row(4, ",b,", ",\udcff,"), "ac", "1 row (row 4: "),
        ("rounds.csv", row(4, ",b,", "," + "b" * 131073 + ","), "ac", "1 row (row 4: field larger than"),
        ("rounds.csv", row(4, "r,b", '"r,b'), "ac", "row 4: "),
        ("cells.csv", lambda text: text[:-1], "ab", "1 row (row 4: the last one is cut off)"),
        ("cells.csv", row(2, ",64,", ",many,"), "bc", "1 row (row 2: column n: invalid literal for int()"),
        ("cells.csv", row(2, ",relu,", ",gelu2,"), "bc", "1 row (row 2: op is 'gelu2'; allowed: relu"),
        ("cells.csv", row(3, "ok, so", "\udcfe, so"), "ac", "1 row (row 3: "),
        ("compiles.csv", lambda text: text + "1\n", "abc", "1 row (row 2: 1 fields where"),
    ],
)
def test_damage_costs_the_cell_that_it_hits(
    folder: Path, name: str, change: Callable[[str], str], left: str, says: str
) -> None:
    path = folder / name
    damaged = change(path.read_text()).encode("utf-8", "surrogateescape")
    path.write_bytes(damaged)
    files = RunFiles(folder)
    assert "".join(backends(files.open())) == left
    assert len(files.warnings) == 1
    assert files.warnings[0].startswith(str(path))
    assert says in files.warnings[0]
    assert len(files.warnings[0].splitlines()) == 1
    assert (folder / f"{name}.damaged").read_bytes() == damaged
    assert "".join(each["backend"] for each in read(folder / "cells.csv")) == left
    again = RunFiles(folder)
    assert "".join(backends(again.open())) == left
    assert again.warnings == []


def test_a_header_that_is_cut_is_one_of_no_rows(folder: Path) -> None:
    (folder / "cells.csv").write_text("schema,run_id,ma")
    assert RunFiles(folder).open() == {}


@pytest.mark.parametrize("name", ["cells.csv", "rounds.csv"])
def test_a_run_of_an_older_version_does_not_go_on(tmp_path: Path, name: str) -> None:
    old = (ROOT / "tests" / "schema1" / name).read_text().partition("\n")[0] + "\n"
    (tmp_path / name).write_text(old)
    with pytest.raises(
        RunFilesError, match=f"{name} was written by an older version.*choose another --run-id"
    ):
        RunFiles(tmp_path).open()
    assert [path.read_text() for path in tmp_path.iterdir()] == [old]


def test_other_columns_are_refused_and_left_alone(folder: Path) -> None:
    foreign = "backend,n,time\nx,1,2\n"
    (folder / "cells.csv").write_text(foreign)
    with pytest.raises(RunFilesError, match=r"cells\.csv has other columns.*choose another --run-id"):
        RunFiles(folder).open()
    assert (folder / "cells.csv").read_text() == foreign


@pytest.mark.parametrize("name", ["cells.csv", "rounds.csv", "environment.json"])
@pytest.mark.parametrize("kind", ["a folder", "a looping link"])
def test_what_cannot_be_read_is_named_and_left_alone(folder: Path, name: str, kind: str) -> None:
    path = folder / name
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    else:
        path.symlink_to(path)
    with pytest.raises(
        RunFilesError, match=rf"{name} cannot be read: (Is a directory|Too many levels)"
    ) as caught:
        RunFiles(folder).open()
    assert len(str(caught.value).splitlines()) == 1
    assert path.is_dir() or path.is_symlink()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("null", "holds no JSON object, but 'null'"),
        ("3", "holds no JSON object, but '3'"),
        ('"x"', "holds no JSON object"),
        ("[1]", "holds no JSON object"),
        ("[" * 100_000, "is not JSON"),
        ("\xff", "is not JSON"),
    ],
)
def test_an_environment_that_is_none_is_named_and_left_alone(folder: Path, text: str, says: str) -> None:
    path = folder / "environment.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(
        RunFilesError, match=rf"environment\.json {says}.*restore it, or choose another --run-id"
    ):
        RunFiles(folder).open()
    assert path.read_text(encoding="latin-1") == text


def outcome(folder: Path) -> str | dict[Key, dict[tuple[int, int], float]]:
    """The rounds of the cells that a run which goes on has, or the error that it ends with."""
    files = RunFiles(folder)
    try:
        stored = files.open()
    except RunFilesError as error:
        return str(error)
    assert all(len(sentence.splitlines()) == 1 for sentence in files.warnings)
    assert all(len(each.rounds) == (each.cell.rounds or 0) for each in stored.values())
    return {key: each.rounds for key, each in stored.items()}


HARM = [b"\0", b'"', b"\n", b",", b"\xff", b"nan", b"-1", b"1e999"]


@settings(max_examples=60)
@given(
    name=st.sampled_from(["cells.csv", "rounds.csv", "compiles.csv", "environment.json", "journal.jsonl"]),
    place=st.floats(0, 1),
    length=st.integers(0, 40),
    put=st.one_of(st.binary(max_size=20), st.sampled_from(HARM)),
)
@pytest.mark.parametrize("journal", [True, False])
def test_whatever_stands_in_a_file_a_run_goes_on_or_says_why_in_a_line(
    journal: bool, name: str, place: float, length: int, put: bytes
) -> None:
    with TemporaryDirectory() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # takes most of the time
        files = RunFiles(Path(made))
        files.open()
        files.append([cell("a", rounds=2), cell("b", rounds=1)], [*rounds("a", 1.0, 2.0), *rounds("b", 3.0)])
        files.write_environment({"cpu": "x"})
        if not journal:
            (files.folder / "journal.jsonl").unlink()
        path = files.folder / name
        before = path.read_bytes() if path.exists() else b""
        start = round(place * len(before))
        path.write_bytes(before[:start] + put + before[start + length :])
        found = outcome(files.folder)
        assert outcome(files.folder) == found
        if isinstance(found, str):
            assert len(found.splitlines()) == 1
        else:
            assert all(0 < each < math.inf for seconds in found.values() for each in seconds.values())
