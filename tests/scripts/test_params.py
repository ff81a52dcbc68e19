"""`--params` in the scripts: crosscheck.py tries them, recommend.py answers for them, compare.py tells them apart."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from scripts import compare, recommend
from scripts._crosscheck.options import combinations, parsed
from scripts._crosscheck.rows import Row, condensed
from scripts._shared.cli import UsageError
from tests.comparing import measure, write
from tests.factories import experiment, write_run
from tests.recommending import one

ONE_EACH = ["--directions", "forward", "--placements", "new", "--dtypes", "float32"]


def test_crosscheck_tries_each_op_with_its_own() -> None:
    options = parsed(["--ops", "relu,elu", "--params", "alpha=.5,alpha=2", *ONE_EACH], "")
    found = [(case.op, case.params) for case in combinations(options, ())]
    assert found == [("relu", ""), ("elu", "alpha=0.5"), ("elu", "alpha=2.0")]
    with pytest.raises(
        UsageError, match="argument --params: alpha=-1 is out of the range of elu; allowed: 0 to"
    ):
        combinations(parsed(["--ops", "elu", "--params", "alpha=-1"], ""), ())


def test_crosscheck_shows_each_by_itself() -> None:
    row = Row("mine", "elu", "forward", "new", "float32", "cpu", "ok", params="alpha=0.5")
    other = Row("mine", "elu", "forward", "new", "float32", "cpu", "ok", params="alpha=2.0")
    assert [one.work for one in condensed([row, other])] == ["elu alpha=0.5", "elu alpha=2.0"]


def test_recommend_answers_for_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual = experiment({"torch_eager": 1e-3, "numpy_ufunc": 2e-3}, op="elu")
    other = experiment({"torch_eager": 2e-3, "numpy_ufunc": 1e-3}, op="elu", params="alpha=0.5")
    run = write_run(tmp_path / "run1", [*usual, *other])
    question = ["--op", "elu", "--n", "1Ki"]
    assert one(capsys, *question, run)["use"]["name"] == "torch_eager"
    assert one(capsys, *question, "--params", "alpha=.5", run)["use"]["name"] == "numpy_ufunc"
    with pytest.raises(UsageError, match="argument --params: elu has no parameter 'beta'; it has alpha"):
        recommend.main([*question, "--params", "beta=1", str(run)])


def test_compare_tells_them_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    for seed, params in ((1, "alpha=0.5"), (2, "alpha=2.0")):
        plain, elu = measure(seed), measure(seed, op="elu", params=params)
        runs.append(write(tmp_path / f"run{seed}", (plain[0] + elu[0], plain[1] + elu[1])))
    assert compare.main([*runs, "--format", "csv"]) == 0
    rows = csv.DictReader(io.StringIO(capsys.readouterr().out))
    found = {(row["op"], row["params"]): row["change"] in ("only old", "only new") for row in rows}
    assert found == {("relu", ""): False, ("elu", "alpha=0.5"): True, ("elu", "alpha=2.0"): True}
