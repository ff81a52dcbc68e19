"""The table of targets and that of consumers, made from runs with known figures."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.plan.experiments import Arm
from bench.records.schema import ROUND_COLUMNS, Cell, Round
from kernels.api import AXES, Case
from scripts import consumer, targets
from scripts._targets.goals import ROWS, experiments
from scripts._targets.goals import targets as targets_of
from tests.factories import as_csv, cell

LARGE = 1 << 20
SPREAD = 0.002
"""Of one process; a ratio of two arms in two processes is known to twice as much, and a little more."""


def _cells(case: Case, times: Mapping[str, float]) -> list[Cell]:
    """`times` by ``backend`` or ``backend[variant]``; torch_eager is the baseline, copies are ceilings."""
    found = []
    for name, time_s in times.items():
        backend, _, variant = name.rstrip("]").partition("[")
        role = {"torch_eager": "baseline", "copy_plain": "ceiling"}.get(backend, "candidate")
        axes = {axis: getattr(case, axis) for axis in AXES}
        role = "candidate" if variant else role
        spread = {"process_sd": SPREAD, "process_df": 12.0}
        found.append(
            cell(backend, time_s, variant=variant, role=role, baseline="torch_eager", **axes, **spread)
        )
    return found


def _rounds(cells: list[Cell]) -> list[Round]:
    """Eight rounds in two processes, within 1 %, the same in all arms; ours stand there twice, at first wrong."""
    return [
        Round(
            *(each.run_id, each.backend, each.variant, each.role, each.case, number),
            order=0,
            iterations=1,
            seconds=each.time_s * (1 + 0.01 * (number % 3 - 1)) * wrong,
            contended=0,
            process=1 + number % 2,
        )
        for each in cells
        if each.time_s
        for wrong in (3 if each.backend == "numba_tuned" else 1, 1)
        for number in range(8)
    ]


def _run(folder: Path, cells: list[Cell]) -> str:
    folder.mkdir()
    (folder / "cells.csv").write_text(as_csv(cells))
    (folder / "rounds.csv").write_text(as_csv(_rounds(cells), ROUND_COLUMNS))
    return str(folder)


def _line(text: str, row: str, *words: str) -> str:
    """The one line that begins with `row` and has all the words, with single spaces."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    (found,) = [line for line in lines if line.startswith(row) and all(word in line for word in words)]
    return found


@pytest.fixture
def out_run(tmp_path: Path) -> str:
    relu = {"torch_eager": 3.1e-3, "torch_compile": 3e-3, "numpy_ufunc": 9e-3, "numba_tuned": 2e-3}
    leaky = {"torch_eager": 2.4e-3, "torch_compile": 2.81e-3, "numpy_ufunc": 9e-3, "numba_tuned": 2e-3}
    cells = _cells(Case("relu", placement="out", n=LARGE), {**relu, "copy_plain": 1.5e-3})
    cells += _cells(Case("leaky_relu", placement="out", n=LARGE), {**leaky, "copy_plain": 1.91e-3})
    return _run(tmp_path / "run", cells)


