"""`scripts/merge.py`: shards make one run again, nothing lost or doubled; and what is unsound is found."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.plan.networks import network_plan
from bench.plan.options import parse
from bench.plan.shards import part_of, shard
from bench.records.schema import Cell
from bench.run.run import plan
from scripts._shared.cli import UsageError
from scripts.merge import main
from tests.factories import cell, sampled, write_run
from tests.running import bench

ENVIRONMENT = {
    **dict.fromkeys(("machine", "cpu", "kernel", "python", "transparent_hugepage", "commit"), "x"),
    **{"cores": 2, "caches": {"L1": 1}, "packages": {"numpy": "2"}, "sittings": [{"a": 1}]},
}


def run(folder: Path, n: int, environment: dict[str, Any] | None = None, **changes: Any) -> Path:
    seconds = [1e-3, 1.1e-3, 1.2e-3, 1.3e-3, 1.4e-3]
    quantiles: dict[str, Any] = {
        "min_s": 1e-3,
        "median_s": 1.2e-3,
        "max_s": 1.4e-3,
        "special_values": "-0=+0",
    }
    cells, rounds = sampled(
        {"torch_eager": seconds, "numba_tuned": seconds}, n=n, run_id=folder.name, **quantiles | changes
    )
    rounds = [dataclasses.replace(each, run_id=folder.name) for each in rounds]
    return write_run(folder, cells, rounds, environment or ENVIRONMENT)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class TestShards:
    @pytest.mark.parametrize("count", [1, 3, 7, 50])
    def test_every_experiment_is_in_one_of_them(self, count: int) -> None:
        def planned(chosen: str | None) -> list[str]:
            settings = parse({"shard": chosen, "baseline": "numpy_ufunc"})
            return [each.label for each in (*plan(settings), *network_plan(settings, alone=False))]

        parts = [label for number in range(1, count + 1) for label in planned(f"{number}/{count}")]
        assert Counter(parts) == Counter(planned(None))

    def test_none_has_much_more_than_another(self) -> None:
        planned = plan(parse({"baseline": "numpy_ufunc"}))
        sizes = [len(part_of(planned, shard(f"{number}/4"))) for number in range(1, 5)]
        assert max(sizes) <= 3 * min(sizes)  # by weight: large tensors weigh more


class TestMerging:
    def test_nothing_is_lost_and_nothing_doubled(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        one, two = run(tmp_path / "one", 1024), run(tmp_path / "two", 2048)
        assert main([str(one), str(two), str(one), "--output", str(tmp_path / "all")]) == 0
        assert "4 cells of 2 runs" in capsys.readouterr().out
        merged = rows(tmp_path / "all" / "cells.csv")
        assert Counter((row["backend"], row["n"], row["run_id"]) for row in merged) == Counter(
            (backend, n, "all") for backend in ("torch_eager", "numba_tuned") for n in ("1024", "2048")
        )
        assert len(rows(tmp_path / "all" / "rounds.csv")) == 20
        environment = json.loads((tmp_path / "all" / "environment.json").read_text())
        assert [each["run"] for each in environment["merged_from"]] == ["one", "two"]

    def test_a_cell_that_came_twice_is_kept_once(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        one, two = run(tmp_path / "one", 1024), run(tmp_path / "two", 1024)
        assert main([str(one), str(two), "--output", str(tmp_path / "all")]) == 0
        assert "2 cells came twice" in capsys.readouterr().out
        assert len(rows(tmp_path / "all" / "cells.csv")) == 2

    def test_different_figures_for_one_cell_are_refused(self, tmp_path: Path) -> None:
        one, two = run(tmp_path / "one", 1024), run(tmp_path / "two", 1024, iterations=7)
        with pytest.raises(UsageError, match="have different figures for the cell"):
            main([str(one), str(two), "--output", str(tmp_path / "all")])
        assert not (tmp_path / "all").exists()

    def test_other_machines_are_refused(self, tmp_path: Path) -> None:
        one = run(tmp_path / "one", 1024)
        two = run(tmp_path / "two", 2048, {**ENVIRONMENT, "packages": {"numpy": "3"}})
        with pytest.raises(UsageError, match="do not belong together: packages, numpy"):
            main([str(one), str(two), "--output", str(tmp_path / "all")])

    def test_a_place_that_is_taken_is_refused(self, tmp_path: Path) -> None:
        one = run(tmp_path / "one", 1024)
        with pytest.raises(UsageError, match="is there already"):
            main([str(one), "--output", str(one)])

    @pytest.mark.slow
    def test_two_shards_measured_are_the_run(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = (
            "--backends numpy_ufunc --baseline numpy_ufunc --ops relu --directions forward --placements out"
        )
        few = f"{options} --sizes 64,1Ki --max-seconds 0.1 --benchmark-quiet".split()
        for number in (1, 2):
            done = bench(tmp_path, *few, f"--shard={number}/2", run_id=f"shard-{number}")
            assert done.code == 0, done.text[-2000:]
            assert {row["shard"] for row in done.cells} == {f"{number}/2"}
        assert (
            main(
                [str(tmp_path / f"shard-{number}") for number in (1, 2)] + ["--output", str(tmp_path / "all")]
            )
            == 0
        )
        assert {row["n"] for row in rows(tmp_path / "all" / "cells.csv")} == {"64", "1024"}
        assert main(["--check", str(tmp_path / "all")]) == 0
        capsys.readouterr()


class TestCheck:
    def said(self, folder: Path, capsys: pytest.CaptureFixture[str], code: int) -> str:
        assert main(["--check", str(folder)]) == code
        return capsys.readouterr().out

    def test_a_sound_run(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "2 cells, sound" in self.said(run(tmp_path / "one", 1024), capsys, 0)

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"median_s": float("nan")}, "median_s is nan"),
            ({"min_s": 0.5e-3}, "min_s is 0.0005, its rounds give 0.001"),
            ({"max_s": 2e-3}, "max_s is 0.002"),
            ({"special_values": ""}, "did not pass the gate"),
            ({"ceiling_fraction": 2.0}, "2.00 times as fast as they were copied"),
        ],
    )
    def test_what_does_not_agree_is_found(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], fault: str
    ) -> None:
        assert fault in self.said(run(tmp_path / "one", 1024, **changes), capsys, 1)

    def test_a_cell_without_a_reason(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cells: list[Cell] = [cell("jax_jit", None, status="failed")]
        folder = write_run(tmp_path / "one", cells, [], ENVIRONMENT)
        assert "failed without a reason" in self.said(folder, capsys, 1)

    def test_a_fingerprint_that_is_missing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = run(tmp_path / "one", 1024, {name: v for name, v in ENVIRONMENT.items() if name != "kernel"})
        assert "environment.json does not say kernel" in self.said(folder, capsys, 1)

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (lambda folder: (folder / "environment.json").unlink(), "no environment.json"),
            (lambda folder: (folder / "rounds.csv").unlink(), "does not have the rounds of 2 cells"),
            (lambda folder: (folder / "cells.csv").write_bytes(b"a,b\n1,2\n"), "cells.csv"),
        ],
    )
    def test_what_is_not_whole_is_refused_in_a_line(
        self, tmp_path: Path, damage: Callable[[Path], Any], said: str
    ) -> None:
        folder = run(tmp_path / "one", 1024)
        damage(folder)
        with pytest.raises(UsageError, match=said) as caught:
            main(["--check", str(folder)])
        assert "\n" not in str(caught.value)
