"""scripts/tune.py: the arithmetic of its thresholds, and its command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernels.tuned.choice import TABLE
from scripts.tune import crossing, least_times, main

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("wins", "found"),
    [
        ([False, False, True, True], 3.0),
        ([True, True, True, True], 1.0),
        ([False, True, False, True], 4.0),  # a lone win below does not count
        ([True, True, True, False], None),
        ([False] * 4, None),
    ],
)
def test_a_way_is_chosen_from_where_it_wins_for_good(wins: list[bool], found: float | None) -> None:
    assert crossing([1.0, 2.0, 3.0, 4.0], wins) == found


def test_the_least_time_tells_fast_from_slow() -> None:
    least = least_times({"slow": lambda: sum(range(20_000)), "fast": lambda: sum(range(20))}, 3)
    assert 0 < least["fast"] < least["slow"]


def test_some_entries_are_measured_and_the_others_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = TABLE.read_text()
    written = tmp_path / "table.json"
    assert (
        main(
            ["--only", "relu_backward float64 strided", "--rounds", "1", "--write", "--output", str(written)]
        )
        == 0
    )
    said = capsys.readouterr()
    table, before = json.loads(written.read_text()), json.loads(kept)
    assert json.loads(said.out) == table
    assert "apart" in said.err
    for key in ("relu_backward float64 strided", "leaky_relu_backward float64 strided"):
        value = table["parallel_from"].pop(key)
        before["parallel_from"].pop(key)
        assert value is None or value > 0
        threads = "never parallel" if value is None else f"parallel from {value} elements"
        assert f"{key}: {threads}" in said.err.splitlines()
    assert table == before
    assert TABLE.read_text() == kept


def test_what_never_wins_is_said_in_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.tune.parallel_from", lambda *_: None)
    monkeypatch.setattr("scripts.tune.streaming_from", lambda *_: (None, []))
    for only, said in (
        ("relu float16 line", "relu float16 line: never parallel"),
        ("forward line", "forward line: never streaming"),
    ):
        assert main(["--only", only, "--rounds", "1"]) == 0
        told = capsys.readouterr().err
        assert said in told
        assert "None" not in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rounds", "0"], "argument --rounds: 0 is out of range; allowed: a whole number, 1 or more"),
        (["--only", "float32 lime"], "argument --only: no key contains 'float32 lime'; the nearest is"),
        (["--sound"], "unrecognized arguments: --sound; did you mean '--rounds'? (see --help)"),
    ],
)
def test_bad_options_are_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