def test_targets_are_held_against_the_fastest_other(out_run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert targets.main(["--run", out_run, "--rows", "forward-out"]) == 0
    text = capsys.readouterr().out
    reached = _line(text, "forward-out", "relu forward out float32 1Mi", "torch_compile")
    assert "1.40x 1.50x [1.49, 1.51] reached" in reached
    missed = _line(text, "forward-out", "leaky_relu", "torch_eager")
    assert "1.20x [1.19, 1.21] not reached" in missed
    assert "8.39 MB in 2.00 ms; a copy: 1.91 ms (4.39 GB/s), which would be 1.26x" in missed
    assert "0.750x [0.747, 0.753] not reached" in _line(text, "forward-out", "ceiling", " relu")
    assert "at the target" in _line(text, "forward-out", "ceiling", "leaky_relu")  # 0.955 against 0.95
    assert "4 targets, 2 not reached, 1 reached, 1 at the target" in text
    assert "Large arrays have 1Mi elements here" in text


def test_what_a_run_does_not_say_of_its_processes_is_assumed_and_hides_small_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in runs of an older version, whose arms had one process each: 4 % beyond the target are not shown."""
    cells = _cells(Case("relu", placement="out", n=1), {"torch_eager": 2.08e-6, "numba_tuned": 1e-6})
    words = ["--rows", "tiny", "--run"]
    targets.main([*words, _run(tmp_path / "new", cells)])
    assert "2.08x [2.07, 2.09] reached" in _line(capsys.readouterr().out, "tiny", " relu", "2.08x")
    unknown = [dataclasses.replace(each, process_sd=None, process_df=None) for each in cells]
    targets.main([*words, _run(tmp_path / "old", unknown)])
    assert "] unresolved" in _line(capsys.readouterr().out, "tiny", " relu", "2.08x")


def test_what_arms_of_a_kind_share_counts_between_kinds_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = _cells(Case("relu", placement="out", n=1), {"torch_eager": 2.08e-6, "numba_tuned": 1e-6})
    for kind, word in (("parallel", "reached"), ("serial", "unresolved")):
        kinds = {"torch_eager": "parallel", "numba_tuned": kind}
        told = [dataclasses.replace(each, kind=kinds[each.backend], kind_sd=0.02) for each in cells]
        targets.main(["--rows", "tiny", "--run", _run(tmp_path / kind, told)])
        assert f"] {word}" in _line(capsys.readouterr().out, "tiny", " relu", "2.08x")


def test_a_copy_that_allocates_is_no_limit_for_a_result_from_a_pool(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = {"torch_eager": 8e-3, "torch_eager[malloc]": 3e-3, "torch_eager[thp]": 4e-3, "numba_tuned": 2e-3}
    cells = _cells(Case("relu", n=LARGE), {**times, "copy_plain": 6e-3})
    words = ["--rows", "forward-new", "--run"]
    assert targets.main([*words, _run(tmp_path / "one", cells)]) == 0
    text = capsys.readouterr().out
    missed = _line(text, "forward-new", " relu", "as installed")
    assert missed.endswith("not reached 8.39 MB in 2.00 ms; no copy into a given array was measured")
    assert "torch_eager[malloc] 1.00x 1.50x [1.49, 1.51] reached" in _line(text, "forward-new", "malloc")
    cells += _cells(Case("relu", placement="out", n=LARGE), {"torch_eager": 4e-3, "copy_plain": 1.6e-3})
    assert targets.main([*words, _run(tmp_path / "two", cells)]) == 0
    missed = _line(capsys.readouterr().out, "forward-new", " relu", "as installed")
    assert missed.endswith("a copy into a given array: 1.60 ms (5.24 GB/s), which would be 5.00x")


def test_strict_fails_for_what_is_missed_and_for_what_is_not_there(
    out_run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert targets.main(["--run", out_run, "--rows", "forward-out", "--strict"]) == 1
    capsys.readouterr()
    assert targets.main(["--run", out_run, "--rows", "pair", "--strict"]) == 1
    assert "pair_torch is not in this run" in capsys.readouterr().out


def test_an_arm_without_a_time_is_told_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Case("relu", placement="out", n=1)
    cells = _cells(case, {"torch_eager": 1e-6})
    cells.append(
        dataclasses.replace(
            cells[0], backend="numba_tuned", role="candidate", status="crashed", reason="SIGSEGV"
        )
    )
    assert (
        targets.main(["--run", _run(tmp_path / "run", cells), "--rows", "tiny", "--format", "markdown"]) == 0
    )
    assert "| not measured | numba_tuned crashed: SIGSEGV" in capsys.readouterr().out


def test_every_target_has_its_arms_in_one_experiment_of_its_case() -> None:
    chosen = targets_of(tuple(ROWS), LARGE)
    planned = {experiment.case: experiment for experiment in experiments(chosen)}
    assert len(planned) == len(experiments(chosen))
    for target in chosen:
        arms = {(arm.backend, arm.variant.name) for arm in planned[target.case].arms}
        assert {target.ours, *target.others} <= arms
        assert {"baseline", "twin", "ceiling"} <= {arm.role for arm in planned[target.case].arms}
    variants = {arm.variant.name: arm for arm in planned[Case("relu", n=LARGE)].arms if arm.variant.name}
    assert dict(variants["thp"].variant.environ) == {"THP_MEM_ALLOC_ENABLE": "1"}
    assert set(variants) == {"thp", "malloc"}
    assert Arm("pair_torch") in planned[Case("relu", "backward", "out", n=LARGE)].arms


def test_a_pair_that_loses_where_we_stream_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("torch_eager", "numba_tuned[plain]", "numba_tuned[streaming]")
    sums = ("then_sum[plain]", "then_sum[streaming]", "then_sum[torch]")
    times = dict(zip((*names, *sums), (9e-3, 4e-3, 2e-3, 5e-3, 6e-3, 12e-3), strict=True))
    run = _run(tmp_path / "run", _cells(Case("relu", placement="out", n=LARGE), times))
    monkeypatch.setattr("bench.machine.environment.machine_name", lambda: "test-2c")
    monkeypatch.setattr(consumer, "_chosen", lambda case: "streaming")
    words = ["--run", run, "--sizes", "1Mi", "--placements", "out"]
    assert consumer.main(words) == 0
    text = capsys.readouterr().out
    line = _line(text, "1Mi")
    assert "4.00 ms 2.00 ms 2.00x" in line
    assert "0.833x [0.830, 0.837]" in line
    assert "2.00x [1.99, 2.01] streaming loses" in line
    assert "streaming is chosen where the pair loses: 1Mi out" in text
    assert consumer.main([*words, "--strict"]) == 1


@pytest.mark.parametrize(
    ("main", "words", "said"),
    [
        (
            targets.main,
            ["--rows", "tinny"],
            "'tinny' is not known; allowed: forward-out, .* 'tiny'",
        ),
        (targets.main, ["--large", "1k"], "'1k' is no size; .* did you mean '1Ki'"),
        (targets.main, ["--large", "1Ki,2Ki"], "more than one size"),
        (targets.main, ["--run", "x", "--run-id", "y"], "leave out --run-id"),
        (consumer.main, ["--sizes", "huge"], "'huge' is no size"),
        (consumer.main, ["--placements", "inplace"], "allowed: out, new"),
    ],
)
def test_bad_values_are_usage_errors(
    main: object, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(main)
    with pytest.raises(SystemExit) as info:
        main(words)
    assert info.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(said, error), error
