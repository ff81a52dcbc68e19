"""A run of the article's network from the command line, and who reads it."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest

from kernels.networks.case import NetworkCase
from kernels.networks.weights import initial, pack, unpack
from scripts import network as script
from tests.running import Outcome, bench

pytestmark = pytest.mark.slow

SMALL = NetworkCase("mlp_relu")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return bench(
        tmp_path_factory.mktemp("network"),
        *(
            "--backends",
            "numpy_ufunc,numba_jit",
            "--widths",
            "10-5-3",
            "--batches",
            "1",
            "--isolation",
            "inline",
        ),
        *("--ops", "mlp_leaky_relu", "--benchmark-quiet"),
    )


def test_a_run_has_every_planned_row(ran: Outcome) -> None:
    assert ran.code == 0, ran.text[-3000:]
    arms = [(row["direction"], row["backend"], row["role"]) for row in ran.cells]
    wanted = [
        ("numpy_ufunc", "baseline"),
        ("numba_jit", "candidate"),
        ("numpy_ufunc", "ablation"),
        ("numba_jit", "ablation"),
        ("numpy_ufunc", "twin"),
        ("empty_call", "floor"),
    ]
    assert arms == [(direction, *arm) for direction in ("forward", "train_step") for arm in wanted]
    for row in ran.cells:
        assert (row["op"], row["layout"], row["n"]) == ("mlp_leaky_relu", "10-5-3", "10")
        assert row["status"] in ("ok", "noisy"), row["reason"]
        assert (row["ceiling_gb_per_s"], row["verdict"] != "") == ("", row["role"] == "candidate")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert script.main(arguments) == 0
    return capsys.readouterr().out


def test_table_has_times_speed_ups_and_the_activations_share(
    ran: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, str(ran.folder), "--against", "numpy_ufunc", "--format", "csv")
    rows = {(row["direction"], row["backend"]): row for row in csv.DictReader(io.StringIO(text))}
    assert len(rows) == 4
    for (_, backend), row in rows.items():
        assert row["batch"] == "1"
        assert float(row["share_lo"]) <= float(row["share"]) <= float(row["share_hi"]) < 1
        assert (float(row["speedup"]) == 1.0) == (backend == "numpy_ufunc")
    table = printed(capsys, str(ran.folder), "--against", "numpy_ufunc")
    assert "mlp_leaky_relu train_step" in table
    assert re.search(r"10-5-3 +1 +numba_jit +~?[\d.]+ \w+ +[\d.]+x \[.*\] +-?[\d.]+% \[", table)


def test_other_readers_take_networks_too(ran: Outcome, capsys: pytest.CaptureFixture[str]) -> None:
    from scripts import compare, summarise

    assert summarise.main([str(ran.folder), "--format", "markdown"]) == 0
    text = capsys.readouterr().out
    assert "mlp_leaky_relu train_step new" in text
    assert "numpy_ufunc (ablation)" in text
    assert compare.main([str(ran.folder), str(ran.folder), "--all"]) == 0
    assert "mlp_leaky_relu-forward-10-5-3-b1-numba_jit" in capsys.readouterr().out


def test_mixed_up_rows_are_named(ran: Outcome, tmp_path: Path) -> None:
    from bench.records.reading import ReadError, read_cells

    text = (ran.folder / "cells.csv").read_text()
    for old, new, says in (
        (",10-5-3,", ",contiguous,", "column layout: is 'contiguous', but op is mlp_leaky_relu"),
        (",10-5-3,", ",10x5x3,", "column layout: is '10x5x3'; allowed: .*widths such as 10-5-3"),
        (",train_step,", ",backward,", "column direction: is 'backward', but op is mlp_leaky_relu"),
        (",10,10-5-3,", ",15,10-5-3,", "column n: is 15; a batch of 10-5-3"),
    ):
        path = tmp_path / "cells.csv"
        path.write_text(text.replace(old, new))
        with pytest.raises(ReadError, match=says):
            read_cells([path])


def test_script_says_what_is_wrong_in_one_line(ran: Outcome) -> None:
    from scripts._shared.cli import UsageError

    with pytest.raises(
        UsageError, match="--against: no cell has 'torch_eager'; there is numba_jit, numpy_ufunc"
    ):
        script.main([str(ran.folder)])
    with pytest.raises(UsageError, match="no network in"):
        script.main([str(ran.folder), "--ops", "mlp_relu"])


def test_a_vector_holds_loss_and_weights() -> None:
    weights = initial(SMALL)
    loss, found = unpack(SMALL, pack(np.float32(2.5), weights))
    assert loss == 2.5
    assert all(np.array_equal(one, other) for one, other in zip(found, weights, strict=True))
