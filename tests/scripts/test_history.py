"""`scripts/history.py`: one case over runs of one machine, with the changes that were planted in it."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.records.reading import ReadError
from scripts._shared.cli import UsageError
from scripts.history import main
from tests.comparing import ENVIRONMENT, measure, write

SLOW_FROM = 3
CASE = ("--n", "1Mi")


def write_runs(results: Path, factors: Sequence[float], machine: str = "test-2c") -> None:
    """A run a day: NumPy takes `factors` times its time at 1Mi; the slow ones have another commit and NumPy."""
    for day, factor in enumerate(factors):
        later = factor != factors[0]
        environment: dict[str, Any] = {**ENVIRONMENT, "commit": "bbbbbbb" if later else "aaaaaaa"}
        environment["packages"] = {"numpy": "2.5.0" if later else "2.4.6"}
        changes = {"started_utc": f"2026-03-{day + 1:02}T08:00:00Z", "machine": machine}
        planted = {("numpy_ufunc", 1 << 20): factor}
        write(results / f"{machine}-{day}", measure(day, planted, **changes), environment)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five runs, of which the last two are slow."""
    folder = tmp_path_factory.mktemp("results")
    write_runs(folder, [1.0] * SLOW_FROM + [1.25] * 2)
    return folder


def said(*arguments: object) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as text:
        assert main([str(argument) for argument in arguments]) == 0
    return text.getvalue()


@pytest.fixture(scope="module")
def told(results: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What is said of all of them, and where it is drawn."""
    pytest.importorskip("altair", reason="figures need altair and vl-convert-python")
    drawn = tmp_path_factory.mktemp("drawn") / "history.svg"
    return said(*CASE, "--results", results, "--svg", drawn), drawn


def test_since_when_it_is_slower_and_what_came_with_it(told: tuple[str, Path]) -> None:
    lines = told[0].splitlines()
    assert lines[0].endswith("on test-2c: 5 runs, 2026-03-01 08:00 to 2026-03-05 08:00 UTC.")
    assert lines[1].startswith(
        "numpy_ufunc is slower since run run3 (2026-03-04 08:00, commit bbbbbbb): its time is 1.2"
    )
    assert lines[1].endswith("With it: commit aaaaaaa -> bbbbbbb; packages, numpy: 2.4.6 -> 2.5.0.")
    assert lines[2].startswith(
        "No change was shown of torch_eager, jax_jit: in the middle of the runs one of "
    )
    rows = [line for line in lines if line.startswith("run")][1:]
    assert [row.split()[0] for row in rows] == [f"run{day}" for day in range(5)]
    assert [" !" in row for row in rows] == [day == SLOW_FROM for day in range(5)]


def test_the_order_is_that_of_the_dates_not_of_the_names(results: Path, told: tuple[str, Path]) -> None:
    named = [results / f"test-2c-{day}" for day in (2, 4, 0, 1, 3)]
    assert said(*CASE, *named) == told[0]


def test_another_size_was_not_slowed(results: Path) -> None:
    text = said("--n", "16Mi", "--results", results)
    assert "slower since" not in text
    assert "No change was shown of numpy_ufunc, torch_eager, jax_jit" in text


def test_csv_has_the_change_in_the_row_where_it_begins(results: Path) -> None:
    text = said(*CASE, "--results", results, "--format", "csv", "--backends", "numpy_ufunc")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["backend"] for row in rows} == {"numpy_ufunc"}
    begins = [row for row in rows if row["change"]]
    assert [(row["run_id"], row["backend"], row["change"]) for row in begins] == [
        ("run3", "numpy_ufunc", "slower")
    ]
    assert float(begins[0]["ratio_lo"]) < 1.25 < float(begins[0]["ratio_hi"])


def test_one_run_has_no_history(results: Path) -> None:
    assert "One run has no history: name more." in said(*CASE, results / "test-2c-0")


def test_the_drawing(told: tuple[str, Path]) -> None:
    text = "".join(ET.fromstring(told[1].read_text(encoding="utf-8")).itertext())
    assert all(
        word in text for word in ("numpy_ufunc", "run3 2026-03-04", "relu-forward-new-float32-1Mi on test-2c")
    )


def test_an_interval_far_wider_than_what_differs_leaves_it_readable(results: Path, tmp_path: Path) -> None:
    pytest.importorskip("altair", reason="figures need altair and vl-convert-python")
    cells, rounds = measure(9, started_utc="2026-03-09T08:00:00Z", machine="test-2c")
    cells = [replace(each, time_lo_s=3e-14, time_hi_s=56e3) for each in cells]
    write(tmp_path / "coarse", (cells, rounds))
    drawn = tmp_path / "history.svg"
    said(*CASE, results / "test-2c-0", results / "test-2c-1", tmp_path / "coarse", "--svg", drawn)
    labels = [
        text.text or "" for text in ET.fromstring(drawn.read_text(encoding="utf-8")).findall(".//{*}text")
    ]
    times = [label for label in labels if re.fullmatch(r"[\d.]+ .?s", label)]
    assert times
    assert all(label.endswith(" ms") for label in times)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one machine and one of another."""
    folder = tmp_path_factory.mktemp("both")
    write_runs(folder, [1.0, 1.0])
    write_runs(folder, [1.0], machine="other-8c")
    return folder


class TestMachines:
    def test_their_times_are_never_compared(self, both: Path) -> None:
        with pytest.raises(
            UsageError, match=r"2 machines .*only ratios are compared, never times: choose one"
        ) as caught:
            main([*CASE, "--results", str(both)])
        assert "\n" not in str(caught.value)

    def test_one_is_chosen(self, both: Path) -> None:
        text = said(*CASE, "--results", both, "--machine", "test-2c")
        assert "on test-2c: 2 runs" in text
        assert "Left out: 1 run of other machines." in text

    def test_one_that_is_not_there(self, both: Path) -> None:
        with pytest.raises(UsageError, match=r"no run of 'test-2d' .*did you mean 'test-2c'"):
            main([*CASE, "--results", str(both), "--machine", "test-2d"])


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--n", "3"], "no run timed this case"),
            (
                ["--n", "1Mi", "--backends", "nympy"],
                "--backends: no run timed 'nympy' here; there is jax_jit",
            ),
            (["--n", "1Mi", "nowhere"], "no such directory, file or run"),
        ],
    )
    def test_they_are_one_line(self, results: Path, arguments: list[str], message: str) -> None:
        with pytest.raises((UsageError, ReadError), match=message) as caught:
            main([*arguments, "--results", str(results)])
        assert "\n" not in str(caught.value)

    def test_a_run_without_a_date_has_no_place(self, tmp_path: Path) -> None:
        write(tmp_path / "r", measure(1, started_utc=""))
        with pytest.raises(UsageError, match="run1 does not say when it was measured"):
            main([*CASE, "--results", str(tmp_path)])

    def test_a_copy_is_no_second_measurement(self, tmp_path: Path) -> None:
        for name in ("r", "copy"):
            write(tmp_path / name, measure(1))
        with pytest.raises(UsageError, match="run1 is there twice"):
            main([*CASE, "--results", str(tmp_path)])

    @pytest.mark.parametrize(
        "arguments", [[], ["--n", "1Mi", "--op", "rleu"], ["--n", "1Mi", "--svg", "/no/where.svg"]]
    )
    def test_bad_options_end_with_2(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
