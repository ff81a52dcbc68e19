"""The equivalence matrix, run as its users run it: it lets the honest pass and stops every mutant."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts._crosscheck.rows import COLUMNS
from scripts._shared.cli import UsageError
from scripts.crosscheck import main
from tests import mutants
from tests.honest import HonestNumpy
from tests.running import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("forked_arms")]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Crosscheck = Callable[..., Done]


@pytest.fixture
def crosscheck(capsys: pytest.CaptureFixture[str], own_registry: None) -> Crosscheck:
    """The command in this process, which takes a second to start; each backend has a process of its own."""

    def run(*arguments: str) -> Done:
        code = main(arguments)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return run


def with_plugins(*classes: type[HonestNumpy]) -> list[str]:
    arguments = ["--backends", ",".join(made.name for made in classes)]
    for made in classes:
        arguments += ["--plugin", f"{made.__module__}:{made.__name__}"]
    return arguments


@pytest.mark.usefixtures("own_registry")
def test_a_plugin_is_tried_beside_the_backends_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--backends", "numpy_ufunc", "--plugin", "tests.honest:HonestNumpy", "--seconds", "0.1"]
    main([*asked, "--ops", "relu", "--directions", "forward", "--placements", "new", "--dtypes", "float32"])
    assert "2 backends" in capsys.readouterr().out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


CAUGHT = {
    mutants.DropsNan: "drops NaN",
    mutants.DropsNanInTail: "drops NaN",
    mutants.WrongSlopeSign: "has the wrong sign",
    mutants.IgnoresSlope: "slope 1.5: off by",
    mutants.SkipsTail: "off by",
    mutants.SkipsLast: "off by",
    mutants.MutatesInput: "writes into its input x: at index",
    mutants.PromotesDtype: "changes the dtype",
    mutants.MaxOfBoth: "slope 1.5: off by",
    mutants.MultipliesByMask: "makes NaN",
    mutants.NarrowSlope: "slope rounded to float32",
    mutants.OffByOneUlp: "off by 1 ULP",
    mutants.MixesModels: "off by 1 ULP from rounding model",
    mutants.IgnoresStrides: "strided: ",
    mutants.LosesInfinity: "loses an infinity",
    mutants.GradientIgnoresDy: " dy=",
    mutants.GradientFromOutput: "slope -0.5: has the wrong sign",
    mutants.SharesResult: "writes into the result of the call before",
}


_ALL = (HonestNumpy, *CAUGHT)
_ON_TRIALS_THAT_TAKE_TIME = (HonestNumpy, mutants.IgnoresStrides)
_ON_FLOAT64 = (mutants.NarrowSlope,)
_OTHERS = (
    mutants.DropsNanInTail,
    mutants.IgnoresSlope,
    mutants.SkipsTail,
    mutants.MutatesInput,
    mutants.PromotesDtype,
    mutants.OffByOneUlp,
    mutants.GradientFromOutput,
    mutants.SharesResult,
)
"""One for each kind of trial and of problem; test_gate.py and test_mutants.py have the judge try all of them."""
Runs = list[tuple[tuple[type[HonestNumpy], ...], str, str]]
"""Who is tried on which dtypes, and the seconds for what can be left out."""


@pytest.mark.parametrize(
    "runs",
    [
        [
            (_ON_TRIALS_THAT_TAKE_TIME, "float32", "60"),
            (_ON_FLOAT64, "float64", "0"),
            (_OTHERS, "float32", "0"),
        ],
        pytest.param([(_ALL, "float32,float64", "60")], marks=pytest.mark.daily),
    ],
    ids=["each where it shows", "all on everything"],
)
def test_every_mutant_is_caught_and_the_honest_passes(
    runs: Runs, tmp_path: Path, crosscheck: Crosscheck
) -> None:
    found: dict[str, list[dict[str, str]]] = {}
    told = ""
    for tried, dtypes, seconds in runs:
        limits = ["--placements", "new", "--dtypes", dtypes, "--seconds", seconds]
        done = crosscheck(*with_plugins(*tried), *limits, "--csv", str(tmp_path / "matrix.csv"))
        assert done.returncode == 1, done.stderr
        assert done.stderr == ""
        told += done.stdout.partition("Not ok")[2]
        table = rows(tmp_path / "matrix.csv")
        assert len(table) == len(tried) * 4 * len(dtypes.split(","))
        for row in table:
            found.setdefault(row["backend"], []).append(row)
    assert {row["status"] for row in found.pop("honest_numpy")} == {"ok"}
    for mutant in {each for tried, _, _ in runs for each in tried} - {HonestNumpy}:
        wrong = [row for row in found.pop(mutant.name) if row["status"] == "incorrect"]
        assert any(CAUGHT[mutant] in row["reason"] for row in wrong), mutant.name
        assert all("\n" not in row["reason"] for row in wrong)
        assert f"{mutant.name} " in told
    assert not found


def test_a_backend_that_crashes_hangs_or_raises_costs_its_own_rows_alone(
    tmp_path: Path, crosscheck: Crosscheck
) -> None:
    broken = with_plugins(mutants.Crashes, mutants.Hangs, mutants.Raises)
    small = ["--ops", "relu", "--placements", "new", "--dtypes", "float32", "--timeout", "4"]
    done = crosscheck(*broken, *small, "--csv", str(tmp_path / "matrix.csv"))
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    status = {(row["backend"], row["direction"]): row["status"] for row in rows(tmp_path / "matrix.csv")}
    assert status == {
        ("crashes", "forward"): "ok",
        ("crashes", "backward"): "crashed",
        ("hangs", "forward"): "timeout",
        ("hangs", "backward"): "ok",
        ("raises", "forward"): "failed",
        ("raises", "backward"): "failed",
    }
    assert "crashes relu backward new float32 crashed: killed by SIGABRT" in done.stdout
    assert "hangs relu forward new float32 timeout: took more than 4 s (--timeout)" in done.stdout
    assert "raises relu forward new float32 failed: ArithmeticError: no answer was found" in done.stdout


@pytest.mark.parametrize("placement", ["inplace", pytest.param("new", marks=pytest.mark.daily)])
def test_a_built_in_backend_passes_with_everything_tried(
    placement: str, tmp_path: Path, crosscheck: Crosscheck
) -> None:
    two = ["--dtypes", "bfloat16,float64", "--placements", placement]
    path = tmp_path / "matrix.csv"
    done = crosscheck("--backends", "numpy_ufunc", *two, "--seconds", "60", "--csv", str(path))
    assert done.returncode == 0, done.stdout
    assert "1 backend, 8 combinations: 8 ok" in done.stdout
    table = rows(path)
    assert tuple(table[0]) == COLUMNS
    assert len(table) == 8
    for row in table:
        assert (row["untried"], row["nan"], row["max_ulp"]) == ("", "kept", "0")
        assert row["layouts"] == "contiguous strided transposed"
        assert row["lengths"] == "0 1 7 16 17 1020 1023 65539"
        leaky = row["op"] == "leaky_relu"
        assert row["slopes"] == ("0.01 1.5 -0.5 0 0.2 1 inf nan" if leaky else "")
        assert row["model"] == ("A" if leaky else "exact")
        backward = row["direction"] == "backward"
        assert row["grad_zero"] == row["grad_nan"] == ("" if not backward else "slope" if leaky else "0")
    shown = re.findall(r"^backend .* g\(0\) +g\(NaN\) ", done.stdout, re.MULTILINE)
    assert len(shown) == 2, "each backend's convention at zero and NaN is in the table"


def test_what_is_refused_is_skipped_with_its_reason(crosscheck: Crosscheck) -> None:
    arguments = with_plugins(HonestNumpy)
    done = crosscheck(*arguments, "--devices", "cuda")
    assert done.returncode == 1
    assert "honest_numpy: 48 x runs on the CPU only: use --devices cpu" in done.stdout
    assert done.stderr == "nothing was tried: every combination was skipped\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--dtypes", "float3"],
            "'float3' is not known; allowed: float16, bfloat16, float32, float64",
        ),
        (["--dtypes", "float3"], "did you mean 'float32'?"),
        (["--ops", "relu,"], "--ops: 'relu,' has an empty item; allowed: a comma list"),
        (["--seconds", "soon"], "--seconds: 'soon' is not a number; allowed: a number from 0"),
        (["--timeout", "-1"], "--timeout: -1 is out of range"),
        (["--devices", "cpu,gpu"], "--devices: 'gpu' is not a device; allowed: cpu, cuda"),
        (["--sizes", "3"], "unrecognized arguments: --sizes 3"),
    ],
)
def test_bad_values_are_usage_errors(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--backends", "numba_jitt"],
            "'numba_jitt' is not known; allowed: numpy_ufunc, .*; did you mean 'numba_jit'",
        ),
        (["--plugin", "nonsense"], "--plugin: 'nonsense' is not MODULE:CLASS"),
        (
            ["--backends", "numpy_ufunc", "--csv", "no/such/folder.csv"],
            "--csv: no/such/folder.csv: No such file",
        ),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_runs(arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as info:
        main(arguments)
    assert "\n" not in str(info.value)


def test_a_usage_error_leaves_with_2_and_one_line() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "crosscheck.py"), "--backends", "torch"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(
        "crosscheck.py: error: argument --backends: 'torch' is not known; allowed: "
    )
    assert done.stderr.count("\n") == 1
